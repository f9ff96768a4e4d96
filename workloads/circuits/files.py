"""Circuits as text files (.gates): ports, then a gate a line, then what drives the outputs. docs/circuits.md says more.

    lockstep-gates 1
    input a 8
    input table 8 signed 4 4
    output sum 9
    gates 3
    xor 0 8
    mux 136 0 9
    not 137
    outputs 136 137 138 zero one 0 1 2 3
    end

A port is its name, the bits of one element, `signed` where it is, and the sizes of an array. Signals are numbers: input
bits first, port by port, then gates line by line; a gate reads earlier ones. `outputs` may be several lines. Lines that
begin with # say nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from designs.errors import InputError
from designs.spelling import nearest, shown
from designs.whole_file import whole_file
from workloads.circuits.checks import MOST_SIGNALS, circuit_of
from workloads.circuits.circuit import CONSTANT_0, CONSTANT_1, N_OPERANDS, OPS, Circuit, Port
from workloads.circuits.text import read_lines

VERSION = 1
_MAGIC = "lockstep-gates"
_CONSTANTS = {"zero": CONSTANT_0, "one": CONSTANT_1}
_OUTPUTS_A_LINE = 16
_MOST_BITS = 1 << 24  # of one port
_DIGITS = 9


def save_circuit(circuit: Circuit, path: str | Path) -> None:
    """Write a circuit, whole or not at all; `load_circuit` gives it back. InputError for names with spaces."""
    text = "\n".join(_lines(circuit)) + "\n"
    with whole_file(path) as part:
        part.write_text(text)


def load_circuit(path: str | Path) -> Circuit:
    """The circuit of a .gates file, called as the file; InputError, file and line, for one that is malformed."""
    path = Path(path)
    return _Reader(path).circuit()


def _lines(circuit: Circuit) -> Iterator[str]:
    yield f"{_MAGIC} {VERSION}"
    for keyword, ports in (("input", circuit.inputs), ("output", circuit.output_ports)):
        for port in ports:
            if port.name.split() != [port.name] or not port.name.isprintable():
                raise InputError(f"port {shown(port.name)}: wanted a name without spaces, got one with; rename it")
            yield " ".join(map(str, (keyword, port.name, port.bits, *["signed"] * port.signed, *port.shape)))
    yield f"gates {circuit.n_gates}"
    for op, (a, b, c) in zip(circuit.ops.tolist(), circuit.operands.tolist(), strict=True):
        n = _N_OPERANDS[op]
        yield f"{OPS[op]} {a} {b}" if n == 2 else f"{OPS[op]} {a}" if n == 1 else f"{OPS[op]} {a} {b} {c}"
    names = {value: name for name, value in _CONSTANTS.items()}
    outputs = [names.get(signal) or str(signal) for signal in circuit.outputs.tolist()]
    for at in range(0, len(outputs), _OUTPUTS_A_LINE):
        yield " ".join(["outputs", *outputs[at : at + _OUTPUTS_A_LINE]])
    yield "end"


_N_OPERANDS = N_OPERANDS.tolist()
_WORDS = {name: (op, _N_OPERANDS[op]) for op, name in enumerate(OPS)}


class _Reader:
    """A file, line by line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = read_lines(path, "a file of gates")
        self.at = 0  # lines read so far

    def error(self, text: str) -> InputError:
        return InputError(f"{self.path}:{self.at}: {text}")

    def words(self) -> list[str]:
        """The words of the next line that says something; none at the end of the file."""
        while self.at < len(self.lines):
            self.at += 1
            line = self.lines[self.at - 1]
            if line and line[0] != "#" and (words := line.split()):
                return words
        return []

    def circuit(self) -> Circuit:
        words = self.words()
        if words[:1] != [_MAGIC] or len(words) != 2:
            raise self.error(f"wanted {_MAGIC} {VERSION} first, got {_said(words)}; is it the right file?")
        if words[1] != str(VERSION):
            raise self.error(f"wanted version {VERSION}, got {shown(words[1])}; write it again with this version")
        ports: dict[str, list[Port]] = {"input": [], "output": []}
        while (words := self.words())[:1] in (["input"], ["output"]):
            ports[words[0]].append(self._port(words))
        if words[:1] != ["gates"] or len(words) != 2:
            raise self.error(f"wanted input, output or gates COUNT, got {_said(words)}; mend the line")
        n_inputs, n_outputs = (sum(port.n_bits for port in ports[kind]) for kind in ("input", "output"))
        n_gates = self._number(words[1], MOST_SIGNALS, "gates")
        if n_gates > len(self.lines):
            raise self.error(f"wanted as many lines as gates ({n_gates}), got {len(self.lines)} in all; was it cut?")
        ops, operands = self._gates(n_inputs, n_gates)
        outputs = self._outputs(n_inputs + n_gates, n_outputs)
        if words := self.words():
            raise self.error(f"wanted nothing after end, got {_said(words)}; remove it")
        try:
            return circuit_of(self.path.stem, tuple(ports["input"]), tuple(ports["output"]), ops, operands, outputs)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from error

    def _number(self, word: str, most: int, what: str) -> int:
        if not (word.isdecimal() and word.isascii() and len(word) <= _DIGITS + 1 and int(word) <= most):
            raise self.error(f"{what}: wanted a number of 0 to {most}, got {shown(word)}; mend it")
        return int(word)

    def _port(self, words: list[str]) -> Port:
        if len(words) < 3:
            raise self.error(f"wanted {words[0]} NAME BITS [signed] [SIZES], got {len(words)} words; mend the line")
        signed = words[3:4] == ["signed"]
        what = f"{words[0]} {shown(words[1])}"
        bits, *shape = [self._number(word, _MOST_BITS, what) for word in (words[2], *words[3 + signed :])]
        if not 0 < (n_bits := math.prod((bits, *shape))) <= _MOST_BITS:
            raise self.error(f"{what}: wanted 1 to {_MOST_BITS} bits, got {shown(n_bits)}; mend it")
        return Port(name=words[1], bits=bits, signed=signed, shape=tuple(shape))

    def _gates(self, n_inputs: int, n_gates: int) -> tuple[np.ndarray, np.ndarray]:
        ops, operands = bytearray(n_gates), [-1] * (3 * n_gates)
        for gate in range(n_gates):
            words = self.words()
            op, n = _WORDS.get(words[0] if words else "", (-1, 0))
            if op < 0 or len(words) != n + 1:
                raise self._gate_error(words, gate, n_gates)
            ops[gate] = op
            for place in range(n):
                word = words[place + 1]
                # Digits only: int() takes signs, underscores and other scripts' digits too.
                signal = int(word) if word.isdecimal() and len(word) <= _DIGITS + 1 else -1
                if not 0 <= signal < n_inputs + gate or not word.isascii():
                    raise self.error(
                        f"{words[0]}: wanted signals of 0 to {n_inputs + gate - 1}, got {shown(word)}; mend the line"
                    )
                operands[3 * gate + place] = signal
        return np.frombuffer(ops, np.uint8), np.array(operands, np.int32).reshape(n_gates, 3)

    def _gate_error(self, words: list[str], gate: int, n_gates: int) -> InputError:
        if not words or words[0] in ("outputs", "end"):
            return self.error(f"wanted {n_gates} gates, got {gate}; was the file cut?")
        if words[0] not in _WORDS:
            hint = nearest(words[0], _WORDS)
            return self.error(f"wanted a gate ({', '.join(OPS)}), got {shown(words[0])}{hint}; mend the line")
        n = _WORDS[words[0]][1]
        return self.error(f"{words[0]}: wanted {n} signals, got {len(words) - 1}; mend the line")

    def _outputs(self, n_signals: int, n_outputs: int) -> np.ndarray:
        found: list[int] = []
        while (words := self.words())[:1] == ["outputs"]:
            for word in words[1:]:
                constant = _CONSTANTS.get(word)
                found.append(self._number(word, n_signals - 1, "outputs") if constant is None else constant)
        if words != ["end"]:
            raise self.error(f"wanted outputs, then end, got {_said(words)}; was the file cut?")
        if len(found) != n_outputs:
            raise self.error(f"wanted {n_outputs} outputs, as the ports say, got {len(found)}; mend them")
        return np.array(found, np.int32)


def _said(words: list[str]) -> str:
    return shown(" ".join(words[:4])) if words else "the end of the file"
