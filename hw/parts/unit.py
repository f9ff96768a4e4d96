"""Parts that are elaborated once, however many of them a machine has."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out


class Unit(wiring.Component):
    """A component whose equals are instances of one module where Verilog is written (`emit_verilog`).

    A subclass gives `circuit` in place of `elaborate`, and calls `super().__init__` with a name that tells all that the
    circuit depends on: two units of one name are the same circuit. It is clocked by `sync` alone, and reset by that
    domain's reset: a ResetInserter around it does not reach into an instance.
    """

    def __init__(self, name: str, signature: dict[str, Any]) -> None:
        self._name = name
        super().__init__(signature)

    def circuit(self, platform: Any) -> Module:
        """The circuit itself."""
        raise NotImplementedError

    def elaborate(self, platform: Any) -> Any:
        if platform is None:  # simulated in Python, where an instance would be a black box
            return self.circuit(platform)
        ports = {"__".join(map(str, path)): (member.flow, Value.cast(value)) for path, member, value in self._flat()}
        platform.add_unit(self._name, self, {name: value for name, (_, value) in ports.items()})
        connected = {f"{'o' if flow is Out else 'i'}_{name}": value for name, (flow, value) in ports.items()}
        return Instance(self._name, i_clk=ClockSignal(), i_rst=ResetSignal(), **connected)

    def _flat(self) -> Any:
        return ((path, member, value) for path, member, value in self.signature.flatten(self) if len(Value.cast(value)))
