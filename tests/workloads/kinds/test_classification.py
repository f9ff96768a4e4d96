"""Classifications by name and path: data sets, classifier files, circuits with random or labelled samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from workloads.classifiers.files import load_classifier
from workloads.importers.trace_circuit import N_RANDOM_SAMPLES, classifier_of_file, trace
from workloads.kinds import classification
from workloads.kinds.classification import Classification
from workloads.load import load_workload
from workloads.netlist import run_netlist

EXAMPLES = Path(__file__).parents[3] / "workloads" / "classifiers" / "examples"
MAJORITY = EXAMPLES / "majority.blif"


def loaded(name: str | Path) -> Classification:
    found = load_workload(str(name))
    assert isinstance(found, Classification)
    return found


def test_digits_by_split() -> None:
    first, again, other = loaded("digits"), loaded("digits:0"), loaded("digits:3")
    assert first.data is not None and first.data.features_test.shape == (450, 64)
    assert first.digest == again.digest != other.digest
    assert other.name == "digits:3"


def test_a_bare_circuit_runs_on_random_vectors_always_the_same() -> None:
    first, again = loaded(MAJORITY), loaded(MAJORITY)
    classifier = first.classifier
    assert classifier is not None and first.name == "majority"
    assert classifier.samples.shape == (N_RANDOM_SAMPLES, 5) and 0.45 < classifier.samples.mean() < 0.55
    assert (classifier.labels, classifier.answer, dict(classifier.facts)) == (None, "bits", {"random_samples": 1.0})
    assert first.digest == again.digest


def test_a_traced_circuit_with_labelled_samples(tmp_path: Path) -> None:
    features = np.random.default_rng(0).integers(0, 2, (40, 5))
    labels = (features.sum(axis=1) >= 3).astype(int)
    np.savez(tmp_path / "data.npz", features=features, labels=labels)
    counts = trace(MAJORITY, tmp_path / "c.npz", samples=tmp_path / "data.npz")
    assert counts == {
        "n_inputs": 5, "n_outputs": 1, "n_luts": 5, "n_register_stages_left_out": 0, "inputs_left_out": [],
        "n_samples": 40, "samples_are_random": False,
    }  # fmt: skip
    classifier = loaded(tmp_path / "c.npz").classifier
    assert classifier is not None and classifier.answer == "class" and classifier.n_classes == 2
    assert np.array_equal(classifier.samples, features)
    assert np.array_equal(classifier.decode(run_netlist(classifier.netlist, classifier.samples)), labels)
    assert load_classifier(tmp_path / "c.npz").labels.tolist() == labels.tolist()  # type: ignore[union-attr]


@pytest.mark.rtl
def test_a_feature_may_take_several_inputs(tmp_path: Path) -> None:
    features = np.random.default_rng(1).integers(0, 256, (50, 2))
    ones = np.array([[bin(word).count("1") for word in row] for row in features])
    np.savez(tmp_path / "data.npz", features=features, labels=(ones[:, 0] > ones[:, 1]).astype(int))
    classifier, imported = classifier_of_file(EXAMPLES / "more_ones.v", tmp_path / "data.npz")
    assert imported.n_register_stages == 2
    assert np.array_equal(classifier.decode(run_netlist(classifier.netlist, classifier.samples)), classifier.labels)


@pytest.mark.parametrize(
    ("features", "labels", "wanted"),
    [
        (np.zeros((4, 3), int), [0, 1, 0, 1], "features: wanted as many as the circuit has inputs (5), or a share of that, got 3"),
        (np.full((4, 5), 2), [0, 1, 0, 1], "features: wanted 1 bits each, as 5 inputs over 5 features allow, got 2; scale them"),
        (np.zeros((4, 5), int), [0, 1, 4, 1], "labels: wanted 5 classes as 3 output bits (the index)"),
    ],
)  # fmt: skip
def test_samples_that_do_not_fit(tmp_path: Path, features: np.ndarray, labels: list[int], wanted: str) -> None:
    np.savez(tmp_path / "data.npz", features=features, labels=np.array(labels))
    with pytest.raises(InputError) as refused:
        trace(MAJORITY, tmp_path / "c.npz", samples=tmp_path / "data.npz")
    assert str(refused.value).startswith(f"{tmp_path / 'data.npz'}: {wanted}")
    assert not (tmp_path / "c.npz").exists()


def test_labelled_arrays_are_a_data_set(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", features=np.arange(80).reshape(40, 2) % 7, labels=np.arange(40) % 2)
    found = loaded(tmp_path / "mine.npz")
    assert found.data is not None and found.name == "mine" and found.data.n_classes == 2


def test_other_names_are_not_ours(tmp_path: Path) -> None:
    np.savez(tmp_path / "graph.npz", header=np.zeros(3))
    for name in ("resnet50", "digits_cnn", str(tmp_path / "graph.npz"), "model.onnx"):
        assert classification.load(name) is None


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("digits:99999999999", "digits:99999999999"),
        ("digits:-1", "wanted a path or one of .*, digits, "),
        ("mnist:", "wanted mnist:FOLDER, got no folder"),
        ("/none/c.blif", "/none/c.blif: wanted a BLIF file, got: No such file"),
    ],
)
def test_bad_names_are_one_line(name: str, wanted: str) -> None:
    with pytest.raises(InputError, match=wanted) as refused:
        load_workload(name)
    assert "\n" not in str(refused.value)


def test_either_data_or_a_classifier() -> None:
    with pytest.raises(ValueError, match="wanted either data or a classifier"):
        Classification(name="x", digest="")
