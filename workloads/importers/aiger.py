"""AIGER: circuits of ANDs with inverted edges, as text (.aag) and binary (.aig)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit

from designs.errors import InputError
from designs.spelling import shown
from workloads.circuits.circuit import AND, ANDNY, ANDYN, CONSTANT_0, CONSTANT_1, NOR, NOT, Circuit, Port
from workloads.circuits.gate_lists import ports_of
from workloads.circuits.simplify import simplified
from workloads.circuits.text import read_bytes

MOST_INPUTS = 1 << 22  # binary files do not list them: a few bytes could ask for any number
_HEADER = re.compile(rb"(aag|aig)((?: [0-9]{1,9}){5,9}) *")
_SYMBOL = re.compile(rb"([ilo])([0-9]{1,9}) (.+)")
_FORMS = np.array([AND, ANDNY, ANDYN, NOR], np.uint8)  # bits 0 and 1: first and second operand inverted


@dataclass(frozen=True, kw_only=True, eq=False)
class _Aig:
    """What a file says: literals are twice a variable, plus one where inverted; variable 0 is the constant 0."""

    n_variables: int
    inputs: np.ndarray
    latches: np.ndarray  # literals of what registers hold
    next_states: np.ndarray
    outputs: np.ndarray
    ands: np.ndarray  # (n, 3): the AND, its operands
    names: dict[tuple[str, int], str]


def import_aiger(path: str | Path) -> Circuit:
    """Read a circuit from an AIGER file, version 1.0, text or binary by its first word.

    Each AND is one gate, inverters are folded into it. Registers are cut: their contents are the last input port
    `state`, what they load the last output port `next_state`. Names `x[0]`, `x[1]`, ... become one port; without names
    the ports are `i` and `o`. InputError, one line with the place, for anything malformed, and for properties (B, C, J,
    F), which are no function.
    """
    path = Path(path)
    return _circuit(path, _Reader(path).aig())


class _Reader:
    """A file, statement by statement."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = read_bytes(path, "an AIGER file")
        self.at = 0
        self.line = 0

    def error(self, text: str) -> InputError:
        return InputError(f"{self.path}:{max(1, self.line)}: {text}")

    def next_line(self, what: str) -> bytes:
        end = self.data.find(b"\n", self.at)
        if end < 0 and self.at >= len(self.data):
            raise self.error(f"wanted {what}, got the end of the file; was it cut?")
        end = len(self.data) if end < 0 else end
        found = self.data[self.at : end].rstrip(b"\r")
        self.at, self.line = end + 1, self.line + 1
        return found

    def aig(self) -> _Aig:
        match = _HEADER.fullmatch(self.data[: self.data.find(b"\n")][:200])
        if match is None:
            raise self.error("wanted aag or aig and five numbers M I L O A, got another line; is it the right file?")
        self.next_line("a header")
        most, n_inputs, n_latches, n_outputs, n_ands, *properties = map(int, match[2].split())
        if any(properties):
            raise self.error("wanted a function, got properties (B, C, J, F); remove them")
        if max(n_inputs, n_latches) > MOST_INPUTS or n_outputs + n_ands > len(self.data):
            raise self.error(f"wanted counts that the file can hold, got {shown(match[0].decode())}; was it cut?")
        is_text = match[1] == b"aag"
        fewest = n_inputs + n_latches + n_ands
        if most < fewest or (not is_text and most != fewest) or most > 8 * len(self.data) + 2 * MOST_INPUTS:
            raise self.error(f"wanted M to be I + L + A = {fewest}, got {most}; mend the header")
        variables = 2 * np.arange(1, 1 + n_inputs + n_latches, dtype=np.int64)
        inputs, latches = variables[:n_inputs], variables[n_inputs:]
        if is_text:
            inputs = self._numbers(n_inputs, "the literal of an input", 2 * most + 1, (1,))[:, 0]
        registers = self._numbers(n_latches, "a register", 2 * most + 1, (2, 3) if is_text else (1, 2))
        if is_text:
            latches = registers[:, 0]
        outputs = self._numbers(n_outputs, "the literal of an output", 2 * most + 1, (1,))[:, 0]
        if is_text:
            ands = self._numbers(n_ands, "an AND", 2 * most + 1, (3,))
        else:
            ands = self._binary_ands(n_inputs + n_latches, n_ands)
        counts = {"i": n_inputs, "l": n_latches, "o": n_outputs}
        return _Aig(
            n_variables=most + 1, inputs=inputs, latches=latches, next_states=registers[:, int(is_text)],
            outputs=outputs, ands=ands, names=self._names(counts),
        )  # fmt: skip

    def _numbers(self, n_lines: int, what: str, most: int, widths: tuple[int, ...]) -> np.ndarray:
        """(n_lines, widths[0]) int64 of a section; longer lines of the widths allowed are cut."""
        found = np.zeros((n_lines, widths[0]), np.int64)
        for index in range(n_lines):
            words = self.next_line(what).split()
            if len(words) not in widths or not all(word.isdigit() and len(word) <= 10 for word in words):
                raise self.error(f"wanted {what}, {widths[0]} numbers, got {shown(b' '.join(words))}; mend the line")
            numbers = [int(word) for word in words[: widths[0]]]
            if max(numbers) > most:
                raise self.error(f"wanted {what} of literals up to {most}, got {max(numbers)}; mend the line")
            found[index] = numbers
        return found

    def _binary_ands(self, n_before: int, n_ands: int) -> np.ndarray:
        rest = np.frombuffer(self.data, np.uint8)[self.at :]
        ands, used, wrong = _decoded(rest, n_before, n_ands)
        if wrong >= 0:
            raise InputError(
                f"{self.path}: byte {self.at + used}: AND {wrong}: wanted two differences that lead to earlier "
                "literals, got others or the end of the file; was it cut?"
            )
        self.at += used
        return ands

    def _names(self, counts: dict[str, int]) -> dict[tuple[str, int], str]:
        names: dict[tuple[str, int], str] = {}
        while self.at < len(self.data):
            line = self.next_line("a symbol")
            if line.strip() in (b"c", b""):
                break  # all after it is comment
            match = _SYMBOL.fullmatch(line)
            if match is None or int(match[2]) >= counts[match[1].decode()]:
                raise self.error(f"wanted a symbol as `i0 name`, got {shown(line)}; mend the line")
            key, name = (match[1].decode(), int(match[2])), match[3].decode("utf-8", "replace")
            if key in names or name.split() != [name] or not name.isprintable():
                raise self.error(f"wanted one name without spaces for {key[0]}{key[1]}, got {shown(name)}; mend it")
            names[key] = name
        return names


@njit(cache=True)
def _decoded(data: np.ndarray, n_before: int, n_ands: int) -> tuple[np.ndarray, int, int]:
    """((n_ands, 3) literals, bytes used, the AND that is wrong or -1)."""
    ands = np.zeros((n_ands, 3), np.int64)
    at = 0
    for index in range(n_ands):
        literal = np.int64(2 * (n_before + index + 1))
        ands[index, 0] = literal
        for place in (1, 2):
            delta, shift = np.int64(0), 0
            while True:
                if at >= len(data) or shift > 35:
                    return ands, at, index
                byte = np.int64(data[at])
                at += 1
                delta |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            if delta > literal or (place == 1 and delta == 0):
                return ands, at, index
            literal -= delta
            ands[index, place] = literal
    return ands, at, -1


def _circuit(path: Path, aig: _Aig) -> Circuit:
    driven = np.concatenate([aig.inputs, aig.latches, aig.ands[:, 0]])
    if (driven & 1).any() or (driven == 0).any():
        raise InputError(f"{path}: wanted inputs, registers and ANDs as even literals above 0, got another; mend it")
    if len(np.unique(driven)) < len(driven):
        twice = np.flatnonzero(np.bincount(driven) > 1)[0]
        raise InputError(f"{path}: literal {twice}: wanted one driver, got two; remove one")
    inputs, input_bits = _ports(path, aig, "i", len(aig.inputs), "state", len(aig.latches))
    outputs, output_bits = _ports(path, aig, "o", len(aig.outputs), "next_state", len(aig.latches))
    order = _in_order(path, aig)
    signals = np.full(aig.n_variables, -3, np.int64)
    signals[0] = CONSTANT_0
    signals[np.concatenate([aig.inputs[input_bits], aig.latches]) >> 1] = np.arange(len(aig.inputs) + len(aig.latches))
    n_inputs = len(aig.inputs) + len(aig.latches)
    signals[aig.ands[order, 0] >> 1] = n_inputs + np.arange(len(order))
    read = aig.ands[order, 1:]
    ends = np.concatenate([aig.outputs[output_bits], aig.next_states])
    if (signals[np.concatenate([read.ravel(), ends]) >> 1] == -3).any():
        lost = [int(literal) for literal in [*read.ravel(), *ends] if signals[literal >> 1] == -3]
        raise InputError(f"{path}: literal {lost[0]}: wanted a driver, got none; drive it or make it an input")
    # An output that is inverted is a NOT at the end.
    inverted = np.flatnonzero((ends & 1 == 1) & (ends > 1))
    end_signals = np.where(ends == 1, CONSTANT_1, signals[ends >> 1])
    operands = np.full((len(order) + len(inverted), 3), -1, np.int64)
    operands[: len(order), :2] = signals[read >> 1]
    operands[len(order) :, 0] = end_signals[inverted]
    end_signals[inverted] = n_inputs + len(order) + np.arange(len(inverted))
    forms = _FORMS[(read[:, 0] & 1) | (read[:, 1] & 1) << 1]
    ops = np.concatenate([forms, np.full(len(inverted), NOT, np.uint8)])
    return simplified(path.stem, inputs, outputs, ops, operands, end_signals)


def _ports(path: Path, aig: _Aig, kind: str, n: int, state: str, n_states: int) -> tuple[tuple[Port, ...], list[int]]:
    """(ports, which of the file's bits each bit of the ports is, without registers)."""
    names = [aig.names.get((kind, index), f"{kind}[{index}]") for index in range(n)]
    if len(set(names)) < n:
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise InputError(f"{path}: wanted different names, got {shown(twice)} twice; rename one")
    place = {name: index for index, name in enumerate(names)}
    ports, bits = ports_of(names)
    if n_states:
        while any(port.name == state for port in ports):
            state += "_"
        ports = (*ports, Port(name=state, bits=n_states))
    return ports, [place[name] for name in bits]


def _in_order(path: Path, aig: _Aig) -> np.ndarray:
    """The ANDs, each after those that it reads; as they stand where that is so already."""
    if len(aig.ands) and (aig.ands[:, 1:].max(axis=1) < aig.ands[:, 0]).all():
        return np.argsort(aig.ands[:, 0], kind="stable")
    place = np.full(aig.n_variables, -1, np.int64)
    place[aig.ands[:, 0] >> 1] = np.arange(len(aig.ands))
    order = _sorted(place[aig.ands[:, 1:] >> 1])
    if len(order) < len(aig.ands):
        raise InputError(f"{path}: wanted a circuit without loops, got one of ANDs; break it")
    return order


@njit(cache=True)
def _sorted(reads: np.ndarray) -> np.ndarray:
    """(n, 2) of earlier gates or -1 -> an order of evaluation; shorter where there is a loop."""
    n = len(reads)
    order, state, stack = np.empty(n, np.int64), np.zeros(n, np.uint8), np.empty(n + 1, np.int64)
    done = 0
    for root in range(n):
        if state[root] == 2:
            continue
        stack[0], size = root, 1
        while size:
            gate = stack[size - 1]
            state[gate] = 1
            below = -1
            for read in reads[gate]:
                if read >= 0 and state[read] == 1:
                    return order[:done]
                if read >= 0 and state[read] == 0:
                    below = read
            if below >= 0:
                stack[size] = below
                size += 1
                continue
            state[gate] = 2
            order[done] = gate
            done += 1
            size -= 1
    return order
