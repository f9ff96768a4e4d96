"""Netlists are made here: every LUT once, in its smallest form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from designs.errors import InputError
from workloads import truth_tables
from workloads.netlist import CONSTANT_0, CONSTANT_1, MOST_INPUTS, ROLES, Netlist


class NetlistBuilder:
    """Makes a netlist LUT by LUT.

    Signals are numbers as in Netlist: the inputs first, then the LUTs as they come; constants may be read too. What
    `lut` answers is the signal of the function, not always a new LUT: inputs that do not matter, inputs that are
    constant, inputs read twice and inverters among the inputs are folded into the table, a buffer is its input, and a
    function that is there already (or its inverse) is shared.
    """

    def __init__(self, input_names: Sequence[str]) -> None:
        self.input_names = tuple(input_names)
        self.n_inputs = len(self.input_names)
        self._fanins: list[tuple[int, ...]] = []  # of each LUT, ascending
        self._tables: list[int] = []
        self._roles: list[int] = []
        self._known: dict[tuple[tuple[int, ...], int], int] = {}  # (fan-in, table) -> signal
        self._inverse: dict[int, int] = {CONSTANT_0: CONSTANT_1, CONSTANT_1: CONSTANT_0}  # inverter -> what it inverts

    @property
    def n_luts(self) -> int:
        """LUTs made so far, also those that nothing will read."""
        return len(self._fanins)

    def lut(self, fanin: Sequence[int], table: int | Sequence[int] | np.ndarray, role: str) -> int:
        """The signal of a function: the first fan-in is the least significant bit of the table's index.

        A table is its 2^len(fanin) entries, or an integer whose bit i is entry i. Raises ValueError where they do not
        fit, a signal is not there yet, or more than MOST_INPUTS inputs matter.
        """
        signals = list(fanin)
        n = len(signals)
        if isinstance(table, int):
            if not 0 <= table <= truth_tables.full(n):
                raise ValueError(f"table: wanted 2^{n} entries, got {table.bit_length()} bits")
        else:
            if len(table) != 1 << n:
                raise ValueError(f"table: wanted 2^{n} entries, got {len(table)}")
            table = truth_tables.from_entries(table)
        if n and not (min(signals) >= CONSTANT_1 and max(signals) < self.n_inputs + self.n_luts):
            raise ValueError(f"fan-in: wanted signals below {self.n_inputs + self.n_luts}, got {signals}")
        return self._shared(*self.smallest(signals, table), ROLES.index(role))

    def invert(self, signal: int, role: str) -> int:
        """The inverse of a signal."""
        return self.lut((signal,), 0b01, role)

    def finish(self, outputs: Sequence[tuple[str, int]]) -> Netlist:
        """The netlist with these outputs (name, signal or constant), without the LUTs that none of them needs."""
        signals = [self._as_output(signal) for _, signal in outputs]
        live = self._live(signals)
        new = {signal: signal for signal in (CONSTANT_1, CONSTANT_0, *range(self.n_inputs))}
        new |= {self.n_inputs + lut: self.n_inputs + index for index, lut in enumerate(live)}
        fanins = [self._fanins[lut] for lut in live]
        widths = np.array([len(fanin) for fanin in fanins], np.int64)
        return Netlist(
            input_names=self.input_names,
            output_names=tuple(name for name, _ in outputs),
            fanin_start=np.concatenate(([0], np.cumsum(widths))),
            fanin=np.array([new[signal] for fanin in fanins for signal in fanin], np.int32),
            table_start=np.concatenate(([0], np.cumsum(1 << widths))),
            tables=truth_tables.to_entries_of_all([self._tables[lut] for lut in live], widths),
            roles=np.array([self._roles[lut] for lut in live], np.uint8),
            outputs=np.array([new[signal] for signal in signals], np.int32),
        )

    def smallest(self, fanin: Sequence[int], table: int) -> tuple[tuple[int, ...], int]:
        """(distinct signals that matter, ascending; table over them) of a function of these signals."""
        signals = list(fanin)
        n = len(signals)
        for index, signal in enumerate(signals):
            if signal in self._inverse and signal >= 0:
                signals[index] = self._inverse[signal]
                table = truth_tables.flipped(table, index, n)
        ordered = sorted(set(signals))
        if ordered and (len(ordered) < n or ordered[0] < 0):
            table = self._distinct(signals, table)
        keep = truth_tables.support(table, n)
        if len(keep) < n:
            table = truth_tables.shrunk(table, keep, n)
            signals = [signals[index] for index in keep]
            n = len(keep)
            ordered = sorted(signals)
        if signals != ordered:
            for index, least in enumerate(ordered):
                place = signals.index(least)
                table = truth_tables.swapped(table, index, place, n)
                signals[place], signals[index] = signals[index], least
        return tuple(ordered), table

    @staticmethod
    def _distinct(signals: Sequence[int], table: int) -> int:
        """The table no longer depending on constants and on all but the first of equal signals."""
        n = len(signals)
        first: dict[int, int] = {}
        for index, signal in enumerate(signals):
            if signal < 0:
                table = truth_tables.cofactor(table, index, int(signal == CONSTANT_1), n)
            elif (earlier := first.setdefault(signal, index)) != index:
                zero, one = (truth_tables.cofactor(table, index, value, n) for value in (0, 1))
                table = zero ^ (zero ^ one) & truth_tables.variable(earlier, n)
        return table

    def _shared(self, fanin: tuple[int, ...], table: int, role: int) -> int:
        n = len(fanin)
        if n == 0:
            return CONSTANT_1 if table else CONSTANT_0
        if n == 1 and table == 0b10:
            return fanin[0]
        known = self._known.get((fanin, table))
        if known is not None:
            return known
        if n > MOST_INPUTS:
            raise ValueError(f"fan-in: wanted at most {MOST_INPUTS} inputs that matter, got {n}")
        opposite = self._known.get((fanin, table ^ truth_tables.full(n)))
        if opposite is not None:
            return self._shared((opposite,), 0b01, role)
        signal = self._new(fanin, table, role)
        if n == 1:
            self._inverse[signal] = fanin[0]
        return signal

    def _new(self, fanin: tuple[int, ...], table: int, role: int) -> int:
        signal = self.n_inputs + self.n_luts
        self._known[fanin, table] = signal
        self._fanins.append(fanin)
        self._tables.append(table)
        self._roles.append(role)
        return signal

    def _as_output(self, signal: int) -> int:
        """An output never waits for an inverter behind a LUT: a LUT with the inverse table costs as much."""
        source = self._inverse.get(signal, CONSTANT_0)
        if source < self.n_inputs:
            return signal
        lut = source - self.n_inputs
        fanin, table = self._fanins[lut], self._tables[lut] ^ truth_tables.full(len(self._fanins[lut]))
        if (fanin, table) not in self._known:
            self._new(fanin, table, self._roles[signal - self.n_inputs])
        return self._known[fanin, table]

    def _live(self, outputs: Sequence[int]) -> list[int]:
        """The LUTs that the outputs need, ascending."""
        n_inputs, n_signals = self.n_inputs, self.n_inputs + self.n_luts
        needed = bytearray(n_signals)
        for signal in outputs:
            if signal >= 0:
                needed[signal] = 1
        for signal in range(n_signals - 1, n_inputs - 1, -1):
            if needed[signal]:
                for read in self._fanins[signal - n_inputs]:
                    needed[read] = 1
        return [signal - n_inputs for signal in range(n_inputs, n_signals) if needed[signal]]


def check(netlist: Netlist, where: str = "netlist") -> None:
    """Raise InputError, one line beginning with `where`, if the netlist breaks a promise of Netlist's docstring."""
    n_luts, n_inputs = netlist.n_luts, netlist.n_inputs
    for name, start, end in (
        ("fanin_start", netlist.fanin_start, len(netlist.fanin)),
        ("table_start", netlist.table_start, len(netlist.tables)),
    ):
        if len(start) != n_luts + 1 or start[0] != 0 or start[-1] != end or (np.diff(start) < 1).any():
            raise InputError(f"{where}: wanted {name} to rise from 0 to {end} in {n_luts} steps, got another list")
    widths = np.diff(netlist.fanin_start)
    for lut in range(n_luts):
        fanin, width = netlist.inputs_of(lut), int(widths[lut])
        if width > MOST_INPUTS:
            raise InputError(f"{where}: LUT {lut}: wanted at most {MOST_INPUTS} inputs, got {width}")
        if len(netlist.table_of(lut)) != 1 << width:
            raise InputError(f"{where}: LUT {lut}: wanted 2^{width} entries, got {len(netlist.table_of(lut))}")
        if len(np.unique(fanin)) != width:
            raise InputError(f"{where}: LUT {lut}: wanted each signal once, got {fanin.tolist()}")
        if fanin.min() < 0 or fanin.max() >= n_inputs + lut:
            raise InputError(f"{where}: LUT {lut}: wanted signals 0 to {n_inputs + lut - 1}, got {fanin.tolist()}")
    if n_luts and netlist.tables.max() > 1:
        raise InputError(f"{where}: wanted tables of 0 and 1, got {netlist.tables.max()}")
    if n_luts and netlist.roles.max() >= len(ROLES):
        raise InputError(f"{where}: wanted roles below {len(ROLES)}, got {netlist.roles.max()}")
    if len(netlist.outputs) != netlist.n_outputs:
        raise InputError(f"{where}: wanted {netlist.n_outputs} outputs, got {len(netlist.outputs)}")
    for name, signal in zip(netlist.output_names, netlist.outputs, strict=True):
        if not CONSTANT_1 <= signal < n_inputs + n_luts:
            raise InputError(f"{where}: output {name}: wanted a signal below {n_inputs + n_luts}, got {signal}")
