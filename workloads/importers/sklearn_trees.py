"""Decision trees of scikit-learn, alone and in ensembles, as circuits: comparators, multiplexers, sums, argmax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from designs.errors import InputError
from workloads.arithmetic import add_signed, argmax, at_least
from workloads.classifiers.classifier import Classifier
from workloads.netlist import CONSTANT_0, CONSTANT_1
from workloads.netlist_builder import NetlistBuilder

MOST_FEATURE_BITS = 16
_TABLE_CONDITIONS = 6  # a subtree of so many distinct comparisons is one table a bit
_MUX = 0b11001010  # of left, right and condition
_FORESTS = ("RandomForestClassifier", "ExtraTreesClassifier")
_BOOSTERS = ("GradientBoostingClassifier", "HistGradientBoostingClassifier")
SUPPORTED = ("DecisionTreeClassifier", "ExtraTreeClassifier", *_FORESTS, *_BOOSTERS)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tree:
    """A binary tree over integers, node 0 the root: right where feature >= threshold. Leaves have `left` -1."""

    feature: np.ndarray
    threshold: np.ndarray  # int64
    left: np.ndarray
    right: np.ndarray
    values: np.ndarray  # (n_nodes, n_scores): what a leaf adds to the scores, float64 or, quantized, int64

    def leaves(self, features: np.ndarray) -> np.ndarray:
        """The leaf of each sample."""
        node = np.zeros(len(features), np.int64)
        rows = np.arange(len(features))
        while (inner := self.left[node] >= 0).any():
            goes_right = features[rows, self.feature[node]] >= self.threshold[node]
            node = np.where(inner, np.where(goes_right, self.right[node], self.left[node]), node)
        return node


@dataclass(frozen=True, kw_only=True, eq=False)
class TreeEnsemble:
    """Integer scores by class, from trees; what the circuit computes, as software."""

    trees: tuple[Tree, ...]
    offsets: np.ndarray  # (n_classes,) int64
    n_features: int

    def scores(self, features: np.ndarray) -> np.ndarray:
        """(n_samples, n_features) integers -> (n_samples, n_classes) int64."""
        return self.offsets + sum(tree.values[tree.leaves(features)] for tree in self.trees)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """The class of each sample: the largest score, the first of equals."""
        return self.scores(features).argmax(axis=1)


def from_trees(
    estimator: Any,
    features: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    feature_bits: int | None = None,
    score_bits: int = 8,
    output: Literal["class", "scores"] = "class",
) -> Classifier:
    """The circuit of a fitted scikit-learn classifier of trees (SUPPORTED), with samples to run it on.

    `features` (n_samples, n_features) are unsigned integers of `feature_bits` (None: as many as they and the thresholds
    take); input `x3[0]` is bit 0 of feature 3. `labels` are classes as the estimator names them; the circuit's answer
    is the index in its `classes_`. Scores of leaves are rounded to `score_bits` on one scale for the whole ensemble and
    are added exactly; a lone tree's answer is the class of its leaf, as in scikit-learn. A booster of two classes says
    the second where its score is above 0. Before anything is rounded, the trees are run on `features` and must give
    scikit-learn's own scores. InputError, one line, for what does not fit.
    """
    kind = type(estimator).__name__
    features = _checked_features(kind, estimator, features)
    trees, offsets = _read(kind, estimator, features)
    ensemble = _quantized(kind, trees, offsets, estimator, score_bits)
    bits = _feature_bits(kind, ensemble, features, feature_bits)
    builder = NetlistBuilder([f"x{index}[{bit}]" for index in range(ensemble.n_features) for bit in range(bits)])
    scores = _score_signals(builder, ensemble, bits)
    n_classes = len(ensemble.offsets)
    width = max(map(len, scores))
    if output == "scores":
        wide = [[*score, *[score[-1]] * (width - len(score))] for score in scores]
        named = [(f"score{row}[{bit}]", signal) for row, score in enumerate(wide) for bit, signal in enumerate(score)]
    else:
        index_bits = argmax(builder, scores, signed=True, role="argmax")
        named = [(f"class[{bit}]", signal) for bit, signal in enumerate(index_bits)]
    samples = ((features[:, :, None] >> np.arange(bits)) & 1).astype(np.uint8).reshape(len(features), -1)
    return Classifier(
        netlist=builder.finish(named),
        samples=samples,
        labels=None if labels is None else _class_indices(kind, estimator, labels, len(features)),
        answer=output,
        n_classes=n_classes,
        score_bits=width if output == "scores" else 0,
    )


def integer_trees(estimator: Any, features: np.ndarray, *, score_bits: int = 8) -> TreeEnsemble:
    """What `from_trees` builds, as software in integers; same arguments and errors."""
    kind = type(estimator).__name__
    features = _checked_features(kind, estimator, features)
    trees, offsets = _read(kind, estimator, features)
    return _quantized(kind, trees, offsets, estimator, score_bits)


def _checked_features(kind: str, estimator: Any, features: np.ndarray) -> np.ndarray:
    if kind not in SUPPORTED:
        raise InputError(f"{kind}: wanted a fitted {', '.join(SUPPORTED)} of scikit-learn; train one of these")
    if not hasattr(estimator, "classes_"):
        raise InputError(f"{kind}: wanted a fitted estimator, got one without classes_; call fit first")
    if isinstance(estimator.classes_, list):
        raise InputError(f"{kind}: wanted one label a sample, got {len(estimator.classes_)}; train one model a label")
    if len(estimator.classes_) < 2:
        raise InputError(f"{kind}: wanted at least 2 classes, got {len(estimator.classes_)}; train it on more")
    features = np.asarray(features)
    if features.ndim != 2 or features.shape[1] != estimator.n_features_in_ or not len(features):
        wanted = f"(n_samples, {estimator.n_features_in_})"
        raise InputError(f"{kind}: features: wanted the shape {wanted}, got {features.shape}; reshape them")
    if features.dtype.kind == "f" and np.isfinite(features).all() and (features == np.rint(features)).all():
        features = features.astype(np.int64)
    if features.dtype.kind not in "bui":
        raise InputError(f"{kind}: features: wanted integers, got {features.dtype}; scale and round before training")
    if int(features.min()) < 0 or int(features.max()) >= 1 << MOST_FEATURE_BITS:
        got = f"{int(features.min())} to {int(features.max())}"
        raise InputError(f"{kind}: features: wanted 0 to {(1 << MOST_FEATURE_BITS) - 1}, got {got}; scale them")
    return features.astype(np.int64)


def _read(kind: str, estimator: Any, features: np.ndarray) -> tuple[list[Tree], np.ndarray]:
    """(trees with float values, one column a class; what is added to the scores), checked against scikit-learn."""
    n_classes = len(estimator.classes_)
    if kind in _BOOSTERS:
        trees = _boosted_trees(kind, estimator, n_classes)
        wanted = np.asarray(estimator.decision_function(features), np.float64)
        wanted = np.stack([np.zeros(len(wanted)), wanted], axis=1) if wanted.ndim == 1 else wanted
    else:
        members = estimator.estimators_ if kind in _FORESTS else [estimator]
        trees = [_tree(kind, member.tree_, None, n_classes) for member in members]
        wanted = np.asarray(estimator.predict_proba(features), np.float64) * len(members)
    found = sum(tree.values[tree.leaves(features)] for tree in trees)
    offsets = (wanted - found)[0] if kind in _BOOSTERS else np.zeros(n_classes)
    if not np.allclose(found + offsets, wanted, rtol=0, atol=1e-6 * max(1.0, float(np.abs(wanted).max()))):
        raise InputError(
            f"{kind}: wanted trees that give scikit-learn's own scores, got others; a start (`init`) that depends on "
            "the sample is not read"
        )
    return trees, offsets


def _boosted_trees(kind: str, estimator: Any, n_classes: int) -> list[Tree]:
    trees = []
    for stage in estimator.estimators_ if kind == "GradientBoostingClassifier" else estimator._predictors:
        for column, member in enumerate(stage):
            column = 1 if len(stage) == 1 else column
            if kind == "GradientBoostingClassifier":
                trees.append(_tree(kind, member.tree_, column, n_classes, scale=estimator.learning_rate))
            else:
                trees.append(_histogram_tree(kind, member.nodes, column, n_classes))
    return trees


def _tree(kind: str, tree: Any, column: int | None, n_classes: int, *, scale: float = 1.0) -> Tree:
    """`column`: the class whose score the tree's one value is for; None: it has a value for each class."""
    values = np.asarray(tree.value, np.float64)[:, 0, :] * scale
    if column is None:
        total = values.sum(axis=1, keepdims=True)  # counts in older releases, shares in newer ones
        values = np.divide(values, total, out=np.full_like(values, np.nan), where=total > 0)
    else:
        values = _in_column(values[:, 0], column, n_classes)
    return _checked_tree(kind, tree.feature, tree.threshold, tree.children_left, tree.children_right, values)


def _histogram_tree(kind: str, nodes: np.ndarray, column: int, n_classes: int) -> Tree:
    if nodes["is_categorical"].any():
        raise InputError(f"{kind}: wanted comparisons with thresholds, got categories; encode them as numbers")
    is_leaf = nodes["is_leaf"].astype(bool)
    left = np.where(is_leaf, -1, nodes["left"].astype(np.int64))
    right = np.where(is_leaf, -1, nodes["right"].astype(np.int64))
    values = _in_column(nodes["value"], column, n_classes)
    return _checked_tree(kind, nodes["feature_idx"], nodes["num_threshold"], left, right, values)


def _in_column(value: np.ndarray, column: int, n_classes: int) -> np.ndarray:
    values = np.zeros((len(value), n_classes))
    values[:, column] = value
    return values


def _checked_tree(
    kind: str, feature: np.ndarray, threshold: np.ndarray, left: np.ndarray, right: np.ndarray, values: np.ndarray
) -> Tree:
    inner = left >= 0
    if np.isnan(threshold[inner]).any():
        raise InputError(f"{kind}: wanted thresholds that are numbers, got NaN; train it again")
    if not np.isfinite(values[~inner]).all():
        raise InputError(f"{kind}: wanted leaves with finite scores, got NaN or infinity; train it again")
    # x <= t goes left: for integers that is x < floor(t) + 1. A threshold of infinity sends all values left.
    bounded = np.clip(np.where(inner, threshold, 0.0), -1.0, float(1 << MOST_FEATURE_BITS))
    return Tree(
        feature=np.where(inner, feature, 0).astype(np.int64),
        threshold=np.floor(bounded).astype(np.int64) + 1,
        left=left.astype(np.int64),
        right=right.astype(np.int64),
        values=values,
    )


def _quantized(kind: str, trees: list[Tree], offsets: np.ndarray, estimator: Any, score_bits: int) -> TreeEnsemble:
    """The ensemble with values as integers: signed of `score_bits` for boosters, from 0 on for shares of forests."""
    if not 2 <= score_bits <= 16:
        raise InputError(f"{kind}: score_bits: wanted 2 to 16, got {score_bits}")
    if kind in _BOOSTERS:
        largest = max((float(np.abs(tree.values[tree.left < 0]).max()) for tree in trees), default=0.0)
        scale = ((1 << score_bits - 1) - 1) / largest if largest else 1.0
        rounded = [np.rint(tree.values * scale).astype(np.int64) for tree in trees]
    elif kind in _FORESTS:
        scale = float((1 << score_bits) - 1)
        rounded = [np.rint(tree.values * scale).astype(np.int64) for tree in trees]
    else:
        scale = 1.0  # a lone tree: one for the class of the leaf
        rounded = [np.eye(len(offsets), dtype=np.int64)[tree.values.argmax(axis=1)] for tree in trees]
    integers = tuple(
        Tree(feature=tree.feature, threshold=tree.threshold, left=tree.left, right=tree.right, values=values)
        for tree, values in zip(trees, rounded, strict=True)
    )
    return TreeEnsemble(
        trees=integers, offsets=np.rint(offsets * scale).astype(np.int64), n_features=int(estimator.n_features_in_)
    )


def _feature_bits(kind: str, ensemble: TreeEnsemble, features: np.ndarray, chosen: int | None) -> int:
    largest = max(
        [int(features.max()), *(int(tree.threshold[tree.left >= 0].max(initial=1)) for tree in ensemble.trees)]
    )
    needed = max(1, int(features.max()).bit_length())
    if chosen is None:
        return min(max(needed, largest.bit_length()), MOST_FEATURE_BITS)
    if not needed <= chosen <= MOST_FEATURE_BITS:
        raise InputError(f"{kind}: feature_bits: wanted {needed} to {MOST_FEATURE_BITS} for these values, got {chosen}")
    return chosen


def _class_indices(kind: str, estimator: Any, labels: np.ndarray, n_samples: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (n_samples,):
        raise InputError(f"{kind}: labels: wanted one for each of {n_samples} samples, got {labels.shape}; mend it")
    known = {label: index for index, label in enumerate(estimator.classes_.tolist())}
    unknown = sorted({str(label) for label in labels.tolist() if label not in known})
    if unknown:
        raise InputError(f"{kind}: labels: wanted classes that it was trained on, got {unknown[0]:.40}; leave them out")
    return np.array([known[label] for label in labels.tolist()], np.int64)


def _score_signals(builder: NetlistBuilder, ensemble: TreeEnsemble, feature_bits: int) -> list[list[int]]:
    """Two's complement of each class's score, least significant bit first."""
    comparisons: dict[tuple[int, int], int] = {}

    def condition(feature: int, threshold: int) -> int:
        if (feature, threshold) not in comparisons:
            first = feature * feature_bits
            signal = at_least(builder, range(first, first + feature_bits), threshold, "encoder")
            comparisons[feature, threshold] = signal
        return comparisons[feature, threshold]

    operands: list[list[list[int]]] = [[] for _ in ensemble.offsets]
    for tree in ensemble.trees:
        for class_, signals in enumerate(_tree_signals(builder, tree, condition)):
            if any(signal != CONSTANT_0 for signal in signals):
                operands[class_].append(signals)
    for class_, offset in enumerate(ensemble.offsets.tolist()):
        if offset:
            width = _signed_bits(offset, offset)
            operands[class_].append([CONSTANT_1 if offset >> bit & 1 else CONSTANT_0 for bit in range(width)])
    return [add_signed(builder, rows, "sum") for rows in operands]


def _signed_bits(low: int, high: int) -> int:
    """Bits of two's complement for the range."""
    return 1 + max(max(high, 0).bit_length(), (-min(low, 0) - 1).bit_length() if low < 0 else 0)


class _Subtrees:
    """The signals of a tree's codes (n_nodes, n_bits): small subtrees as tables, the rest as multiplexers."""

    def __init__(self, builder: NetlistBuilder, tree: Tree, conditions: Sequence[int], codes: np.ndarray) -> None:
        self.builder, self.tree, self.conditions, self.codes = builder, tree, conditions, codes

    def signals(self, node: int) -> list[int]:
        if self.tree.left[node] < 0:
            return [CONSTANT_1 if bit else CONSTANT_0 for bit in self.codes[node]]
        read = self._read_below(node)
        if len(read) <= _TABLE_CONDITIONS:
            index = np.arange(1 << len(read))
            leaves = self._leaves(node, {signal: index >> place & 1 for place, signal in enumerate(read)}, index)
            return [self.builder.lut(read, column, "tree") for column in self.codes[leaves].T]
        pairs = zip(self.signals(int(self.tree.left[node])), self.signals(int(self.tree.right[node])), strict=True)
        return [self.builder.lut((left, right, self.conditions[node]), _MUX, "tree") for left, right in pairs]

    def _read_below(self, node: int) -> list[int]:
        """The distinct conditions of the subtree; no more than one beyond what a table holds."""
        found: dict[int, None] = {}
        waiting = [node]
        while waiting and len(found) <= _TABLE_CONDITIONS:
            node = waiting.pop()
            if self.tree.left[node] >= 0:
                found[self.conditions[node]] = None
                waiting += [int(self.tree.left[node]), int(self.tree.right[node])]
        return list(found)

    def _leaves(self, node: int, values: dict[int, np.ndarray], index: np.ndarray) -> np.ndarray:
        if self.tree.left[node] < 0:
            return np.full(len(index), node)
        left, right = (self._leaves(int(side[node]), values, index) for side in (self.tree.left, self.tree.right))
        return np.where(values[self.conditions[node]] == 1, right, left)


def _tree_signals(builder: NetlistBuilder, tree: Tree, condition: Any) -> list[list[int]]:
    """For each class what the tree adds to its score, as narrow as its leaves allow."""
    conditions = [
        condition(int(feature), int(threshold)) if left >= 0 else CONSTANT_0
        for feature, threshold, left in zip(tree.feature, tree.threshold, tree.left, strict=True)
    ]
    found = []
    for column in tree.values.T:
        of_leaves = column[tree.left < 0]
        width = _signed_bits(int(of_leaves.min()), int(of_leaves.max()))
        codes = column[:, None] >> np.arange(width) & 1
        found.append(_Subtrees(builder, tree, conditions, codes).signals(0))
    return found
