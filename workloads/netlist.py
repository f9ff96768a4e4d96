"""Circuits of look-up tables: the one data structure that training, importers, simulator and RTL share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CONSTANT_0 = -1  # as a signal of `outputs` only: LUTs never read constants
CONSTANT_1 = -2
MOST_INPUTS = 16  # of one LUT before it is mapped to a fabric
# What a LUT is there for; the waterfall of a report is drawn by it.
ROLES = ("encoder", "tree", "mat", "score", "sum", "argmax", "logic")


@dataclass(frozen=True, kw_only=True, eq=False)
class Netlist:
    """A combinational circuit of LUTs in topological order.

    Signals are numbers: 0 to n_inputs - 1 are the inputs, n_inputs + i is the output of LUT i. LUT i reads the signals
    fanin[fanin_start[i]:fanin_start[i + 1]], all smaller than its own, distinct, at least one and at most MOST_INPUTS.
    Its table is tables[table_start[i]:table_start[i + 1]], 2^inputs entries 0 or 1; the first fan-in is the least
    significant bit of the index (as in INIT of an FPGA's LUT).
    """

    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    fanin_start: np.ndarray  # (n_luts + 1,) int64
    fanin: np.ndarray  # int32
    table_start: np.ndarray  # (n_luts + 1,) int64
    tables: np.ndarray  # uint8
    roles: np.ndarray  # (n_luts,) uint8, index of ROLES
    outputs: np.ndarray  # (n_outputs,) int32: the signal of each output, or a constant

    @property
    def n_inputs(self) -> int:
        return len(self.input_names)

    @property
    def n_outputs(self) -> int:
        return len(self.output_names)

    @property
    def n_luts(self) -> int:
        return len(self.roles)

    def inputs_of(self, lut: int) -> np.ndarray:
        """The signals that LUT `lut` reads, least significant first."""
        return self.fanin[self.fanin_start[lut] : self.fanin_start[lut + 1]]

    def table_of(self, lut: int) -> np.ndarray:
        """The table of LUT `lut`, entry by entry."""
        return self.tables[self.table_start[lut] : self.table_start[lut + 1]]


def run_netlist(netlist: Netlist, inputs: np.ndarray) -> np.ndarray:
    """Signals of the circuit, by definition: (n_samples, n_inputs) of 0 and 1 -> (n_samples, n_outputs) uint8.

    This is the meaning of a netlist; whatever else evaluates one must equal it.
    """
    return outputs_of(netlist, signals_of(netlist, inputs))


def signals_of(netlist: Netlist, inputs: np.ndarray) -> np.ndarray:
    """The value of every signal: (n_samples, n_inputs) of 0 and 1 -> (n_samples, n_inputs + n_luts) uint8."""
    values = np.zeros((len(inputs), netlist.n_inputs + netlist.n_luts), dtype=np.uint8)
    values[:, : netlist.n_inputs] = inputs
    for lut in range(netlist.n_luts):
        fanin = netlist.inputs_of(lut)
        index = values[:, fanin].astype(np.int64) @ (1 << np.arange(len(fanin)))
        values[:, netlist.n_inputs + lut] = netlist.table_of(lut)[index]
    return values


def outputs_of(netlist: Netlist, signals: np.ndarray) -> np.ndarray:
    """The outputs among all signals: (n_samples, n_signals) -> (n_samples, n_outputs) uint8."""
    found = np.empty((len(signals), netlist.n_outputs), dtype=np.uint8)
    for index, signal in enumerate(netlist.outputs):
        found[:, index] = signals[:, signal] if signal >= 0 else signal == CONSTANT_1
    return found
