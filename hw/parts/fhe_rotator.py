"""Rotation of accumulators by an exponent, less the accumulators (docs/fhe.md, section 1, point 4)."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from designs.families.fhe import Design
from hw.parts.fhe_accumulators import pair_read, plain_read, torus_words
from hw.parts.fhe_steps import rotate_step
from hw.parts.fhe_types import TORUS_BITS, exponent_bits, n_columns


class Rotator(wiring.Component):
    """D_j = X^exponent ACC_j - ACC_j of r polynomials, a word of each a cycle.

    Word w of the product needs the words w - e//P and w - e//P - 1 of ACC, one even and one odd: both are read at once,
    and their lanes turned by e mod P. Latency: `step` in cycle x, `exponent` from x + 1 to the step after (steady for
    a job), addresses in x + 1, `difference` in x + 3. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "step": In(rotate_step(design)),
                "exponent": In(exponent_bits(design)),
                "pair": Out(pair_read(design)),
                "plain": Out(plain_read(design)),
                "difference": Out(torus_words(design, design.rotators)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, pair, plain = self._design, self.pair, self.plain
        lane_bits = exact_log2(design.coefficients_per_cycle)
        step = Signal(self.step.shape())
        m.d.sync += step.eq(self.step)
        # Words modulo 2 W: the highest bit says that the coefficient comes from beyond X^N = -1.
        upper, lower = (Signal(exponent_bits(design) - lane_bits, name=name) for name in ("upper", "lower"))
        m.d.comb += [
            upper.eq(step.step.word - self.exponent[lane_bits:]),
            lower.eq(upper - 1),
            pair.en.eq(step.step.valid),
            pair.columns.eq(step.columns),
            pair.slot.eq(step.slot),
            pair.even.eq(Mux(upper[0], lower, upper)[1:-1]),
            pair.odd.eq(Mux(upper[0], upper, lower)[1:-1]),
            plain.en.eq(step.step.valid),
            plain.slot.eq(step.slot),
            plain.word.eq(step.step.word),
        ]
        turn, is_odd = Signal(lane_bits), Signal()
        negative = Signal(2)  # of lower, of upper
        columns = Signal(step.columns.shape())
        m.d.sync += [
            turn.eq(self.exponent[:lane_bits]),
            is_odd.eq(upper[0]),
            negative.eq(Cat(lower[-1], upper[-1])),
            columns.eq(step.columns),
        ]
        from_upper = [Signal(name=f"from_upper_{lane}") for lane in range(design.coefficients_per_cycle)]
        for lane, taken in enumerate(from_upper):
            m.d.comb += taken.eq(lane + turn < design.coefficients_per_cycle)
        # ROT's plain words: of the polynomials that are rotated.
        words = [plain.data[column].as_value() for column in range(n_columns(design))]
        groups = [words[first : first + design.rotators] for first in range(0, len(words), design.rotators)]
        for index in range(design.rotators):
            even, odd = pair.even_data[index].as_value(), pair.odd_data[index].as_value()
            source = Mux(is_odd, odd, even), Mux(is_odd, even, odd)
            own = Array(group[index] for group in groups)[columns]
            self._subtract(m, index, source, own, (turn, negative, from_upper))
        return m

    def _subtract(
        self, m: Module, index: int, source: tuple[Value, Value], own: Value, turning: tuple[Value, Value, list[Signal]]
    ) -> None:
        """Lanes of upper and lower words, chosen, turned and registered with their signs; then the difference."""
        turn, negative, from_upper = turning
        lanes = []
        for lane, is_upper in enumerate(from_upper):
            part = slice(TORUS_BITS * lane, TORUS_BITS * (lane + 1))
            chosen = Mux(is_upper, source[0][part], source[1][part])
            lanes.append(Cat(chosen, Mux(is_upper, negative[1], negative[0])))
        for bit in range(len(turn)):
            distance = 1 << bit
            turned = [Signal(TORUS_BITS + 1, name=f"turned_{index}_{bit}_{lane}") for lane in range(len(lanes))]
            for lane, after in enumerate(turned):
                m.d.comb += after.eq(Mux(turn[bit], lanes[lane - distance], lanes[lane]))
            lanes = list(turned)
        for lane, value in enumerate(lanes):
            rotated = Signal(TORUS_BITS + 1, name=f"rotated_{index}_{lane}")
            plain = Signal(TORUS_BITS, name=f"plain_{index}_{lane}")
            m.d.sync += [rotated.eq(value), plain.eq(own[TORUS_BITS * lane : TORUS_BITS * (lane + 1)])]
            word = rotated[:TORUS_BITS]
            m.d.comb += self.difference[index][lane].eq(Mux(rotated[-1], -word, word) - plain)
