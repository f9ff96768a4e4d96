"""The sparse machine as a circuit (docs/sparse.md): one stream of beats in, one stream of results out."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from designs.families.sparse import Design
from hw.parts.activity import ActivityCounters, CycleCounter, counters_layout
from hw.parts.sparse_control import Control
from hw.parts.sparse_drain import Drain, result_layout
from hw.parts.sparse_lanes import Lanes
from hw.parts.sparse_loader import Loader
from hw.parts.sparse_queue import QueueLanes
from hw.parts.sparse_rows import RowStore
from hw.parts.sparse_types import config_layout
from hw.parts.sparse_window import WindowLanes
from workloads.load import Workload

ACTIVITY = (
    "macs",
    "padding_macs",
    "window_stalls",
    "idle_lanes",
    "empty_columns",
    "queue_stalls",
    "entry_reads",
    "act_reads",
    "acc_updates",
    "outputs",
    "load_beats",
    "vector_beats",
    "overflows",
)
PHASE_CYCLES = ("prime", "multiply", "settle", "drain")  # cycles of all runs, docs/sparse.md section 5


def build(design: Design, workload: Workload | None = None) -> wiring.Component:
    """The whole machine of `design`, the same for all workloads. Same design, same Verilog."""
    return SparseMachine(design)


class SparseMachine(wiring.Component):
    """Multiplies slices of a matrix by vectors: `beats` in, `results` out, `done` up.

    `layer` (its registers) is held by the host while the machine is busy. Cycle 0 is that of `start`, one cycle high;
    beats are taken from cycle 1 on. `counters.cycles` is the cycle of the last word taken plus one, and `done` is up
    from that cycle on (all counters are final then). A resident machine takes the beats of its slice before `start`,
    and all of them must be taken by then. `clear` while not busy makes the machine ready for the next layer in the
    following cycle. Latency and initiation interval of everything in between: docs/sparse.md. Backpressure: `beats`
    while their buffer is in use; `results.valid` never waits for `results.ready`.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "layer": In(config_layout(design)),
                "clear": In(1),
                "start": In(1),
                "beats": In(stream.Signature(unsigned(8 * design.dram_bytes_per_cycle))),
                "results": Out(stream.Signature(result_layout(design))),
                "busy": Out(1),
                "done": Out(1),
                "counters": Out(counters_layout(("cycles", *ACTIVITY, *PHASE_CYCLES))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        loader, control, drain = Loader(design), Control(design), Drain(design)
        lanes = WindowLanes(design) if design.feed == "window" else QueueLanes(design)
        rows = RowStore(design)
        parts = {"loader": loader, "control": control, "lanes": lanes, "rows": rows, "drain": drain}
        for name, part in parts.items():
            m.submodules[name] = ResetInserter(self.clear)(part)
        m.d.comb += [part.config.eq(self.layer) for part in (loader, control, lanes, drain)]
        connect(m, flipped(self.beats), loader.beats)
        connect(m, drain.results, flipped(self.results))
        m.d.comb += [
            loader.pending.eq(lanes.pending),
            loader.release_slice.eq(control.release_slice),
            loader.release_vector.eq(control.release_vector),
            control.slice_ready.eq(loader.n_slices != 0),
            control.vector_ready.eq(loader.n_vectors != 0),
            control.more.eq(lanes.more),
            control.drained.eq(drain.done),
            lanes.load.eq(loader.load),
            lanes.phase.eq(control.phase),
            lanes.slice_buf.eq(control.slice_buf),
            lanes.vector_buf.eq(control.vector_buf),
            lanes.read_tag.eq(drain.read_tag),
            lanes.clear.eq(drain.clear),
            rows.load.eq(loader.load),
            rows.buf.eq(control.slice_buf),
            rows.read.eq(drain.read_rows),
            rows.first.eq(drain.first_row),
            drain.active.eq(control.phase.drain),
            drain.n_rows.eq(control.n_rows),
            drain.accumulators.eq(lanes.accumulators),
            drain.rows.eq(rows.rows),
        ]
        self._count(m, loader, control, lanes, drain)
        return m

    def _count(self, m: Module, loader: Loader, control: Control, lanes: Lanes, drain: Drain) -> None:
        """Cycles, activity, and the end."""
        cycles = CycleCounter()
        m.submodules.cycle_counter = ResetInserter(self.clear)(cycles)
        m.d.comb += [
            cycles.start.eq(self.start),
            cycles.stop.eq(drain.done & control.last),
            loader.started.eq(cycles.busy),
            self.busy.eq(cycles.busy),
            self.done.eq(cycles.done),
            self.counters.cycles.eq(cycles.cycles),
        ]
        section, counts, phase = loader.load.section, lanes.counts, control.phase
        slice_beat = Signal()
        m.d.comb += slice_beat.eq(
            (section.lengths | section.pointers | section.list | section.rows) & (self._design.weights != "resident")
        )
        counted = {
            "macs": counts.mac,
            "padding_macs": counts.padding,
            "window_stalls": counts.window_stall,
            "idle_lanes": counts.idle,
            "empty_columns": counts.empty_column,
            "queue_stalls": lanes.queue_stall,
            "entry_reads": counts.entry_read,
            "act_reads": lanes.act_reads,
            "acc_updates": counts.update,
            "outputs": drain.n_results,
            "load_beats": slice_beat,
            "vector_beats": section.vector,
            "overflows": counts.overflow,
            "prime": phase.prime_0 | phase.prime_1,
            "multiply": phase.multiply,
            "settle": phase.settle,
            "drain": phase.drain,
        }
        activity = ActivityCounters({name: (len(strobe), 1) for name, strobe in counted.items()})
        m.submodules.activity = ResetInserter(self.clear)(activity)
        for name, strobe in counted.items():
            m.d.comb += [activity.strobes[name].eq(strobe), self.counters[name].eq(activity.counters[name])]
