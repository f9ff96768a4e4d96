"""The systolic arrays of the tensor machine, with the skew of what enters and the deskew of what leaves."""

from __future__ import annotations

import operator
from collections.abc import Callable

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.pe import (
    OutputStationaryPE,
    StationaryPE,
    activation_shape,
    stationary_shapes,
    sum_bits,
    weight_shape,
)
from hw.parts.skew import GroupSkew, Lane, Skew, delayed


def tree(values: list[Value], combine: Callable[[Value, Value], Value]) -> Value:
    """`values` combined pairwise: a balanced tree, so that depth grows with the logarithm."""
    while len(values) > 1:
        values = [
            combine(*values[i : i + 2]) if i + 1 < len(values) else values[i] for i in range(0, len(values), 2)
        ]  # fmt: skip
    return values[0]


class StationaryArray(wiring.Component):
    """Weight or input stationary array of R x C PEs: exact sums over the R rows leave at the foot of the C columns.

    A fold: from the cycle of `load` on, word q of `stationary` (its first, second, ...) is for row q (weight
    stationary, C lanes) or column q (input stationary, R lanes); the fold's first vector is at `moving` one cycle after
    `load`. With n:m weights a vector has act_lanes activations, m of them for each n rows. Folds may follow as soon as
    the words and the vectors of the one before are in. Latency: R + C - 1 cycles from `moving` to `sums`. Initiation
    interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        self._weight_stays = design.dataflow == "weight_stationary"
        stay = stationary_shapes(design)[0]
        lane = activation_shape(design) if self._weight_stays else weight_shape(design)
        n_stay = design.array_cols if self._weight_stays else design.array_rows
        total = signed(sum_bits(design, design.array_rows))
        super().__init__(
            {
                "load": In(1),
                "stationary": In(data.ArrayLayout(stay, n_stay)),
                "moving": In(data.ArrayLayout(lane, design.act_lanes)),
                "sums": Out(data.ArrayLayout(total, design.array_cols)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, cols = self._design.array_rows, self._design.array_cols
        m.submodules.skew_stationary = stationary = self._skew(self.stationary, "lowest")
        m.submodules.skew_moving = moving = self._skew_moving()
        m.submodules.skew_sums = foot = self._skew(self.sums, "highest")
        m.d.comb += [
            stationary.early.eq(self.stationary),
            moving.early.eq(self.moving),
            self.sums.eq(foot.late),
        ]
        loads = delayed(m, self.load, rows - 1, name="load_row")
        above: list[Value] = []
        for r in range(rows):
            load, moved, below = loads[r], moving.late[r], []
            for c in range(cols):
                m.submodules[f"pe_{r}_{c}"] = pe = StationaryPE(self._design, row=r)
                m.d.comb += [
                    pe.load.eq(load),
                    pe.stationary.eq(stationary.late[c if self._weight_stays else r]),
                    pe.moving.eq(moved),
                ]
                if r:
                    m.d.comb += pe.sum_in.eq(above[c])
                load, moved = pe.load_out, pe.moving_out
                below.append(pe.sum_out)
            above = below
        m.d.comb += [foot.early[c].eq(above[c]) for c in range(cols)]
        return m

    def _skew_moving(self) -> Skew | GroupSkew:
        design = self._design
        if not design.place_bits:
            return self._skew(self.moving, "lowest")
        return GroupSkew(
            shape=activation_shape(design),
            n_groups=design.array_rows // design.kept_lanes,
            rows_a_group=design.kept_lanes,
            lanes_a_group=design.group_lanes,
        )

    @staticmethod
    def _skew(word: data.View, first: Lane) -> Skew:
        layout = word.shape()
        return Skew(shape=layout.elem_shape, n_lanes=layout.length, first=first)


class OutputStationaryArray(wiring.Component):
    """Output stationary array of R x C PEs; the sums of row 0, 1, ... leave one row a cycle, all C columns together.

    `last` comes with the last activations and weights of a sum; `activations` are zero where there is nothing to add.
    Latency: C cycles from `last` to row 0 at `sums`, which `first_row` tells; row r follows r cycles later. `overflow`,
    the additions that did not fit, lags by 3 cycles after the PE. Initiation interval 1; R cycles or more lie between
    two `last`. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        rows, cols = design.array_rows, design.array_cols
        super().__init__(
            {
                "activations": In(data.ArrayLayout(activation_shape(design), rows)),
                "weights": In(data.ArrayLayout(weight_shape(design), cols)),
                "last": In(1),
                "sums": Out(data.ArrayLayout(signed(design.acc_bits), cols)),
                "first_row": Out(1),
                "overflow": Out(range(rows * cols + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, rows, cols = self._design, self._design.array_rows, self._design.array_cols
        m.submodules.skew_activations = left = Skew(
            shape=activation_shape(design), n_lanes=rows, first="lowest", reset_less=False
        )
        m.submodules.skew_weights = top = Skew(shape=weight_shape(design), n_lanes=cols, first="lowest")
        m.submodules.skew_sums = foot = Skew(shape=signed(design.acc_bits), n_lanes=cols, first="highest")
        m.d.comb += [
            left.early.eq(self.activations),
            top.early.eq(self.weights),
            self.sums.eq(foot.late),
        ]
        lasts = delayed(m, self.last, rows - 1, name="last_row")
        pes = [[OutputStationaryPE(design) for _ in range(cols)] for _ in range(rows)]
        for r in range(rows):
            for c in range(cols):
                m.submodules[f"pe_{r}_{c}"] = pe = pes[r][c]
                m.d.comb += [
                    pe.activation.eq(pes[r][c - 1].activation_out if c else left.late[r]),
                    pe.last.eq(pes[r][c - 1].last_out if c else lasts[r]),
                    pe.weight.eq(pes[r - 1][c].weight_out if r else top.late[c]),
                ]
        for c in range(cols):
            totals = [pes[r][c].total.as_unsigned() for r in range(rows)]
            m.d.comb += foot.early[c].eq(tree(totals, operator.or_))
        m.d.comb += self.first_row.eq(pes[0][cols - 1].last_out)
        self._count_overflows(m, pes)
        return m

    def _count_overflows(self, m: Module, pes: list[list[OutputStationaryPE]]) -> None:
        rows, cols = self._design.array_rows, self._design.array_cols
        columns = []
        for c in range(cols):
            n_column = Signal(range(rows + 1), name=f"n_overflows_{c}")
            m.d.sync += n_column.eq(tree([pes[r][c].overflow for r in range(rows)], operator.add))
            columns.append(n_column)
        m.d.sync += self.overflow.eq(tree(columns, operator.add))
