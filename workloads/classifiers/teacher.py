"""The teacher of PoET-BiN: a small network with a binary hidden layer, whose neurons RINC modules learn to mimic.

bits (-1, +1) -> fully connected, ReLU -> fully connected, sign: the intermediate neurons, `neurons_per_class` for each
class -> a class's score reads its own neurons only. The sign is trained straight through (its gradient is 1 within -1
to +1), with cross entropy and Adam, in numpy: seconds for a small set.

As in the authors' released code but for the hidden layer's size and two things that we found to help on small sets:
images are moved by a pixel and made noisy, and while training, intermediate neurons are inverted at random: scores then
stand what modules get wrong. How much of each was chosen by cross-validation inside the digits' training samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from workloads.classifiers.data import DataSet
from workloads.classifiers.encode import Encoding, noisy, shifted

N_HIDDEN = 192
BATCH = 64
SAMPLES_SEEN = 600_000  # of a whole training, where that is between the fewest and the most epochs
FEWEST_EPOCHS, MOST_EPOCHS = 10, 80
STEP_SIZE = 4e-3
WEIGHT_DECAY = 1e-4
INVERTED = 0.1  # share of intermediate neurons that are inverted while training
MOVED = 0.3  # share of images that are moved in an epoch; of 8 x 8 pixels, one is a long way

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Teacher:
    """The trained network; all arrays are float32. Neuron c * neurons_per_class + i is the i-th of class c."""

    hidden_weights: np.ndarray  # (n_bits, n_hidden)
    hidden_bias: np.ndarray
    neuron_weights: np.ndarray  # (n_hidden, n_neurons)
    neuron_bias: np.ndarray
    score_weights: np.ndarray  # (n_classes, neurons_per_class)
    score_bias: np.ndarray

    def neurons(self, bits: np.ndarray) -> np.ndarray:
        """The intermediate neurons: (n_samples, n_bits) of 0 and 1 -> (n_samples, n_neurons) uint8."""
        found = np.empty((len(bits), len(self.neuron_bias)), np.uint8)
        with threadpool_limits(1):
            for start in range(0, len(bits), 4096):
                hidden = np.maximum(_signs(bits[start : start + 4096]) @ self.hidden_weights + self.hidden_bias, 0)
                found[start : start + 4096] = hidden @ self.neuron_weights + self.neuron_bias >= 0
        return found

    def scores(self, neurons: np.ndarray) -> np.ndarray:
        """(n_samples, n_neurons) of 0 and 1 -> (n_samples, n_classes) float32."""
        grouped = _signs(neurons).reshape(len(neurons), *self.score_weights.shape)
        return np.einsum("nck,ck->nc", grouped, self.score_weights) + self.score_bias


def train_teacher(
    data: DataSet, encoding: Encoding, *, neurons_per_class: int, seed: int, progress: Progress | None = None
) -> Teacher:
    """A teacher on the encoded training samples. One BLAS thread: the same bytes on a machine with any number of cores.

    `progress(n_done, n_all)` counts epochs.
    """
    rng = np.random.default_rng(seed)
    sizes = (encoding.n_bits, N_HIDDEN, data.n_classes, neurons_per_class)
    parameters = _initial(rng, *sizes)
    optimizer = _Adam([np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters])
    n = len(data.features_train)
    n_epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, SAMPLES_SEEN // n))
    n_steps = n_epochs * -(-n // BATCH)
    with threadpool_limits(1):
        for epoch in range(n_epochs):
            if progress:
                progress(epoch, n_epochs)
            for bits, labels in _batches(data, encoding, rng):
                kept = np.where(rng.random((len(bits), sizes[2] * sizes[3])) < INVERTED, -1, 1).astype(np.float32)
                optimizer.step(parameters, _gradients(parameters, _signs(bits), labels, kept), n_steps)
    if progress:
        progress(n_epochs, n_epochs)
    return Teacher(
        hidden_weights=parameters[0],
        hidden_bias=parameters[1],
        neuron_weights=parameters[2],
        neuron_bias=parameters[3],
        score_weights=parameters[4],
        score_bias=parameters[5],
    )


def _initial(rng: np.random.Generator, n_bits: int, n_hidden: int, n_classes: int, per_class: int) -> list[np.ndarray]:
    n_neurons = n_classes * per_class
    shapes = ((n_bits, n_hidden), (n_hidden, n_neurons), (n_classes, per_class))
    deviations = (np.sqrt(2 / n_bits), np.sqrt(1 / n_hidden), 0.5)
    parameters = []
    for shape, deviation, n_out in zip(shapes, deviations, (n_hidden, n_neurons, n_classes), strict=True):
        parameters.append(rng.normal(0, deviation, shape).astype(np.float32))
        parameters.append(np.zeros(n_out, np.float32))
    return parameters


def _batches(data: DataSet, encoding: Encoding, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(bits, labels) of one epoch; images are moved and noisy, each time anew."""
    features = data.features_train
    if data.image_shape is not None:
        features = shifted(features, data.image_shape, rng, MOVED)
        if data.feature_bits > 1:
            features = noisy(features, int(data.features_train.max()), rng)
    order = rng.permutation(len(features))
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        yield encoding.encode(features[chosen]), data.labels_train[chosen]


def _gradients(p: list[np.ndarray], x: np.ndarray, labels: np.ndarray, kept: np.ndarray) -> list[np.ndarray]:
    """Gradients of the mean cross entropy, by parameter."""
    n_classes, per_class = p[4].shape
    hidden = np.maximum(x @ p[0] + p[1], 0)
    level = hidden @ p[2] + p[3]
    neurons = (np.where(level >= 0, kept, -kept)).reshape(-1, n_classes, per_class)
    scores = (neurons * p[4]).sum(axis=2) + p[5]
    d = np.exp(scores - scores.max(axis=1, keepdims=True))
    d /= d.sum(axis=1, keepdims=True)
    d[np.arange(len(x)), labels] -= 1
    d /= np.float32(len(x))
    d_level = (d[:, :, None] * p[4]).reshape(level.shape) * kept * (np.abs(level) < 1)
    d_hidden = (d_level @ p[2].T) * (hidden > 0)
    return [
        x.T @ d_hidden,
        d_hidden.sum(axis=0),
        hidden.T @ d_level,
        d_level.sum(axis=0),
        (d[:, :, None] * neurons).sum(axis=0),
        d.sum(axis=0),
    ]


@dataclass
class _Adam:
    """Adam with a step size that falls as a cosine, and decoupled weight decay."""

    mean: list[np.ndarray]
    square: list[np.ndarray]
    n_done: int = 0

    def step(self, parameters: list[np.ndarray], gradients: list[np.ndarray], n_steps: int) -> None:
        """Change the parameters in place."""
        self.n_done += 1
        size = STEP_SIZE * 0.5 * (1 + np.cos(np.pi * self.n_done / n_steps))
        mean_scale = np.float32(size / (1 - 0.9**self.n_done))
        square_scale = np.float32(1 / (1 - 0.999**self.n_done))
        for p, gradient, mean, square in zip(parameters, gradients, self.mean, self.square, strict=True):
            mean += np.float32(0.1) * (gradient - mean)
            square += np.float32(0.001) * (gradient * gradient - square)
            p -= mean_scale * mean / (np.sqrt(square * square_scale) + np.float32(1e-8))
            p -= np.float32(size * WEIGHT_DECAY) * p


def _signs(bits: np.ndarray) -> np.ndarray:
    return bits.astype(np.float32) * 2 - 1
