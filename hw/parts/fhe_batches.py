"""When the stations of a bootstrapping machine start their batches (docs/fhe.md, section 3, "Batches")."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design
from hw.parts.fhe_commands import N_PLACES, NUMBER_BITS


class Batches(wiring.Component):
    """Starts each station in the first cycle that meets all its conditions; what ends in cycle x counts from x + 1 on.

    `load`, `init` and `extract` are up in the first cycle of their station (latency 0 from what has been counted);
    rotation, key switch and store are started by what ends before them. `load_place` and `place` are those of the batch
    that is next to load and of the one that rotates (from INIT to EXTRACT). `last` while only one batch is not stored.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "running": In(1),
                "n_batches": In(NUMBER_BITS),
                "n_taken": In(NUMBER_BITS),
                "after": In(data.ArrayLayout(unsigned(NUMBER_BITS), N_PLACES)),
                "n_rows": In(NUMBER_BITS),
                "loaded": In(1),
                "rotated": In(1),
                "extracted": In(1),
                "stored": In(1),
                "load": Out(1),
                "init": Out(1),
                "extract": Out(1),
                "load_place": Out(range(N_PLACES)),
                "place": Out(range(N_PLACES)),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        n_steps = self._design.parameters.lwe_dimension
        n_loaded, n_rotated, n_stored = (Signal(NUMBER_BITS) for _ in range(3))
        load_number, number = Signal(NUMBER_BITS), Signal(NUMBER_BITS)  # of the batch to load next, and to rotate
        loading, rotating, waiting = Signal(), Signal(), Signal()  # from INIT to EXTRACT; in it: rotation has ended
        n_needed = Signal(NUMBER_BITS, init=min(self._design.key_rows, n_steps))
        m.d.comb += [
            self.load_place.eq(load_number),
            self.place.eq(number),
            self.load.eq(
                self.running
                & ~loading
                & (load_number != self.n_taken)
                & (n_rotated + 1 >= load_number)
                & (n_stored >= Array([self.after[i] for i in range(N_PLACES)])[self.load_place])
            ),
            self.init.eq(self.running & ~rotating & (n_loaded != number) & (self.n_rows >= n_needed)),
            self.extract.eq(waiting & (n_stored == number)),
            self.last.eq(n_stored + 1 == self.n_batches),
        ]
        m.d.sync += [
            loading.eq((loading | self.load) & ~self.loaded),
            load_number.eq(load_number + self.load),
            n_loaded.eq(n_loaded + self.loaded),
            n_rotated.eq(n_rotated + self.rotated),
            n_stored.eq(n_stored + self.stored),
            rotating.eq((rotating | self.init) & ~self.extracted),
            waiting.eq((waiting | self.rotated) & ~self.extract),
            number.eq(number + self.extracted),
        ]
        if not self._design.resident:
            with m.If(self.init):
                m.d.sync += n_needed.eq(n_needed + n_steps)
        return m
