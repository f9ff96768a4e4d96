"""Units: one module however many there are, the same circuit as without it, and the text of blind rotation."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from designs.families.fhe import Design
from hw.parts.fhe_rotation import Rotation
from hw.parts.unit import Unit
from hw.verilog import emit_verilog, lint
from tests.hw.parts.fhe_designs import machine


class Delay(Unit):
    """`later` is `now` of the cycle before, plus `more`; counts its elaborations."""

    n_elaborated = 0

    def __init__(self, more: int) -> None:
        self._more = more
        super().__init__(f"delay_{more}", {"now": In(8), "empty": In(0), "later": Out(8)})

    def circuit(self, platform: Any) -> Module:
        Delay.n_elaborated += 1
        m = Module()
        m.d.sync += self.later.eq(self.now + self._more)
        return m


class Chain(wiring.Component):
    """Three delays: `later` is `now` of three cycles before, plus 1 + 1 + 5."""

    def __init__(self) -> None:
        super().__init__({"now": In(8), "later": Out(8)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        value: Any = self.now
        for number, more in enumerate((1, 1, 5)):
            m.submodules[f"delay_{number}"] = unit = Delay(more)
            m.d.comb += unit.now.eq(value)
            value = unit.later
        m.d.comb += self.later.eq(value)
        return m


def test_equal_units_are_elaborated_once() -> None:
    Delay.n_elaborated = 0
    text = emit_verilog(Chain(), top="chain")
    assert Delay.n_elaborated == 2
    assert (text.count("module delay_1("), text.count("module delay_5("), text.count("endmodule")) == (1, 1, 3)
    assert text.count("  delay_1 ") == 2 and text.count("  delay_5 ") == 1
    assert lint(text, top="chain") == []
    assert text == emit_verilog(Chain(), top="chain")


def test_in_python_a_unit_is_its_circuit() -> None:
    dut, seen = Chain(), []

    async def bench(ctx: Any) -> None:
        for cycle in range(6):
            ctx.set(dut.now, 10 * cycle)
            seen.append(ctx.get(dut.later))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen[3:] == [7, 17, 27]


def test_a_unit_in_a_unit() -> None:
    class Pair(Unit):
        """Two delays of 1."""

        def __init__(self) -> None:
            super().__init__("pair", {"now": In(8), "later": Out(8)})

        def circuit(self, platform: Any) -> Module:
            m = Module()
            m.submodules.first, m.submodules.second = first, second = Delay(1), Delay(1)
            m.d.comb += [first.now.eq(self.now), second.now.eq(first.later), self.later.eq(second.later)]
            return m

    m = Module()
    m.submodules.left, m.submodules.right = left, right = Pair(), Pair()
    found = Signal(8)
    m.d.comb += [right.now.eq(left.later), found.eq(right.later)]
    text = emit_verilog(m, top="top", ports=[left.now, found])
    assert [text.count(f"\nmodule {name}(") + text.startswith(f"module {name}(") for name in ("pair", "delay_1")] == [1, 1]
    assert lint(text, top="top") == []


@pytest.mark.rtl
@pytest.mark.parametrize(
    "design",
    [
        machine(coefficients_per_cycle=8, ntt_ranks=1, batch=2),  # a slot number of no bits is no port of a top
        machine(glwe_dimension=3, decomposition_levels=2, rotators=2, decomposers=2, key_columns=2, inverse_ntts=4,
                batch=3, cores=3, key_rows=2, modulus_bits=52, coefficients_per_cycle=2, ntt_ranks=3),
    ],
    ids=["smallest", "three cores"],
)  # fmt: skip
def test_rotation_is_the_same_text_and_clean(design: Design) -> None:
    text = emit_verilog(Rotation(design), top="rotation")
    assert text == emit_verilog(Rotation(design), top="rotation")
    assert lint(text, top="rotation") == []
    assert text.count("\nmodule core(") == 1
