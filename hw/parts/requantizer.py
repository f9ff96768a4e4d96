"""Lanes of the output path: requantization and residual sum, exact on integers (docs/tensor.md, section 7)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.operands import stored_value
from hw.parts.overflow import clip, narrowed
from hw.parts.tensor_types import config_layout

SHIFT_BITS = 6
BIAS_BITS = 32


def rounded(value: Value, shift: Value, *, bits: int) -> Value:
    """(value + (1 << shift >> 1)) >> shift; what does not fit `bits` signed bits stays beyond what bits - 2 hold.

    The half is added after the shift, as the last bit shifted out: no adder as wide as `value` is needed.
    """
    shifted = Cat(Const(0, 1), value).as_signed() >> shift
    return narrowed(shifted[1:].as_signed(), bits) + shifted[0]


class RequantizeLane(wiring.Component):
    """`clip(((acc + bias) * multiplier + half) >> shift) + zero)` of one lane.

    Latency: 3 cycles from `acc`, `bias`, `multiplier`, `shift` to `y`. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(config_layout(design)),
                "acc": In(signed(design.acc_bits)),
                "bias": In(signed(BIAS_BITS)),
                "multiplier": In(design.requant_multiplier_bits),
                "shift": In(SHIFT_BITS),
                "y": Out(signed(design.edge_bits + 2)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, config = self._design, self.config
        biased = Signal(signed(max(design.acc_bits, BIAS_BITS) + 1), reset_less=True)
        m.d.sync += biased.eq(self.acc + self.bias)
        multiplier, shift = config.multiplier, config.shift
        if design.channel_scale_bits:
            multiplier, shift = Signal(len(multiplier), reset_less=True), Signal(SHIFT_BITS, reset_less=True)
            shift_before = Signal(SHIFT_BITS, reset_less=True)
            m.d.sync += [multiplier.eq(self.multiplier), shift_before.eq(self.shift), shift.eq(shift_before)]
        scaled = biased if design.requant == "shift" else biased * multiplier
        wide = Signal(scaled.shape(), reset_less=True)
        m.d.sync += [
            wide.eq(scaled),
            # Two bits more than any bound, so that what is cut off is beyond the bound with the zero point added, too.
            self.y.eq(
                clip(rounded(wide, shift, bits=design.edge_bits + 4) + config.out_zero, config.out_low, config.out_high)
            ),
        ]
        return m


class ResidualLane(wiring.Component):
    """Adds the stored residual `r` to `y`, or passes `y` where the layer has none; the zero point where not `keep`.

    Latency: 2 cycles from `y`, `r` and `keep` to `out`. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(config_layout(design)),
                "y": In(signed(design.edge_bits + 2)),
                "r": In(design.edge_bits),
                "keep": In(1),
                "out": Out(design.edge_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        own = (self.y - config.out_zero) * config.residual_m1
        other = (stored_value(self.r, config.residual_signed) - config.residual_zero) * config.residual_m2
        first, second = Signal(own.shape(), reset_less=True), Signal(other.shape(), reset_less=True)
        keep = Signal()
        m.d.sync += [first.eq(Mux(config.residual, own, self.y)), second.eq(other), keep.eq(self.keep)]
        total = rounded(first + second, config.residual_shift, bits=self._design.edge_bits + 4) + config.sum_zero
        m.d.sync += self.out.eq(Mux(config.residual, config.sum_zero, config.out_zero))
        with m.If(keep):
            m.d.sync += self.out.eq(Mux(config.residual, clip(total, config.sum_low, config.sum_high), first))
        return m
