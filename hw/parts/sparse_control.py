"""The phases of the runs of a slice and a vector (docs/sparse.md, section 3)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from designs.families.sparse import Design
from hw.parts.sparse_types import COUNT_BITS, PHASES, ROW_BITS, config_layout, n_list_buffers


class Control(wiring.Component):
    """One run after the other, each as soon as its slice and vector are there (`slice_ready`, `vector_ready`).

    `phase` is one-hot in a run and 0 between runs; prime_0 is in the very cycle in which both are ready and no run is
    active. `more` in prime_1 and multiply cycles: a multiply cycle follows. `drained` in the last cycle of the drain
    phase. `release_vector` in the last cycle before settling, `release_slice` with the last run's `drained`. `last`
    with `drained`: of all runs. `n_rows` are those of the slice.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(config_layout(design)),
                "slice_ready": In(1),
                "vector_ready": In(1),
                "more": In(1),
                "drained": In(1),
                "phase": Out(PHASES),
                "slice_buf": Out(1),
                "vector_buf": Out(1),
                "n_rows": Out(ROW_BITS),
                "release_slice": Out(1),
                "release_vector": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, phase = self.config, self.phase
        slices, vectors = Signal(COUNT_BITS), Signal(COUNT_BITS)  # before those of the run
        last_vector, last_slice = Signal(), Signal()
        m.d.comb += [
            last_vector.eq(vectors + 1 == config.n_vectors),
            last_slice.eq(slices + 1 == config.n_slices),
            self.n_rows.eq(Mux(last_slice, config.n_rows_last, config.n_rows)),
            self.release_vector.eq((phase.prime_1 | phase.multiply) & ~self.more),
            self.release_slice.eq(self.drained & last_vector),
            self.last.eq(last_vector & last_slice),
        ]
        m.d.sync += self.vector_buf.eq(self.vector_buf ^ (self.release_vector if self._design.n_buffers > 1 else 0))
        m.d.sync += self.slice_buf.eq(self.slice_buf ^ (self.release_slice if n_list_buffers(self._design) > 1 else 0))
        with m.If(self.drained):
            m.d.sync += vectors.eq(Mux(last_vector, 0, vectors + 1))
            m.d.sync += slices.eq(slices + last_vector)
        with m.FSM():
            with m.State("WAIT"):
                with m.If(self.slice_ready & self.vector_ready):
                    m.d.comb += phase.prime_0.eq(1)
                    m.next = "PRIME"
            with m.State("PRIME"):
                m.d.comb += phase.prime_1.eq(1)
                m.next = "SETTLE"
                with m.If(self.more):
                    m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                m.d.comb += phase.multiply.eq(1)
                with m.If(~self.more):
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.comb += phase.settle.eq(1)
                m.next = "SETTLED"
            with m.State("SETTLED"):
                m.d.comb += phase.settle.eq(1)
                m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += phase.drain.eq(1)
                with m.If(self.drained):
                    m.next = "WAIT"
        return m
