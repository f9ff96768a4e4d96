"""A wanted number of registers along a chain of arithmetic."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Module, Signal, Value

N_CUTS = 8
# Where 1, 2, ... registers go among the cuts 1 to 8. Cut 4 always has one: a memory may be read there.
CUTS = (
    (4,), (4, 7), (2, 4, 7), (2, 4, 5, 7), (2, 3, 4, 6, 7), (1, 2, 4, 5, 6, 7), (1, 2, 3, 4, 5, 6, 7),
    (1, 2, 3, 4, 5, 6, 7, 8),
)  # fmt: skip


class Stages:
    """The places of a chain with 9 positions (0 to 8) and a cut before each but the first; `n_registers` are cut.

    Arithmetic belongs to positions 0 to 7; position 8 is what it gives, `n_registers` cycles after position 0.
    """

    def __init__(self, m: Module, n_registers: int) -> None:
        m.submodules.stages = self._registers = Module()  # of its own: a value may be asked for under any condition
        self.cuts = frozenset(CUTS[n_registers - 1])

    def between(self, position: int, target: int) -> int:
        """Cycles from one position to a later one."""
        return sum(position < cut <= target for cut in self.cuts)

    def staged(self, value: Value, position: int, name: str, *, reset: bool = False) -> Callable[[int], Value]:
        """`value`, which is there at `position`, as a function of any later one; `reset`: registers have a reset."""
        values = {position: value}

        def at(target: int) -> Value:
            for cut in range(max(values) + 1, target + 1):
                values[cut] = values[cut - 1]
                if cut in self.cuts:
                    values[cut] = register = Signal(value.shape(), name=f"{name}_{cut}", reset_less=not reset)
                    self._registers.d.sync += register.eq(values[cut - 1])
            return values[target]

        return at
