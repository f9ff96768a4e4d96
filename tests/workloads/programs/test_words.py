"""Words against their gates, and the intervals that they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.circuits.circuit import Port
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.inverted_edges import Gates
from workloads.circuits.simplify import simplified
from workloads.programs.blast import Blaster
from workloads.programs.knowledge import known_value
from workloads.programs.words import TooManyWords, Word, Words, evaluate

N_BITS = 13  # of three inputs: 4 bits, 4 bits with sign, 5 bits with sign


def inputs(words: Words) -> list[Word]:
    return [words.input(0, 4, False), words.input(4, 4, True), words.input(8, 5, True)]


def circuit_of_words(root: Word, n_bits: int, fast: bool):
    gates = Gates(N_BITS, 100_000)
    outputs = Blaster(gates, {0: 0, 4: 4, 8: 8}, fast=fast).outputs([(root, n_bits)])
    ports = (Port(name="i", bits=N_BITS),), (Port(name="o", bits=n_bits),)
    return simplified("c", *ports, *gates.circuit_arrays(outputs))


STEPS = ("add", "subtract", "multiply", "scale", "wrap", "and", "or", "xor", "left", "right", "less", "equal", "choose", "divide", "remainder", "negate")  # fmt: skip


def applied(words: Words, step: str, a: Word, b: Word, c: Word, number: int) -> Word:
    match step:
        case "add" | "subtract" | "multiply" | "less" | "equal":
            return getattr(words, step)(a, b)
        case "scale":
            return words.scale(a, number - 9)
        case "wrap":
            return words.wrap(a, number % 7 + 1, number % 2 == 1)
        case "and" | "or" | "xor":
            return words.bitwise(step, a, b)
        case "left":
            return words.shift_left(a, words.wrap(b, 2, False))
        case "right":
            return words.shift_right(a, words.wrap(b, 3, False) if number % 2 else number % 5)
        case "choose":
            return words.choose(words.less(a, c), b, c)
        case "negate":
            return words.choose(words.bit(c, 0), words.scale(a, -1), a)
    numerator, divisor = words.wrap(a, 7, False), words.wrap(b, 4, False)
    return words.divide(numerator, divisor)[step == "remainder"]


plans = st.lists(st.tuples(st.sampled_from(STEPS), *[st.integers(0, 30)] * 4), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(plans, st.booleans(), st.integers(0, 2**32 - 1))
def test_gates_compute_what_words_are(plan: list, fast: bool, seed: int) -> None:
    words = Words(10_000)
    known = inputs(words)
    for step, *picks, number in plan:
        a, b, c = (known[pick % len(known)] for pick in picks)
        word = applied(words, step, a, b, c, number)
        if word.bits <= 40:
            known.append(word)
    root = words.sum(3, [(1, known[-1]), (-2, known[len(known) // 2])])
    n_bits = root.bits + 2
    circuit = circuit_of_words(root, n_bits, fast)
    bits = np.random.default_rng(seed).integers(0, 2, (20, N_BITS), dtype=np.uint8)
    for given_bits, got in zip(bits, run_circuit(circuit, bits), strict=True):
        [value] = evaluate([root], given_bits.tolist())
        assert root.low <= value <= root.high
        assert got.tolist() == [value >> place & 1 for place in range(n_bits)]


def bootstraps(build, fast: bool = False) -> int:
    words = Words(1000)
    root = build(words, *inputs(words))
    return circuit_of_words(root, root.bits, fast).n_bootstraps


def test_what_things_cost() -> None:
    # An adder's first bit takes 2 gates, each other 4 bootstraps; a comparison's 1 and 3; a product of 4 by 4 bits
    # has 16 ANDs, 4 half adders and 8 full ones.
    assert bootstraps(lambda words, a, b, c: words.less(a, words.constant(8))) == 0  # a bit is looked at, and turned
    assert bootstraps(lambda words, a, b, c: words.scale(a, 8)) == 0
    assert bootstraps(lambda words, a, b, c: words.shift_right(words.join(words.scale(a, 16), a), 4)) == 0
    assert bootstraps(lambda words, a, b, c: words.add(a, words.wrap(b, 4, False))) == 2 + 3 * 4
    assert bootstraps(lambda words, a, b, c: words.less(a, words.wrap(b, 4, False))) == 1 + 3 * 3
    assert bootstraps(lambda words, a, b, c: words.multiply(a, words.wrap(b, 4, False))) == 16 + 4 * 2 + 8 * 4
    assert bootstraps(lambda words, a, b, c: words.choose(words.bit(c, 0), words.add(a, words.one), a)) == 4 * 2


def test_equal_words_are_one() -> None:
    words = Words(1000)
    a, b, c = inputs(words)
    assert words.add(a, b) is words.add(b, a)
    assert words.subtract(words.add(a, words.constant(5)), words.constant(5)) is a
    assert words.choose(words.less(a, b), c, c) is c
    assert words.wrap(a, 4, False) is a
    assert words.wrap(words.wrap(words.multiply(b, c), 6, True), 3, False) is words.wrap(words.multiply(b, c), 3, False)
    assert words.less(a, words.constant(16)) is words.one
    assert words.equal(words.add(a, words.constant(3)), words.constant(3)) is words.equal(a, words.zero)


def test_known_conditions() -> None:
    words = Words(1000)
    a, _, _ = inputs(words)
    below = words.less(a, words.constant(5))
    guard = [below, words.invert(words.equal(a, words.constant(4))), words.invert(words.equal(a, words.constant(0)))]
    assert known_value(words.equal(a, words.constant(4)), guard) == 0
    assert known_value(words.equal(a, words.constant(7)), guard) == 0
    assert known_value(words.less(a, words.constant(4)), guard) == 1
    assert known_value(words.less(words.constant(0), a), guard) == 1
    assert known_value(words.equal(a, words.constant(2)), guard) is None
    least = words.choose(words.less(a, words.constant(3)), a, words.constant(3))
    assert known_value(words.equal(least, words.constant(0)), guard) == 0


def test_a_limit() -> None:
    words = Words(10)
    a, b, c = inputs(words)
    with pytest.raises(TooManyWords):
        for number in range(10):
            words.add(a, words.scale(b, number + 2))
