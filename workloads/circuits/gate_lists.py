"""Circuits from gates that are told by name: put in order, checked, taken apart into two-input gates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from designs.errors import InputError
from designs.spelling import shown
from workloads.circuits.builder import CircuitBuilder
from workloads.circuits.circuit import AND, CONSTANT_0, CONSTANT_1, NAND, NOR, NOT, OR, XNOR, XOR, Circuit, Port

# Gates of any number of inputs: the tree below, and what ends it.
_TREES = {
    "AND": (AND, AND), "NAND": (AND, NAND), "OR": (OR, OR), "NOR": (OR, NOR), "XOR": (XOR, XOR), "XNOR": (XOR, XNOR)
}  # fmt: skip
FUNCTIONS = (*_TREES, "NOT", "BUF", "ZERO", "ONE")
_INDEXED = re.compile(r"(.+)\[([0-9]{1,7})\]")


@dataclass(frozen=True, kw_only=True)
class NamedGate:
    """One gate of a file: FUNCTIONS by name, of signals by name."""

    function: str
    inputs: tuple[str, ...]
    line: int


@dataclass(kw_only=True)
class GateList:
    """A circuit as a file tells it. Registers are `states`: their outputs come in, what they load goes out."""

    where: str
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    gates: dict[str, NamedGate] = field(default_factory=dict)  # by the signal that it drives
    states: dict[str, str] = field(default_factory=dict)  # output of a register -> what it loads


def circuit_of_gates(name: str, gates: GateList) -> Circuit:
    """The circuit; gates of more than two inputs become trees of least depth.

    Names `x[0]`, `x[1]`, ... of inputs or outputs become one port x. Registers are cut: one step of the machine is the
    circuit, their contents the last input port `state`, what they load the last output port `next_state`. InputError,
    file and line, for a signal without a driver, an output twice and a loop.
    """
    if len(set(gates.outputs)) < len(gates.outputs):
        twice = next(name for index, name in enumerate(gates.outputs) if name in gates.outputs[:index])
        raise InputError(f"{gates.where}: {shown(twice)}: wanted an output once, got it twice; remove one")
    inputs, input_names = ports_of(gates.inputs)
    outputs, output_names = ports_of(gates.outputs)
    if gates.states:
        inputs = (*inputs, Port(name=_free("state", inputs), bits=len(gates.states)))
        outputs = (*outputs, Port(name=_free("next_state", outputs), bits=len(gates.states)))
        input_names, output_names = [*input_names, *gates.states], [*output_names, *gates.states.values()]
    builder = CircuitBuilder(inputs)
    signals = {signal: number for number, signal in enumerate(input_names)}
    for signal in _in_order(gates, set(input_names), output_names):
        gate = gates.gates[signal]
        signals[signal] = _made(builder, gate.function, [signals[read] for read in gate.inputs])
    bits = [signals[signal] for signal in output_names]
    ends, at = [], 0
    for port in outputs:
        ends.append((port, bits[at : at + port.n_bits]))
        at += port.n_bits
    return builder.finish(name, ends)


def ports_of(names: Sequence[str]) -> tuple[tuple[Port, ...], list[str]]:
    """(ports, the names bit by bit of the ports): `x[0]` to `x[n-1]`, in whatever order, are a port of n bits."""
    indices: dict[str, dict[int, str]] = {}
    for name in names:
        if match := _INDEXED.fullmatch(name):
            indices.setdefault(match[1], {})[int(match[2])] = name
    whole = {base: bits for base, bits in indices.items() if base not in names and set(bits) == set(range(len(bits)))}
    ports: dict[str, list[str]] = {}
    for name in names:
        match = _INDEXED.fullmatch(name)
        if match and match[1] in whole:
            bits = whole[match[1]]
            ports[match[1]] = [bits[index] for index in range(len(bits))]
        else:
            ports[name] = [name]
    found = tuple(Port(name=name, bits=len(bits)) for name, bits in ports.items())
    return found, [name for bits in ports.values() for name in bits]


def _free(name: str, ports: Sequence[Port]) -> str:
    """The name, with underscores where a port has it already."""
    taken = {port.name for port in ports}
    while name in taken:
        name += "_"
    return name


def _made(builder: CircuitBuilder, function: str, read: list[int]) -> int:
    if function == "ZERO":
        return CONSTANT_0
    if function == "ONE":
        return CONSTANT_1
    if function == "BUF":
        return read[0]
    if function == "NOT":
        return builder.gate(NOT, read[0])
    tree, last = _TREES[function]
    if len(read) == 1:
        return read[0] if tree == last else builder.gate(NOT, read[0])
    half = (len(read) + 1) // 2
    return builder.gate(last, builder.tree(tree, read[:half]), builder.tree(tree, read[half:]))


def _in_order(gates: GateList, known: set[str], outputs: Sequence[str]) -> list[str]:
    """The signals of the gates that outputs need, each after what it reads; depth first, without recursion."""
    order: list[str] = []
    done = set(known)
    for output in outputs:
        if output in done:
            continue
        _driver(gates, output, None)
        way = {output: 0}  # signals on the way from the output, and how many of their inputs were looked at
        stack = [output]
        while stack:
            signal = stack[-1]
            gate = gates.gates[signal]
            if way[signal] == len(gate.inputs):
                stack.pop()
                del way[signal]
                done.add(signal)
                order.append(signal)
                continue
            read = gate.inputs[way[signal]]
            way[signal] += 1
            if read in done:
                continue
            if read in way:
                at = f"{gates.where}:{gate.line}"
                raise InputError(f"{at}: wanted a circuit without loops, got one through {shown(read)}; break it")
            _driver(gates, read, gate)
            way[read] = 0
            stack.append(read)
    return order


def _driver(gates: GateList, signal: str, reader: NamedGate | None) -> None:
    if signal not in gates.gates:
        where = gates.where if reader is None else f"{gates.where}:{reader.line}"
        raise InputError(f"{where}: {shown(signal)}: wanted a driver, got none; drive it or make it an input")
