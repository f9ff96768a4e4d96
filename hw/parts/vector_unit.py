"""The vector unit: loads, works, stores, one step after the other (docs/vector.md)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from designs.families.tensor import Design
from hw.parts.memory_port import read_request_layout, write_layout
from hw.parts.vector_compute import STROBES, VectorCompute
from hw.parts.vector_dma import VectorLoads, VectorRequests, VectorStores
from hw.parts.vector_types import ID_BITS, PIXEL_BITS, step_layout, vector_config_layout

# Activity of docs/vector.md, section 7.
VECTOR_ACTIVITY = (
    "vector_ops",
    "vector_moves",
    "vector_row_ops",
    "vector_reads",
    "vector_writes",
    "vector_loads",
    "vector_stores",
    "vector_param_reads",
    "vector_table_reads",
)
_BY_LANE = ("vector_ops", "vector_table_reads")


class _State(IntEnum):
    IDLE = 0
    LOAD = 1
    COMPUTE = 2
    STORE = 3


def vector_increments(design: Design) -> Mapping[str, int]:
    """What one strobe of each counter counts."""
    return {name: design.vector_lanes if name in _BY_LANE else 1 for name in VECTOR_ACTIVITY}


class VectorUnit(wiring.Component):
    """Takes `steps`, one after the other; `config` is held by the host while it is `busy`.

    A step that is taken in cycle x while not `busy` starts in x + 1; one more is taken while it works, and starts in
    the cycle after the one before has ended. Latency and initiation interval of everything in between:
    docs/vector.md, section 4, exact for a memory that is always ready and has `dram_latency_cycles`; any other memory
    delays, and changes nothing else. Backpressure: `steps` while one step works and another one waits. `busy` from the
    cycle after the first step was taken to the one in which the last one ended; `stored` is high in a step's last
    cycle. `strobes`: what happens in a cycle.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(vector_config_layout(design)),
                "steps": In(stream.Signature(step_layout())),
                "read_request": Out(stream.Signature(read_request_layout())),
                "read_data": In(stream.Signature(unsigned(8 * design.dram_bytes_per_cycle))),
                "write": Out(stream.Signature(write_layout(design))),
                "line_written": Out(1),
                "stored": Out(1),
                "busy": Out(1),
                "strobes": Out(wiring.Signature({name: Out(2) for name in VECTOR_ACTIVITY})),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        m.submodules.requests = requests = VectorRequests(design)
        m.submodules.loads = loads = VectorLoads(design)
        m.submodules.compute = compute = VectorCompute(design)
        m.submodules.stores = stores = VectorStores(design)
        state, step, n_pixels = Signal(_State), Signal(step_layout()), Signal(PIXEL_BITS)
        waiting, has_waiting = Signal(step_layout()), Signal()  # so that `steps.ready` waits for no other port
        following = Signal(step_layout())
        free, starts = Signal(), Signal()
        m.d.comb += [
            self.stored.eq(stores.done),
            self.steps.ready.eq(~has_waiting),
            free.eq((state == _State.IDLE) | stores.done),
            starts.eq(free & (self.steps.valid | has_waiting)),
            following.eq(Mux(has_waiting, waiting, self.steps.payload)),
            self.busy.eq(state != _State.IDLE),
            requests.start.eq(starts),
            loads.start.eq(starts),
            compute.start.eq(loads.done),
            stores.start.eq(compute.done),
            self.line_written.eq(stores.line_written),
        ]
        with m.If(loads.done):
            m.d.sync += state.eq(_State.COMPUTE)
        with m.If(compute.done):
            m.d.sync += state.eq(_State.STORE)
        with m.If(stores.done):
            m.d.sync += state.eq(_State.IDLE)
        with m.If(starts):
            m.d.sync += [state.eq(_State.LOAD), step.eq(following), n_pixels.eq(following.lines * self.config.in_w)]
            m.d.sync += has_waiting.eq(0)
        with m.Elif(self.steps.valid & self.steps.ready):
            m.d.sync += [waiting.eq(self.steps.payload), has_waiting.eq(1)]
        for part in (requests, loads, compute, stores):
            m.d.comb += [part.config.eq(self.config), part.step.eq(step)]
        for part in (requests, loads, compute):
            m.d.comb += part.n_pixels.eq(n_pixels)
        connect(m, requests.request, flipped(self.read_request))
        connect(m, flipped(self.read_data), loads.beats)
        connect(m, stores.write, flipped(self.write))
        self._memories(m, requests, loads, compute, stores)
        self._strobes(m, loads, compute, stores)
        return m

    def _memories(
        self, m: Module, requests: VectorRequests, loads: VectorLoads, compute: VectorCompute, stores: VectorStores
    ) -> None:
        design = self._design
        for name, depth, bits in (
            ("x", design.vector_words, design.vector_word_bits),
            ("z", design.vector_words, design.vector_word_bits),
            ("params", design.vector_param_words, design.vector_param_word_bits),
        ):
            m.submodules[f"memory_{name}"] = memory = Memory(shape=unsigned(bits), depth=depth, init=[])
            reader, writer = getattr(compute, name), getattr(loads, name)
            reading, writing = memory.read_port(), memory.write_port()
            m.d.comb += [reading.en.eq(reader.en), reading.addr.eq(reader.addr), reader.data.eq(reading.data)]
            m.d.comb += [writing.en.eq(writer.en), writing.addr.eq(writer.addr), writing.data.eq(writer.data)]
        bits = design.vector_result_word_bits
        m.submodules.memory_y = y = Memory(shape=unsigned(bits), depth=design.vector_words, init=[])
        reading, writing = y.read_port(), y.write_port(granularity=bits // design.vector_slices)
        m.d.comb += [
            reading.en.eq(stores.y.en),
            reading.addr.eq(stores.y.addr),
            stores.y.data.eq(reading.data),
            writing.en.eq(compute.y.en),
            writing.addr.eq(compute.y.addr),
            writing.data.eq(compute.y.data),
        ]
        # The first id may be written in the very cycle in which it is read.
        m.submodules.memory_ids = ids = Memory(shape=unsigned(ID_BITS), depth=design.vector_rows, init=[])
        id_writing = ids.write_port()
        id_reading = ids.read_port(transparent_for=[id_writing])
        m.d.comb += [
            id_writing.en.eq(loads.ids.en),
            id_writing.addr.eq(loads.ids.addr),
            id_writing.data.eq(loads.ids.data),
            id_reading.en.eq(1),
            id_reading.addr.eq(requests.id_row),
            requests.id.eq(id_reading.data),
            requests.ids_loaded.eq(loads.ids_loaded),
            compute.entry_en.eq(loads.entry.en),
            compute.entry_index.eq(loads.entry.addr),
            compute.entry_data.eq(loads.entry.data),
        ]

    def _strobes(self, m: Module, loads: VectorLoads, compute: VectorCompute, stores: VectorStores) -> None:
        counted = {f"vector_{name}": getattr(compute.strobes, name) for name in STROBES}
        counted |= {"vector_loads": loads.loaded_word, "vector_stores": stores.stored_word}
        for name in VECTOR_ACTIVITY:
            m.d.comb += getattr(self.strobes, name).eq(counted[name])
