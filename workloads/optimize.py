"""Exact simplification of netlists: fewer LUTs, the same functions."""

from __future__ import annotations

import numpy as np

from workloads import truth_tables
from workloads.netlist import ROLES, Netlist
from workloads.netlist_builder import NetlistBuilder


def optimize(netlist: Netlist, lut_inputs: int | None = None) -> Netlist:
    """The netlist without inputs that do not matter, constants, buffers, inverters, duplicates and dead LUTs.

    One pass in topological order reaches the fixed point of all of them: what a LUT reads is in its final form before
    the LUT is looked at. With `lut_inputs`, LUTs also move into their readers, where each reader still has at most so
    many inputs and a LUT is saved; wider LUTs stay as they are. Functions, inputs and outputs keep their order.
    """
    simplest = _rebuilt(netlist)
    return simplest if lut_inputs is None else merge_luts(simplest, lut_inputs)


def merge_luts(netlist: Netlist, lut_inputs: int) -> Netlist:
    """`optimize` with lut_inputs, of a netlist as NetlistBuilder or `optimize` makes it."""
    while True:
        merged = _merged(netlist, lut_inputs)
        if merged is None or merged.n_luts >= netlist.n_luts:
            return netlist
        netlist = merged


def _rebuilt(netlist: Netlist) -> Netlist:
    builder = NetlistBuilder(netlist.input_names)
    signal_of = list(range(netlist.n_inputs))
    fanin, start = netlist.fanin.tolist(), netlist.fanin_start.tolist()
    for lut, (table, role) in enumerate(zip(tables_of(netlist), netlist.roles.tolist(), strict=True)):
        signals = [signal_of[signal] for signal in fanin[start[lut] : start[lut + 1]]]
        signal_of.append(builder.lut(signals, table, ROLES[role]))
    outputs = [signal_of[signal] if signal >= 0 else signal for signal in netlist.outputs.tolist()]
    return builder.finish(list(zip(netlist.output_names, outputs, strict=True)))


def tables_of(netlist: Netlist) -> list[int]:
    """The table of each LUT as an integer (workloads.truth_tables)."""
    return truth_tables.from_entries_of_all(netlist.tables, np.diff(netlist.fanin_start))


def _merged(netlist: Netlist, lut_inputs: int) -> Netlist | None:
    """One round: LUTs with one reader first, then those whose readers can all take them in. None if none can."""
    graph = _Graph(netlist)
    for most_readers in (1, netlist.n_luts):
        for lut in range(netlist.n_luts):
            graph.merge(lut, lut_inputs, most_readers)
    if not graph.n_merged:
        return None
    builder = NetlistBuilder(netlist.input_names)
    signal_of = {signal: signal for signal in (-2, -1, *range(netlist.n_inputs))}
    for lut, (fanin, table, role) in enumerate(zip(graph.fanins, graph.tables, netlist.roles.tolist(), strict=True)):
        if graph.readers[lut] or graph.is_output[lut]:
            signals = [signal_of[signal] for signal in fanin]
            signal_of[netlist.n_inputs + lut] = builder.lut(signals, table, ROLES[role])
    return builder.finish(
        [(name, signal_of[s]) for name, s in zip(netlist.output_names, netlist.outputs.tolist(), strict=True)]
    )


class _Graph:
    """A netlist with readers, whose LUTs can move into them. Fan-ins ascend."""

    def __init__(self, netlist: Netlist) -> None:
        self.n_inputs = netlist.n_inputs
        fanin, start = netlist.fanin.tolist(), netlist.fanin_start.tolist()
        self.fanins = [tuple(fanin[start[lut] : start[lut + 1]]) for lut in range(netlist.n_luts)]
        self.tables = tables_of(netlist)
        self.readers: list[set[int]] = [set() for _ in range(netlist.n_luts)]
        self.is_output = [False] * netlist.n_luts
        self.n_merged = 0
        for lut, signals in enumerate(self.fanins):
            for signal in signals:
                if signal >= self.n_inputs:
                    self.readers[signal - self.n_inputs].add(lut)
        for signal in netlist.outputs.tolist():
            if signal >= self.n_inputs:
                self.is_output[signal - self.n_inputs] = True

    def merge(self, lut: int, lut_inputs: int, most_readers: int) -> None:
        """Move a LUT into all its readers, if they are few enough and none gets too many inputs."""
        readers = self.readers[lut]
        if self.is_output[lut] or not 1 <= len(readers) <= most_readers:
            return
        inner, inner_fanin = self.n_inputs + lut, self.fanins[lut]
        if any(len({*self.fanins[reader], *inner_fanin}) - 1 > lut_inputs for reader in readers):
            return
        self.n_merged += 1
        for reader in readers:
            self.fanins[reader], self.tables[reader] = truth_tables.composed(
                self.tables[reader], self.fanins[reader], inner, self.tables[lut], inner_fanin
            )
        for signal in inner_fanin:
            if signal >= self.n_inputs:
                self.readers[signal - self.n_inputs].discard(lut)
                self.readers[signal - self.n_inputs].update(readers)
        readers.clear()
