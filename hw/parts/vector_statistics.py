"""Statistics of a row on the way: its maximum, its width, its sum (docs/vector.md, section 5)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.stages import Stages
from hw.parts.vector_lane import FRACTION_BITS, INPUT_BITS, MOST_HALVINGS, half_up
from hw.parts.vector_types import FACTOR_BITS, SUM_BITS, Pass, vector_config_layout


class VectorStatistics(wiring.Component):
    """Reduces the lanes of an item and carries the row's statistics from item to item.

    Positions as in hw/parts/stages.py. In: `ranged` and `take` at 0, `valid_1`, `first_1` (first item of its row) at 1,
    `summands` at 6, `valid_8`, `first_8` at 8. Out: `maximum` at 1 and `maximum_8`, `width_8` (maximum - minimum),
    `sum` at 8, each with this item in it. In ITA's first pass (`doing`) the sum is halved whenever the maximum moves
    and a block's terms are floored. What takes no part in any column of a row so far has maximum 0 and sum 0. Latency
    from position to position: that of the lanes. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        lanes, value = design.vector_lanes, signed(INPUT_BITS)
        super().__init__(
            {
                "config": In(vector_config_layout(design)),
                "doing": In(Pass),
                "ranged": In(data.ArrayLayout(value, lanes)),
                "take": In(lanes),
                "valid_1": In(1),
                "first_1": In(1),
                "summands": In(data.ArrayLayout(signed(SUM_BITS), lanes)),
                "valid_8": In(1),
                "first_8": In(1),
                "maximum": Out(value),
                "maximum_8": Out(value),
                "width_8": Out(INPUT_BITS),
                "sum": Out(signed(SUM_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        self._m = m = Module()
        self._stages = stages = Stages(m, self._design.vector_stages)
        any_at = stages.staged(self.take.any(), 0, "any")
        largest = stages.staged(self._extreme("largest", lambda a, b: a > b), 0, "block_maximum")
        smallest = stages.staged(self._extreme("smallest", lambda a, b: a < b), 0, "block_minimum")
        seen = Signal()  # a column of this row has taken part
        fresh = Signal()
        maximum, minimum, low = (Signal(signed(INPUT_BITS), name=n) for n in ("so_far", "least_so_far", "low"))
        m.d.comb += [
            fresh.eq(self.first_1 | ~seen),
            self.maximum.eq(Mux(any_at(1) & (fresh | (largest(1) > maximum)), largest(1), Mux(fresh, 0, maximum))),
            low.eq(Mux(any_at(1) & (fresh | (smallest(1) < minimum)), smallest(1), Mux(fresh, 0, minimum))),
        ]
        with m.If(self.valid_1):
            m.d.sync += [seen.eq(any_at(1) | ~fresh), maximum.eq(self.maximum), minimum.eq(low)]
        width = Signal(INPUT_BITS)
        m.d.comb += [
            width.eq(self.maximum - low),
            self.maximum_8.eq(stages.staged(self.maximum, 1, "maximum")(8)),
            self.width_8.eq(stages.staged(width, 1, "width")(8)),
        ]
        self._sum(fresh, maximum)
        return m

    def _extreme(self, name: str, better) -> Value:  # type: ignore[no-untyped-def]
        """The largest or smallest of the lanes that take part, as a tree."""
        level = [(self.take[i], self.ranged[i]) for i in range(self._design.vector_lanes)]
        depth = 0
        while len(level) > 1:
            pairs = []
            for number in range(0, len(level) - 1, 2):
                (has_a, a), (has_b, b) = level[number : number + 2]
                chosen = Signal(signed(INPUT_BITS), name=f"{name}_{depth}_{number}")
                self._m.d.comb += chosen.eq(Mux(has_b & (~has_a | better(b, a)), b, a))
                pairs.append((has_a | has_b, chosen))
            level = pairs + level[len(level) & ~1 :]
            depth += 1
        return level[0][1]

    def _sum(self, fresh: Value, maximum: Value) -> None:
        """The row's sum with this item."""
        m, stages = self._m, self._stages
        lanes = self._design.vector_lanes
        level: list[Value] = [self.summands[i] for i in range(lanes)]
        while len(level) > 1:
            level = [a + b for a, b in zip(level[::2], level[1::2], strict=False)] + level[len(level) & ~1 :]
        total = Signal(signed(SUM_BITS + (lanes - 1).bit_length()))
        m.d.comb += total.eq(level[0])
        total_at = stages.staged(total, 6, "total")
        before, sum_so_far = Signal(signed(SUM_BITS)), Signal(signed(SUM_BITS))
        m.d.comb += [before.eq(Mux(self.first_8, 0, sum_so_far)), self.sum.eq(before + total_at(8))]
        if self._design.vector_softmax == "ita":
            moved = Signal(INPUT_BITS)
            m.d.comb += moved.eq(Mux(fresh, 0, self.maximum - maximum))
            halvings = self._halvings(moved)
            with m.If(self.doing == Pass.ITA_SUM):
                m.d.comb += self.sum.eq((before[:FACTOR_BITS] >> halvings) + total_at(8)[FRACTION_BITS:].as_signed())
        with m.If(self.valid_8):
            m.d.sync += sum_so_far.eq(self.sum)

    def _halvings(self, moved: Value) -> Value:
        """How often the sum is halved where the maximum has moved by `moved`, at 8."""
        config, stages = self.config, self._stages
        distance = stages.staged(moved, 1, "moved")
        product = Signal(INPUT_BITS + 16)
        self._m.d.comb += product.eq(distance(2) * config.function_multiplier)
        scaled = half_up(stages.staged(product, 2, "moved_product")(3), config.function_shift)
        halvings = Signal(range(MOST_HALVINGS + 1))
        self._m.d.comb += halvings.eq(Mux(scaled > MOST_HALVINGS, MOST_HALVINGS, scaled))
        return stages.staged(halvings, 3, "halvings")(8)
