"""What every reader of circuits ends in: gates and registers by the names of signals, checked and made a netlist."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from workloads.netlist import CONSTANT_0, CONSTANT_1, Netlist
from workloads.netlist_builder import NetlistBuilder

MOST_GATES = 1 << 22  # of a whole circuit, hierarchy dissolved
MOST_TABLE_ENTRIES = 1 << 28  # of all tables together, one byte each
_MOST_SHOWN = 6  # signals of a loop in a message
_LONGEST_NAME = 80
# Without this a data input that forces a register would be taken for its reset.
_RESET_NAME = re.compile(r"(^|.*[_./])(sys|core|a|s|p|async_?|sync_?)?(n?rst|n?reset|n?clr|n?clear)(_?[nipb]+)?", re.I)
_ENABLE_NAME = re.compile(r"(^|.*[_./])(clk_?|clock_?)?(en|ena|enable|ce|cen)(_?[nip]+)?", re.I)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """A table: `output` is table[index], the first of `inputs` being the index's least significant bit."""

    output: str
    inputs: tuple[str, ...]  # () is a constant
    table: np.ndarray  # (2^inputs,) uint8
    where: str  # file:line


@dataclass(frozen=True, kw_only=True, slots=True)
class Register:
    """A flip-flop. A control that is None is not there; a level says at which value of its signal it acts."""

    output: str
    data: str
    where: str
    clock: str | None = None
    reset: str | None = None
    reset_level: int = 1
    reset_value: int = 0
    reset_is_asynchronous: bool = False
    enable: str | None = None
    enable_level: int = 1


@dataclass(frozen=True, kw_only=True)
class GateCircuit:
    """A flat circuit, in the order of its file, unchecked."""

    where: str  # file
    model: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    gates: tuple[Gate, ...]
    registers: tuple[Register, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Imported:
    """A circuit that came from a file, as a combinational function.

    Registers that stood in it are gone: `n_register_stages` of them on every way from an input to an output, and with
    them the inputs that only controlled them.
    """

    netlist: Netlist
    model: str
    n_register_stages: int
    dropped_inputs: tuple[str, ...]  # clock, reset, enable

    @property
    def remark(self) -> str:
        """What was left out, one line; empty where nothing was."""
        if not self.n_register_stages and not self.dropped_inputs:
            return ""
        gone = f" with {', '.join(self.dropped_inputs)}" if self.dropped_inputs else ""
        return f"{self.model}: taken as its function; {self.n_register_stages} stages of registers left out{gone}"


def netlist_of(circuit: GateCircuit) -> Imported:
    """The netlist of a circuit; gates keep their order as far as they stood in an order of evaluation.

    Constants, buffers and repeated inputs are folded into the tables and equal gates shared; nothing else changes.
    InputError, naming file and line and signals, for a signal that nothing or more than one thing drives, a loop, and
    registers that no equal number of stages explains.
    """
    driver = _drivers(circuit)
    circuit = _with_reset_logic(circuit, driver)
    driver = _drivers(circuit)
    order = _in_order(circuit, driver)
    live = _live(circuit, driver)
    dropped = _dropped_inputs(circuit, driver, live)
    n_stages = _register_stages(circuit, order, live)
    inputs = tuple(name for name in circuit.inputs if name not in dropped)
    return Imported(
        netlist=_build(circuit, order, inputs),
        model=circuit.model,
        n_register_stages=n_stages,
        dropped_inputs=tuple(name for name in circuit.inputs if name in dropped),
    )


_Node = Gate | Register
_Drivers = dict[str, _Node | None]  # None: an input


def _read_by(node: _Node, *, controls: bool = True) -> Iterator[str]:
    if isinstance(node, Gate):
        yield from node.inputs
        return
    yield node.data
    if controls:
        yield from (signal for signal in (node.clock, node.reset, node.enable) if signal is not None)


def _nodes(circuit: GateCircuit) -> Iterable[_Node]:
    return (*circuit.gates, *circuit.registers)


def _drivers(circuit: GateCircuit) -> _Drivers:
    if not circuit.outputs:
        raise InputError(f"{circuit.where}: wanted a circuit with outputs, got {circuit.model} without; name some")
    found: _Drivers = {}
    if len(set(circuit.outputs)) < len(circuit.outputs):
        twice = next(name for i, name in enumerate(circuit.outputs) if name in circuit.outputs[:i])
        raise InputError(f"{circuit.where}: {short(twice)}: wanted an output once, got it twice; remove one")
    for name in circuit.inputs:
        if name in found:
            raise InputError(f"{circuit.where}: {short(name)}: wanted an input once, got it twice; remove one")
        found[name] = None
    for node in _nodes(circuit):
        if node.output in found:
            first = found[node.output]
            other = "an input" if first is None else first.where
            raise InputError(
                f"{node.where}: {short(node.output)}: wanted one driver, got a second beside {other}; remove one"
            )
        found[node.output] = node
    for node in _nodes(circuit):
        for signal in _read_by(node):
            if signal not in found:
                raise InputError(
                    f"{node.where}: {short(signal)}: wanted a driver, got none; drive it or make it an input"
                )
    for signal in circuit.outputs:
        if signal not in found:
            raise InputError(
                f"{circuit.where}: output {short(signal)}: wanted a driver, got none; drive it or remove it"
            )
    return found


def _in_order(circuit: GateCircuit, driver: _Drivers) -> list[_Node]:
    """All nodes, each after what it reads, else as they stand: depth first, without recursion."""
    order: list[_Node] = []
    done: set[str] = set(circuit.inputs)
    for root in _nodes(circuit):
        if root.output in done:
            continue
        path = {root.output: None}  # the signals on the way from the root, in order
        stack = [(root, iter(tuple(_read_by(root))))]
        while stack:
            node, reads = stack[-1]
            signal = next((signal for signal in reads if signal not in done), None)
            if signal is None:
                stack.pop()
                del path[node.output]
                done.add(node.output)
                order.append(node)
                continue
            if signal in path:
                raise _loop(list(path), signal, driver)
            below = driver[signal]
            assert below is not None  # inputs are done
            path[signal] = None
            stack.append((below, iter(tuple(_read_by(below)))))
    return order


def _loop(path: list[str], signal: str, driver: _Drivers) -> InputError:
    on_loop = path[path.index(signal) :][::-1]  # path runs against the flow
    nodes = [driver[name] for name in on_loop]
    where = next(node.where for node in nodes if node is not None)
    names = on_loop if len(on_loop) <= _MOST_SHOWN else [*on_loop[: _MOST_SHOWN - 1], "..."]
    way = " -> ".join(map(short, [*names, on_loop[0]]))
    if any(isinstance(node, Register) for node in nodes):
        return InputError(f"{where}: wanted registers without feedback, got {way}; only feed-forward circuits are read")
    return InputError(f"{where}: wanted a circuit without combinational loops, got {way}; break it")


def _live(circuit: GateCircuit, driver: _Drivers) -> set[str]:
    """The signals that data flows through to an output; what only controls registers is not among them."""
    live = set(circuit.outputs)
    waiting = list(live)
    while waiting:
        node = driver[waiting.pop()]
        if node is None:
            continue
        for signal in _read_by(node, controls=False):
            if signal not in live:
                live.add(signal)
                waiting.append(signal)
    return live


def _root(signal: str, driver: _Drivers) -> str:
    """Where a control comes from, inverters and buffers passed."""
    for _ in range(64):  # a ring of inverters is told later, as a loop
        node = driver[signal]
        if not isinstance(node, Gate) or len(node.inputs) != 1:
            break
        signal = node.inputs[0]
    return signal


def _with_reset_logic(circuit: GateCircuit, driver: _Drivers) -> GateCircuit:
    """Synchronous resets that are data, not an input called reset, become the logic that they are."""
    if all(register.reset is None for register in circuit.registers):
        return circuit
    live = _live(circuit, driver)
    gates, registers = list(circuit.gates), []
    for register in circuit.registers:
        if register.reset is not None and not register.reset_is_asynchronous:
            root = _root(register.reset, driver)
            if driver[root] is not None or root in live or not _RESET_NAME.fullmatch(root):
                gates.append(_reset_gate(register))
                register = Register(
                    output=register.output, data=gates[-1].output, where=register.where, clock=register.clock,
                    enable=register.enable, enable_level=register.enable_level,
                )  # fmt: skip
        registers.append(register)
    return GateCircuit(
        where=circuit.where, model=circuit.model, inputs=circuit.inputs, outputs=circuit.outputs,
        gates=tuple(gates), registers=tuple(registers),
    )  # fmt: skip


def _reset_gate(register: Register) -> Gate:
    assert register.reset is not None
    table = np.full((2, 2), register.reset_value, np.uint8)  # [reset, data]
    table[1 - register.reset_level] = (0, 1)
    name = f"{register.output} before its register"  # no file has names with spaces
    return Gate(output=name, inputs=(register.data, register.reset), table=table.ravel(), where=register.where)


def _dropped_inputs(circuit: GateCircuit, driver: _Drivers, live: set[str]) -> set[str]:
    """The inputs that only control registers."""
    dropped: set[str] = set()
    clocks: dict[str, Register] = {}
    for register in circuit.registers:
        at = f"{register.where}: {short(register.output)}"
        for signal, kind in ((register.clock, "clock"), (register.reset, "reset"), (register.enable, "enable")):
            if signal is None:
                continue
            root = _root(signal, driver)
            if (node := driver[root]) is not None:
                if kind != "clock" and isinstance(node, Gate) and not node.inputs:
                    _refuse_stuck(register, signal, kind, driver)
                    continue
                raise InputError(
                    f"{at}: wanted an input as {kind}, got {short(signal)}, which is logic; "
                    "only pipelines on one plain clock are read"
                )
            if root in live:
                raise InputError(
                    f"{at}: wanted a {kind} that is no data, got {short(root)}, which reaches an output; separate them"
                )
            if kind == "enable" and not _ENABLE_NAME.fullmatch(root):
                raise InputError(
                    f"{at}: wanted a register that loads every cycle, got one that "
                    f"{short(root)} holds; remove it, or call the input enable if it is one"
                )
            if kind == "clock":
                clocks.setdefault(root, register)
            dropped.add(root)
    if len(clocks) > 1:
        names = ", ".join(map(short, sorted(clocks)[:_MOST_SHOWN]))
        raise InputError(f"{circuit.where}: wanted registers on one clock, got {names}; only one clock domain is read")
    return dropped


def _refuse_stuck(register: Register, signal: str, kind: str, driver: _Drivers) -> None:
    """A control that is constant must be one that leaves the register alone."""
    value = _constant_of(signal, driver)
    held = value == register.reset_level if kind == "reset" else value != register.enable_level
    if held:
        raise InputError(
            f"{register.where}: {short(register.output)}: wanted a register that loads, "
            f"got one with {kind} stuck at {value}; mend it"
        )


def _constant_of(signal: str, driver: _Drivers) -> int:
    node = driver[signal]
    assert isinstance(node, Gate)
    return int(node.table[_constant_of(node.inputs[0], driver) if node.inputs else 0])


def _register_stages(circuit: GateCircuit, order: Sequence[_Node], live: set[str]) -> int:
    """Registers on every way from an input to an output; InputError where ways differ."""
    stage: dict[str, int | None] = dict.fromkeys(circuit.inputs, 0)  # None: constant, at home in every stage
    for node in order:
        if node.output not in live:
            continue
        known = {signal: found for signal in _read_by(node, controls=False) if (found := stage[signal]) is not None}
        found = _agreed(node.where, node.output, known)
        stage[node.output] = found + 1 if isinstance(node, Register) and found is not None else found
    known = {signal: found for signal in circuit.outputs if (found := stage[signal]) is not None}
    return _agreed(circuit.where, "outputs", known) or 0


def _agreed(where: str, what: str, stages: dict[str, int]) -> int | None:
    if not stages:
        return None
    least, most = min(stages, key=lambda name: stages[name]), max(stages, key=lambda name: stages[name])
    if stages[least] != stages[most]:
        raise InputError(
            f"{where}: {short(what)}: wanted as many registers on every way from the inputs, "
            f"got {stages[least]} by {short(least)} and {stages[most]} by {short(most)}; balance the pipeline"
        )
    return stages[least]


def _build(circuit: GateCircuit, order: Sequence[_Node], inputs: tuple[str, ...]) -> Netlist:
    builder = NetlistBuilder(inputs)
    signals = {name: index for index, name in enumerate(inputs)}
    for node in order:
        if isinstance(node, Register):
            # What a dropped input drives is control alone, and is not built either.
            if node.data in signals:
                signals[node.output] = signals[node.data]
        elif not node.inputs:
            signals[node.output] = CONSTANT_1 if node.table[0] else CONSTANT_0
        elif all(name in signals for name in node.inputs):
            signals[node.output] = builder.lut([signals[name] for name in node.inputs], node.table, "logic")
    return builder.finish([(name, signals[name]) for name in circuit.outputs])


def check_size(where: str, n_gates: int, n_entries: int) -> None:
    """InputError where a circuit is larger than this program reads."""
    if n_gates > MOST_GATES:
        raise InputError(f"{where}: wanted at most {MOST_GATES} gates, got more; import a smaller circuit")
    if n_entries > MOST_TABLE_ENTRIES:
        raise InputError(f"{where}: wanted at most {MOST_TABLE_ENTRIES} table entries in all, got more; split tables")


def short(name: str) -> str:
    """A signal's name in a message: long ones lose their middle."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME // 2]}...{name[-_LONGEST_NAME // 2 :]}"
