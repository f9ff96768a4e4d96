"""What the conditions of a way say of other conditions: `i == n` is false where n < i was found before."""

from __future__ import annotations

from collections.abc import Collection

from workloads.programs.words import Word, Words, offset_of, unbounded

_DEEPEST = 8  # that a condition is looked into


def known_value(condition: Word, guard: Collection[Word], depth: int = _DEEPEST) -> int | None:
    """0 or 1 where all of `guard` being 1 settles `condition`, None where it may be either or lies too deep."""
    if condition.is_constant:
        return condition.low
    if condition in guard:
        return 1
    if condition.op == "invert":
        inner = known_value(condition.args[0], guard, depth)
        return None if inner is None else 1 - inner
    if any(word.op == "invert" and word.args[0] is condition for word in guard):
        return 0
    if depth and condition.op in ("and", "or"):
        values = [known_value(word, guard, depth - 1) for word in condition.args]
        decisive = 0 if condition.op == "and" else 1
        if decisive in values:
            return decisive
        return None if None in values else 1 - decisive
    fact = _comparison(condition)
    if fact is None:
        return None
    word, kind, number = fact
    low, high = _interval(word, guard)
    if low > high:
        return 0  # nobody comes this way
    if kind == "equal":
        return 0 if not low <= number <= high else 1 if low == high else None
    if kind == "below":
        return 1 if high < number else 0 if low >= number else None
    return 1 if low > number else 0 if high <= number else None


def narrowed_word(condition: Word, guard: Collection[Word]) -> tuple[Word, int, int] | None:
    """The word that `condition` compares with a number, and where it lies if all of `guard` are 1."""
    fact = _comparison(condition.args[0] if condition.op == "invert" else condition)
    if fact is None:
        return None
    return fact[0], *_interval(fact[0], guard)


def refined(words: Words, word: Word, guard: Collection[Word]) -> Word:
    """`word`, or a constant beside it, with what `guard` says of its interval."""
    constant, coefficient, base = offset_of(word) or (0, 1, word)
    low, high = _interval(unbounded(base), guard)
    if low > high:
        return word
    return words.sum(constant, [(coefficient, words.bounded(base, low, high))])


def _comparison(condition: Word) -> tuple[Word, str, int] | None:
    """A comparison of a word with a number: (word, "equal", "below" or "above", number)."""
    if condition.op == "equal" and condition.args[1].is_constant:
        return unbounded(condition.args[0]), "equal", condition.args[1].low
    if condition.op == "less":
        a, b = condition.args
        if b.is_constant:
            return unbounded(a), "below", b.low
        if a.is_constant:
            return unbounded(b), "above", a.low
    return None


def _interval(word: Word, guard: Collection[Word], depth: int = 3) -> tuple[int, int]:
    """Where `word` lies if all of `guard` are 1; empty where they contradict each other."""
    low, high, excluded = word.low, word.high, set()
    if depth and word.op == "bounded":
        inner_low, inner_high = _interval(word.args[0], guard, depth - 1)
        low, high = max(low, inner_low), min(high, inner_high)
    elif depth and word.op == "choose":
        condition, yes, no = word.args
        ways = [_interval(yes, [*guard, condition], depth - 1), _interval(no, guard, depth - 1)]
        ways = [(a, b) for a, b in ways if a <= b] or [(1, 0)]
        low, high = max(low, min(a for a, _ in ways)), min(high, max(b for _, b in ways))
    for condition in guard:
        holds = condition.op != "invert"
        fact = _comparison(condition if holds else condition.args[0])
        if fact is None or fact[0] is not word:
            continue
        _, kind, number = fact
        if kind == "equal":
            if holds:
                low, high = max(low, number), min(high, number)
            else:
                excluded.add(number)
        elif (kind == "below") == holds:
            high = min(high, number - 1 if holds else number)
        else:
            low = max(low, number + 1 if holds else number)
    while low <= high and low in excluded:
        low += 1
    while low <= high and high in excluded:
        high -= 1
    return low, high
