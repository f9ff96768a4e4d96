"""The tensor machine as a circuit (docs/tensor.md): controller, DMA and memories around the core."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ResetInserter, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from designs.families.tensor import Design
from hw.parts.activity import ActivityCounters, CycleCounter, counters_layout
from hw.parts.core import Core
from hw.parts.descriptor_ring import DescriptorRing
from hw.parts.dma import DataEngine, RequestEngine
from hw.parts.memory_port import read_request_layout, write_layout
from hw.parts.scratchpad import Buffers, Scratchpad
from hw.parts.tensor_types import COUNTER_BITS, config_layout, output_layout, tile_layout
from hw.parts.vector_types import step_layout, vector_config_layout
from hw.parts.vector_unit import VECTOR_ACTIVITY, VectorUnit, vector_increments
from workloads.load import Workload

ACTIVITY = (
    "macs",
    "act_reads",
    "act_writes",
    "weight_reads",
    "weight_writes",
    "acc_reads",
    "acc_writes",
    "out_reads",
    "out_writes",
    "param_reads",
    "param_writes",
    "post_ops",
    "dram_read_bytes",
    "dram_write_bytes",
    "dram_requests",
    "overflows",
)


def activity_names(design: Design) -> tuple[str, ...]:
    """Counters of the machine of `design`, in the order of its port."""
    return (*ACTIVITY, *VECTOR_ACTIVITY) if design.vector_lanes else ACTIVITY


PROGRESS = ("loaded", "released", "completed", "outputs", "stores")


def progress_layout() -> data.StructLayout:
    """The counters that engines wait for: tiles loaded, released and completed, outputs and stores done."""
    return data.StructLayout({name: unsigned(COUNTER_BITS) for name in PROGRESS})


def _vector_ports(design: Design) -> dict[str, wiring.Member]:
    if not design.vector_lanes:
        return {}
    return {
        "vector_config": In(vector_config_layout(design)),
        "vector_steps": In(stream.Signature(step_layout())),
    }


def build(design: Design, workload: Workload | None = None) -> wiring.Component:
    """The whole machine of `design`, the same for all workloads. Same design, same Verilog."""
    return TensorMachine(design)


class TensorMachine(wiring.Component):
    """Runs one program at a time: `tiles` and `outputs` in, lines of DRAM read and written, `done` up.

    With a vector unit (`vector_lanes` > 0) a program may be one of docs/vector.md instead: `vector_steps` in, with
    `vector_config` held as `layer` is, and `n_outputs` the number of its steps, which advance `stores`.

    `layer` (its registers) and `n_outputs` are held by the host while the machine is busy. Cycle 0 is that of the
    first tile taken; `counters.cycles` is the cycle of the last store plus one, and `done` is up from that cycle on
    (all counters are final then). `clear` while not busy makes the machine ready for the next program in the
    following cycle: it resets counters and pointers, memories stay. Latency and initiation interval of everything in
    between: docs/tensor.md, exact for a memory that is always ready and has `dram_latency_cycles`; any other memory
    delays, and changes nothing else. Backpressure: `tiles` and `outputs` while their rings of 8 are full.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "layer": In(config_layout(design)),
                "n_outputs": In(COUNTER_BITS),
                "clear": In(1),
                "tiles": In(stream.Signature(tile_layout())),
                "outputs": In(stream.Signature(output_layout())),
                "read_request": Out(stream.Signature(read_request_layout())),
                "read_data": In(stream.Signature(unsigned(8 * design.dram_bytes_per_cycle))),
                "write": Out(stream.Signature(write_layout(design))),
                "busy": Out(1),
                "done": Out(1),
                "counters": Out(counters_layout(("cycles", *activity_names(design)))),
                "progress": Out(progress_layout()),
                **_vector_ports(design),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core = Core(self._design)
        request, mover = RequestEngine(self._design), DataEngine(self._design)
        m.submodules.core = ResetInserter(self.clear)(core)
        m.submodules.request = ResetInserter(self.clear)(request)
        m.submodules.data = ResetInserter(self.clear)(mover)
        m.d.comb += [part.config.eq(self.layer) for part in (core, request, mover)]
        vector = None
        if self._design.vector_lanes:
            vector = self._vector_unit(m, request, mover)
        else:
            connect(m, request.request, flipped(self.read_request))
            connect(m, flipped(self.read_data), mover.beats)
            connect(m, mover.write, flipped(self.write))
        self._rings(m, core, request, mover)
        self._memories(m, core, mover)
        self._progress(m, core, request, mover, vector)
        self._activity(m, core, request, mover, vector)
        return m

    def _vector_unit(self, m: Module, request: RequestEngine, mover: DataEngine) -> VectorUnit:
        """The vector unit, which has the DRAM port while it is busy; the engines of the array are idle then."""
        vector = VectorUnit(self._design)
        m.submodules.vector = ResetInserter(self.clear)(vector)
        m.d.comb += [
            vector.config.eq(self.vector_config),
            vector.steps.payload.eq(self.vector_steps.payload),
            vector.steps.valid.eq(self.vector_steps.valid & ~self.clear),
            self.vector_steps.ready.eq(vector.steps.ready & ~self.clear),
        ]
        for port, from_array, from_vector in (
            (self.read_request, request.request, vector.read_request),
            (self.write, mover.write, vector.write),
        ):
            m.d.comb += [
                port.payload.eq(Mux(vector.busy, from_vector.payload, from_array.payload)),
                port.valid.eq(Mux(vector.busy, from_vector.valid, from_array.valid)),
                from_array.ready.eq(port.ready & ~vector.busy),
                from_vector.ready.eq(port.ready & vector.busy),
            ]
        beats = self.read_data
        m.d.comb += beats.ready.eq(Mux(vector.busy, vector.read_data.ready, mover.beats.ready))
        for beats_in, chosen in ((vector.read_data, vector.busy), (mover.beats, ~vector.busy)):
            m.d.comb += [beats_in.payload.eq(beats.payload), beats_in.valid.eq(beats.valid & chosen)]
        return vector

    def _rings(self, m: Module, core: Core, request: RequestEngine, mover: DataEngine) -> None:
        tiles = DescriptorRing(tile_layout(), n_readers=3)
        outputs = DescriptorRing(output_layout(), n_readers=2)
        m.submodules.tile_ring = ResetInserter(self.clear)(tiles)
        m.submodules.output_ring = ResetInserter(self.clear)(outputs)
        for ring, source in ((tiles, self.tiles), (outputs, self.outputs)):
            m.d.comb += [
                ring.write.payload.eq(source.payload),
                ring.write.valid.eq(source.valid & ~self.clear),
                source.ready.eq(ring.write.ready & ~self.clear),
            ]
        connect(m, tiles.readers[0], request.tile)
        connect(m, tiles.readers[1], mover.tile)
        connect(m, outputs.readers[0], mover.output)
        m.d.comb += [
            core.tile.eq(tiles.readers[2].payload),
            core.tile_valid.eq(tiles.readers[2].valid),
            tiles.readers[2].take.eq(core.tile_take),
            core.output.eq(outputs.readers[1].payload),
            core.output_valid.eq(outputs.readers[1].valid),
            outputs.readers[1].take.eq(core.output_take),
        ]

    def _memories(self, m: Module, core: Core, mover: DataEngine) -> None:
        design = self._design
        banked = {"n_banks": design.scratchpad_banks, "n_buffers": design.n_buffers}
        m.submodules.act_scratchpad = act = Scratchpad(
            n_words=design.act_words, word_bits=design.act_word_bits, **banked
        )
        m.submodules.weight_scratchpad = weights = Scratchpad(
            n_words=design.weight_words, word_bits=design.weight_word_bits, **banked
        )
        m.submodules.parameters = params = Buffers(
            n_words=design.param_words, word_bits=design.param_word_bits, n_buffers=design.n_buffers
        )
        m.submodules.output_buffer = out = Buffers(
            n_words=design.out_words,
            word_bits=design.out_word_bits,
            n_buffers=design.n_buffers,
            n_readers=2,
            n_writers=2,
        )
        for writer, port in (
            (mover.act, act.write),
            (mover.weights, weights.write),
            (mover.params, params.writes[0]),
            (mover.residual, out.writes[0]),
        ):
            connect(m, writer, port)
        connect(m, mover.out, out.reads[0])
        for prefix, port in (
            ("act_read", act.read),
            ("weight_read", weights.read),
            ("param_read", params.reads[0]),
            ("residual_read", out.reads[1]),
            ("out_write", out.writes[1]),
        ):
            m.d.comb += [getattr(port, name).eq(getattr(core, f"{prefix}_{name}")) for name in ("en", "buf", "addr")]
            if prefix == "out_write":
                m.d.comb += port.data.eq(core.out_write_data)
            else:
                m.d.comb += getattr(core, f"{prefix}_data").eq(port.data)

    def _progress(
        self, m: Module, core: Core, request: RequestEngine, mover: DataEngine, vector: VectorUnit | None
    ) -> None:
        """The counters that engines wait for, and the end."""
        started = self.tiles.valid & self.tiles.ready
        stored: Value = mover.stored
        if vector:
            started |= self.vector_steps.valid & self.vector_steps.ready
            stored |= vector.stored
        counted = {}
        for name, strobe in (
            ("loaded", mover.loaded),
            ("released", core.released),
            ("completed", core.completed_strobe),
            ("outputs", core.output_done),
            ("stores", stored),
        ):
            counted[name] = Signal(COUNTER_BITS, name=f"n_{name}")
            m.d.sync += counted[name].eq(counted[name] + strobe)
            with m.If(self.clear):
                m.d.sync += counted[name].eq(0)
            m.d.comb += self.progress[name].eq(counted[name])
        for part, names in (
            (core, ("loaded", "outputs", "stores", "completed")),
            (request, ("released", "outputs", "stores")),
            (mover, ("outputs", "stores")),
        ):
            m.d.comb += [getattr(part, name).eq(counted[name]) for name in names]
        cycles = CycleCounter()
        m.submodules.cycle_counter = ResetInserter(self.clear)(cycles)
        m.d.comb += [
            cycles.start.eq(started),
            cycles.stop.eq(stored & (counted["stores"] + 1 == self.n_outputs)),
            self.busy.eq(cycles.busy),
            self.done.eq(cycles.done),
            self.counters.cycles.eq(cycles.cycles),
        ]

    def _activity(
        self, m: Module, core: Core, request: RequestEngine, mover: DataEngine, vector: VectorUnit | None
    ) -> None:
        design = self._design
        names = activity_names(design)
        line_written: Value = mover.line_written
        if vector:
            line_written |= vector.line_written
        beat_bytes = design.dram_bytes_per_cycle
        counted = {  # name: (strobe or number a cycle, what each counts)
            "macs": (core.step, design.array_rows * design.array_cols),
            "act_reads": (core.act_read_en, 1),
            "act_writes": (mover.act.en, 1),
            "weight_reads": (core.weight_read_en, 1),
            "weight_writes": (mover.weights.en, 1),
            "acc_reads": (core.acc_read, 1),
            "acc_writes": (core.acc_write, 1),
            "out_reads": (mover.out.en + core.residual_read_en, 1),
            "out_writes": (mover.residual.en + core.out_write_en, 1),
            "param_reads": (core.param_read_en, 1),
            "param_writes": (mover.params.en, 1),
            "post_ops": (core.post, design.post_lanes),
            "dram_read_bytes": (self.read_data.valid & self.read_data.ready, beat_bytes),
            "dram_write_bytes": (self.write.valid & self.write.ready, beat_bytes),
            "dram_requests": ((self.read_request.valid & self.read_request.ready) + line_written, 1),
            "overflows": (core.overflow, 1),
        }
        if vector:
            increments = vector_increments(design)
            counted |= {name: (getattr(vector.strobes, name), increments[name]) for name in VECTOR_ACTIVITY}
        activity = ActivityCounters({name: (len(counted[name][0]), counted[name][1]) for name in names})
        m.submodules.activity = ResetInserter(self.clear)(activity)
        for name in names:
            m.d.comb += [
                activity.strobes[name].eq(counted[name][0]),
                self.counters[name].eq(activity.counters[name]),
            ]
