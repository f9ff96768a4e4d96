"""Intrinsic functions of LLVM IR on words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workloads.programs.operations import compare, magnitude, signed, unsigned
from workloads.programs.words import Word, Words

_NAME = re.compile(r"@llvm\.([a-z.]+?)\.i(\d+)(?:\.i(\d+))?$")


def compute(words: Words, name: str, arguments: Sequence) -> Word | tuple | None:
    """The value of a call of `name`; None where it is not known."""
    match = _NAME.match(name)
    if match is None:
        return None
    kind, bits = match[1], int(match[3] or match[2])  # of scmp and ucmp, the second is the operands'
    a = arguments[0]
    match kind:
        case "smax" | "smin" | "umax" | "umin":
            return _extreme(words, kind, a, arguments[1], bits)
        case "abs":
            return magnitude(words, signed(words, a, bits))
        case "ctpop":
            return _population(words, unsigned(words, a, bits))
        case "ctlz" | "cttz":
            return _zeros(words, unsigned(words, a, bits), bits, kind == "ctlz")
        case "bswap":
            return _permuted(words, unsigned(words, a, bits), bits, 8)
        case "bitreverse":
            return _permuted(words, unsigned(words, a, bits), bits, 1)
        case "fshl" | "fshr":
            return _funnel(words, kind, a, arguments[1], arguments[2], bits)
        case "expect":
            return a
        case "scmp" | "ucmp":
            return _three_way(words, kind[0], a, arguments[1], bits)
    if kind.endswith((".with.overflow", ".sat")):
        return _checked(words, kind, a, arguments[1], bits)
    return None


def _extreme(words: Words, kind: str, a: Word, b: Word, bits: int) -> Word:
    a, b = words.wrap(a, bits, kind[0] == "s"), words.wrap(b, bits, kind[0] == "s")
    pick = max if kind.endswith("max") else min
    low, high = pick(a.low, b.low), pick(a.high, b.high)
    a, b = sorted((a, b), key=lambda word: word.number)  # least and greatest of the same two share their comparison
    first = words.less(a, b)
    return words.bounded(words.choose(first, b, a) if pick is max else words.choose(first, a, b), low, high)


def _population(words: Words, a: Word) -> Word:
    return words.sum(0, ((1, words.bit(a, index)) for index in range(a.bits)))


def _zeros(words: Words, a: Word, bits: int, leading: bool) -> Word:
    """Zeros before the first 1; the width where there is none."""
    found = words.constant(bits)
    for index in range(a.bits) if leading else reversed(range(a.bits)):
        found = words.choose(words.bit(a, index), words.constant(bits - 1 - index if leading else index), found)
    return found


def _permuted(words: Words, a: Word, bits: int, size: int) -> Word:
    """Groups of `size` bits in reverse order."""
    n = bits // size
    parts = (words.wrap(words.shift_right(a, size * index), size, False) for index in range(n))
    return words.sum(0, ((1 << size * (n - 1 - index), part) for index, part in enumerate(parts)))


def _funnel(words: Words, kind: str, a: Word, b: Word, amount: Word, bits: int) -> Word:
    """The high (fshl) or low (fshr) half of the two words, one after the other, shifted by amount modulo the width."""
    n_bits = max((bits - 1).bit_length(), 1)
    shift = words.wrap(amount, n_bits, False) if bits & (bits - 1) == 0 else words.divide(
        unsigned(words, amount, bits), words.constant(bits)
    )[1]  # fmt: skip
    both = words.sum(0, ((1 << bits, unsigned(words, a, bits)), (1, unsigned(words, b, bits))))
    if kind == "fshr":
        return unsigned(words, words.shift_right(both, shift), bits)
    back = words.subtract(words.constant(bits), shift)
    if back.is_constant:
        return unsigned(words, words.shift_right(both, back), bits)
    # bits - shift = (bits - 1 - shift) + 1, and the first of these is shift with all its bits turned.
    turned = words.subtract(words.constant((1 << n_bits) - 1), shift)
    if bits & (bits - 1):
        turned = words.subtract(words.constant(bits - 1), shift)
    return unsigned(words, words.shift_right(words.shift_right(both, 1), turned), bits)


def _three_way(words: Words, sign: str, a: Word, b: Word, bits: int) -> Word:
    return words.subtract(compare(words, f"{sign}gt", a, b, bits), compare(words, f"{sign}lt", a, b, bits))


def _checked(words: Words, kind: str, a: Word, b: Word, bits: int) -> Word | tuple | None:
    """Exact sums, differences and products: with a bit that tells overflow, or kept within the limits."""
    operation = {"add": words.add, "sub": words.subtract, "mul": words.multiply}.get(kind[1:4])
    if operation is None or kind[0] not in "su":
        return None
    is_signed = kind[0] == "s"
    exact = operation(words.wrap(a, bits, is_signed), words.wrap(b, bits, is_signed))
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if is_signed else (0, (1 << bits) - 1)
    below, above = words.less(exact, words.constant(low)), words.less(words.constant(high), exact)
    if kind.endswith(".sat"):
        kept = words.choose(below, words.constant(low), words.choose(above, words.constant(high), exact))
        return words.bounded(kept, max(low, exact.low), min(high, exact.high))
    return words.wrap(exact, bits, is_signed), words.bitwise("or", below, above)
