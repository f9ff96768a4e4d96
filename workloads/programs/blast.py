"""Words to gates: columns of bits for sums and products, borrow chains, barrel shifters, restoring division.

Only bits that something reads are built. A sum takes in the sums and products that only it reads, so that a dot product
is one array of partial products with one carry chain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workloads.circuits.inverted_edges import Gates
from workloads.programs.words import Word, in_order

UNBOUNDED = 1 << 30


class Blaster:
    """Builds the bits of words in `gates`; `fast` prefers few levels to few gates.

    `places` maps the first bit that an input word names to its place among the inputs.
    """

    def __init__(self, gates: Gates, places: Mapping[int, int], *, fast: bool = False) -> None:
        self.gates, self._places, self._fast = gates, places, fast
        self._bits: dict[Word, list[int]] = {}
        self._wanted: dict[Word, int] = {}
        self._n_uses: dict[Word, int] = {}
        # What a sum may take in, and what it does: the bits of that sum, and the factor the word has in it.
        self._offered: dict[Word, tuple[int, int]] = {}
        self._taken: dict[Word, tuple[int, int]] = {}

    def outputs(self, roots: Sequence[tuple[Word, int]]) -> list[int]:
        """The literals of so many low bits of each root, one after the other."""
        order = in_order(root for root, _ in roots)
        self._wanted = dict.fromkeys(order, 0)
        self._n_uses = dict.fromkeys(order, 0)
        for root, n_bits in roots:
            self._want(root, n_bits)
            self._n_uses[root] += 2  # what leaves is built for itself
        for word in reversed(order):
            self._offer(word)
            self._demand(word)
        for word in order:
            if word not in self._taken:
                self._bits[word] = self._build(word)
        return [literal for root, n_bits in roots for literal in self._extended(root, n_bits)]

    # --- what is needed ----------------------------------------------------------------------------------------------

    def _want(self, word: Word, n_bits: int) -> None:
        self._wanted[word] = max(self._wanted[word], min(n_bits, word.bits))

    def _demand(self, word: Word) -> None:
        n_bits = self._wanted[word]
        if word in self._taken:  # its terms are added where it would be, and are worth what the whole sum wants
            n_bits, factor = self._taken[word]
            n_bits -= _trailing_zeros(factor)
        for inner in word.words():
            self._n_uses[inner] += 1
        match word.op:
            case "sum" | "product" | "and" | "or" | "xor" | "bounded":
                for inner in word.words():
                    self._want(inner, n_bits)
            case "wrap":
                self._want(word.args[0], min(n_bits, word.args[1]))
            case "choose":
                self._want(word.args[0], 1)
                for inner in word.args[1:]:
                    self._want(inner, n_bits)
            case "shift_left":
                self._want(word.args[0], n_bits)
                self._want(word.args[1], UNBOUNDED)
            case "shift_right":
                self._want(word.args[0], n_bits + word.args[1].high)
                self._want(word.args[1], UNBOUNDED)
            case _:
                for inner in word.words():
                    self._want(inner, UNBOUNDED)

    def _offer(self, word: Word) -> None:
        """Decide whether the one sum that reads `word` takes it in, and offer it what `word` is made of."""
        n_bits, factor = self._offered.get(word, (0, 0)) if self._n_uses[word] == 1 else (0, 0)
        if factor and word.op in ("sum", "product", "wrap", "bounded"):
            if word.op == "product":
                takes = abs(factor) & (abs(factor) - 1) == 0
            else:
                takes = word.op != "wrap" or n_bits - _trailing_zeros(factor) <= word.args[1]
            if takes:
                self._taken[word] = (n_bits, factor)
                if word.op in ("wrap", "bounded"):
                    self._offered[word.args[0]] = (n_bits, factor)
        if word.op == "sum":
            n_bits, factor = self._taken.get(word, (self._wanted[word], 1))
            for coefficient, inner in word.args[1]:
                self._offered[inner] = (n_bits, factor * coefficient)

    def _extended(self, word: Word, n_bits: int) -> list[int]:
        """So many low bits of a word."""
        bits = self._bits[word]
        if len(bits) < n_bits and len(bits) < word.bits:
            raise AssertionError(f"bits of {word.op} that nobody wanted")
        if len(bits) >= n_bits:
            return bits[:n_bits]
        return bits + [bits[-1] if word.is_signed else 0] * (n_bits - len(bits))

    def _all(self, word: Word) -> list[int]:
        return self._extended(word, word.bits)

    # --- building ----------------------------------------------------------------------------------------------------

    def _build(self, word: Word) -> list[int]:
        n_bits = self._wanted[word]
        gates, args = self.gates, word.args
        match word.op:
            case "constant":
                return [word.low >> index & 1 for index in range(n_bits)]
            case "input":
                return [2 * (self._places[args[0]] + index + 1) for index in range(n_bits)]
            case "sum" | "product":
                return self._sum(word, n_bits)
            case "wrap":
                bits = self._extended(args[0], min(n_bits, args[1]))
                return bits
            case "bounded":
                return self._extended(args[0], n_bits)
            case "and" | "or" | "xor":
                pairs = zip(self._extended(args[0], n_bits), self._extended(args[1], n_bits), strict=True)
                operation = {"and": gates.and_, "or": gates.or_, "xor": gates.xor}[word.op]
                return [operation(a, b) for a, b in pairs]
            case "invert":
                return [bit ^ 1 for bit in self._extended(args[0], 1)]
            case "choose":
                s = self._extended(args[0], 1)[0]
                pairs = zip(self._extended(args[1], n_bits), self._extended(args[2], n_bits), strict=True)
                return [gates.mux(s, a, b) for a, b in pairs]
            case "less":
                return [self._less(args[0], args[1])]
            case "equal":
                return [self._equal(args[0], args[1])]
            case "shift_left":
                return self._shift_left(args[0], args[1], n_bits)
            case "shift_right":
                return self._shift_right(args[0], args[1], n_bits)
        quotient, remainder = self._divide(args[0], args[1])
        return (quotient if word.op == "quotient" else remainder)[:n_bits]

    def _equal(self, a: Word, b: Word) -> int:
        n_bits = max(word.bits + (not word.is_signed) for word in (a, b))
        pairs = zip(self._extended(a, n_bits), self._extended(b, n_bits), strict=True)
        return self._reduce([self.gates.xor(x, y) ^ 1 for x, y in pairs])

    def _reduce(self, bits: list[int]) -> int:
        """And of all, as a tree."""
        bits = list(dict.fromkeys(bits)) or [1]
        while len(bits) > 1:
            bits = [
                self.gates.and_(*bits[at : at + 2]) if at + 1 < len(bits) else bits[at] for at in range(0, len(bits), 2)
            ]
        return bits[0]

    def _less(self, a: Word, b: Word) -> int:
        """The sign of a - b."""
        n_bits = max(a.bits, b.bits)
        if a.is_signed != b.is_signed:
            n_bits = max(word.bits + (not word.is_signed) for word in (a, b))
        x, y = self._extended(a, n_bits), self._extended(b, n_bits)
        if a.is_signed or b.is_signed:  # the sign counts the other way
            x, y = [*x[:-1], x[-1] ^ 1], [*y[:-1], y[-1] ^ 1]
        return self._borrow(x, y)

    def _borrow(self, x: Sequence[int], y: Sequence[int]) -> int:
        """1 where the number x is below y."""
        gates = self.gates
        if self._fast:
            pairs = [(gates.and_(p ^ 1, q), gates.xor(p, q) ^ 1) for p, q in zip(x, y, strict=True)]  # less, equal
            while len(pairs) > 1:
                merged = [
                    (gates.or_(high[0], gates.and_(high[1], low[0])), gates.and_(high[1], low[1]))
                    for low, high in zip(pairs[::2], pairs[1::2], strict=False)
                ]
                pairs = merged + pairs[len(merged) * 2 :]
            return pairs[0][0] if pairs else 0
        borrow = 0
        for p, q in zip(x, y, strict=True):
            # Where the bits are equal the borrow goes on; without one, a single gate tells.
            borrow = gates.mux(gates.xor(p, q), q, borrow) if borrow else gates.and_(p ^ 1, q)
        return borrow

    # --- shifts ------------------------------------------------------------------------------------------------------

    def _shift_left(self, a: Word, amount: Word, n_bits: int) -> list[int]:
        bits = self._extended(a, n_bits)
        for index, s in enumerate(self._all(amount)):
            moved = ([0] * min(1 << index, n_bits) + bits)[:n_bits]
            bits = [self.gates.mux(s, x, y) for x, y in zip(moved, bits, strict=True)]
        return bits

    def _shift_right(self, a: Word, amount: Word, n_bits: int) -> list[int]:
        if amount.is_constant:
            return self._extended(a, n_bits + amount.low)[amount.low :]
        select = self._all(amount)
        bits = self._extended(a, min(n_bits + amount.high, a.bits))
        fill = bits[-1] if a.is_signed else 0
        for index in reversed(range(len(select))):
            need = n_bits + (1 << index) - 1  # of this stage's result: what later stages may still take away
            source = bits + [fill] * max(0, need + (1 << index) - len(bits))
            bits = [self.gates.mux(select[index], source[at + (1 << index)], source[at]) for at in range(need)]
        return bits[:n_bits]

    # --- division ----------------------------------------------------------------------------------------------------

    def _divide(self, a: Word, b: Word) -> tuple[list[int], list[int]]:
        """Restoring division, a bit of the quotient at a time; by 0: all ones, and a."""
        gates = self.gates
        dividend, divisor = self._all(a), self._all(b)
        quotient: list[int] = []
        rest: list[int] = []
        for bit in reversed(dividend):
            rest = [bit, *rest]
            n_bits = max(len(rest), len(divisor))
            x = rest + [0] * (n_bits - len(rest))
            y = divisor + [0] * (n_bits - len(divisor))
            difference, borrow = [], 0
            for p, q in zip(x, y, strict=True):
                differ = gates.xor(p, q)
                difference.append(gates.xor(differ, borrow))
                borrow = gates.mux(differ, q, borrow)
            quotient.append(borrow ^ 1)
            kept = max(min(len(divisor), len(rest)), len(rest) if b.low == 0 else 0)
            rest = [gates.mux(borrow, p, q) for p, q in zip(x[:kept], difference[:kept], strict=True)]
        return quotient[::-1], rest

    # --- sums --------------------------------------------------------------------------------------------------------

    def _sum(self, word: Word, n_bits: int) -> list[int]:
        columns = _Columns(n_bits)
        stack = [(word, 1)]
        while stack:
            term, factor = stack.pop()
            if term is not word and term not in self._taken:
                self._add_scaled(columns, term, factor)
            elif term.op == "product":
                self._add_product(columns, term.args[0], term.args[1], factor)
            elif term.op == "sum":
                columns.constant += factor * term.args[0]
                stack.extend((inner, factor * coefficient) for coefficient, inner in term.args[1])
            else:
                stack.append((term.args[0], factor))
        return columns.reduced(self.gates, self._fast)

    def _add_scaled(self, columns: _Columns, word: Word, factor: int) -> None:
        """Add factor times word, modulo 2^n_bits."""
        need = min(max(columns.n_bits - _trailing_zeros(factor), 0), word.bits)
        bits = self._extended(word, need)
        for shift, sign in _signed_digits(factor):
            for index, bit in enumerate(bits):
                negative = word.is_signed and index == word.bits - 1
                columns.add(bit, shift + index, -sign if negative else sign)

    def _add_product(self, columns: _Columns, a: Word, b: Word, factor: int) -> None:
        shift, sign = abs(factor).bit_length() - 1, 1 if factor > 0 else -1
        need = max(columns.n_bits - shift, 0)
        x, y = self._extended(a, min(need, a.bits)), self._extended(b, min(need, b.bits))
        for i, p in enumerate(x):
            sign_p = -sign if a.is_signed and i == a.bits - 1 else sign
            for j, q in enumerate(y):
                negative = b.is_signed and j == b.bits - 1
                if a is b and i != j:  # the square's two halves are equal
                    if j > i:
                        columns.add(self.gates.and_(p, q), shift + i + j + 1, -sign_p if negative else sign_p)
                    continue
                columns.add(self.gates.and_(p, q), shift + i + j, -sign_p if negative else sign_p)


def _trailing_zeros(value: int) -> int:
    return (value & -value).bit_length() - 1


def _signed_digits(value: int) -> list[tuple[int, int]]:
    """(place, 1 or -1) of a number's non-adjacent form: the fewest digits there are."""
    digits, place = [], 0
    while value:
        if value & 1:
            digit = 2 - (value & 3)
            digits.append((place, digit))
            value -= digit
        value >>= 1
        place += 1
    return digits


class _Columns:
    """Bits to be added, by their place; modulo 2^n_bits."""

    def __init__(self, n_bits: int) -> None:
        self.n_bits = n_bits
        self.constant = 0
        self._columns: list[list[int]] = [[] for _ in range(n_bits)]

    def add(self, bit: int, place: int, sign: int) -> None:
        """Add bit 2^place; of a negative one, -b = (not b) - 1."""
        if place >= self.n_bits:
            return
        if sign < 0:
            bit ^= 1
            self.constant -= 1 << place
        if bit < 2:
            self.constant += bit << place
        else:
            self._columns[place].append(bit)

    def reduced(self, gates: Gates, fast: bool) -> list[int]:
        for place in range(self.n_bits):
            if self.constant >> place & 1:
                self._columns[place].append(1)
        if fast:
            return _carried(gates, _two_rows(gates, self._columns))
        result = []
        for place, column in enumerate(self._columns):
            following = self._columns[place + 1] if place + 1 < self.n_bits else []
            result.append(_one_bit(gates, column, following))
        return result


def _one_bit(gates: Gates, column: list[int], following: list[int]) -> int:
    """Add up a column, earliest bits first; carries go to the following one."""
    column = sorted(column, key=gates.level, reverse=True)
    while len(column) > 1:
        if len(column) == 2:
            a, b = column.pop(), column.pop()
            total, carry = gates.xor(a, b), gates.and_(a, b)
        else:
            a, b, c = column.pop(), column.pop(), column.pop()
            total, carry = gates.full_add(a, b, c)
        if carry:
            following.append(carry)
        _insert(gates, column, total)
    return column[0] if column else 0


def _insert(gates: Gates, column: list[int], bit: int) -> None:
    """Keep a column sorted, latest first."""
    if bit == 0:
        return
    level, at = gates.level(bit), 0
    while at < len(column) and gates.level(column[at]) > level:
        at += 1
    column.insert(at, bit)


def _two_rows(gates: Gates, columns: list[list[int]]) -> list[list[int]]:
    """Carry-save addition (Dadda): each column at most two bits."""
    heights, most = [2], max((len(column) for column in columns), default=0)
    while heights[-1] < most:
        heights.append(heights[-1] * 3 // 2)
    for height in reversed(heights):
        for place, column in enumerate(columns):
            following = columns[place + 1] if place + 1 < len(columns) else []
            column.sort(key=gates.level, reverse=True)
            while len(column) > height:
                if len(column) == height + 1:
                    a, b = column.pop(), column.pop()
                    total, carry = gates.xor(a, b), gates.and_(a, b)
                else:
                    a, b, c = column.pop(), column.pop(), column.pop()
                    total, carry = gates.full_add(a, b, c)
                if carry:
                    following.append(carry)
                _insert(gates, column, total)
    return columns


def _carried(gates: Gates, columns: list[list[int]]) -> list[int]:
    """The sum of two rows by a parallel-prefix adder (Sklansky)."""
    pairs = [(column + [0, 0])[:2] for column in columns]
    generate = [gates.and_(a, b) for a, b in pairs]
    propagate = [gates.xor(a, b) for a, b in pairs]
    carries, spans = list(generate), list(propagate)
    distance = 1
    while distance < len(pairs):
        for place in range(len(pairs)):
            if place & distance:
                last = (place // distance) * distance - 1
                carries[place] = gates.or_(carries[place], gates.and_(spans[place], carries[last]))
                spans[place] = gates.and_(spans[place], spans[last])
        distance *= 2
    return [gates.xor(propagate[place], carries[place - 1] if place else 0) for place in range(len(pairs))]
