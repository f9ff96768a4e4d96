"""Multiplexers where they save bootstraps: carries, borrows and exchanges.

A MUX costs two bootstraps, and so beats three gates: of a full adder, carry = MUX(a xor b, carry in, a) with the XOR
that the sum needs anyway, and a majority alone is an XOR and a MUX. Mappers that look for multiplexers of a cone's own
signals do not see these, where the selector is an XOR that stands elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from workloads.circuits import circuit as c
from workloads.circuits.circuit import CONSTANT_0, CONSTANT_1, Circuit
from workloads.circuits.inverted_edges import AND, MUX, XOR, Gates
from workloads.circuits.simplify import simplified

_MOST_CUTS = 6  # of three leaves at most, kept for each gate
_COSTS = (1, 1, 2)  # of AND, XOR, MUX in bootstraps
_LEAVES = (0xAA, 0xCC, 0xF0)  # truth tables of three leaves
_PAIRS = ((0, 1, 2), (0, 2, 1), (1, 2, 0))  # two leaves that may select by their XOR, and the third


def with_muxes(circuit: Circuit) -> Circuit:
    """A circuit that computes the same, with three gates and more replaced by a MUX where that saves bootstraps."""
    gates, outputs = gates_of(circuit)
    found = _Search(gates, outputs).run()
    rebuilt = Gates(gates.n_inputs, 1 << 30)
    literal = [2 * signal for signal in range(gates.n_inputs + 1)]

    def new(old: int) -> int:
        return literal[old >> 1] ^ (old & 1)

    exchanges = _exchanges(gates, outputs)
    for index, (kind, (a, b, s)) in enumerate(zip(gates.kinds, gates.operands, strict=True)):
        signal = gates.n_inputs + 1 + index
        if signal in found:
            (x, y), yes, no = found[signal]
            selector = rebuilt.xor(new(x), new(y)) if y else new(x)
            made = rebuilt.mux(selector, new(yes), new(no))
        elif signal in exchanges:
            made = rebuilt.xor(new(b), rebuilt.and_(new(s), rebuilt.xor(new(a), new(b))))
        elif kind == MUX:
            made = rebuilt.mux(new(s), new(a), new(b))
        else:
            made = rebuilt.and_(new(a), new(b)) if kind == AND else rebuilt.xor(new(a), new(b))
        literal.append(made)
    arrays = rebuilt.circuit_arrays([new(output) for output in outputs])
    return simplified(circuit.name, circuit.inputs, circuit.output_ports, *arrays)


def gates_of(circuit: Circuit) -> tuple[Gates, list[int]]:
    """The circuit as AND, XOR and MUX with inverted edges, and the literals of its outputs."""
    gates = Gates(circuit.n_inputs, 1 << 30)
    literal = [2 * (signal + 1) for signal in range(circuit.n_inputs)]
    for op, (first, second, third) in zip(circuit.ops.tolist(), circuit.operands.tolist(), strict=True):
        a = literal[first]
        if op == c.NOT:
            literal.append(a ^ 1)
        elif op == c.MUX:
            literal.append(gates.mux(a, literal[second], literal[third]))
        elif op in (c.XOR, c.XNOR):
            literal.append(gates.xor(a, literal[second]) ^ (op == c.XNOR))
        else:
            not_a, not_b, inverted = _AND_FORMS[op]
            literal.append(gates.and_(a ^ not_a, literal[second] ^ not_b) ^ inverted)
    constants = {CONSTANT_0: 0, CONSTANT_1: 1}
    return gates, [constants[signal] if signal < 0 else literal[signal] for signal in circuit.outputs.tolist()]


_AND_FORMS = {
    c.AND: (0, 0, 0),
    c.NAND: (0, 0, 1),
    c.OR: (1, 1, 1),
    c.NOR: (1, 1, 0),
    c.ANDNY: (1, 0, 0),
    c.ANDYN: (0, 1, 0),
    c.ORNY: (0, 1, 1),
    c.ORYN: (1, 0, 1),
}


def _choices() -> dict[int, tuple[tuple[int, int], int, int]]:
    """Truth table of three leaves -> selector (leaves; the second -1 where there is one) and data, as literals."""
    found: dict[int, tuple[tuple[int, int], int, int]] = {}
    tables = [table ^ (0xFF * inverted) for table in _LEAVES for inverted in (0, 1)]
    selectors = [((i, -1), _LEAVES[i]) for i in range(3)] + [((i, j), _LEAVES[i] ^ _LEAVES[j]) for i, j, _ in _PAIRS]
    for selector, s in selectors:
        for yes, p in enumerate(tables):
            for no, q in enumerate(tables):
                found.setdefault((s & p) | (~s & q & 0xFF), (selector, yes, no))
    return found


_CHOICES = _choices()


class _Search:
    """Finds replacements one after the other, counting what still reads each gate."""

    def __init__(self, gates: Gates, outputs: list[int]) -> None:
        self._first = gates.n_inputs + 1
        self._kinds, self._operands = gates.kinds, gates.operands
        self._xors = {
            (a >> 1, b >> 1): self._first + index
            for index, (kind, (a, b, _)) in enumerate(zip(gates.kinds, gates.operands, strict=True))
            if kind == XOR
        }
        self._n_readers = [0] * (self._first + len(gates.kinds))
        for literal in outputs:
            self._n_readers[literal >> 1] += 1
        for signal in range(len(self._n_readers) - 1, self._first - 1, -1):
            if self._n_readers[signal]:
                for operand in self._operands_of(signal):
                    self._n_readers[operand] += 1

    def _operands_of(self, signal: int) -> list[int]:
        """The signals that a gate reads; none of an input."""
        if signal < self._first:
            return []
        return [literal >> 1 for literal in self._operands[signal - self._first] if literal >= 0]

    def run(self) -> dict[int, tuple[tuple[int, int], int, int]]:
        """Signal -> its selector's two literals (the second 0 where there is one), and the data literals."""
        found: dict[int, tuple[tuple[int, int], int, int]] = {}
        cuts: list[list[frozenset[int]]] = [[frozenset((signal,))] for signal in range(self._first)]
        for signal in range(self._first, len(self._n_readers)):
            mine = list(self._cuts(signal, cuts))
            cuts.append([*mine[:_MOST_CUTS], frozenset((signal,))])
            if not self._n_readers[signal]:
                continue
            for leaves in mine:
                if len(leaves) == 3 and (choice := self._better(signal, sorted(leaves))):
                    found[signal] = choice
                    cuts[signal] = [leaves, frozenset((signal,))]
                    break
        return found

    def _cuts(self, signal: int, cuts: list[list[frozenset[int]]]) -> Iterator[frozenset[int]]:
        """Sets of three signals at most that a gate is a function of, smallest first."""
        merged: set[frozenset[int]] = {frozenset()}
        for operand in self._operands_of(signal):
            merged = {one | other for one in merged for other in cuts[operand] if len(one | other) <= 3}
        yield from sorted(merged, key=lambda leaves: (len(leaves), sorted(leaves)))

    def _better(self, signal: int, leaves: list[int]) -> tuple[tuple[int, int], int, int] | None:
        """A MUX for a gate as function of three leaves, where it saves bootstraps; readers are counted anew then."""
        choice = _CHOICES.get(self._table(signal, leaves))
        if choice is None:
            return None
        (i, j), yes, no = choice
        freed = self._release(signal, leaves)
        cost = 2
        selector = 0 if j < 0 else self._xors.get((leaves[i], leaves[j]), 0)
        if j >= 0 and (not selector or selector == signal or not self._n_readers[selector]):
            cost, selector = 3, 0
        gain = freed - cost
        if gain <= 0:
            self._retain(signal, leaves)
            return None
        for leaf in {leaves[i] if not selector else selector, leaves[max(j, i)] if not selector else selector}:
            self._n_readers[leaf] += 1
        for leaf in {leaves[yes >> 1], leaves[no >> 1]}:
            self._n_readers[leaf] += 1
        data = [2 * leaves[leaf >> 1] ^ (leaf & 1) for leaf in (yes, no)]
        return (2 * leaves[i], 2 * leaves[j] if j >= 0 else 0), data[0], data[1]

    def _table(self, signal: int, leaves: list[int]) -> int:
        known = dict(zip(leaves, _LEAVES, strict=True)) | {0: 0}

        def of(literal: int) -> int:
            inner = literal >> 1
            if inner not in known:
                a, b, s = self._operands[inner - self._first]
                kind = self._kinds[inner - self._first]
                if kind == AND:
                    known[inner] = of(a) & of(b)
                elif kind == XOR:
                    known[inner] = of(a) ^ of(b)
                else:
                    known[inner] = (of(s) & of(a)) | (~of(s) & of(b) & 0xFF)
            return known[inner] ^ (0xFF * (literal & 1))

        return of(2 * signal)

    def _release(self, signal: int, leaves: list[int]) -> int:
        """Bootstraps of the gates that only `signal` needs, down to the leaves; what they read is read less."""
        freed = _COSTS[self._kinds[signal - self._first]]
        for operand in self._operands_of(signal):
            self._n_readers[operand] -= 1
            if operand not in leaves and operand >= self._first and not self._n_readers[operand]:
                freed += self._release(operand, leaves)
        return freed

    def _retain(self, signal: int, leaves: list[int]) -> None:
        """Undo `_release`."""
        for operand in self._operands_of(signal):
            if operand not in leaves and operand >= self._first and not self._n_readers[operand]:
                self._retain(operand, leaves)
            self._n_readers[operand] += 1


def _exchanges(gates: Gates, outputs: list[int]) -> set[int]:
    """MUXes that come in pairs, of a, b and of b, a, with a xor b there: two XORs and an AND are one bootstrap less."""
    first = gates.n_inputs + 1
    live = gates.live(outputs)
    muxes: dict[tuple[int, int, int], int] = {}
    xors: set[tuple[int, int]] = set()
    for index, (kind, (a, b, s)) in enumerate(zip(gates.kinds, gates.operands, strict=True)):
        if first + index in live:
            if kind == MUX:
                muxes[s, a, b] = first + index
            elif kind == XOR:
                xors.add((a, b))
    pairs = ((signal, muxes.get((s, b, a))) for (s, a, b), signal in muxes.items() if (min(a, b), max(a, b)) in xors)
    return {signal for signal, twin in pairs if twin is not None}
