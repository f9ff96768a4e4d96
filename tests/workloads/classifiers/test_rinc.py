"""RINC modules: cases by hand, the plain definition, and how training goes on, stops and is kept."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from tests.workloads.classifiers import rinc_definition as definition
from workloads.classifiers import kernels, rinc
from workloads.classifiers.rinc import Module, Tree, Vote


def plain(module: Module) -> Any:
    """As the definition writes it."""
    if isinstance(module, Tree):
        return list(module.features), module.table.tolist()
    return [plain(member) for member in module.members], module.weights.tolist(), module.table.tolist()


def random_case(seed: int, n_samples: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Bits, some of them the same in several features, and a target that depends on them."""
    rng = np.random.default_rng(seed)
    bits = (rng.random((n_samples, n_features)) < rng.random(n_features)).astype(np.uint8)
    bits[:, rng.integers(n_features)] = bits[:, rng.integers(n_features)]
    votes = bits @ rng.integers(-2, 3, n_features)
    return bits, ((votes > np.median(votes)) ^ (rng.random(n_samples) < 0.1)).astype(np.uint8)


# A tree by hand: 8 samples, y = x1 XOR (x0 AND x2), feature 1 is right for 6 of 8.
HAND_BITS = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)], np.uint8)
HAND_TARGET = np.array([b ^ (a & c) for a, b, c in HAND_BITS.tolist()], np.uint8)


def test_tree_by_hand() -> None:
    # Level 0: feature 1 leaves H(1/4) = 0.811 in both halves; features 0 and 2 leave 1 bit. Level 1, nodes x1 = 0, 1:
    # feature 0 (and 2 alike) gives a pure and a balanced child in both, 0.5 each; the first wins.
    tree = rinc.train_tree(rinc.pack(HAND_BITS), 8, HAND_TARGET, tree_inputs=2, node_entropy="per_node")
    assert tree.features == (1, 0)
    # index x1 x0: 00 -> 0,0; 01 -> 0,1 tie -> 0; 10 -> 1,1; 11 -> 1,0 tie -> 0
    assert tree.table.tolist() == [0, 0, 1, 0]


def test_whole_tree_by_hand_is_the_function() -> None:
    tree = rinc.train_tree(rinc.pack(HAND_BITS), 8, HAND_TARGET, tree_inputs=3, node_entropy="by_mass")
    assert tree.features == (1, 0, 2)
    assert rinc.evaluate(tree, HAND_BITS).tolist() == HAND_TARGET.tolist()


def test_nothing_to_gain_takes_the_first_features_offered() -> None:
    bits = np.array([[0, 0, 1], [0, 1, 1], [0, 0, 1], [0, 1, 1]], np.uint8)
    tree = rinc.train_tree(rinc.pack(bits), 4, np.array([0, 0, 1, 1]), tree_inputs=2, node_entropy="per_node")
    assert tree.features == (
        0,
        1,
    )  # level 0: all leave 1 bit; level 1: 1 < 2 already with feature 1, an empty node adds 0
    assert tree.table.tolist() == [0, 0, 0, 0]


def test_modes_differ_where_a_small_node_is_pure() -> None:
    # After feature 0 (which parts 2 samples from 8) the small node wants feature 1, the large one feature 2.
    bits = [[1, 0, 0], [1, 1, 0]] + [[0, 0, 0]] * 4 + [[0, 0, 1]] * 4
    target = [0, 1] + [0, 0, 0, 1] + [1, 1, 1, 0]
    weights = [50.0, 50.0] + [1.0] * 8  # feature 0 first needs the small node heavy; then it is not small by mass
    args = {"tree_inputs": 3, "weights": np.array(weights)}
    for mode in ("per_node", "by_mass"):
        found = rinc.train_tree(rinc.pack(np.array(bits)), 10, np.array(target), node_entropy=mode, **args)  # type: ignore[arg-type]
        assert (list(found.features), found.table.tolist()) == definition.tree(bits, target, weights, 3, mode)


def test_one_step_of_boosting_by_hand() -> None:
    # 4 samples, 1 wrong: e = 1/4, alpha = 0.5 log2(3), the wrong one weighs 1/2 then, the others 1/6 each.
    weights = np.full(4, 0.25)
    error = kernels.reweigh(weights, np.array([0, 0, 1, 0], np.uint8))
    assert error == 0.25
    assert rinc.alpha(error) == pytest.approx(0.5 * math.log2(3))
    assert weights == pytest.approx([1 / 6, 1 / 6, 1 / 2, 1 / 6])


def test_no_error_halves_all_weights_and_weighs_10_36() -> None:
    weights = np.array([0.25, 0.75])
    assert kernels.reweigh(weights, np.zeros(2, np.uint8)) == 0.0
    assert weights.tolist() == [0.125, 0.375]
    assert rinc.alpha(0.0) == 10.36
    assert rinc.alpha(0.5) == 0.0


@pytest.mark.parametrize(
    ("alphas", "table"),
    [
        ([1.0, 1.0], [0, 0, 0, 1]),  # just half is not more than half
        ([2.0, 1.0, 0.5], [0, 0, 0, 0, 1, 1, 1, 1]),  # the first dominates
        ([1.0, 1.0, 1.0], [0, 0, 0, 1, 0, 1, 1, 1]),
        ([0.1, 0.2, 0.3], [0, 0, 0, 1, 0, 1, 1, 1]),  # floats: 0.1 + 0.2 is a hair more than 0.3
        ([0.0, 0.0], [0, 0, 0, 0]),
        ([-1.0, 2.0], [0, 1, 0, 1]),
    ],
)
def test_vote_table(alphas: list[float], table: list[int]) -> None:
    assert rinc.vote_table(np.array(alphas)).tolist() == table


@pytest.mark.parametrize("n_members", [2, 4, 6])
def test_half_of_equal_members_is_not_a_majority(n_members: int) -> None:
    table = rinc.vote_table(np.full(n_members, 10.36))
    assert table.tolist() == [int(2 * index.bit_count() > n_members) for index in range(1 << n_members)]


@given(
    seed=st.integers(0, 2**20),
    n_samples=st.integers(1, 90),
    n_features=st.integers(4, 9),
    n_inputs=st.integers(1, 4),
    mode=st.sampled_from(["per_node", "by_mass"]),
    spread=st.sampled_from([0.0, 1.0, 20.0]),
)
@settings(max_examples=60, deadline=None)
def test_tree_is_that_of_the_definition(
    seed: int, n_samples: int, n_features: int, n_inputs: int, mode: Any, spread: float
) -> None:
    bits, target = random_case(seed, n_samples, n_features)
    weights = np.exp(spread * np.random.default_rng(seed).normal(size=n_samples))
    found = rinc.train_tree(
        rinc.pack(bits), n_samples, target, tree_inputs=n_inputs, node_entropy=mode, weights=weights
    )
    assert plain(found) == definition.tree(bits.tolist(), target.tolist(), weights.tolist(), n_inputs, mode)


@given(
    seed=st.integers(0, 2**20),
    n_samples=st.integers(1, 60),
    levels=st.integers(0, 2),
    top_modules=st.integers(0, 3),
    mode=st.sampled_from(["per_node", "by_mass"]),
)
@settings(max_examples=40, deadline=None)
def test_modules_are_those_of_the_definition(
    seed: int, n_samples: int, levels: int, top_modules: int, mode: Any
) -> None:
    bits, target = random_case(seed, n_samples, 6)
    targets = np.stack([target, bits[:, 0] & bits[:, 1], 1 - target])
    found = rinc.train_modules(
        rinc.pack(bits), n_samples, targets, tree_inputs=3, levels=levels, top_modules=top_modules, node_entropy=mode
    )
    weights = [1 / n_samples] * n_samples
    for one, wanted in zip(found, targets.tolist(), strict=True):
        expected = definition.module(bits.tolist(), wanted, weights, 3, levels, top_modules or 3, mode)
        assert plain(one) == expected
        assert rinc.evaluate(one, bits).tolist() == [definition.says(expected, row) for row in bits.tolist()]
        pruned = rinc.prune(one)
        every = np.array([[i >> f & 1 for f in range(6)] for i in range(64)], np.uint8)
        assert np.array_equal(rinc.evaluate(pruned, every), rinc.evaluate(one, every))
        assert rinc.n_luts(pruned) <= rinc.n_luts(one)
        again = rinc.from_arrays(rinc.to_arrays(one))
        assert plain(again) == plain(one)


@pytest.mark.parametrize("n_samples", [1, 63, 64, 65, 200])
def test_packed_bits_come_back(n_samples: int) -> None:
    bits = np.random.default_rng(n_samples).integers(0, 2, (n_samples, 37)).astype(np.uint8)
    packed = rinc.pack(bits)
    assert packed.shape == (37, -(-n_samples // 64))
    assert packed[5, 0] & np.uint64(1) == bits[0, 5]
    rows = rinc.rows_of(packed, n_samples)
    assert rows.shape == (n_samples, 64)
    assert np.array_equal(rows[:, :37], -bits.astype(np.int8))
    assert not rows[:, 37:].any()


def test_sizes_of_full_modules() -> None:
    """(P^(L+1) - 1) / (P - 1) LUTs, and m P + m + 1 with m modules on top."""
    bits, target = random_case(1, 100, 9)
    for levels, top, expected in ((0, 0, 1), (1, 0, 7), (2, 0, 43), (2, 4, 4 * 6 + 4 + 1)):
        (found,) = rinc.train_modules(rinc.pack(bits), 100, target[None], tree_inputs=6, levels=levels, top_modules=top)
        assert rinc.n_luts(found) == expected


def test_a_vote_that_repeats_a_member_is_pruned_to_it() -> None:
    first, second, third = (Tree(features=(f,), table=np.array([0, 1], np.uint8)) for f in range(3))
    inner = Vote(
        members=(first, second, third), weights=np.array([1, 5, 1.0]), table=rinc.vote_table(np.array([1, 5, 1.0]))
    )
    real = Vote(members=(inner, first, third), weights=np.ones(3), table=rinc.vote_table(np.ones(3)))
    pruned = rinc.prune(real)
    assert isinstance(pruned, Vote)
    assert pruned.members == (second, first, third)
    assert (rinc.n_luts(real), rinc.n_luts(pruned)) == (7, 4)


def test_threads_do_not_change_modules_and_done_ones_are_taken() -> None:
    bits, _ = random_case(3, 150, 12)
    targets = np.random.default_rng(0).integers(0, 2, (7, 150)).astype(np.uint8)
    shared: dict[str, Any] = {"tree_inputs": 4, "levels": 1}
    alone = rinc.train_modules(rinc.pack(bits), 150, targets, n_threads=1, **shared)
    kept: dict[int, Module] = {}
    told: list[tuple[int, int]] = []
    done = {2: alone[2], 5: alone[5]}
    many = rinc.train_modules(
        rinc.pack(bits), 150, targets, n_threads=4, done=done, keep=kept.__setitem__, progress=lambda *at: told.append(at), **shared
    )  # fmt: skip
    assert [plain(one) for one in many] == [plain(one) for one in alone]
    assert sorted(kept) == [0, 1, 3, 4, 6]
    assert many[2] is alone[2]
    assert told == [(n, 7) for n in range(2, 8)]


def test_an_interruption_stops_all_threads() -> None:
    bits, _ = random_case(3, 2000, 64)
    targets = np.random.default_rng(0).integers(0, 2, (400, 2000)).astype(np.uint8)
    kept: list[int] = []

    def keep(neuron: int, module: Module) -> None:
        kept.append(neuron)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rinc.train_modules(rinc.pack(bits), 2000, targets, tree_inputs=6, levels=2, keep=keep)
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tree_inputs": 5}, "tree_inputs: wanted 1 to 4 for 4 binary features, got 5; take fewer, or more features"),
        ({"targets": np.zeros((2, 9))}, r"targets: wanted the shape \(n_neurons, 10\), .* got \(2, 9\); reshape them"),
        ({"targets": np.full((1, 10), 2)}, "targets: wanted 0 and 1, got 2 to 2; binarize them"),
        (
            {"n_samples": 70, "targets": np.zeros((1, 70))},
            "packed: wanted 2 words for 70 samples, got 1; use rinc.pack",
        ),
        ({"levels": -1}, "levels: wanted 0 or more, got -1; 0 is a lone tree"),
        ({"top_modules": 13}, "top_modules: wanted 0 to 12, got 13; they are inputs of one table"),
    ],
)
def test_bad_arguments(changes: dict[str, Any], message: str) -> None:
    packed = rinc.pack(random_case(0, 10, 4)[0])
    given_ones = {"n_samples": 10, "targets": np.zeros((1, 10)), "tree_inputs": 2, "levels": 1, **changes}
    with pytest.raises(InputError, match=message):
        rinc.train_modules(packed, **given_ones)


@pytest.mark.parametrize("name", ["structure", "features", "weights", "tables"])
@pytest.mark.parametrize("change", ["missing", "longer", "shorter"])
def test_damaged_arrays_are_refused(name: str, change: str) -> None:
    bits, target = random_case(5, 40, 6)
    (found,) = rinc.train_modules(rinc.pack(bits), 40, target[None], tree_inputs=3, levels=1)
    arrays = rinc.to_arrays(found)
    whole = arrays.pop(name)
    if change != "missing":
        arrays[name] = np.append(whole, 1).astype(whole.dtype) if change == "longer" else whole[:-1]
    with pytest.raises(InputError, match=r"arrays of a RINC module: wanted what to_arrays gives, .*; train again"):
        rinc.from_arrays(arrays)
