"""Circuits as AND, XOR and MUX with inverted edges, hashed and folded as they are built."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from workloads.circuits import circuit as c

# A literal is 2 signal + inverted; signal 0 is the constant 0, so the literals 0 and 1 are the constants.
AND, XOR, MUX = range(3)


class TooManyGates(Exception):
    """The circuit has reached its limit."""


class Gates:
    """AND, XOR and MUX of literals; equal gates are one. Signals 1 to n_inputs are the inputs."""

    def __init__(self, n_inputs: int, limit: int, progress: Callable[[int], None] | None = None) -> None:
        self.n_inputs = n_inputs
        self.kinds: list[int] = []
        self.operands: list[tuple[int, int, int]] = []
        self.levels = [0] * (n_inputs + 1)
        self._known: dict[tuple[int, int, int, int], int] = {}
        self._limit, self._progress = limit, progress

    def _gate(self, kind: int, a: int, b: int, s: int = -1) -> int:
        key = (kind, a, b, s)
        found = self._known.get(key)
        if found is None:
            if len(self.kinds) >= self._limit:
                raise TooManyGates
            found = 2 * len(self.levels)
            self._known[key] = found
            self.kinds.append(kind)
            self.operands.append((a, b, s))
            levels = self.levels
            levels.append(1 + max(levels[a >> 1], levels[b >> 1], levels[s >> 1] if s >= 0 else 0))
            if self._progress is not None and len(self.kinds) % 8192 == 0:
                self._progress(len(self.kinds))
        return found

    def level(self, a: int) -> int:
        """Gates on the longest way to a literal."""
        return self.levels[a >> 1]

    def and_(self, a: int, b: int) -> int:
        if a > b:
            a, b = b, a
        if a < 2:
            return b if a else 0
        if a == b:
            return a
        return 0 if a ^ b == 1 else self._gate(AND, a, b)

    def or_(self, a: int, b: int) -> int:
        return self.and_(a ^ 1, b ^ 1) ^ 1

    def xor(self, a: int, b: int) -> int:
        inverted = (a ^ b) & 1
        a, b = sorted((a & ~1, b & ~1))
        if a == 0:
            return b ^ inverted
        return inverted if a == b else self._gate(XOR, a, b) ^ inverted

    def mux(self, s: int, a: int, b: int) -> int:
        """a where s is 1, else b."""
        if s < 2:
            return a if s else b
        if a == b:
            return a
        if s & 1:
            s, a, b = s ^ 1, b, a
        if a ^ b == 1:
            return self.xor(s, b)
        if a < 2 or a >> 1 == s >> 1:
            value = a if a < 2 else 1 ^ (a ^ s)  # where s is 1, a is 1 if it is s
            return self.or_(s, b) if value else self.and_(s ^ 1, b)
        if b < 2 or b >> 1 == s >> 1:
            value = b if b < 2 else (b ^ s)  # where s is 0, b is 0 if it is s
            return self.or_(s ^ 1, a) if value else self.and_(s, a)
        inverted = b & 1
        return self._gate(MUX, a ^ inverted, b ^ inverted, s) ^ inverted

    def full_add(self, a: int, b: int, carry: int) -> tuple[int, int]:
        """Sum and carry; carry = carry where a and b differ, else a: a MUX, one bootstrap less than three gates."""
        differ = self.xor(a, b)
        return self.xor(differ, carry), self.mux(differ, carry, a)

    def circuit_arrays(self, outputs: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """ops, operands and outputs of a Circuit, as built; NOT gates stand where a MUX or an output is inverted."""
        live = self.live(outputs)
        ops: list[int] = []
        operands: list[tuple[int, int, int]] = []
        number = {signal: signal - 1 for signal in range(self.n_inputs + 1)}
        inverse: dict[int, int] = {}

        def add(op: int, a: int, b: int = -1, s: int = -1) -> int:
            ops.append(op)
            operands.append((a, b, s))
            return self.n_inputs + len(ops) - 1

        def plain(literal: int) -> int:
            if literal < 2:
                return c.CONSTANT_1 if literal else c.CONSTANT_0
            signal = number[literal >> 1]
            if literal & 1:
                if literal not in inverse:
                    inverse[literal] = add(c.NOT, signal)
                return inverse[literal]
            return signal

        for index, (kind, (a, b, s)) in enumerate(zip(self.kinds, self.operands, strict=True)):
            signal = self.n_inputs + 1 + index
            if signal not in live:
                continue
            if kind == MUX:
                number[signal] = add(c.MUX, number[s >> 1], plain(a), plain(b))
            else:
                op = c.XOR if kind == XOR else _AND_OF[a & 1, b & 1]
                number[signal] = add(op, number[a >> 1], number[b >> 1])
        signals = [plain(literal) for literal in outputs]
        return (
            np.array(ops, np.uint8),
            np.array(operands, np.int32).reshape(-1, 3),
            np.array(signals, np.int32),
        )

    def live(self, outputs: Sequence[int]) -> set[int]:
        """The gates that outputs need."""
        live: set[int] = set()
        stack = [literal >> 1 for literal in outputs]
        while stack:
            signal = stack.pop()
            if signal <= self.n_inputs or signal in live:
                continue
            live.add(signal)
            stack.extend(literal >> 1 for literal in self.operands[signal - self.n_inputs - 1] if literal >= 0)
        return live


_AND_OF = {(0, 0): c.AND, (1, 0): c.ANDNY, (0, 1): c.ANDYN, (1, 1): c.NOR}
