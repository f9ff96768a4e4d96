"""What a program computes, as a graph of integers: each word is an exact integer within a known interval.

A C value of w bits is a word that is congruent to it modulo 2^w; sums and products stay exact, so that they have no
more bits than their intervals need, and `wrap` cuts where C's width does. Equal words are one object (hash consing).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any


class Word:
    """An integer: `op` of `args` (words and numbers), always within [low, high]."""

    __slots__ = ("args", "high", "low", "number", "op")

    def __init__(self, op: str, args: tuple, low: int, high: int, number: int) -> None:
        self.op, self.args, self.low, self.high, self.number = op, args, low, high, number

    @property
    def is_constant(self) -> bool:
        return self.low == self.high

    @property
    def bits(self) -> int:
        """Bits of two's complement, or of a plain number where no value is negative; 0 is none."""
        if self.low >= 0:
            return self.high.bit_length()
        return max((-self.low - 1).bit_length(), self.high.bit_length()) + 1

    @property
    def is_signed(self) -> bool:
        return self.low < 0

    def words(self) -> Iterable[Word]:
        """The words it is made of."""
        if self.op == "sum":
            return [word for _, word in self.args[1]]
        return [arg for arg in self.args if isinstance(arg, Word)]


def limits(bits: int, signed: bool) -> tuple[int, int]:
    """The least and the greatest integer of so many bits."""
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


class TooManyWords(Exception):
    """The graph has reached its limit."""


class Words:
    """Builds the graph: constants are folded, what equals an operand is that operand."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[tuple, Word] = {}
        self.zero, self.one = self.constant(0), self.constant(1)

    def _word(self, op: str, args: tuple, low: int, high: int) -> Word:
        key = (op, args)
        found = self._known.get(key)
        if found is None:
            if low == high and op != "constant":
                return self.constant(low)
            if len(self._known) >= self._limit:
                raise TooManyWords
            found = self._known[key] = Word(op, args, low, high, len(self._known))
        return found

    def constant(self, value: int) -> Word:
        return self._word("constant", (value,), value, value)

    def input(self, first_bit: int, bits: int, signed: bool) -> Word:
        """The input bits from `first_bit` on, as an integer."""
        return self._word("input", (first_bit, bits, signed), *limits(bits, signed))

    # --- sums and products -------------------------------------------------------------------------------------------

    def sum(self, constant: int, terms: Iterable[tuple[int, Word]]) -> Word:
        """constant + sum of coefficient times word."""
        coefficients: dict[Word, int] = {}
        for coefficient, word in terms:
            if word.is_constant:
                constant += coefficient * word.low
            elif word.op == "sum" and (len(word.args[1]) == 1 or coefficient == 0):
                (inner, base), constant = word.args[1][0], constant + coefficient * word.args[0]
                coefficients[base] = coefficients.get(base, 0) + coefficient * inner
            else:
                coefficients[word] = coefficients.get(word, 0) + coefficient
        rest = tuple(sorted(((k, word) for word, k in coefficients.items() if k), key=lambda term: term[1].number))
        if not rest:
            return self.constant(constant)
        if len(rest) == 1 and rest[0][0] == 1 and not constant:
            return rest[0][1]
        low = constant + sum(min(k * word.low, k * word.high) for k, word in rest)
        high = constant + sum(max(k * word.low, k * word.high) for k, word in rest)
        return self._word("sum", (constant, rest), low, high)

    def add(self, a: Word, b: Word) -> Word:
        if b.is_constant and a.op == "sum":
            return self.sum(a.args[0] + b.low, a.args[1])
        if a.is_constant and b.op == "sum":
            return self.sum(b.args[0] + a.low, b.args[1])
        return self.sum(0, ((1, a), (1, b)))

    def join(self, a: Word, b: Word) -> Word:
        """a + b as one sum of all their terms."""
        parts = [word.args if word.op == "sum" else (0, ((1, word),)) for word in (a, b)]
        return self.sum(parts[0][0] + parts[1][0], (*parts[0][1], *parts[1][1]))

    def subtract(self, a: Word, b: Word) -> Word:
        if b.is_constant:
            return self.add(a, self.constant(-b.low))
        return self.sum(0, ((1, a), (-1, b)))

    def scale(self, a: Word, factor: int) -> Word:
        if a.op == "sum":
            return self.sum(a.args[0] * factor, ((k * factor, word) for k, word in a.args[1]))
        return self.sum(0, ((factor, a),))

    def multiply(self, a: Word, b: Word) -> Word:
        if a.is_constant or b.is_constant:
            return self.scale(b, a.low) if a.is_constant else self.scale(a, b.low)
        if a.low >= 0 and a.high == 1:
            return self.choose(a, b, self.zero)
        if b.low >= 0 and b.high == 1:
            return self.choose(b, a, self.zero)
        a, b = sorted((a, b), key=lambda word: word.number)
        corners = [prod(pair) for pair in ((a.low, b.low), (a.low, b.high), (a.high, b.low), (a.high, b.high))]
        low, high = min(corners), max(corners)
        if a is b:
            low, high = 0 if a.low <= 0 <= a.high else min(a.low**2, a.high**2), max(a.low**2, a.high**2)
        return self._word("product", (a, b), low, high)

    # --- widths ------------------------------------------------------------------------------------------------------

    def wrap(self, a: Word, bits: int, signed: bool) -> Word:
        """The integer of so many bits that is congruent to `a`."""
        low, high = limits(bits, signed)
        if _within(a, (low, high)):
            return a
        if a.is_constant:
            value = a.low & ((1 << bits) - 1)
            return self.constant(value - (1 << bits) if signed and value >> (bits - 1) else value)
        if a.op == "wrap" and a.args[1] >= bits:
            return self.wrap(a.args[0], bits, signed)
        return self._word("wrap", (a, bits, signed), low, high)

    def fit(self, a: Word, bits: int, signed: bool) -> Word:
        """A word congruent to `a` that needs no more than `bits` bits, in either reading."""
        if _within(a, limits(bits, False)) or _within(a, limits(bits, True)):
            return a
        return self.wrap(a, bits, signed)

    def bounded(self, a: Word, low: int, high: int) -> Word:
        """`a`, of which the caller knows that it is within [low, high]."""
        low, high = max(low, a.low), min(high, a.high)
        return a if (low, high) == (a.low, a.high) else self._word("bounded", (a, low, high), low, high)

    def bit(self, a: Word, index: int) -> Word:
        return self.wrap(self.shift_right(a, index), 1, False)

    # --- bits --------------------------------------------------------------------------------------------------------

    def bitwise(self, op: str, a: Word, b: Word) -> Word:
        """op is "and", "or" or "xor"."""
        if a.is_constant and b.is_constant:
            return self.constant(_BITWISE[op](a.low, b.low))
        if a.is_constant:
            a, b = b, a
        if b.is_constant:
            simple = self._bitwise_constant(op, a, b.low)
            if simple is not None:
                return simple
        elif a is b:
            return self.zero if op == "xor" else a
        elif self._are_opposite(a, b):
            return self.zero if op == "and" else self.one
        if a.number > b.number and not b.is_constant:
            a, b = b, a
        return self._word(op, (a, b), *_bitwise_interval(op, a, b))

    def _bitwise_constant(self, op: str, a: Word, value: int) -> Word | None:
        if op == "and":
            if value == 0:
                return self.zero
            if value == -1 or (a.low >= 0 and value & ((1 << a.bits) - 1) == (1 << a.bits) - 1):
                return a
            if value > 0 and value & (value + 1) == 0:
                return self.wrap(a, value.bit_length(), False)
        elif op == "or":
            if value in (0, -1):
                return a if value == 0 else self.constant(-1)
            if a.low >= 0 and a.high == 1 and value == 1:
                return self.one
        elif value == 0:
            return a
        elif value == -1:
            return self.sum(-1, ((-1, a),)) if a.op != "sum" else self.add(self.scale(a, -1), self.constant(-1))
        elif value == 1 and a.low >= 0 and a.high == 1:
            return self.invert(a)
        return None

    def invert(self, a: Word) -> Word:
        """not a, of a word of 0 and 1."""
        if a.is_constant:
            return self.constant(1 - a.low)
        if a.op == "invert":
            return a.args[0]
        return self._word("invert", (a,), 0, 1)

    def _are_opposite(self, a: Word, b: Word) -> bool:
        return (a.op == "invert" and a.args[0] is b) or (b.op == "invert" and b.args[0] is a)

    # --- shifts ------------------------------------------------------------------------------------------------------

    def shift_left(self, a: Word, amount: Word) -> Word:
        if amount.is_constant:
            return self.scale(a, 1 << amount.low)
        if a.is_constant and a.low == 0:
            return a
        corners = [bound << n for bound in (a.low, a.high) for n in (amount.low, amount.high)]
        return self._word("shift_left", (a, amount), min(corners), max(corners))

    def shift_right(self, a: Word, amount: Word | int) -> Word:
        """floor(a / 2^amount)."""
        amount = self.constant(amount) if isinstance(amount, int) else amount
        if amount.is_constant:
            if amount.low == 0:
                return a
            if a.op == "shift_right" and a.args[1].is_constant:
                return self.shift_right(a.args[0], a.args[1].low + amount.low)
            if a.op == "sum" and all(k % (1 << amount.low) == 0 for k, _ in a.args[1]):
                return self.sum(a.args[0] >> amount.low, ((k >> amount.low, word) for k, word in a.args[1]))
        corners = [bound >> n for bound in (a.low, a.high) for n in (amount.low, amount.high)]
        return self._word("shift_right", (a, amount), min(corners), max(corners))

    # --- decisions ---------------------------------------------------------------------------------------------------

    def less(self, a: Word, b: Word) -> Word:
        """1 where a < b."""
        if a.high < b.low:
            return self.one
        if a.low >= b.high or a is b:
            return self.zero
        # A word and a constant beside it: the constant goes to the other side, so that facts are about the word.
        if b.is_constant and (simple := offset_of(a)):
            constant, coefficient, word = simple
            rest = self.constant(coefficient * (b.low - constant))
            return self.less(word, rest) if coefficient > 0 else self.less(rest, word)
        if a.is_constant and (simple := offset_of(b)):
            constant, coefficient, word = simple
            rest = self.constant(coefficient * (a.low - constant))
            return self.less(rest, word) if coefficient > 0 else self.less(word, rest)
        if a.is_constant and a.low == b.high - 1 and b.low >= 0 and b.high == 1:
            return b
        return self._word("less", (a, b), 0, 1)

    def equal(self, a: Word, b: Word) -> Word:
        if a is b:
            return self.one
        if a.high < b.low or b.high < a.low:
            return self.zero
        if a.is_constant:
            a, b = b, a
        if b.is_constant and a.op == "sum" and len(a.args[1]) == 1:
            (coefficient, word), rest = a.args[1][0], b.low - a.args[0]
            return self.equal(word, self.constant(rest // coefficient)) if rest % coefficient == 0 else self.zero
        if a.low >= 0 and a.high == 1 and b.is_constant:
            return a if b.low == 1 else self.invert(a)
        if a.number > b.number and not b.is_constant:
            a, b = b, a
        return self._word("equal", (a, b), 0, 1)

    def choose(self, condition: Word, yes: Word, no: Word) -> Word:
        """`yes` where condition is 1, else `no`."""
        if condition.is_constant:
            return yes if condition.low else no
        if yes is no:
            return yes
        if condition.op == "invert":
            return self.choose(condition.args[0], no, yes)
        yes, no = _given(yes, condition, 1), _given(no, condition, 0)
        if yes is no:
            return yes
        if (base := unbounded(yes)) is unbounded(no):
            return self.bounded(base, min(yes.low, no.low), max(yes.high, no.high))
        if yes.is_constant and no.is_constant:
            if (yes.low, no.low) == (0, 1):
                return self.invert(condition)
            return self.sum(no.low, ((yes.low - no.low, condition),))
        if self.scale(no, -1) is yes or self.scale(yes, -1) is no:
            return self._negated_if(condition, yes, no)
        if yes.op == "wrap" and no.op == "wrap" and yes.args[1:] == no.args[1:]:
            return self.wrap(self.choose(condition, yes.args[0], no.args[0]), *yes.args[1:])
        for changed, kept in ((yes, no), (no, yes)):
            inner, width = (changed.args[0], changed.args[1:]) if changed.op == "wrap" else (changed, None)
            rest = self._without(inner, kept)
            if rest is not None and (width is None or _within(kept, limits(*width))):
                zero = self.zero
                rest = self.choose(condition, rest, zero) if changed is yes else self.choose(condition, zero, rest)
                total = self.add(kept, rest)
                return total if width is None else self.wrap(total, *width)
        return self._word("choose", (condition, yes, no), min(yes.low, no.low), max(yes.high, no.high))

    def _negated_if(self, condition: Word, yes: Word, no: Word) -> Word:
        """-a where condition is 1, else a, of two words that are a and -a: (a xor -condition) + condition."""
        if self.scale(no, -1) is not yes or (no.op == "sum" and yes.op != "sum"):
            condition, yes, no = self.invert(condition), no, yes
        turned = self.bitwise("xor", no, self.scale(condition, -1))
        return self.bounded(self.join(turned, condition), min(yes.low, no.low), max(yes.high, no.high))

    def _without(self, whole: Word, part: Word) -> Word | None:
        """whole - part where `part` is one of its terms, or differs by a constant."""
        if whole.op != "sum" or part.is_constant:
            return None
        constant, terms = whole.args
        if part.op == "sum" and part.args[1] == terms:
            return self.constant(constant - part.args[0])
        if any(word is part and k == 1 for k, word in terms):
            return self.sum(constant, (term for term in terms if term[1] is not part))
        return None

    # --- division ----------------------------------------------------------------------------------------------------

    def divide(self, a: Word, b: Word) -> tuple[Word, Word]:
        """Quotient and remainder of a, b >= 0; by 0: all ones of a's bits, and a modulo 2^(bits of b)."""
        if b.is_constant and b.low > 0 and b.low & (b.low - 1) == 0:
            k = b.low.bit_length() - 1
            return self.shift_right(a, k), self.wrap(a, k, False) if k else self.zero
        if a.high < b.low:
            return self.zero, a
        ones = (1 << a.bits) - 1
        top = ones if b.low == 0 else a.high // b.low
        return (
            self._word("quotient", (a, b), min(a.low // max(b.high, 1), top), top),
            self._word("remainder", (a, b), 0, min(a.high, (1 << b.bits) - 1 if b.low == 0 else b.high - 1)),
        )


def offset_of(word: Word) -> tuple[int, int, Word] | None:
    """A constant, 1 or -1 and another word, where `word` is constant + that word or constant - that word."""
    if word.op != "sum" or len(word.args[1]) != 1 or abs(word.args[1][0][0]) != 1:
        return None
    return word.args[0], *word.args[1][0]


def unbounded(word: Word) -> Word:
    """The word itself, whatever is known of it."""
    while word.op == "bounded":
        word = word.args[0]
    return word


def _within(word: Word, interval: tuple[int, int]) -> bool:
    return interval[0] <= word.low and word.high <= interval[1]


def _given(word: Word, condition: Word, value: int) -> Word:
    """`word` where `condition` is known, as far as one look tells."""
    while word.op == "choose" and word.args[0] is condition:
        word = word.args[1] if value else word.args[2]
    return word


_BITWISE: dict[str, Callable[[int, int], int]] = {
    "and": int.__and__,
    "or": int.__or__,
    "xor": int.__xor__,
}


def _bitwise_interval(op: str, a: Word, b: Word) -> tuple[int, int]:
    if op == "and":
        if a.low >= 0 or b.low >= 0:
            return 0, min(word.high for word in (a, b) if word.low >= 0)
    elif a.low >= 0 and b.low >= 0:
        return max(a.low, b.low) if op == "or" else 0, (1 << max(a.bits, b.bits)) - 1
    bits = max(word.bits + (not word.is_signed) for word in (a, b))
    return limits(bits, True)


def evaluate(roots: Sequence[Word], bits: Sequence[int]) -> list[int]:
    """The values of `roots` for input bits 0 and 1: the definition that gates are tested against."""
    known: dict[Word, int] = {}
    for word in in_order(roots):
        known[word] = _value(word, known, bits)
    return [known[root] for root in roots]


def _value(word: Word, known: dict[Word, int], bits: Sequence[int]) -> int:
    args: list[Any] = [known[arg] if isinstance(arg, Word) else arg for arg in word.args]
    match word.op:
        case "constant":
            return args[0]
        case "input":
            first, n, signed = args
            value = sum(int(bits[first + i]) << i for i in range(n))
            return value - (1 << n) if signed and value >> (n - 1) else value
        case "sum":
            return args[0] + sum(k * known[term] for k, term in args[1])
        case "product":
            return args[0] * args[1]
        case "bounded":
            return args[0]
        case "wrap":
            value = args[0] & ((1 << args[1]) - 1)
            return value - (1 << args[1]) if args[2] and value >> (args[1] - 1) else value
        case "and" | "or" | "xor":
            return _BITWISE[word.op](args[0], args[1])
        case "invert":
            return 1 - args[0]
        case "shift_left":
            return args[0] << args[1]
        case "shift_right":
            return args[0] >> args[1]
        case "less":
            return int(args[0] < args[1])
        case "equal":
            return int(args[0] == args[1])
        case "choose":
            return args[1] if args[0] else args[2]
        case "quotient":
            return args[0] // args[1] if args[1] else (1 << word.args[0].bits) - 1
        case "remainder":
            return args[0] % (args[1] or 1 << word.args[1].bits)
    raise AssertionError(word.op)


def in_order(roots: Iterable[Word]) -> list[Word]:
    """All words that `roots` are made of, each after what it is made of."""
    done: set[Word] = set()
    order: list[Word] = []
    for root in roots:
        stack: list[tuple[Word, bool]] = [(root, False)]
        while stack:
            word, expanded = stack.pop()
            if expanded:
                order.append(word)
            elif word not in done:
                done.add(word)
                stack.append((word, True))
                stack.extend((inner, False) for inner in word.words() if inner not in done)
    return order
