"""RINC modules of PoET-BiN: level-wise decision trees that are one LUT each, and nested AdaBoost over them.

RINC-0 is a tree: in each of P rounds all nodes of a level split on the same binary feature, so the tree is a table of
P inputs. RINC-L is discrete AdaBoost over P RINC-(L-1), whose vote (the MAT) is a table of P inputs again: a module of
level L is (P^(L+1) - 1) / (P - 1) LUTs.

The rules, as in the authors' released training code:

- The score of a feature is the entropy of the target given the feature inside a node, normalized by the node's own
  mass, and summed over the nodes of the level ("per_node"); or each node weighs its part of all mass ("by_mass"). A
  node without mass adds 0. The smallest score wins, of equal ones the first feature's; one that is not below 1 at
  level 0, not below 2^l at level l, wins nothing, and where none does, the first feature still offered is taken. A
  feature that was chosen is not offered again in the tree.
- A leaf's output is the target of larger weight; 0 where both are equal or the leaf is empty.
- Every boosting begins with its caller's weights, the outermost with 1/n. After a member with error e (weights of the
  wrong samples, summed): alpha = 0.5 log2((1-e)/e), 10.36 where e <= 0; weights of wrong samples *= 0.5/e, those of
  right ones *= 0.5/(1-e). Nothing is normalized besides: after a member without error all weights are halved, so that
  later errors count half, as in the released code. In RINC-2 and above e is the error of the member module's output.
- MAT: 1 where the alphas of the members that say 1 are more than half of all alphas; not where they are just half.

Decided here, where those rules leave it open:

- Weights are summed as integers, multiples of about 2^-51 of their sum, and scores as multiples of 2^-32 bit: sums do
  not depend on an order, equal scores are equal, and one training is the same on any machine with any number of
  threads. The MAT compares exact sums of the alphas.
- alpha is -10.36 where e >= 1 (every sample wrong), and a factor that would divide by 0 is left out.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import numpy as np

from designs.errors import InputError
from workloads.classifiers import kernels

NodeEntropy = Literal["per_node", "by_mass"]
ALPHA_WITHOUT_ERROR = 10.36
MOST_INPUTS = 12  # of a table
_COLUMNS = 32  # rows are padded to multiples of it, whole vectors


@dataclass(frozen=True, eq=False)
class Tree:
    """RINC-0: a LUT. `table` (2^P,) uint8; the first of the P features is the most significant bit of its index."""

    features: tuple[int, ...]
    table: np.ndarray


@dataclass(frozen=True, eq=False)
class Vote:
    """RINC-L: members and their MAT. `table` (2^m,) uint8; the first member is the most significant index bit."""

    members: tuple[Module, ...]
    weights: np.ndarray  # (m,) float64: the alphas
    table: np.ndarray


Module = Tree | Vote


def pack(bits: np.ndarray) -> np.ndarray:
    """(n_samples, n_features) of 0 and 1 -> (n_features, n_words) uint64: sample i is bit i % 64 of word i // 64."""
    as_bytes = np.packbits(np.asarray(bits, np.uint8).T, axis=1, bitorder="little")
    padded = np.zeros((as_bytes.shape[0], -(-as_bytes.shape[1] // 8) * 8), np.uint8)
    padded[:, : as_bytes.shape[1]] = as_bytes
    return padded.view("<u8").astype(np.uint64, copy=False)


def rows_of(packed: np.ndarray, n_samples: int) -> np.ndarray:
    """Rows as the kernels read them, from `pack`: (n_samples, n_columns) int8, -1 where a bit is 1, padded with 0."""
    n_features, n_words = packed.shape
    if not (n_words - 1) * 64 < n_samples <= n_words * 64:
        raise InputError(
            f"packed: wanted {-(-n_samples // 64)} words for {n_samples} samples, got {n_words}; use rinc.pack"
        )
    rows = np.zeros((n_samples, -(-n_features // _COLUMNS) * _COLUMNS), np.int8)
    for f, words in enumerate(packed.astype("<u8", copy=False)):
        rows[:, f] = np.unpackbits(words.view(np.uint8), count=n_samples, bitorder="little")
    np.negative(rows, out=rows)
    return rows


def train_tree(
    packed: np.ndarray,
    n_samples: int,
    target: np.ndarray,
    *,
    tree_inputs: int,
    node_entropy: NodeEntropy,
    weights: np.ndarray | None = None,
) -> Tree:
    """RINC-0 for `target` (n_samples,) of 0 and 1, by samples' `weights` (positive, any sum; None: all equal)."""
    _check(packed, n_samples, np.atleast_2d(target), tree_inputs, 0)
    if weights is None:
        weights = np.full(n_samples, 1.0 / n_samples)
    if weights.shape != (n_samples,) or not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
        raise InputError(f"weights: wanted {n_samples} finite numbers from 0 on, one above; got others; mend them")
    search = _Search(rows_of(packed, n_samples), len(packed), tree_inputs, node_entropy == "by_mass")
    tree, _ = search.module(np.ascontiguousarray(target, np.uint8), weights.astype(np.float64), 0, 1)
    assert isinstance(tree, Tree)
    return tree


def train_modules(
    packed: np.ndarray,
    n_samples: int,
    targets: np.ndarray,
    *,
    tree_inputs: int,
    levels: int,
    top_modules: int = 0,
    node_entropy: NodeEntropy = "per_node",
    progress: Callable[[int, int], None] | None = None,
    done: Mapping[int, Module] | None = None,
    keep: Callable[[int, Module], None] | None = None,
    n_threads: int | None = None,
) -> tuple[Module, ...]:
    """RINC-`levels` modules that mimic neurons: one for each row of `targets` (n_neurons, n_samples) of 0 and 1.

    packed: binary features of the samples, from `pack`. top_modules: members of the outermost boosting, 0:
    `tree_inputs` of them. Neurons are trained on `n_threads` cores (None: all); the modules do not depend on it.

    Modules in `done` are taken as they are; `keep(neuron, module)` is told each new one when it is finished, and
    `progress(n_done, n_all)` after it, both in the calling thread. An exception, KeyboardInterrupt or one of `keep`,
    stops all threads after the boosting of at most `tree_inputs` trees that each is in.
    """
    _check(packed, n_samples, targets, tree_inputs, top_modules)
    if not 0 <= levels:
        raise InputError(f"levels: wanted 0 or more, got {levels}; 0 is a lone tree")
    n_neurons = len(targets)
    found = {neuron: module for neuron, module in (done or {}).items() if neuron < n_neurons}
    missing = [neuron for neuron in range(n_neurons) if neuron not in found]
    if progress:
        progress(len(found), n_neurons)
    if missing:
        search = _Search(rows_of(packed, n_samples), len(packed), tree_inputs, node_entropy == "by_mass")
        with closing(_train_all(search, targets, missing, levels, top_modules or tree_inputs, n_threads)) as stream:
            for neuron, module in stream:
                found[neuron] = module
                if keep:
                    keep(neuron, module)
                if progress:
                    progress(len(found), n_neurons)
    return tuple(found[neuron] for neuron in range(n_neurons))


def _train_all(
    search: _Search, targets: np.ndarray, neurons: list[int], levels: int, n_members: int, n_threads: int | None
) -> Generator[tuple[int, Module], None, None]:
    """(neuron, module) as they are finished; closing the generator stops the threads."""

    def train(neuron: int) -> tuple[int, Module]:
        target = np.ascontiguousarray(targets[neuron], np.uint8)
        weights = np.full(len(target), 1.0 / len(target))
        return neuron, search.module(target, weights, levels, n_members)[0]

    executor = ThreadPoolExecutor(n_threads or os.cpu_count(), "rinc")
    try:
        waiting = {executor.submit(train, neuron) for neuron in neurons}
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in finished)
    finally:
        search.stop.set()
        executor.shutdown(cancel_futures=True)


class _Stopped(Exception):
    """The calling thread wants no more modules."""


@dataclass(frozen=True, eq=False)
class _Search:
    """Training of one module at a time, on what all neurons share."""

    rows: np.ndarray
    n_features: int
    tree_inputs: int
    by_mass: bool
    stop: threading.Event = field(default_factory=threading.Event)

    def module(self, target: np.ndarray, weights: np.ndarray, levels: int, n_members: int) -> tuple[Module, np.ndarray]:
        """A module of `levels`, its outermost vote of `n_members`, and what it says: (n_samples,) uint8."""
        if levels <= 1:
            return self.boost(target, weights.copy(), n_members if levels else 1, lone=not levels)
        weights = weights.copy()
        members: list[Module] = []
        errors = []
        index = np.zeros(len(target), np.int64)
        for _ in range(n_members):
            member, outputs = self.module(target, weights, levels - 1, self.tree_inputs)
            errors.append(kernels.reweigh(weights, (outputs != target).astype(np.uint8)))
            members.append(member)
            index = 2 * index + outputs
        return _vote(members, errors, index)

    def boost(self, target: np.ndarray, weights: np.ndarray, n_trees: int, *, lone: bool) -> tuple[Module, np.ndarray]:
        """RINC-1 of `n_trees`, or a lone tree, and what it says; `weights` are used up."""
        if self.stop.is_set():
            raise _Stopped
        features = np.zeros((n_trees, self.tree_inputs), np.int64)
        tables = np.zeros((n_trees, 1 << self.tree_inputs), np.uint8)
        errors = np.zeros(n_trees)
        index = np.zeros(len(target), np.int64)
        kernels.boost_trees(self.rows, self.n_features, target, weights, self.by_mass, features, tables, errors, index)
        trees: list[Module] = [
            Tree(features=tuple(map(int, chosen)), table=table) for chosen, table in zip(features, tables, strict=True)
        ]
        return (trees[0], index.astype(np.uint8)) if lone else _vote(trees, errors, index)


def _vote(members: list[Module], errors: Iterable[float], index: np.ndarray) -> tuple[Vote, np.ndarray]:
    """The vote of members with these errors, and its outputs where the members said the bits of `index`."""
    alphas = np.array([alpha(float(error)) for error in errors])
    table = vote_table(alphas)
    return Vote(members=tuple(members), weights=alphas, table=table), table[index]


def alpha(error: float) -> float:
    """Weight of a member with this weighted error: 0.5 log2((1-e)/e), bounded where it would be infinite."""
    if error <= 0.0:
        return ALPHA_WITHOUT_ERROR
    return 0.5 * math.log2((1.0 - error) / error) if error < 1.0 else -ALPHA_WITHOUT_ERROR


def vote_table(alphas: np.ndarray) -> np.ndarray:
    """MAT of these alphas: (2^m,) uint8, the first member the most significant bit; exact, a tie is 0."""
    rows = _index_bits(len(alphas))
    return np.array([math.fsum(np.where(row, alphas, -alphas)) > 0.0 for row in rows], np.uint8)


def _index_bits(n_inputs: int) -> np.ndarray:
    """(2^n, n) of 0 and 1: the bits of every index of a table, most significant first."""
    return (np.arange(1 << n_inputs)[:, None] >> np.arange(n_inputs)[::-1]) & 1


def evaluate(module: Module, bits: np.ndarray) -> np.ndarray:
    """What a module says: (n_samples, n_features) of 0 and 1 -> (n_samples,) uint8."""
    if isinstance(module, Tree):
        inputs = [bits[:, feature] for feature in module.features]
    else:
        inputs = [evaluate(member, bits) for member in module.members]
    index = np.zeros(len(bits), np.int64)
    for values in inputs:
        index = 2 * index + values
    return module.table[index]


def prune(module: Module) -> Module:
    """The same function without votes that only repeat one of their members, from the leaves up; exact."""
    if isinstance(module, Tree):
        return module
    members = tuple(prune(member) for member in module.members)
    for member, bit in zip(members, _index_bits(len(members)).T, strict=True):
        if np.array_equal(module.table, bit):
            return member
    return Vote(members=members, weights=module.weights, table=module.table)


def n_luts(module: Module) -> int:
    """LUTs of a module: one a tree, one a vote."""
    return 1 if isinstance(module, Tree) else 1 + sum(n_luts(member) for member in module.members)


def to_arrays(module: Module) -> dict[str, np.ndarray]:
    """A module as four flat arrays for an .npz, which `from_arrays` reads back.

    Parts are in preorder, members after their vote. structure: m for a vote of m members, -P for a tree of P features.
    """
    parts = list(_preorder(module))
    trees = [part for part in parts if isinstance(part, Tree)]
    votes = [part for part in parts if isinstance(part, Vote)]
    return {
        "structure": np.array([-len(p.features) if isinstance(p, Tree) else len(p.members) for p in parts], np.int64),
        "features": np.array([feature for tree in trees for feature in tree.features], np.int64),
        "weights": np.concatenate([np.empty(0), *(vote.weights for vote in votes)]),
        "tables": np.concatenate([part.table for part in parts]),
    }


def _preorder(module: Module) -> Iterator[Module]:
    yield module
    if isinstance(module, Vote):
        for member in module.members:
            yield from _preorder(member)


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Module:
    """The module of `to_arrays`. InputError where the arrays are not such."""
    try:
        flat = {name: arrays[name].tolist() for name in ("structure", "features", "weights", "tables")}
        streams = {name: iter(values) for name, values in flat.items()}
        module = _read(streams)
        if any(True for stream in streams.values() for _ in stream) or not set(flat["tables"]) <= {0, 1}:
            raise ValueError("values that belong to no part")
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"arrays of a RINC module: wanted what to_arrays gives, got {error}; train again") from error
    return module


def _read(streams: Mapping[str, Iterator]) -> Module:
    def take(name: str, n: int) -> list:
        values = list(islice(streams[name], n))
        if len(values) < n:
            raise ValueError(f"too few {name}")
        return values

    (size,) = take("structure", 1)
    if not (isinstance(size, int) and 1 <= abs(size) <= MOST_INPUTS):
        raise ValueError(f"a part of {size} inputs")
    table = np.array(take("tables", 1 << abs(size)), np.uint8)
    if size < 0:
        return Tree(features=tuple(take("features", -size)), table=table)
    weights = np.array(take("weights", size), np.float64)
    return Vote(members=tuple(_read(streams) for _ in range(size)), weights=weights, table=table)


def _check(packed: np.ndarray, n_samples: int, targets: np.ndarray, tree_inputs: int, top_modules: int) -> None:
    if targets.ndim != 2 or targets.shape[1] != n_samples or n_samples < 1:
        raise InputError(
            f"targets: wanted the shape (n_neurons, {n_samples}), one sample or more, got {targets.shape}; reshape them"
        )
    if targets.size and not np.isin(targets, (0, 1)).all():
        raise InputError(f"targets: wanted 0 and 1, got {targets.min()} to {targets.max()}; binarize them")
    if not 1 <= tree_inputs <= min(MOST_INPUTS, len(packed)):
        raise InputError(
            f"tree_inputs: wanted 1 to {min(MOST_INPUTS, len(packed))} for {len(packed)} binary features, "
            f"got {tree_inputs}; take fewer, or more features"
        )
    if not 0 <= top_modules <= MOST_INPUTS:
        raise InputError(f"top_modules: wanted 0 to {MOST_INPUTS}, got {top_modules}; they are inputs of one table")
