"""Lanes with a queue of broadcast activations each (docs/sparse.md, section 3)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from designs.families.sparse import Design
from hw.parts.sparse_broadcast import Broadcast
from hw.parts.sparse_lanes import Lane, Lanes
from hw.parts.sparse_list import LaneList, entry_of, list_words, word_bits
from hw.parts.sparse_mac import MultiplyAccumulate
from hw.parts.sparse_pointers import LanePointers, pointer_bits
from hw.parts.sparse_types import cut, load_layout, operand_bits


def work_layout(design: Design) -> data.StructLayout:
    """An activation, and the entries of its column: from `start` to before `end`."""
    number = unsigned(pointer_bits(design))
    return data.StructLayout({"activation": signed(operand_bits(design)), "start": number, "end": number})


class WorkQueue(wiring.Component):
    """`queue_depth` places. What is pushed in cycle x is at `head`, where it is the first, from x + 1 on.

    The head keeps its place until `pop`; a place is free, and `full` low, from the cycle after. `push` only while not
    full, `pop` only while not `empty`. Initiation interval 1.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        layout = work_layout(design)
        super().__init__(
            {
                "push": In(1),
                **{name: In(field.shape) for name, field in layout},
                "full": Out(1),
                "empty": Out(1),
                "head": Out(layout),
                "pop": In(1),
                "level": Out(range(design.queue_depth + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = self._design.queue_depth
        m.submodules.places = places = Memory(shape=work_layout(self._design), depth=max(depth, 2), init=[])
        read, write = places.read_port(domain="comb"), places.write_port()
        m.d.comb += [
            write.en.eq(self.push),
            *(write.data[name].eq(getattr(self, name)) for name, _ in work_layout(self._design)),
            self.head.eq(read.data),
            self.full.eq(self.level == depth),
            self.empty.eq(self.level == 0),
        ]
        m.d.sync += self.level.eq(self.level + self.push - self.pop)
        for step, port in ((self.push, write), (self.pop, read)):
            place = Signal(range(max(depth, 2)), name=f"place_{'write' if port is write else 'read'}")
            m.d.comb += port.addr.eq(place)
            with m.If(step):
                m.d.sync += place.eq(Mux(place == depth - 1, 0, place + 1))
        return m


class QueueWalker(wiring.Component):
    """Works on the column at the queue's head: one entry a `multiply` cycle, or one cycle where there is none.

    An entry of cycle x is at `value`, `activation`, `tag` with `valid` in x + 1. `pop` in the head's last cycle; `idle`
    without a head; `empty_column` in the cycle of a head without entries. `prime_0` before a run. Initiation interval
    1 entry a cycle.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "prime_0": In(1),
                "multiply": In(1),
                "empty": In(1),
                "head": In(work_layout(design)),
                "pop": Out(1),
                "read": Out(1),
                "address": Out(range(list_words(design))),
                "word": In(word_bits(design)),
                "valid": Out(1),
                "value": Out(signed(design.value_bits)),
                "activation": Out(signed(operand_bits(design))),
                "tag": Out(design.tag_bits),
                "idle": Out(1),
                "empty_column": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, head = self._design, self.head
        # The head was begun, and its next entry; the entry of this cycle.
        within, position, number = Signal(), Signal(pointer_bits(design)), Signal(pointer_bits(design))
        works, has_entry = Signal(), Signal()
        m.d.comb += [
            works.eq(self.multiply & ~self.empty),
            number.eq(Mux(within, position, head.start)),
            has_entry.eq(number != head.end),
            self.pop.eq(works & (~has_entry | (number + 1 == head.end))),
            self.idle.eq(self.multiply & self.empty),
            self.empty_column.eq(works & ~has_entry),
        ]
        with m.If(works):
            m.d.sync += [within.eq(~self.pop), position.eq(number + 1)]
        word, slot = cut(number, design.entries_per_beat)
        holds, held = Signal(), Signal(word.shape())
        m.d.comb += [
            self.address.eq(word),
            self.read.eq(works & has_entry & (~holds | (held != word))),
        ]
        with m.If(self.prime_0):
            m.d.sync += holds.eq(0)
        with m.Elif(self.read):
            m.d.sync += [holds.eq(1), held.eq(word)]
        slot_read, first = Signal(slot.shape()), Signal()
        m.d.sync += [self.valid.eq(works & has_entry), self.activation.eq(head.activation)]
        m.d.sync += [slot_read.eq(slot), first.eq(~within)]
        entry = entry_of(design, self.word, slot_read)
        m.d.comb += self.value.eq(entry.value)
        if design.gap_bits:  # a gap counts from the entry before it in the same column, or from -1
            following = Signal(design.tag_bits)
            m.d.comb += self.tag.eq(Mux(first, 0, following) + entry.tag)
            m.d.sync += following.eq(self.tag + 1)
        else:
            m.d.comb += self.tag.eq(entry.tag)
        return m


class QueueLane(Lane):
    """A lane with pointers and a queue. `push` in cycle x broadcasts `activation` for the column of the last `look_up`.

    `empties`: nothing is left in the queue after this cycle. Entries: as `QueueWalker`; an entry of cycle x is in its
    accumulator at the end of x + 2.
    """

    def __init__(self, design: Design) -> None:
        super().__init__(
            design,
            {
                "load": In(load_layout(design)),
                "take_pointers": In(1),
                "look_up": In(1),
                "column": In(design.column_bits),
                "push": In(1),
                "activation": In(signed(operand_bits(design))),
                "full": Out(1),
                "empties": Out(1),
            },
        )

    def walk(self, m: Module, entries: LaneList, mac: MultiplyAccumulate) -> None:
        m.submodules.pointers = pointers = LanePointers(self.design)
        m.submodules.queue = queue = WorkQueue(self.design)
        m.submodules.walker = walker = QueueWalker(self.design)
        m.d.comb += [
            pointers.load.eq(self.load),
            pointers.take.eq(self.take_pointers),
            pointers.buf.eq(self.slice_buf),
            pointers.read.eq(self.look_up),
            pointers.column.eq(self.column),
            queue.push.eq(self.push),
            queue.activation.eq(self.activation),
            queue.start.eq(pointers.start),
            queue.end.eq(pointers.end),
            self.full.eq(queue.full),
            self.empties.eq((queue.level == 0) | ((queue.level == 1) & walker.pop)),
            walker.prime_0.eq(self.phase.prime_0),
            walker.multiply.eq(self.phase.multiply),
            walker.empty.eq(queue.empty),
            walker.head.eq(queue.head),
            queue.pop.eq(walker.pop),
            walker.word.eq(entries.word),
            entries.read.eq(walker.read),
            entries.address.eq(walker.address),
            *(getattr(mac, name).eq(getattr(walker, name)) for name in ("valid", "value", "activation", "tag")),
            self.events.entry_read.eq(walker.read),
            self.events.idle.eq(walker.idle),
            self.events.empty_column.eq(walker.empty_column),
        ]


class QueueLanes(Lanes):
    """Lanes that take what is broadcast into queues: one element a multiply cycle, while no queue is full."""

    def feed(self, m: Module) -> list[QueueLane]:
        design, load, phase = self.design, self.load, self.phase
        m.submodules.broadcast = broadcast = Broadcast(design)
        lanes = [QueueLane(design) for _ in range(design.n_macs)]
        left, room, busy = Signal(), Signal(), Signal()
        m.d.comb += [
            broadcast.config.eq(self.config),
            broadcast.load.eq(load),
            broadcast.buf.eq(self.vector_buf),
            broadcast.prime_0.eq(phase.prime_0),
            broadcast.prime_1.eq(phase.prime_1),
            left.eq(phase.multiply & broadcast.valid),
            room.eq(~Cat(lane.full for lane in lanes).any()),
            broadcast.taken.eq(left & room),
            self.act_reads.eq(broadcast.taken),
            self.queue_stall.eq(left & ~room),
            busy.eq(~Cat(lane.empties for lane in lanes).all()),
            self.more.eq(Mux(phase.multiply, left | busy, broadcast.n_elements != 0)),
        ]
        for number, lane in enumerate(lanes):
            m.d.comb += [
                lane.load.eq(load),
                lane.take_pointers.eq(load.section.pointers & (load.lane == number)),
                lane.look_up.eq(broadcast.look_up),
                lane.column.eq(broadcast.column),
                lane.push.eq(broadcast.taken),
                lane.activation.eq(broadcast.activation),
            ]
        return lanes
