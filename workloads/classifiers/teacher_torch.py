"""The teacher for larger images, with torch (the extra `torch`): convolutions that end in 512 binary features.

As in PoET-BiN the convolutions stay outside the circuit: what is handed on is a data set of their binary features, and
the teacher's classifier part, which reads these.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from designs.errors import InputError
from workloads.classifiers.data import DataSet, data_set
from workloads.classifiers.encode import shifted
from workloads.classifiers.teacher import INVERTED, Progress, Teacher

N_FEATURES = 512
N_HIDDEN = 512
CHANNELS = (32, 64, 128)  # of the convolutions; each pair of them halves the image
BATCH = 128
SAMPLES_SEEN = 1_200_000
FEWEST_EPOCHS, MOST_EPOCHS = 10, 60
STEP_SIZE = 2e-3
WEIGHT_DECAY = 1e-4


def train_conv_teacher(
    data: DataSet, *, neurons_per_class: int, seed: int, progress: Progress | None = None
) -> tuple[DataSet, Teacher]:
    """(the binary features of all samples, labels as in `data`; the teacher that reads them as bits).

    The same bytes every time with the same number of torch's threads. `progress(n_done, n_all)` counts epochs.
    InputError where `data` are no images or torch is not installed.
    """
    if data.image_shape is None:
        raise InputError(f"{data.name}: wanted images for a teacher with convolutions, got features without a shape")
    try:
        import torch
    except ModuleNotFoundError as error:
        raise InputError(
            f"{data.name}: wanted torch, which trains the teacher of images this large, got none; "
            "pip install 'lockstep[torch]', or bring binary features of your own as an .npz"
        ) from error
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _Network(torch, data, neurons_per_class)
        _train(torch, network, data, np.random.default_rng(seed), progress)
        network.stack.eval(), network.head.eval()
        bits = [_features(torch, network, images) for images in (data.features_train, data.features_test)]
    features = data_set(
        data.name, (bits[0], data.labels_train), (bits[1], data.labels_test), feature_bits=1, n_classes=data.n_classes
    )
    return features, _teacher(network)


class _Network:
    """`stack`: images to features before their sign; `head`: features to intermediate neurons before their sign."""

    def __init__(self, torch: Any, data: DataSet, per_class: int) -> None:
        nn = torch.nn
        assert data.image_shape is not None
        depth, height, width = data.image_shape
        self.shape = (depth, height, width)
        self.pixel = 1.0 / ((1 << data.feature_bits) - 1)
        layers: list[Any] = []
        for channels in CHANNELS:
            for _ in range(2):
                layers += [nn.Conv2d(depth, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
                depth = channels
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            height, width = -(-height // 2), -(-width // 2)
        layers += [nn.Flatten(), nn.Linear(depth * height * width, N_FEATURES), nn.BatchNorm1d(N_FEATURES)]
        n_neurons = data.n_classes * per_class
        self.stack = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Linear(N_FEATURES, N_HIDDEN),
            nn.BatchNorm1d(N_HIDDEN),
            nn.ReLU(),
            nn.Linear(N_HIDDEN, n_neurons),
            nn.BatchNorm1d(n_neurons),
        )
        self.score_weights = nn.Parameter(0.5 * torch.randn(data.n_classes, per_class))
        self.score_bias = nn.Parameter(torch.zeros(data.n_classes))

    def parameters(self) -> list[Any]:
        return [*self.stack.parameters(), *self.head.parameters(), self.score_weights, self.score_bias]

    def images(self, torch: Any, features: np.ndarray) -> Any:
        return torch.from_numpy(features.reshape(-1, *self.shape).astype(np.float32) * np.float32(self.pixel))

    def scores(self, torch: Any, images: Any) -> Any:
        neurons = _sign(torch, self.head(_sign(torch, self.stack(images))))
        inverted = torch.rand_like(neurons) < INVERTED
        neurons = torch.where(inverted, -neurons, neurons)
        return (neurons.reshape(len(images), *self.score_weights.shape) * self.score_weights).sum(2) + self.score_bias


def _sign(torch: Any, x: Any) -> Any:
    """-1 or +1, 0 gives +1; the gradient passes within -1 to +1."""
    limited = x.clamp(-1, 1)
    return limited + (torch.where(x >= 0, 1.0, -1.0) - limited).detach()


def _train(
    torch: Any, network: _Network, data: DataSet, rng: np.random.Generator, progress: Progress | None
) -> None:
    n = len(data.features_train)
    n_epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, SAMPLES_SEEN // n))
    n_batches = max(1, n // BATCH)  # of near equal size: a batch of one sample has no variance to normalize by
    optimizer = torch.optim.AdamW(network.parameters(), lr=STEP_SIZE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_epochs * n_batches)
    labels = torch.from_numpy(data.labels_train)
    for epoch in range(n_epochs):
        if progress:
            progress(epoch, n_epochs)
        for chosen in np.array_split(rng.permutation(n), n_batches):
            images = shifted(data.features_train[chosen], network.shape, rng)
            loss = torch.nn.functional.cross_entropy(
                network.scores(torch, network.images(torch, images)), labels[torch.from_numpy(chosen)]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    if progress:
        progress(n_epochs, n_epochs)


def _features(torch: Any, network: _Network, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        parts = [
            (network.stack(network.images(torch, images[start : start + 1024])) >= 0).numpy()
            for start in range(0, len(images), 1024)
        ]
    return np.concatenate(parts).astype(np.uint8)


def _teacher(network: _Network) -> Teacher:
    """The head as plain arrays: each normalization is folded into the layer before it."""
    hidden, hidden_norm, _, neurons, neuron_norm = network.head
    hidden_weights, hidden_bias = _folded(hidden, hidden_norm)
    neuron_weights, neuron_bias = _folded(neurons, neuron_norm)
    return Teacher(
        hidden_weights=hidden_weights,
        hidden_bias=hidden_bias,
        neuron_weights=neuron_weights,
        neuron_bias=neuron_bias,
        score_weights=network.score_weights.detach().numpy().astype(np.float32),
        score_bias=network.score_bias.detach().numpy().astype(np.float32),
    )


def _folded(linear: Any, norm: Any) -> tuple[np.ndarray, np.ndarray]:
    """(weights (n_in, n_out), bias) of a fully connected layer followed by a batch normalization at inference."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    weights = linear.weight * scale[:, None]
    bias = (linear.bias - norm.running_mean) * scale + norm.bias
    return (np.ascontiguousarray(weights.detach().numpy().T, np.float32), bias.detach().numpy().astype(np.float32))
