"""The passes of a step of the vector unit: items through the lanes, rows through the divider (docs/vector.md)."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.operands import stored_value
from hw.parts.scratchpad import read_signature
from hw.parts.stages import Stages
from hw.parts.vector_items import ItemSequence, item_layout
from hw.parts.vector_lane import INPUT_BITS, VectorLane
from hw.parts.vector_move import VectorMove
from hw.parts.vector_rows import VectorRows
from hw.parts.vector_statistics import VectorStatistics
from hw.parts.vector_types import (
    ENTRY_BITS,
    PIXEL_BITS,
    ROW_PASSES,
    TABLE_WORDS,
    Operation,
    Pass,
    passes,
    result_write_signature,
    step_layout,
    value_shape,
    vector_config_layout,
)

STROBES = ("ops", "moves", "row_ops", "reads", "writes", "param_reads", "table_reads")


class VectorCompute(wiring.Component):
    """Works on the words of x and z, pass after pass, and leaves its result in y.

    `start` in cycle x: the first pass begins in x + 1, each other one in the cycle after the one before ended; `done`
    is high in the last cycle of the last. A pass takes the cycles of docs/vector.md, sections 4 and 5. `config`, `step`
    and `n_pixels` are steady meanwhile. No backpressure. `strobes`: what happens in a cycle, as counted there.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        source = read_signature(n_words=design.vector_words, word_bits=design.vector_word_bits)
        super().__init__(
            {
                "config": In(vector_config_layout(design)),
                "step": In(step_layout()),
                "n_pixels": In(PIXEL_BITS),
                "start": In(1),
                "done": Out(1),
                "x": Out(source),
                "z": Out(source),
                "y": Out(result_write_signature(design)),
                "params": Out(
                    read_signature(n_words=design.vector_param_words, word_bits=design.vector_param_word_bits)
                ),
                "entry_en": In(1),
                "entry_index": In(range(TABLE_WORDS)),
                "entry_data": In(signed(ENTRY_BITS)),
                "strobes": Out(wiring.Signature({name: Out(2) for name in STROBES})),
            }
        )

    def elaborate(self, platform: object) -> Module:
        self._m = m = Module()
        design = self._design
        self._doing = Signal(Pass)
        self._launch = Signal()  # a pass begins in the next cycle
        self._next = Signal(Pass)
        self._ended = Signal()
        m.submodules.items = items = ItemSequence(design)
        m.submodules.rows = rows = VectorRows(design)
        m.submodules.move = move = VectorMove(design)
        self._passes()
        m.d.comb += [
            items.start.eq(self._launch & ~self._next.matches(*ROW_PASSES, Pass.MOVE)),
            rows.start.eq(self._launch & self._next.matches(*ROW_PASSES)),
            move.start.eq(self._launch & (self._next == Pass.MOVE)),
            rows.doing.eq(self._doing),
        ]
        for part in (items, rows, move):
            m.d.comb += [part.config.eq(self.config), part.n_pixels.eq(self.n_pixels)]
        m.d.comb += [items.step.eq(self.step), move.step.eq(self.step)]
        self._sources(items, move, rows)
        item_ended = self._lanes(items, rows, move)
        m.d.comb += self._ended.eq(item_ended | rows.done | move.done)
        self._count(items, rows, move)
        return m

    def _passes(self) -> None:
        """Which pass is next."""
        m, operation = self._m, self.config.operation
        place = Signal(3)
        next_place = Signal(3)
        last = Signal()
        m.d.comb += [
            next_place.eq(Mux(self.start, 0, place + 1)),
            self.done.eq(self._ended & last),
            self._launch.eq(self.start | (self._ended & ~last)),
        ]
        with m.Switch(operation):
            for name, sequence in passes(self._design).items():
                with m.Case(name):
                    m.d.comb += last.eq(place == len(sequence) - 1)
                    with m.Switch(next_place):
                        for number, one in enumerate(sequence):
                            with m.Case(number):
                                m.d.comb += self._next.eq(one)
        with m.If(self._launch):
            m.d.sync += [place.eq(next_place), self._doing.eq(self._next)]

    def _sources(self, items: ItemSequence, move: VectorMove, rows: VectorRows) -> None:
        """Reads of x, z and the rows: addresses of items and of to_weights."""
        m = self._m
        m.d.comb += [
            self.x.en.eq(items.valid | move.read),
            self.x.addr.eq(Mux(items.valid, items.item.address, move.address)),
            self.z.en.eq(items.valid & (self.config.operation == Operation.ADD)),
            self.z.addr.eq(items.item.address),
            rows.en.eq(items.valid),
            rows.row.eq(items.item.row),
            move.word.eq(self.x.data),
        ]

    def _lanes(self, items: ItemSequence, rows: VectorRows, move: VectorMove) -> Value:
        """Items through the lanes; answers with the strobe of the pass's last item."""
        m, design, config = self._m, self._design, self.config
        item_at, valid_at = self._control(items)
        stages = self._stages
        m.submodules.statistics = statistics = VectorStatistics(design)
        base = Signal(signed(INPUT_BITS))  # nothing is subtracted before there is a mean or a maximum
        factor = Signal(rows.spread.shape(), reset_less=True)
        has_base = self._doing.matches(Pass.EXP_SUM, Pass.SQUARES, Pass.RESULT)
        m.d.sync += [base.eq(Mux(has_base, rows.center, 0)), factor.eq(rows.spread)]
        item = item_at(0)
        factor_1 = stages.staged(factor, 0, "factor")(1)
        results = []
        for number in range(design.vector_lanes):
            lane = VectorLane(design)
            m.submodules[f"lane_{number}"] = lane
            for name in ("x", "z"):
                m.d.sync += getattr(lane, name).eq(self._operand(name, number, self._item_before.slice))
            m.d.comb += [
                lane.config.eq(config),
                lane.doing.eq(self._doing),
                lane.take.eq(item.take[number]),
                lane.keep.eq(item.keep[number]),
                lane.base.eq(base),
                lane.maximum.eq(statistics.maximum),
                lane.factor.eq(factor_1),
                lane.param.eq(self.params.data.word_select(number, lane.param.shape().size)),
                lane.entry_en.eq(self.entry_en),
                lane.entry_index.eq(self.entry_index),
                lane.entry_data.eq(self.entry_data),
                statistics.ranged[number].eq(lane.ranged),
                statistics.summands[number].eq(lane.summand),
            ]
            results.append(lane.y)
        m.d.comb += [
            statistics.config.eq(config),
            statistics.doing.eq(self._doing),
            statistics.take.eq(item.take),
            statistics.valid_1.eq(valid_at(1)),
            statistics.first_1.eq(item_at(1).first),
            statistics.valid_8.eq(valid_at(8)),
            statistics.first_8.eq(item_at(8).first),
        ]
        self._parameters(item_at, valid_at)
        self._write(item_at(8), valid_at(8), results, rows, statistics, move)
        return valid_at(8) & item_at(8).final

    def _control(self, items: ItemSequence) -> tuple[Callable[[int], Value], Callable[[int], Value]]:
        """(item, valid) at the positions of the lanes' chain: position 0 comes two cycles after the read."""
        m, design = self._m, self._design
        self._stages = stages = Stages(m, design.vector_stages)
        before, item = (Signal(item_layout(design), name=name, reset_less=True) for name in ("item_read", "item_0"))
        valid_before, valid = Signal(), Signal()
        m.d.sync += [before.eq(items.item), item.eq(before), valid_before.eq(items.valid), valid.eq(valid_before)]
        self._item_before = before
        return stages.staged(item, 0, "item"), stages.staged(valid, 0, "valid", reset=True)

    def _operand(self, source: str, number: int, which: Value) -> Value:
        """Lane `number` of the slice, zero point subtracted."""
        design = self._design
        word = (self.x if source == "x" else self.z).data
        is_signed, zero = self.config[f"{source}_signed"], self.config[f"{source}_zero"]
        field = word.word_select(which, design.vector_lanes * design.edge_bits).word_select(number, design.edge_bits)
        value = stored_value(field, is_signed) - zero
        return value[: value_shape(design).width].as_signed()

    def _parameters(self, item_at: Callable[[int], Value], valid_at: Callable[[int], Value]) -> None:
        """Parameters are read for position 4: the memory is the register of that cut."""
        is_norm = self.config.operation.matches(Operation.LAYER_NORM, Operation.RANGE_NORM)
        self._m.d.comb += [
            self.params.en.eq(valid_at(3) & is_norm & (self._doing == Pass.RESULT)),
            self.params.addr.eq(item_at(3).number),
        ]
        self._table_read = Signal()
        uses = self.config.operation == Operation.GELU
        if self._design.vector_softmax == "i_bert":
            exponential = self._doing.matches(Pass.EXP_SUM, Pass.RESULT)
            uses = uses | ((self.config.operation == Operation.SOFTMAX) & exponential)
        if self._design.vector_functions == "table":
            self._m.d.comb += self._table_read.eq(valid_at(3) & uses)

    def _write(
        self, item: Value, valid: Value, results: list[Value], rows: VectorRows, statistics: VectorStatistics,
        move: VectorMove,
    ) -> None:  # fmt: skip
        """What leaves the chain: a slice of y, or at the end of a row its statistics."""
        m, design, doing = self._m, self._design, self._doing
        lanes, slices = design.vector_lanes, design.vector_slices
        lane_bits = len(self.y.data) // design.array_rows
        row_ends = valid & item.last
        m.d.comb += [
            rows.write_row.eq(item.row),
            rows.write_center.eq(row_ends & doing.matches(Pass.MAXIMUM, Pass.ITA_SUM, Pass.SUM)),
            rows.write_spread.eq(row_ends & doing.matches(Pass.EXP_SUM, Pass.ITA_SUM, Pass.SUM, Pass.SQUARES)),
            rows.new_center.eq(Mux(doing == Pass.SUM, statistics.sum, statistics.maximum_8)),
            rows.new_spread.eq(Mux(doing == Pass.SUM, statistics.width_8, statistics.sum)),
        ]
        # Every slice of the word shows the results; those that `en` names are written.
        m.d.comb += [self.y.addr.eq(item.address)]
        m.d.comb += [self.y.data[i * lane_bits :][:lane_bits].eq(results[i % lanes]) for i in range(design.array_rows)]
        with m.If(doing == Pass.MOVE):
            m.d.comb += [
                self.y.en.eq(move.write.replicate(slices)),
                self.y.addr.eq(move.place),
                self.y.data.eq(move.result),
            ]
        with m.Elif(valid & (doing == Pass.RESULT)):
            m.d.comb += self.y.en.eq(1 << item.slice)

    def _count(self, items: ItemSequence, rows: VectorRows, move: VectorMove) -> None:
        counted = {
            "ops": items.valid,
            "moves": move.valid,
            "row_ops": rows.worked,
            "reads": self.x.en + self.z.en,
            "writes": self.y.en.any(),
            "param_reads": self.params.en,
            "table_reads": self._table_read,
        }
        self._m.d.comb += [getattr(self.strobes, name).eq(value) for name, value in counted.items()]
