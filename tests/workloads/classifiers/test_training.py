"""Training of a design's classifier: the circuit is the structure, the cache forgets nothing and believes little."""

import threading
from pathlib import Path

import numpy as np
import pytest

from designs.families.lut import Design
from workloads.classifiers import teacher, training
from workloads.classifiers.build import build_classifier, feature_bits_of, input_names
from workloads.classifiers.classifier import Classifier
from workloads.classifiers.data import DataSet, data_set, digits
from workloads.classifiers.files import classifier_digest
from workloads.classifiers.rinc import Tree
from workloads.classifiers.structure import RincStructure, score_tables
from workloads.classifiers.teacher import Teacher
from workloads.classifiers.training import train
from workloads.kinds.classification import classification_of
from workloads.mapping.lut_classifier import classifier_of
from workloads.netlist import CONSTANT_0, ROLES, run_netlist

RINC = Design(tree_inputs=3, neurons_per_class=2, score_bits=3)
BOOSTED = Design(classifier="boosted", tree_inputs=3, trees_per_class=4, score_bits=1)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    monkeypatch.setattr(teacher, "MOST_EPOCHS", 10)


def _rows(n: int, seed: int, largest: int) -> tuple[np.ndarray, np.ndarray]:
    features = np.random.default_rng(seed).integers(0, largest + 1, (n, 8))
    return features, np.argmax([features[:, :3].sum(axis=1), features[:, 3:6].sum(axis=1), features[:, 6] * 3], axis=0)


def _data(largest: int = 5) -> DataSet:
    bits = largest.bit_length()
    return data_set("rows", _rows(300, 0, largest), _rows(100, 1, largest), feature_bits=bits, n_classes=3)


def _right(classifier: Classifier) -> float:
    answers = classifier.decode(run_netlist(classifier.netlist, classifier.samples))
    return float(np.mean(answers == classifier.labels))


@pytest.mark.parametrize("output", ["class", "scores"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"rinc_levels": 0},
        {"rinc_levels": 2, "top_modules": 2},
        {"score_bits": 1},
        {"node_entropy": "by_mass"},
        {"classifier": "boosted", "trees_per_class": 4, "score_bits": 1},
        {"classifier": "boosted", "trees_per_class": 5, "score_bits": 3},
    ],
    ids=str,
)
def test_the_circuit_answers_what_the_structure_answers(
    monkeypatch: pytest.MonkeyPatch, settings: dict, output: str
) -> None:
    kept = []

    def keeping(structure, *rest):
        kept.append(structure)
        return build_classifier(structure, *rest)

    monkeypatch.setattr(training, "build_classifier", keeping)
    data = _data()
    design = Design(**{"tree_inputs": 3, "neurons_per_class": 2, "score_bits": 3, "output": output} | settings)
    found = train(design, data)
    scores = kept[0].scores(data.features_test)
    outputs = run_netlist(found.netlist, found.samples)
    assert (found.decode(outputs) == scores.argmax(axis=1)).all()
    if output == "scores":
        weights = 1 << np.arange(found.score_bits)
        weights[-1] *= -1
        assert (outputs.reshape(100, 3, -1) @ weights == scores).all()
    assert found.facts["accuracy"] == _right(found) > 0.4
    assert found.facts["train_seconds"] > 0 and (found.answer, found.n_classes) == (output, 3)
    if "teacher_accuracy" in found.facts:
        assert 0.5 < found.facts["mimic_fidelity"] <= 1 and found.facts["teacher_accuracy"] > 0.6


def test_binary_features_need_no_encoder() -> None:
    found = train(BOOSTED, _data(1))
    assert found.netlist.input_names[:2] == ("feature_0", "feature_1")
    assert ROLES.index("encoder") not in found.netlist.roles


def test_inputs_are_bits_of_features_least_significant_first() -> None:
    assert input_names(_data())[:4] == ("feature_0_0", "feature_0_1", "feature_0_2", "feature_1_0")
    assert input_names(digits())[12 * 5 + 3] == "pixel_12_3"
    assert feature_bits_of(np.array([[6, 1]], np.uint16), 3).tolist() == [[0, 1, 1, 1, 0, 0]]


def test_a_second_training_reads_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    first = train(RINC, _data())
    for name in ("train_teacher", "train_modules", "build_classifier"):
        monkeypatch.setattr(training, name, None)
    second = train(RINC, _data())
    assert classifier_digest(second) == classifier_digest(first) and dict(second.facts) == dict(first.facts)


def test_trees_of_any_size_share_a_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    train(RINC, _data())
    monkeypatch.setattr(training, "train_teacher", None)
    train(Design(tree_inputs=4, rinc_levels=0, neurons_per_class=2), _data())
    with pytest.raises(TypeError):
        train(Design(tree_inputs=3, neurons_per_class=3), _data())


def test_an_interrupted_training_goes_on_and_gives_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOCKSTEP_CACHE_DIR", str(tmp_path / "whole"))
    whole = train(RINC, _data())
    monkeypatch.setenv("LOCKSTEP_CACHE_DIR", str(tmp_path / "interrupted"))

    def interrupt(stage: str, n_done: int, n_all: int) -> None:
        if (stage, n_done) == ("modules", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(RINC, _data(), interrupt)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "interrupted").rglob("neuron_*.npz")}
    assert len(kept) == 2
    told = []
    monkeypatch.setattr(training, "train_teacher", None)
    resumed = train(RINC, _data(), lambda *progress: told.append(progress))
    assert told[0] == ("modules", 2, 6) and told[-1] == ("modules", 6, 6)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert classifier_digest(resumed) == classifier_digest(whole)


def test_damaged_files_are_made_again(tmp_path: Path) -> None:
    whole = train(RINC, _data())
    files = sorted(tmp_path.rglob("*.npz"))
    assert len(files) == 1 + 1 + 6
    for index, path in enumerate(files):
        data = path.read_bytes()
        path.write_bytes((b"", data[: len(data) // 2], data[:300] + bytes(8) + data[308:])[index % 3])
    assert classifier_digest(train(RINC, _data())) == classifier_digest(whole)
    for path in files:
        np.load(path)


def test_two_at_a_time_train_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, found = [], []
    real = training.train_teacher
    monkeypatch.setattr(training, "train_teacher", lambda *a, **k: calls.append(1) or real(*a, **k))
    threads = [threading.Thread(target=lambda: found.append(train(RINC, _data()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1 and classifier_digest(found[0]) == classifier_digest(found[1])


def test_the_machine_holds_the_circuit_of_the_workload_or_a_trained_one() -> None:
    data = _data()
    trained = classifier_of(BOOSTED, classification_of(data))
    assert classifier_of(Design(**vars(BOOSTED) | {"copies": 2}), classification_of(data)) is trained
    assert classifier_of(RINC, classification_of(trained)) is trained
    other = Design(**vars(BOOSTED) | {"output": "scores"})
    assert classifier_of(other, classification_of(data)).answer == "scores"


def test_counts_of_votes_are_positive_scores() -> None:
    found = train(Design(**vars(BOOSTED) | {"output": "scores"}), _data())
    assert found.score_bits == 4  # 0 to 4 votes: 3 bits, and the sign
    assert (found.netlist.outputs.reshape(3, 4)[:, 3] == CONSTANT_0).all()


def test_score_tables_by_hand() -> None:
    """Two neurons of weights 1 and 2 and a bias: scores of the samples are -3 to 3 + 1; 4 bits."""
    none = np.zeros((1, 1), np.float32)
    network = Teacher(
        hidden_weights=none, hidden_bias=none[0], neuron_weights=none, neuron_bias=none[0],
        score_weights=np.array([[1, 2], [1, 2]], np.float32), score_bias=np.array([0, 1], np.float32),
    )  # fmt: skip
    every = np.array([[a, b, a, b] for a in (0, 1) for b in (0, 1)], np.uint8)
    # -3..4 is moved by -0.5 and divided by 3.5; times 8, rounded to even, at most 7.
    assert score_tables(network, every, 4).tolist() == [[-8, -3, 1, 6], [-6, -1, 3, 7]]
    assert score_tables(network, every, 1).tolist() == [[-1, 0, 0, 0], [-1, 0, 0, 0]]


def test_the_first_neuron_of_a_class_is_the_least_significant_index_bit() -> None:
    data = _data(1)
    encoding = training.thermometer(data, 1)
    same = np.array([0, 1], np.uint8)
    structure = RincStructure(
        encoding=encoding,
        modules=tuple(Tree(features=(f,), table=same) for f in (0, 1)),
        score_tables=np.array([[0, 1, 2, 3]]),
        score_bits=3,
    )
    features = np.array([[a, b, 0, 0, 0, 0, 0, 0] for b in (0, 1) for a in (0, 1)])
    assert structure.scores(features).ravel().tolist() == [0, 1, 2, 3]


def test_few_images_get_noisy_copies_that_know_their_original() -> None:
    data = digits()
    features, labels, original = training.training_samples(data, 0)
    assert len(features) == (1 + training.NOISY_COPIES) * 1347 and (labels == data.labels_train[original]).all()
    assert (features[:1347] == data.features_train).all() and features.max() <= 16
    assert ((features == 0) | (data.features_train[original] > 0)).all()
    assert len(training.training_samples(_data(), 0)[0]) == 300
