"""What a classifier of LUTs is compared with: a float and a binary perceptron on the same binary features."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from workloads.classifiers.data import DataSet
from workloads.classifiers.encode import Encoding
from workloads.classifiers.training import training_samples

N_HIDDEN = 128
BATCH = 64
SAMPLES_SEEN = 400_000
FEWEST_EPOCHS, MOST_EPOCHS = 5, 60
STEP_SIZE = 3e-3


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A trained perceptron: what it costs to ask it, and how often it is right."""

    name: str
    layer_sizes: tuple[int, ...]  # inputs, hidden, outputs
    weight_bits: int
    accuracy: float  # on the test samples

    @property
    def n_macs(self) -> int:
        """Multiplications of weights for one answer; of a binary perceptron: XNORs."""
        return sum(a * b for a, b in zip(self.layer_sizes, self.layer_sizes[1:], strict=False))

    @property
    def n_weight_bits(self) -> int:
        """Memory of the weights, biases not counted."""
        return self.n_macs * self.weight_bits


def float_perceptron(data: DataSet, encoding: Encoding, *, n_hidden: int = N_HIDDEN, seed: int = 0) -> Baseline:
    """scikit-learn's MLPClassifier: one hidden layer with ReLU, 32-bit floats as hardware would hold them."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    features, labels, _ = training_samples(data, seed)
    n_epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, SAMPLES_SEEN // len(features)))
    model = MLPClassifier((n_hidden,), random_state=seed, max_iter=n_epochs)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the epochs are chosen above
        model.fit(encoding.encode(features).astype(np.float32), labels)
        answers = model.predict(encoding.encode(data.features_test).astype(np.float32))
    return Baseline(
        name="float MLP",
        layer_sizes=(encoding.n_bits, n_hidden, data.n_classes),
        weight_bits=32,
        accuracy=float(np.mean(answers == data.labels_test)),
    )


def binary_perceptron(
    data: DataSet,
    encoding: Encoding,
    *,
    n_hidden: int = N_HIDDEN,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Baseline:
    """Weights and activations of -1 and +1, integer thresholds in place of biases; trained straight through.

    Hidden neurons say the sign of (sum of XNORs + bias); the scores are such sums too, and the largest wins.
    """
    rng = np.random.default_rng((seed, 2))
    features, labels, _ = training_samples(data, seed)
    bits = encoding.encode(features)
    sizes = (encoding.n_bits, n_hidden, data.n_classes)
    weights = [rng.uniform(-1, 1, pair).astype(np.float32) for pair in zip(sizes, sizes[1:], strict=False)]
    biases = [np.zeros(n, np.float32) for n in sizes[1:]]
    parameters = [*weights, *biases]
    mean = [np.zeros_like(p) for p in parameters]
    square = [np.zeros_like(p) for p in parameters]
    n_epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, SAMPLES_SEEN // len(bits)))
    n_steps = n_epochs * -(-len(bits) // BATCH)
    step = 0
    with threadpool_limits(1):
        for epoch in range(n_epochs):
            if progress:
                progress(epoch, n_epochs)
            order = rng.permutation(len(bits))
            for start in range(0, len(order), BATCH):
                chosen = order[start : start + BATCH]
                step += 1
                gradients = _gradients(weights, biases, _signs(bits[chosen]), labels[chosen])
                rate = np.float32(STEP_SIZE * 0.5 * (1 + np.cos(np.pi * step / n_steps)))
                for p, g, m, s in zip(parameters, gradients, mean, square, strict=True):
                    m += np.float32(0.1) * (g - m)
                    s += np.float32(0.001) * (g * g - s)
                    p -= rate * m / np.float32(1 - 0.9**step) / (
                        np.sqrt(s / np.float32(1 - 0.999**step)) + np.float32(1e-8)
                    )
                for w in weights:
                    np.clip(w, -1, 1, out=w)
    answers = _answers(weights, biases, encoding.encode(data.features_test))
    if progress:
        progress(n_epochs, n_epochs)
    return Baseline(
        name="binary MLP", layer_sizes=sizes, weight_bits=1, accuracy=float(np.mean(answers == data.labels_test))
    )


def _gradients(
    weights: list[np.ndarray], biases: list[np.ndarray], x: np.ndarray, labels: np.ndarray
) -> list[np.ndarray]:
    """Gradients of the mean cross entropy, straight through signs of weights and of what lies within their scale."""
    first, second = (np.where(w >= 0, np.float32(1), np.float32(-1)) for w in weights)
    in_scale, hidden_scale = (np.float32(1 / np.sqrt(len(w))) for w in weights)  # sums of n signs spread as sqrt(n)
    level = (x @ first) * in_scale + biases[0]
    hidden = np.where(level >= 0, np.float32(1), np.float32(-1))
    scores = (hidden @ second) * hidden_scale + biases[1]
    d = np.exp(scores - scores.max(axis=1, keepdims=True))
    d /= d.sum(axis=1, keepdims=True)
    d[np.arange(len(x)), labels] -= 1
    d /= np.float32(len(x))
    d_level = (d @ second.T) * hidden_scale * (np.abs(level) < 1)
    return [(x.T @ d_level) * in_scale, (hidden.T @ d) * hidden_scale, d_level.sum(axis=0), d.sum(axis=0)]


def _answers(weights: list[np.ndarray], biases: list[np.ndarray], bits: np.ndarray) -> np.ndarray:
    """The classes, in integers: biases are rounded to whole XNORs."""
    values = bits.astype(np.int64) * 2 - 1
    for layer, (w, bias) in enumerate(zip(weights, biases, strict=True)):
        sums = values @ np.where(w >= 0, 1, -1) + np.rint(bias * np.sqrt(len(w))).astype(np.int64)
        if layer == len(weights) - 1:
            return sums.argmax(axis=1)
        values = np.where(sums >= 0, 1, -1)
    raise AssertionError("no layers")


def _signs(bits: np.ndarray) -> np.ndarray:
    return bits.astype(np.float32) * 2 - 1
