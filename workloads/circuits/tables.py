"""Tables as gates: functions of up to 16 signals, as netlists of LUTs have them, in AND, XOR and MUX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from workloads import netlist as luts
from workloads import truth_tables as tables
from workloads.circuits import circuit as c
from workloads.circuits.builder import CircuitBuilder
from workloads.circuits.circuit import CONSTANT_0, CONSTANT_1, Circuit
from workloads.circuits.gate_lists import ports_of

# Tables of two variables, least significant index first; the first variable is bit 0 of the index.
_OF_TWO = {
    0b1000: c.AND, 0b0111: c.NAND, 0b1110: c.OR, 0b0001: c.NOR, 0b0110: c.XOR, 0b1001: c.XNOR,
    0b0100: c.ANDNY, 0b0010: c.ANDYN, 0b1101: c.ORNY, 0b1011: c.ORYN,
}  # fmt: skip
_SEARCHED = 4  # variables up to which all ways to split a table are compared


def circuit_of_netlist(name: str, netlist: luts.Netlist) -> Circuit:
    """The circuit of a netlist of look-up tables: one gate for each of two inputs, others split (`add_table`).

    Inputs and outputs called `x[0]`, `x[1]`, ... become one port.
    """
    inputs, input_names = ports_of(netlist.input_names)
    outputs, output_names = ports_of(netlist.output_names)
    builder = CircuitBuilder(inputs)
    place = {signal: number for number, signal in enumerate(input_names)}
    signals = [place[signal] for signal in netlist.input_names]
    for lut in range(netlist.n_luts):
        table = tables.from_entries(netlist.table_of(lut))
        signals.append(add_table(builder, table, [signals[signal] for signal in netlist.inputs_of(lut)]))
    driven = {
        output: int(signal) if signal < 0 else signals[signal]
        for output, signal in zip(netlist.output_names, netlist.outputs, strict=True)
    }
    bits = iter(output_names)
    return builder.finish(name, [(port, [driven[next(bits)] for _ in range(port.n_bits)]) for port in outputs])


def add_table(builder: CircuitBuilder, table: int, signals: Sequence[int]) -> int:
    """The signal of a function: bit i of the table is its value where the signals, the first least, make the number i.

    Splits off a variable or a function of two where that takes one gate; else by a multiplexer, a variable of which the
    function is linear, or a pair of variables that are equal or not, whichever leads to the fewest bootstraps where at
    most four variables are left, and to the fewest variables where there are more.
    """
    keep = tables.support(table, len(signals))
    reduced = tables.shrunk(table, keep, len(signals)) if len(keep) < len(signals) else table
    read, n = [signals[index] for index in keep], len(keep)
    if n == 0:
        return CONSTANT_1 if reduced else CONSTANT_0
    if n == 1:
        return read[0] if reduced == 0b10 else builder.invert(read[0])
    if n == 2:
        return builder.gate(_OF_TWO[reduced], *read)
    split = _split(reduced, n)
    parts = [add_table(builder, part, [*read, *split.made(builder, read)]) for part in split.parts]
    return split.joined(builder, read, parts)


@dataclass(frozen=True, kw_only=True)
class _Split:
    """One way to make a table of others: `parts`, over the same variables, and one more where a pair is made first."""

    kind: str
    variable: int
    parts: tuple[int, ...]
    cost: int  # bootstraps besides the parts'
    other: int = -1  # of a pair
    pair: int = 0  # the table of the pair

    def made(self, builder: CircuitBuilder, read: Sequence[int]) -> list[int]:
        """The signal of the pair, where the part reads it."""
        return [self._of_pair(builder, read)] if self.kind == "pair" else []

    def joined(self, builder: CircuitBuilder, read: Sequence[int], parts: Sequence[int]) -> int:
        x = read[self.variable]
        if self.kind == "pair":
            return parts[0]
        if self.kind == "mux":
            return builder.choose(x, *parts)
        if self.kind == "equal":
            return builder.choose(self._of_pair(builder, read), *parts)
        if self.kind == "linear":
            return builder.differ(parts[0], builder.both(x, parts[1]))
        return builder.gate(_ONE_GATE[self.kind], x, parts[0])

    def _of_pair(self, builder: CircuitBuilder, read: Sequence[int]) -> int:
        return builder.gate(_OF_TWO[self.pair], read[self.variable], read[self.other])


_ONE_GATE = {"and": c.AND, "andny": c.ANDNY, "orny": c.ORNY, "or": c.OR, "xor": c.XOR}


@cache
def _cost(table: int, n: int) -> int:
    """Bootstraps of a table by the cheapest splits."""
    keep = tables.support(table, n)
    if len(keep) < 3:
        return max(0, len(keep) - 1)
    reduced = tables.shrunk(table, keep, n) if len(keep) < n else table
    return _searched(reduced, len(keep))[0]


@cache
def _searched(table: int, n: int) -> tuple[int, _Split]:
    """(bootstraps, the split that leads to them) of a table of 3 or 4 variables that all matter."""
    ways = _by_one_gate(table, n) or [*_by_pairs(table, n), *_by_two_parts(table, n)]
    costs = [way.cost + sum(_cost(part, n + (way.kind == "pair")) for part in way.parts) for way in ways]
    best = min(range(len(ways)), key=costs.__getitem__)
    return costs[best], ways[best]


def _split(table: int, n: int) -> _Split:
    if n <= _SEARCHED:
        return _searched(table, n)[1]
    if ways := _by_one_gate(table, n) or list(_by_pairs(table, n)):
        return ways[0]
    return min(_by_muxes(table, n), key=lambda way: sum(len(tables.support(part, n)) for part in way.parts))


def _by_one_gate(table: int, n: int) -> list[_Split]:
    """A variable that one gate joins to the rest."""
    for index in range(n):
        zero, one = (tables.cofactor(table, index, value, n) for value in (0, 1))
        full = tables.full(n)
        for kind, found, part in (
            ("and", zero == 0, one), ("andny", one == 0, zero), ("orny", zero == full, one), ("or", one == full, zero),
            ("xor", one == zero ^ full, zero),
        ):  # fmt: skip
            if found:
                return [_Split(kind=kind, variable=index, parts=(part,), cost=1)]
    return []


def _by_pairs(table: int, n: int) -> Iterator[_Split]:
    """Two variables of which only a function of two matters: it takes their place, as variable n."""
    for first in range(n):
        for second in range(first + 1, n):
            halves = [tables.cofactor(table, second, value, n) for value in (0, 1)]
            corners = [tables.cofactor(half, first, value, n) for half in halves for value in (0, 1)]
            if len(set(corners)) == 2:
                pair = sum((corner != corners[0]) << index for index, corner in enumerate(corners))
                part = corners[0] | next(corner for corner in corners if corner != corners[0]) << (1 << n)
                yield _Split(kind="pair", variable=first, other=second, pair=pair, parts=(part,), cost=1)


def _by_muxes(table: int, n: int) -> Iterator[_Split]:
    for index in range(n):
        zero, one = (tables.cofactor(table, index, value, n) for value in (0, 1))
        yield _Split(kind="mux", variable=index, parts=(one, zero), cost=2)


def _by_two_parts(table: int, n: int) -> Iterator[_Split]:
    yield from _by_muxes(table, n)
    for index in range(n):
        zero, one = (tables.cofactor(table, index, value, n) for value in (0, 1))
        yield _Split(kind="linear", variable=index, parts=(zero, zero ^ one), cost=2)
    for first in range(n):
        for second in range(first + 1, n):
            halves = [tables.cofactor(table, second, value, n) for value in (0, 1)]
            x = tables.variable(first, n)
            # Tables of the first variable: where the second is the other one, and where it is the same.
            differ, equal = (halves[a] & x | halves[1 - a] & (x ^ tables.full(n)) for a in (0, 1))
            yield _Split(kind="equal", variable=first, other=second, pair=0b0110, parts=(differ, equal), cost=3)
