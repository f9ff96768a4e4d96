"""The teacher: gradients against differences, determinism, what it learns."""

import numpy as np
import pytest

from workloads.classifiers import teacher as module
from workloads.classifiers.data import DataSet, data_set
from workloads.classifiers.encode import thermometer
from workloads.classifiers.teacher import Teacher, train_teacher


def _parity_of_halves(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """16 bits; the class says in which halves most bits are 1: no single bit tells it."""
    bits = np.random.default_rng(seed).integers(0, 2, (n, 16))
    return bits, (bits[:, :8].sum(axis=1) > 4) * 2 + (bits[:, 8:].sum(axis=1) > 4)


def _data() -> DataSet:
    return data_set("halves", _parity_of_halves(1500, 0), _parity_of_halves(400, 1), feature_bits=1, n_classes=4)


def _same(first: Teacher, second: Teacher) -> bool:
    return all(np.array_equal(value, getattr(second, name)) for name, value in vars(first).items())


def test_it_learns_and_is_the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_EPOCHS", 15)
    data = _data()
    encoding = thermometer(data, 1)
    told: list[tuple[int, int]] = []
    found = train_teacher(data, encoding, neurons_per_class=3, seed=5, progress=lambda *n: told.append(n))
    neurons = found.neurons(data.features_test)
    assert neurons.shape == (400, 12) and set(neurons.flat) == {0, 1}
    assert np.mean(found.scores(neurons).argmax(axis=1) == data.labels_test) > 0.85
    assert told == [(epoch, 15) for epoch in range(16)]
    assert _same(found, train_teacher(data, encoding, neurons_per_class=3, seed=5))
    assert not _same(found, train_teacher(data, encoding, neurons_per_class=3, seed=6))


def test_gradients_are_differences() -> None:
    """In the parameters behind the sign exactly; before it, of the network whose sign is x within -1 to 1 (no sample
    is near 0 or beyond 1 there, so that the straight-through gradient is that network's, at the sign's output)."""
    rng = np.random.default_rng(0)
    p = [a.astype(np.float64) for a in module._initial(rng, 5, 4, 3, 2)]
    x, labels = rng.choice([-1.0, 1.0], (7, 5)), rng.integers(0, 3, 7)
    kept = np.where(rng.random((7, 6)) < 0.3, -1.0, 1.0)
    found = module._gradients(p, x, labels, kept)

    def level() -> np.ndarray:
        return np.maximum(x @ p[0] + p[1], 0) @ p[2] + p[3]

    signs = np.where(level() >= 0, 1.0, -1.0)
    limited = np.clip(level(), -1, 1)

    def loss() -> float:
        neurons = (signs + np.clip(level(), -1, 1) - limited) * kept
        scores = (neurons.reshape(7, 3, 2) * p[4]).sum(axis=2) + p[5]
        return float(np.mean(np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(7), labels]))

    for parameter, gradient in zip(p, found, strict=True):
        for index in np.ndindex(parameter.shape):
            kept_value = parameter[index]
            parameter[index] = kept_value + 1e-6
            above = loss()
            parameter[index] = kept_value - 1e-6
            assert gradient[index] == pytest.approx((above - loss()) / 2e-6, abs=1e-7)
            parameter[index] = kept_value
