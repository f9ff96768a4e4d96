"""Processing elements of the three systolic arrays, and the widths of what moves between them."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.overflow import fit


def activation_shape(design: Design) -> Shape:
    """Operand made of a stored activation: its zero point is subtracted, which takes one more bit."""
    return signed(design.act_bits + 1)


def weight_shape(design: Design) -> Shape:
    """Operand made of a stored weight; a stored bit becomes -1, 0 (unused column) or +1."""
    return signed(max(design.weight_bits, 2))


def placed_weight_layout(design: Design) -> data.StructLayout:
    """A weight of an n:m machine, with the place of its activation among m."""
    return data.StructLayout({"weight": weight_shape(design), "place": unsigned(design.place_bits)})


def sum_bits(design: Design, n_products: int) -> int:
    """Signed bits that hold any sum of `n_products` products."""
    largest_weight = 1 << (design.weight_bits - 1)
    return (n_products * ((1 << design.act_bits) - 1) * largest_weight).bit_length() + 1


def product(design: Design, activation: Value, weight: Value) -> Value:
    """activation * weight, exact; without a multiplier where weights are -1, 0 and +1."""
    if design.weight_bits > 1:
        return (activation * weight)[: sum_bits(design, 1)].as_signed()
    negative, present = weight[1], weight[0]
    flipped = (activation.as_unsigned() ^ negative.replicate(len(activation))) & present.replicate(len(activation))
    return flipped.as_signed() + negative


def stationary_shapes(design: Design) -> tuple[Shape | data.Layout, Shape | data.Layout]:
    """Shapes of the operand that stays in a PE of a weight or input stationary array, and of what passes through it."""
    if design.dataflow == "input_stationary":
        return activation_shape(design), weight_shape(design)
    if design.place_bits:
        return placed_weight_layout(design), data.ArrayLayout(activation_shape(design), design.group_lanes)
    return weight_shape(design), activation_shape(design)


class StationaryPE(wiring.Component):
    """PE of the weight and input stationary arrays: one operand stays, the other passes right, exact sums pass down.

    `stationary` is taken in the cycle in which `load` is 1 and used from the next on; `load` passes right with it. So
    the new operand may arrive in the very cycle in which the old one meets its last vector: no shadow register is
    needed. With n:m weights the stationary operand is a weight and its place, and the m activations of the row's group
    pass right, of which the weight meets the one at its place. Latency: 1 cycle from `moving` and `sum_in` to
    `moving_out` and `sum_out`. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design, *, row: int) -> None:
        self._design = design
        self._weight_stays = design.dataflow == "weight_stationary"
        stay, move = stationary_shapes(design)
        super().__init__(
            {
                "load": In(1),
                "stationary": In(stay),
                "moving": In(move),
                "sum_in": In(signed(sum_bits(design, max(row, 1)))),
                "load_out": Out(1),
                "moving_out": Out(move),
                "sum_out": Out(signed(sum_bits(design, row + 1))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal(self.stationary.shape(), reset_less=True)
        moving = Signal(self.moving.shape(), reset_less=True)
        total = Signal(self.sum_out.shape(), reset_less=True)
        if self._design.place_bits:
            activation, weight = Array(self.moving)[held.place], held.weight
        else:
            activation, weight = (self.moving, held) if self._weight_stays else (held, self.moving)
        with m.If(self.load):
            m.d.sync += held.eq(self.stationary)
        m.d.sync += [
            self.load_out.eq(self.load),
            moving.eq(self.moving),
            total.eq(self.sum_in + product(self._design, activation, weight)),
        ]
        m.d.comb += [self.moving_out.eq(moving), self.sum_out.eq(total)]
        return m


class OutputStationaryPE(wiring.Component):
    """PE of the output stationary array: activations pass right, weights down, the sum stays.

    Each product is added under the overflow rule; `overflow` tells a cycle later that one did not fit. `last` comes
    with the last product of a sum: in the next cycle the sum is at `total` (0 in all other cycles, so that a column may
    OR them) and the accumulator starts again from zero. An activation of zero is no product. Latency: 1 cycle to the
    passed operands, to `last_out` and to `total`. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "activation": In(activation_shape(design)),
                "weight": In(weight_shape(design)),
                "last": In(1),
                "activation_out": Out(activation_shape(design)),
                "weight_out": Out(weight_shape(design)),
                "last_out": Out(1),
                "total": Out(signed(design.acc_bits)),
                "overflow": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        acc = Signal(signed(design.acc_bits))
        weight = Signal(self.weight.shape(), reset_less=True)
        exact = Mux(self.last_out, 0, acc) + product(design, self.activation, self.weight)
        fitted, overflow = fit(exact, bits=design.acc_bits, saturate=design.acc_overflow == "saturate")
        m.d.sync += [
            acc.eq(fitted),
            self.overflow.eq(overflow),
            self.activation_out.eq(self.activation),
            weight.eq(self.weight),
            self.last_out.eq(self.last),
        ]
        m.d.comb += [self.weight_out.eq(weight), self.total.eq(Mux(self.last_out, acc, 0))]
        return m
