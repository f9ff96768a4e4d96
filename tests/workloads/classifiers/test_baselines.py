"""Perceptrons to compare with: their sizes and accuracies."""

import numpy as np
import pytest

from workloads.classifiers import baselines
from workloads.classifiers.data import DataSet, data_set
from workloads.classifiers.encode import thermometer


def _rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    bits = np.random.default_rng(seed).integers(0, 2, (n, 15))
    return bits, np.argmax(bits.reshape(n, 3, 5).sum(axis=2), axis=1)


def _data() -> DataSet:
    return data_set("rows", _rows(1200, 0), _rows(300, 1), feature_bits=1, n_classes=3)


@pytest.mark.parametrize("train", [baselines.float_perceptron, baselines.binary_perceptron])
def test_perceptrons_learn_and_are_the_same_every_time(monkeypatch: pytest.MonkeyPatch, train) -> None:
    monkeypatch.setattr(baselines, "MOST_EPOCHS", 25)
    data = _data()
    found = train(data, thermometer(data, 1), n_hidden=32)
    assert found.layer_sizes == (15, 32, 3) and found.n_macs == 15 * 32 + 32 * 3
    assert found.n_weight_bits == found.n_macs * (32 if found.name == "float MLP" else 1)
    assert found.accuracy > 0.65  # a third by chance
    assert found == train(data, thermometer(data, 1), n_hidden=32)


def test_binary_answers_are_integers_by_hand() -> None:
    """One hidden neuron reads (+1, -1) of two inputs with a bias of -0.6 sqrt(2), -1 in whole XNORs."""
    weights = [np.array([[0.3], [-0.2]], np.float32), np.array([[0.5, -0.1]], np.float32)]
    biases = [np.array([-0.6], np.float32), np.zeros(2, np.float32)]
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    # sums -1, -3, 1, -1 -> hidden -1, -1, 1, -1 -> scores (h, -h)
    assert baselines._answers(weights, biases, bits).tolist() == [1, 1, 0, 1]
