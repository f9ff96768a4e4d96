"""Circuits are made here, gate by gate; what is superfluous goes when they are finished."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workloads.circuits import circuit as c
from workloads.circuits.circuit import CONSTANT_0, CONSTANT_1, N_OPERANDS, OPS, Circuit, Port
from workloads.circuits.simplify import simplified


class CircuitBuilder:
    """Makes a circuit.

    Signals are numbers as in Circuit, the bits of the inputs first; gates may read CONSTANT_0 and CONSTANT_1 too, twice
    the same signal, and be made twice: `finish` folds all that (`workloads.circuits.simplify`).
    """

    def __init__(self, inputs: Sequence[Port]) -> None:
        self.inputs = tuple(inputs)
        self.n_inputs = sum(port.n_bits for port in self.inputs)
        self._ops: list[int] = []
        self._operands: list[tuple[int, int, int]] = []

    @property
    def n_gates(self) -> int:
        """Gates made so far."""
        return len(self._ops)

    def input_bits(self, port: int) -> range:
        """The signals of an input port's bits, in the order of the port."""
        first = sum(earlier.n_bits for earlier in self.inputs[:port])
        return range(first, first + self.inputs[port].n_bits)

    def gate(self, op: int, first: int, second: int = -1, third: int = -1) -> int:
        """The signal of a new gate, OPS[op] of as many signals as it has operands.

        ValueError for an operand that is no earlier signal and no constant.
        """
        for signal in (first, second, third)[: N_OPERANDS[op]]:
            if not CONSTANT_1 <= signal < self.n_inputs + len(self._ops):
                raise ValueError(f"{OPS[op]}: wanted signals below {self.n_inputs + len(self._ops)}, got {signal}")
        self._ops.append(op)
        self._operands.append((first, second, third))
        return self.n_inputs + len(self._ops) - 1

    def invert(self, a: int) -> int:
        """not a."""
        return self.gate(c.NOT, a)

    def both(self, a: int, b: int) -> int:
        """a and b."""
        return self.gate(c.AND, a, b)

    def either(self, a: int, b: int) -> int:
        """a or b."""
        return self.gate(c.OR, a, b)

    def differ(self, a: int, b: int) -> int:
        """a xor b."""
        return self.gate(c.XOR, a, b)

    def choose(self, select: int, one: int, zero: int) -> int:
        """`one` where select is 1, else `zero`: two bootstraps."""
        return self.gate(c.MUX, select, one, zero)

    def tree(self, op: int, signals: Iterable[int]) -> int:
        """AND, OR or XOR of any number of signals, as a tree of least depth; of none it is the constant."""
        level = list(signals)
        if not level:
            return CONSTANT_1 if op == c.AND else CONSTANT_0
        while len(level) > 1:
            pairs = [self.gate(op, *level[at : at + 2]) for at in range(0, len(level) - 1, 2)]
            level = pairs + level[len(pairs) * 2 :]
        return level[0]

    def add(self, a: Sequence[int], b: Sequence[int], carry: int = CONSTANT_0) -> list[int]:
        """Sum of two numbers of as many bits and a carry, least significant first, the last carry at the end.

        A ripple: four bootstraps and one level a bit, as the carry goes on where the bits differ, and else is one of
        them.
        """
        total = []
        for x, y in zip(a, b, strict=True):
            differ = self.differ(x, y)
            total.append(self.differ(differ, carry))
            carry = self.both(x, y) if carry == CONSTANT_0 else self.choose(differ, carry, x)
        return [*total, carry]

    def multiply(self, a: Sequence[int], b: Sequence[int]) -> list[int]:
        """Product of two unsigned numbers, all its bits, least significant first.

        Columns of partial products are brought to two rows by full adders, oldest bits first; a ripple adds the rows.
        """
        columns: list[list[int]] = [[] for _ in range(len(a) + len(b))]
        for i, x in enumerate(a):
            for j, y in enumerate(b):
                columns[i + j].append(self.both(x, y))
        while max(map(len, columns)) > 2:
            columns = self._compressed(columns)
        rows = [[column[row] if row < len(column) else CONSTANT_0 for column in columns] for row in (0, 1)]
        return self.add(rows[0], rows[1])[: len(columns)]

    def _compressed(self, columns: list[list[int]]) -> list[list[int]]:
        """One level of full adders: three bits of a column become one of it and one of the next."""
        found: list[list[int]] = [[] for _ in range(len(columns) + 1)]
        for index, column in enumerate(columns):
            whole = len(column) // 3 * 3
            for at in range(0, whole, 3):
                x, y, z = column[at : at + 3]
                total, carry = self.add([x], [y], z)
                found[index].append(total)
                found[index + 1].append(carry)
            found[index] += column[whole:]
        return found[: len(columns)]  # a product has no more bits

    def finish(self, name: str, outputs: Sequence[tuple[Port, Sequence[int]]]) -> Circuit:
        """The circuit with these outputs: (port, the signals of its bits, or constants)."""
        for port, signals in outputs:
            if len(signals) != port.n_bits:
                raise ValueError(f"output {port.name}: wanted {port.n_bits} signals, got {len(signals)}")
        bits = [signal for _, signals in outputs for signal in signals]
        return simplified(name, self.inputs, tuple(port for port, _ in outputs), self._ops, self._operands, bits)
