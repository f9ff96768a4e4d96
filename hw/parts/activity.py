"""Activity counters and the cycle counter of the tensor machine (docs/tensor.md, section 8)."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

COUNTED_BITS = 32


def counters_layout(names: Mapping[str, object] | tuple[str, ...]) -> data.StructLayout:
    """32-bit counters of these names, in order."""
    return data.StructLayout({name: unsigned(COUNTED_BITS) for name in names})


class ActivityCounters(wiring.Component):
    """A counter for each name of `increments`, name -> (bits, step).

    Each cycle adds `strobes.<name> * step`; the sum is seen in the next cycle (latency 1, initiation interval 1).
    """

    def __init__(self, increments: Mapping[str, tuple[int, int]]) -> None:
        self._increments = dict(increments)
        super().__init__(
            {
                "strobes": In(data.StructLayout({name: unsigned(bits) for name, (bits, _) in increments.items()})),
                "counters": Out(counters_layout(self._increments)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, (_, step) in self._increments.items():
            m.d.sync += self.counters[name].eq(self.counters[name] + self.strobes[name] * step)
        return m


class CycleCounter(wiring.Component):
    """Cycles from the first tile to the last store.

    `start` (a tile is taken) is high in cycle 0 and may stay; `cycles` is x in cycle x (latency 1) and stops at the
    number of the `stop` cycle plus one. `busy` is high from cycle 1 to the `stop` cycle, `done` from the cycle after
    it.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "stop": In(1),
                "cycles": Out(COUNTED_BITS),
                "busy": Out(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        counting = Signal()
        m.d.comb += counting.eq((self.start | self.busy) & ~self.done)
        with m.If(counting):
            m.d.sync += [self.cycles.eq(self.cycles + 1), self.busy.eq(~self.stop), self.done.eq(self.stop)]
        return m
