"""Instructions of LLVM IR on words: a word stands for all integers congruent to it modulo 2^width."""

from __future__ import annotations

from workloads.programs.words import Word, Words


def unsigned(words: Words, a: Word, bits: int) -> Word:
    return words.wrap(a, bits, False)


def signed(words: Words, a: Word, bits: int) -> Word:
    return words.wrap(a, bits, True)


def cast(words: Words, opcode: str, a: Word, from_bits: int, bits: int) -> Word:
    """zext, sext, trunc."""
    if opcode == "trunc":
        return words.fit(a, bits, a.is_signed)
    return words.wrap(a, from_bits, opcode == "sext")


def compare(words: Words, predicate: str, a: Word, b: Word, bits: int) -> Word:
    """icmp."""
    if predicate in ("eq", "ne"):
        found = _equal(words, a, b, bits)
        return found if predicate == "eq" else words.invert(found)
    is_signed = predicate[0] == "s"
    a, b = words.wrap(a, bits, is_signed), words.wrap(b, bits, is_signed)
    match predicate[1:]:
        case "lt":
            return words.less(a, b)
        case "gt":
            return words.less(b, a)
        case "ge":
            return words.invert(words.less(a, b))
    return words.invert(words.less(b, a))


def _equal(words: Words, a: Word, b: Word, bits: int) -> Word:
    for is_signed in (False, True):  # where both are read alike already, nothing is cut
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if is_signed else (0, (1 << bits) - 1)
        if low <= min(a.low, b.low) and max(a.high, b.high) <= high:
            return words.equal(a, b)
    return words.equal(unsigned(words, a, bits), unsigned(words, b, bits))


def binary(words: Words, opcode: str, a: Word, b: Word, bits: int, flags: set) -> Word:
    """Arithmetic, logic and shifts of two integers of `bits` bits."""
    match opcode:
        case "add" | "sub" | "mul":
            return _sum_or_product(words, opcode, a, b, bits, flags)
        case "and" | "or" | "xor":
            return words.fit(words.bitwise(opcode, a, b), bits, a.is_signed or b.is_signed)
        case "shl":
            is_signed = a.is_signed
            return words.fit(words.shift_left(a, _amount(words, b, bits)), bits, is_signed)
        case "lshr":
            return words.shift_right(unsigned(words, a, bits), _amount(words, b, bits))
        case "ashr":
            return words.shift_right(signed(words, a, bits), _amount(words, b, bits))
        case "udiv":
            return words.divide(unsigned(words, a, bits), unsigned(words, b, bits))[0]
        case "urem":
            return words.divide(unsigned(words, a, bits), unsigned(words, b, bits))[1]
    return _signed_division(words, opcode, signed(words, a, bits), signed(words, b, bits), bits)


def _sum_or_product(words: Words, opcode: str, a: Word, b: Word, bits: int, flags: set) -> Word:
    if opcode == "mul" and not (a.is_constant or b.is_constant):
        # Few bits of each are wanted; of two readings of a word, the one it has needs the fewest.
        a, b = words.fit(a, bits, a.is_signed), words.fit(b, bits, b.is_signed)
    operation = {"add": words.add, "sub": words.subtract, "mul": words.multiply}[opcode]
    exact = operation(a, b)
    if a.is_signed or b.is_signed or "nuw" not in flags:
        return words.fit(exact, bits, exact.is_signed or "nsw" in flags)
    return words.fit(exact, bits, False)


def _amount(words: Words, b: Word, bits: int) -> Word:
    """A shift by the width or more is undefined in C: only the bits that a smaller one has are looked at."""
    return words.wrap(b, max((bits - 1).bit_length(), 1), False)


def _signed_division(words: Words, opcode: str, a: Word, b: Word, bits: int) -> Word:
    negative_a, negative_b = words.less(a, words.zero), words.less(b, words.zero)
    quotient, remainder = words.divide(magnitude(words, a), magnitude(words, b))
    if opcode == "srem":
        return words.fit(words.choose(negative_a, words.scale(remainder, -1), remainder), bits, True)
    differ = words.bitwise("xor", negative_a, negative_b)
    return words.fit(words.choose(differ, words.scale(quotient, -1), quotient), bits, True)


def magnitude(words: Words, a: Word) -> Word:
    """|a|."""
    if a.low >= 0:
        return a
    if a.high <= 0:
        return words.scale(a, -1)
    found = words.choose(words.less(a, words.zero), words.scale(a, -1), a)
    return words.bounded(found, 0, max(-a.low, a.high))
