"""Statistics of rows, and what is divided and rooted of them (docs/vector.md, sections 4 and 5)."""

from __future__ import annotations

from enum import IntEnum

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.serial_divider import SerialDivider
from hw.parts.vector_types import FACTOR_BITS, PIXEL_BITS, SUM_BITS, Operation, Pass, vector_config_layout

SOFTMAX_BITS, NORM_BITS = 32, 31  # a factor is 2**32 / sum, 2**31 / deviation: workloads/functions/ibert.py
QUOTIENT_BITS = (33, 17, 32)  # of means and softmax factors, of ITA's inverses, of a normalization's factors
ROOT_BITS = 16


class _Mode(IntEnum):
    """Modes of the divider: which of QUOTIENT_BITS, or the root."""

    LONG = 0
    INVERSE = 1
    FACTOR = 2
    ROOT = 3


class _State(IntEnum):
    IDLE = 0
    READ = 1
    LOAD = 2  # what was read is at the divider
    WORK = 3
    HOLD = 4  # a root has become the next divisor
    LOAD_AGAIN = 5
    WORK_AGAIN = 6


class VectorRows(wiring.Component):
    """Two statistics a row: `center` (sum, then mean; or maximum) and `spread` (a sum or a width, then a factor).

    Item passes: `row` and `en` in cycle x, `center` and `spread` in x + 1; `write_*` in cycle x is read from x + 1 on.
    Row passes: `start` in cycle x, the first row in x + 1, `done` in the cycle of the last result, which is that of
    docs/vector.md, section 4; `worked` is high in the cycle of each result. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        row = range(max(design.vector_rows, 2))
        super().__init__(
            {
                "config": In(vector_config_layout(design)),
                "doing": In(Pass),
                "n_pixels": In(PIXEL_BITS),
                "en": In(1),
                "row": In(row),
                "center": Out(signed(SUM_BITS)),
                "spread": Out(FACTOR_BITS),
                "write_row": In(row),
                "write_center": In(1),
                "write_spread": In(1),
                "new_center": In(signed(SUM_BITS)),
                "new_spread": In(FACTOR_BITS),
                "start": In(1),
                "done": Out(1),
                "worked": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.divider = divider = SerialDivider(
            quotient_bits=QUOTIENT_BITS,
            dividend_bits=FACTOR_BITS,
            divisor_bits=FACTOR_BITS,
            root_bits=ROOT_BITS,
            bits_a_cycle=self._design.vector_divider_bits,
        )
        state, row = Signal(_State), Signal(PIXEL_BITS)
        result, end = Signal(FACTOR_BITS), Signal()  # of a row: its last result
        mean = Signal(signed(SUM_BITS))
        is_mean = self.doing == Pass.MEAN
        is_root = (self.doing == Pass.ROOT_FACTOR) & (state <= _State.WORK)
        self._memories(m, state, row, end & is_mean, mean, end & ~is_mean, result)
        self._operands(m, divider, is_root)
        self._mean(m, divider, mean)
        m.d.comb += [
            result.eq(divider.result),
            divider.start.eq(state.matches(_State.LOAD, _State.LOAD_AGAIN)),
            self.worked.eq(divider.last),
            end.eq(divider.last & ~is_root),
            self.done.eq(end & (row + 1 == self.n_pixels)),
        ]
        with m.Switch(state):
            with m.Case(_State.READ):
                m.d.sync += state.eq(_State.LOAD)
            with m.Case(_State.LOAD):
                m.d.sync += state.eq(_State.WORK)
            with m.Case(_State.HOLD):
                m.d.sync += state.eq(_State.LOAD_AGAIN)
            with m.Case(_State.LOAD_AGAIN):
                m.d.sync += state.eq(_State.WORK_AGAIN)
        with m.If(divider.last & is_root):
            m.d.sync += state.eq(_State.HOLD)
        with m.If(end):
            m.d.sync += [row.eq(row + 1), state.eq(Mux(self.done, _State.IDLE, _State.READ))]
        with m.If(self.start):
            m.d.sync += [row.eq(0), state.eq(_State.READ)]
        return m

    def _memories(
        self,
        m: Module,
        state: Signal,
        row: Signal,
        end_center: Value,
        new_center: Value,
        end_spread: Value,
        new_spread: Value,
    ) -> None:
        """Rows are read by either kind of pass, and written by items or by the divider."""
        for name, shape, read, item_en, item_new, end, new in (
            ("center", signed(SUM_BITS), self.center, self.write_center, self.new_center, end_center, new_center),
            ("spread", unsigned(FACTOR_BITS), self.spread, self.write_spread, self.new_spread, end_spread, new_spread),
        ):
            m.submodules[f"memory_{name}"] = memory = Memory(shape=shape, depth=self._design.vector_rows, init=[])
            reading, writing = memory.read_port(), memory.write_port()
            m.d.comb += [
                reading.en.eq(self.en | (state == _State.READ)),
                reading.addr.eq(Mux(self.en, self.row, row)),
                read.eq(reading.data),
                writing.en.eq(item_en | end),
                writing.addr.eq(Mux(item_en, self.write_row, row)),
                writing.data.eq(Mux(item_en, item_new, new)),
            ]

    def _operands(self, m: Module, divider: SerialDivider, is_root: Value) -> None:
        """What is divided by what, and how many bits that takes."""
        config = self.config
        deviation = Signal(FACTOR_BITS)  # a root of 0 counts as 1
        with m.If(divider.last & is_root):
            m.d.sync += deviation.eq(Mux(divider.result == 0, 1, divider.result[:ROOT_BITS]) << config.pre_shift)
        with m.If(self.doing == Pass.MEAN):
            m.d.comb += [divider.mode.eq(_Mode.LONG), divider.dividend.eq(abs(self.center))]
            m.d.comb += divider.divisor.eq(config.n)
        with m.Elif(is_root):
            m.d.comb += [divider.mode.eq(_Mode.ROOT), divider.dividend.eq(self.spread)]
        with m.Elif(config.operation == Operation.SOFTMAX):
            m.d.comb += divider.divisor.eq(self.spread)
            if self._design.vector_softmax == "ita":
                most = (Const(1) << config.out_bits) - 1
                m.d.comb += [divider.mode.eq(_Mode.INVERSE), divider.dividend.eq(most << config.out_bits)]
            else:
                m.d.comb += [divider.mode.eq(_Mode.LONG), divider.dividend.eq(1 << SOFTMAX_BITS)]
        with m.Else():
            width = Mux(self.spread == 0, 1, self.spread)  # of a constant row: 1
            m.d.comb += [
                divider.mode.eq(_Mode.FACTOR),
                divider.dividend.eq(1 << NORM_BITS),
                divider.divisor.eq(Mux(config.operation == Operation.LAYER_NORM, deviation, width)),
            ]

    def _mean(self, m: Module, divider: SerialDivider, mean: Signal) -> None:
        """The quotient to the nearest, ties to even, with the sum's sign."""
        twice = Signal(FACTOR_BITS + 1)
        nearest = Signal(FACTOR_BITS)
        up = (twice > self.config.n) | ((twice == self.config.n) & divider.result[0])
        m.d.comb += [
            twice.eq(divider.remainder << 1),
            nearest.eq(divider.result + up),
            mean.eq(Mux(self.center < 0, -nearest, nearest)),
        ]
