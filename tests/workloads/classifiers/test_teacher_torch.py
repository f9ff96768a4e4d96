"""The teacher with convolutions: without torch one line; with it, what it hands on."""

import sys

import numpy as np
import pytest

from designs.errors import InputError
from designs.families.lut import Design
from workloads.classifiers.data import DataSet, data_set
from workloads.classifiers.teacher_torch import N_FEATURES, train_conv_teacher


def _bars(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of 20 x 20 with a bright horizontal, vertical or no bar, on noise."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 120, (n, 20, 20))
    labels = rng.integers(0, 3, n)
    for image, label, place in zip(images, labels, rng.integers(4, 16, n), strict=True):
        if label == 0:
            image[place] += 120
        elif label == 1:
            image[:, place] += 120
    return images.reshape(n, -1), labels


def _data() -> DataSet:
    return data_set("bars", _bars(240, 0), _bars(90, 1), feature_bits=8, n_classes=3, image_shape=(1, 20, 20))


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"^bars: wanted torch.*pip install 'lockstep\[torch\]'") as error:
        train_conv_teacher(_data(), neurons_per_class=2, seed=0)
    assert "\n" not in str(error.value)


def test_tables_have_no_convolutions() -> None:
    data = data_set("table", (np.eye(4, dtype=int), np.arange(4) % 2), (np.eye(4, dtype=int), np.arange(4) % 2), feature_bits=1, n_classes=2)
    with pytest.raises(InputError, match="^table: wanted images"):
        train_conv_teacher(data, neurons_per_class=2, seed=0)


def test_features_and_head_are_the_network(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)  # tiny layers: threads would only wait for each other
    from workloads.classifiers import teacher_torch
    from workloads.classifiers.training import train

    monkeypatch.setattr(teacher_torch, "CHANNELS", (4, 8))
    monkeypatch.setattr(teacher_torch, "MOST_EPOCHS", 12)
    monkeypatch.setattr(teacher_torch, "BATCH", 24)
    data = _data()
    features, teacher = train_conv_teacher(data, neurons_per_class=3, seed=0)
    assert features.features_train.shape == (240, N_FEATURES) and features.feature_bits == 1
    assert (features.labels_test == data.labels_test).all()
    answers = teacher.scores(teacher.neurons(features.features_test)).argmax(axis=1)
    assert np.mean(answers == data.labels_test) > 0.9
    again, _ = train_conv_teacher(data, neurons_per_class=3, seed=0)
    assert again.digest == features.digest

    monkeypatch.setenv("LOCKSTEP_CACHE_DIR", str(tmp_path))
    classifier = train(Design(neurons_per_class=3), data)
    assert classifier.netlist.n_inputs == N_FEATURES and classifier.samples.shape == (90, N_FEATURES)
    assert classifier.facts["accuracy"] > 0.85
