"""Trees of scikit-learn: the circuit equals its integers on every sample, and those agree with scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from designs.errors import InputError
from workloads.digits import digits_split
from workloads.importers.sklearn_trees import from_trees, integer_trees
from workloads.netlist import ROLES, run_netlist
from workloads.netlist_builder import check

ESTIMATORS = {
    "tree": DecisionTreeClassifier(max_depth=8, random_state=0),
    "extra_tree": ExtraTreeClassifier(max_depth=6, random_state=0),
    "forest": RandomForestClassifier(5, max_depth=4, random_state=0),
    "extra_trees": ExtraTreesClassifier(5, max_depth=4, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=3, max_depth=3, random_state=0),
    "histogram_boosting": HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=8),
}


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, ...]:
    train, test, labels_train, labels_test = digits_split(0)
    return train.reshape(-1, 64), test.reshape(-1, 64), labels_train, labels_test


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("n_classes", [2, 10])
def test_the_circuit_equals_its_integers_and_agrees_with_scikit_learn(
    digits: tuple[np.ndarray, ...], name: str, n_classes: int
) -> None:
    train, test, labels_train, labels_test = digits
    estimator = ESTIMATORS[name].fit(train, labels_train % n_classes)
    integers = integer_trees(estimator, test, score_bits=6)
    for output in ("class", "scores"):
        classifier = from_trees(estimator, test, labels_test % n_classes, score_bits=6, output=output)  # type: ignore[arg-type]
        check(classifier.netlist)
        outputs = run_netlist(classifier.netlist, classifier.samples)
        assert np.array_equal(classifier.decode(outputs), integers.predict(test))
        assert np.array_equal(classifier.labels, labels_test % n_classes)  # type: ignore[arg-type]
    weights = 1 << np.arange(classifier.score_bits)
    weights[-1] *= -1
    assert np.array_equal(outputs.reshape(len(test), n_classes, -1) @ weights, integers.scores(test))
    agreement = (integers.predict(test) == estimator.predict(test)).mean()
    assert agreement == 1.0 if "tree" == name[-4:] else agreement > 0.97


def test_more_score_bits_come_closer(digits: tuple[np.ndarray, ...]) -> None:
    train, test, labels_train, _ = digits
    estimator = ESTIMATORS["boosting"].fit(train, labels_train)
    agreement = [
        (integer_trees(estimator, test, score_bits=b).predict(test) == estimator.predict(test)).mean()
        for b in (2, 4, 12)
    ]
    assert agreement[0] < agreement[2] == 1.0


def test_one_comparison_by_hand() -> None:
    features = np.arange(16)[:, None]
    classifier = from_trees(DecisionTreeClassifier().fit(features, features[:, 0] >= 11), features)
    assert classifier.netlist.input_names == ("x0[0]", "x0[1]", "x0[2]", "x0[3]")
    assert classifier.netlist.n_luts == 1 and ROLES[classifier.netlist.roles[0]] == "encoder"
    assert run_netlist(classifier.netlist, classifier.samples)[:, 0].tolist() == [0] * 11 + [1] * 5


def test_classes_by_any_name_and_features_as_whole_floats() -> None:
    features = np.array([[0.0], [1.0], [2.0], [3.0]])
    labels = np.array(["low", "low", "high", "high"])
    classifier = from_trees(DecisionTreeClassifier().fit(features, labels), features, labels, feature_bits=4)
    assert classifier.netlist.n_inputs == 4
    assert classifier.labels is not None and classifier.labels.tolist() == [1, 1, 0, 0]
    assert classifier.decode(run_netlist(classifier.netlist, classifier.samples)).tolist() == [1, 1, 0, 0]


X, Y = np.arange(12).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])


def fitted(estimator: Any) -> Any:
    return estimator.fit(X, Y)


def with_nan(estimator: Any) -> Any:
    estimator.fit(X, Y)
    for predictors in estimator._predictors:
        predictors[0].nodes["value"][:] = np.nan
    return estimator


@pytest.mark.parametrize(
    ("make", "features", "options", "wanted"),
    [
        (lambda: fitted(LogisticRegression()), X, {}, "LogisticRegression: wanted a fitted DecisionTreeClassifier, "),
        (lambda: fitted(AdaBoostClassifier()), X, {}, "AdaBoostClassifier: wanted a fitted DecisionTreeClassifier, "),
        (lambda: DecisionTreeClassifier(), X, {}, "wanted a fitted estimator, got one without classes_; call fit first"),
        (lambda: DecisionTreeClassifier().fit(X, np.stack([Y, Y], axis=1)), X, {}, "wanted one label a sample, got 2"),
        (lambda: DecisionTreeClassifier().fit(X, Y * 0), X, {}, "wanted at least 2 classes, got 1"),
        (lambda: fitted(DecisionTreeClassifier()), X[:, :1], {}, r"features: wanted the shape \(n_samples, 2\), got \(6, 1\)"),
        (lambda: fitted(DecisionTreeClassifier()), X + 0.5, {}, "features: wanted integers, got float64; scale and round"),
        (lambda: fitted(DecisionTreeClassifier()), X - 1, {}, "features: wanted 0 to 65535, got -1 to 10"),
        (lambda: fitted(DecisionTreeClassifier()), X, {"labels": Y + 1}, "labels: wanted classes that it was trained on, got 2"),
        (lambda: fitted(DecisionTreeClassifier()), X, {"labels": Y[:2]}, "labels: wanted one for each of 6 samples"),
        (lambda: fitted(DecisionTreeClassifier()), X, {"feature_bits": 2}, "feature_bits: wanted 4 to 16 for these values, got 2"),
        (lambda: fitted(RandomForestClassifier(2)), X, {"score_bits": 1}, "score_bits: wanted 2 to 16, got 1"),
        (lambda: with_nan(HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=1)), X, {}, "wanted leaves with finite scores, got NaN"),
        (lambda: fitted(GradientBoostingClassifier(n_estimators=1, init=LogisticRegression())), X, {}, "wanted trees that give scikit-learn's own scores"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(make: Any, features: np.ndarray, options: dict, wanted: str) -> None:
    with pytest.raises(InputError, match=wanted) as refused:
        from_trees(make(), features, **options)
    assert "\n" not in str(refused.value)
