"""Where each beat of the input stream belongs (docs/sparse.md, sections 2 and 3)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from designs.families.sparse import Design
from hw.parts.sparse_types import COUNT_BITS, INDEX_BITS, config_layout, groups, load_layout, n_list_buffers


class Loader(wiring.Component):
    """Takes beats while a buffer for them is free: slice 0, its vectors, slice 1, its vectors again, and so on.

    `load` (latency 0) says where the beat that is taken belongs. `started`, from the cycle after `start` on, lets it
    take beats; resident machines take their one slice before. A slice or vector whose last beat is taken in cycle x
    counts in `n_slices` or `n_vectors`, those loaded and not released, from x + 1 on, and a release in cycle x frees
    the buffer for a beat in x + 1. Initiation interval 1 beat. `pending`: the lists are not complete (`Lanes`).
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(config_layout(design)),
                "beats": In(stream.Signature(unsigned(8 * design.dram_bytes_per_cycle))),
                "started": In(1),
                "load": Out(load_layout(design)),
                "pending": In(1),
                "release_slice": In(1),
                "release_vector": In(1),
                "n_slices": Out(range(design.n_buffers + 1)),
                "n_vectors": Out(range(design.n_buffers + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, load, beats = self._design, self.load, self.beats
        may_load_slice, may_load_vector, taken = Signal(), Signal(), Signal()
        loads_early = design.weights == "resident"
        m.d.comb += [
            may_load_slice.eq((self.started | loads_early) & (self.n_slices != n_list_buffers(design))),
            may_load_vector.eq(self.started & (self.n_vectors != design.n_buffers)),
            taken.eq(beats.valid & beats.ready),
            load.beat.eq(beats.payload),
        ]
        slice_loaded, vector_loaded = Signal(), Signal()
        self._sections(m, may_load_slice, may_load_vector, taken, slice_loaded, vector_loaded)
        m.d.sync += [
            self.n_slices.eq(self.n_slices + slice_loaded - self.release_slice),
            self.n_vectors.eq(self.n_vectors + vector_loaded - self.release_vector),
            load.slice_buf.eq(load.slice_buf ^ (slice_loaded if n_list_buffers(design) > 1 else 0)),
            load.vector_buf.eq(load.vector_buf ^ (vector_loaded if design.n_buffers > 1 else 0)),
        ]
        return m

    def _sections(
        self,
        m: Module,
        may_slice: Signal,
        may_vector: Signal,
        taken: Signal,
        slice_loaded: Signal,
        vector_loaded: Signal,
    ) -> None:
        """The sections in order, the beats of each counted."""
        design, load, config, section = self._design, self.load, self.config, self.load.section
        index, n_beats = Signal(INDEX_BITS), Signal(INDEX_BITS)
        slices, vectors = Signal(COUNT_BITS), Signal(COUNT_BITS)  # before the one that loads or is next
        m.d.comb += [load.index.eq(index), load.last.eq(index + 1 == n_beats)]
        with m.If(taken & ~section.list):
            m.d.sync += index.eq(Mux(load.last, 0, index + 1))
        with m.FSM():
            with m.State("LENGTHS"):
                m.d.comb += [
                    self.beats.ready.eq(may_slice),
                    section.lengths.eq(taken),
                    n_beats.eq(-(-design.n_macs // design.lengths_per_beat)),
                ]
                with m.If(taken & load.last):
                    m.next = "POINTERS" if design.feed == "queue" else "LISTS"
            if design.feed == "queue":
                with m.State("POINTERS"):
                    m.d.comb += [
                        self.beats.ready.eq(may_slice),
                        section.pointers.eq(taken),
                        n_beats.eq(groups(config.n_columns + 1, design.lengths_per_beat)),
                    ]
                    with m.If(taken & load.last):
                        m.d.sync += load.lane.eq(load.lane + 1)
                        with m.If(load.lane == design.n_macs - 1):
                            m.d.sync += load.lane.eq(0)
                            m.next = "LISTS"
            with m.State("LISTS"):  # and then rows: lists may have no beats
                n_rows = Signal.like(config.n_rows)
                m.d.comb += [
                    n_rows.eq(Mux(slices + 1 == config.n_slices, config.n_rows_last, config.n_rows)),
                    self.beats.ready.eq(may_slice),
                    section.list.eq(taken & self.pending),
                    section.rows.eq(taken & ~self.pending),
                    n_beats.eq(groups(n_rows, design.rows_per_beat) * design.beats_per_row),
                    slice_loaded.eq(section.rows & load.last),
                ]
                with m.If(slice_loaded):
                    m.next = "VECTORS"
            with m.State("VECTORS"):
                m.d.comb += [
                    self.beats.ready.eq(may_vector),
                    section.vector.eq(taken),
                    n_beats.eq(groups(config.n_columns, design.acts_per_beat)),
                    vector_loaded.eq(taken & load.last),
                ]
                with m.If(vector_loaded):
                    m.d.sync += vectors.eq(vectors + 1)
                    with m.If(vectors + 1 == config.n_vectors):
                        m.d.sync += [vectors.eq(0), slices.eq(slices + 1)]
                        with m.If(slices + 1 == config.n_slices):
                            m.next = "END"
                        with m.Else():
                            m.next = "LENGTHS"
            with m.State("END"):  # until the machine is cleared
                pass
