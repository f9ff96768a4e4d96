"""What lanes have in common, however activations reach them: lists, multipliers, accumulators, and how they load."""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.sparse import Design
from hw.parts.array import tree
from hw.parts.sparse_list import LaneList, word_bits, word_of_beat
from hw.parts.sparse_mac import MultiplyAccumulate
from hw.parts.sparse_types import LANE_EVENTS, NUMBER_BITS, PHASES, config_layout, load_layout

LOADING = ("load_buf", "take_length", "new_length", "take_word", "new_word")  # ports of a lane, as of `LaneList`


def counts_layout(design: Design) -> data.StructLayout:
    """How many lanes tell each event in a cycle."""
    return data.StructLayout({name: range(design.n_macs + 1) for name, _ in LANE_EVENTS})


class Lane(wiring.Component):
    """List, walker, multiplier and accumulators of one lane; `walk` of a subclass adds the walker.

    Loading: `LaneList`. Accumulators, while `phase.drain`: `MultiplyAccumulate`. `events` are told for the cycle in
    which they happen, but `mac`, `padding` one and `update`, `overflow` two cycles after the entry's multiply cycle.
    """

    def __init__(self, design: Design, ports: dict[str, Any]) -> None:
        self.design = design
        common = {
            "load_buf": In(1),
            "take_length": In(1),
            "new_length": In(NUMBER_BITS),
            "take_word": In(1),
            "new_word": In(word_bits(design)),
            "pending": Out(1),
            "phase": In(PHASES),
            "slice_buf": In(1),
            "read_tag": In(design.tag_bits),
            "clear": In(1),
            "accumulator": Out(signed(design.acc_bits)),
            "events": Out(LANE_EVENTS),
        }
        super().__init__(common | ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.entries = entries = LaneList(self.design)
        m.submodules.mac = mac = MultiplyAccumulate(self.design)
        m.d.comb += [
            *(getattr(entries, name).eq(getattr(self, name)) for name in LOADING),
            self.pending.eq(entries.pending),
            entries.buf.eq(self.slice_buf),
            mac.draining.eq(self.phase.drain),
            mac.read_tag.eq(self.read_tag),
            mac.clear.eq(self.clear),
            self.accumulator.eq(mac.accumulator),
            *(self.events[name].eq(getattr(mac, name)) for name in ("mac", "padding", "update", "overflow")),
        ]
        self.walk(m, entries, mac)
        return m

    @abstractmethod
    def walk(self, m: Module, entries: LaneList, mac: MultiplyAccumulate) -> None:
        """Read `entries` and give `mac` its operands; tell the events of walking."""


class Lanes(wiring.Component):
    """All lanes, lane set * ways + way, and what feeds them; `feed` of a subclass adds that.

    Beats of lengths, pointers and lists are stored as they come (`load`); `pending` while words of the lists of the
    slice that loads are missing: the first lane of which some are missing takes the next list beat. A run is two prime
    cycles and, while `more` in prime_1 or a multiply cycle, another multiply cycle (`phase`). In the drain phase
    `accumulators` are those of `read_tag` (latency 0); those of the sets in `clear` become 0 at the end of the cycle.
    `counts`, `act_reads`, `queue_stall`: activity of the cycle.
    """

    def __init__(self, design: Design) -> None:
        self.design = design
        super().__init__(
            {
                "config": In(config_layout(design)),
                "load": In(load_layout(design)),
                "pending": Out(1),
                "phase": In(PHASES),
                "slice_buf": In(1),
                "vector_buf": In(1),
                "more": Out(1),
                "read_tag": In(design.tag_bits),
                "clear": In(design.n_sets),
                "accumulators": Out(data.ArrayLayout(signed(design.acc_bits), design.n_macs)),
                "counts": Out(counts_layout(design)),
                "act_reads": Out(NUMBER_BITS),
                "queue_stall": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = self.feed(m)
        for number, lane in enumerate(lanes):
            m.submodules[f"lane_{number}"] = lane
            m.d.comb += [
                lane.phase.eq(self.phase),
                lane.slice_buf.eq(self.slice_buf),
                lane.read_tag.eq(self.read_tag),
                lane.clear.eq(self.clear[number // self.design.ways]),
                self.accumulators[number].eq(lane.accumulator),
            ]
        self._load(m, lanes)
        for name, _ in LANE_EVENTS:
            m.d.comb += self.counts[name].eq(tree([lane.events[name] for lane in lanes], operator.add))
        return m

    def _load(self, m: Module, lanes: Sequence[Lane]) -> None:
        """Lengths by the number of their beat; list beats to the first lane that waits for one."""
        load, per_beat = self.load, self.design.lengths_per_beat
        word = Signal(word_bits(self.design))
        pending, first = Signal(len(lanes)), Signal(len(lanes))
        m.d.comb += [
            pending.eq(Cat(lane.pending for lane in lanes)),
            first.eq(pending & -pending),
            self.pending.eq(pending.any()),
            word.eq(word_of_beat(self.design, load.beat)),
        ]
        for number, lane in enumerate(lanes):
            beat, place = divmod(number, per_beat)
            take_length = load.section.lengths & (load.index == beat)
            m.d.comb += [
                lane.take_length.eq(take_length),
                lane.load_buf.eq(load.slice_buf),
                # Gated, or lanes would have ports for different bits of the beat and could not share one module.
                lane.new_length.eq(Mux(take_length, load.beat.word_select(place, NUMBER_BITS), 0)),
                lane.take_word.eq(load.section.list & first[number]),
                lane.new_word.eq(word),
            ]

    @abstractmethod
    def feed(self, m: Module) -> Sequence[Lane]:
        """Make the lanes and bring them activations; drive `more`, `act_reads`, `queue_stall`."""
