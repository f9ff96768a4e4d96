"""The float network behind the shipped ones, and its training in plain numpy: no framework is needed.

conv1 1-16, 3x3 -> ReLU -> conv2 16-32, 3x3, stride 2 -> ReLU = y -> conv3 32-32, 3x3 -> add y -> ReLU
-> max pool 2x2 -> fully connected 128-10
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Parameters = dict[str, np.ndarray]
CONVS = {"conv1": (16, 1, 1), "conv2": (32, 16, 2), "conv3": (32, 32, 1)}  # name -> (out, in, stride)
PIXEL = np.float32(1 / 16)  # what a pixel counts


def initial_parameters(rng: np.random.Generator) -> Parameters:
    """He-initialized weights, biases of zero."""
    p: Parameters = {}
    for name, (out, depth, _) in CONVS.items():
        p[f"{name}.w"] = rng.normal(0, np.sqrt(2 / (9 * depth)), (out, depth, 3, 3)).astype(np.float32)
        p[f"{name}.b"] = np.zeros(out, np.float32)
    p["fc.w"] = rng.normal(0, np.sqrt(1 / 128), (10, 128)).astype(np.float32)
    p["fc.b"] = np.zeros(10, np.float32)
    return p


def forward(p: Parameters, images: np.ndarray) -> Parameters:
    """Every activation, by name, of images (n, 1, 8, 8) with pixels 0 to 16; `logits` is the last."""
    a: Parameters = {"image": images.astype(np.float32) * PIXEL}
    a["relu1"] = np.maximum(_conv(a["image"], p, "conv1"), 0)
    a["relu2"] = np.maximum(_conv(a["relu1"], p, "conv2"), 0)
    a["conv3"] = _conv(a["relu2"], p, "conv3")
    a["relu3"] = np.maximum(a["conv3"] + a["relu2"], 0)
    n = len(images)
    a["pool"] = a["relu3"].reshape(n, 32, 2, 2, 2, 2).max(axis=(3, 5))
    a["logits"] = a["pool"].reshape(n, 128) @ p["fc.w"].T + p["fc.b"]
    return a


def gradients(p: Parameters, images: np.ndarray, labels: np.ndarray) -> Parameters:
    """Gradients of the mean cross entropy, by parameter."""
    a = forward(p, images)
    n = len(images)
    shifted = np.exp(a["logits"] - a["logits"].max(axis=1, keepdims=True))
    d = shifted / shifted.sum(axis=1, keepdims=True)
    d[np.arange(n), labels] -= 1
    d /= n
    g = {"fc.w": d.T @ a["pool"].reshape(n, 128), "fc.b": d.sum(axis=0)}
    d_pool = (d @ p["fc.w"]).reshape(n, 32, 2, 1, 2, 1)
    tiles = a["relu3"].reshape(n, 32, 2, 2, 2, 2)
    d3 = (d_pool * (tiles == a["pool"].reshape(n, 32, 2, 1, 2, 1))).reshape(n, 32, 4, 4) * (a["relu3"] > 0)
    d2 = (_conv_gradients(g, d3, a["relu2"], p, "conv3") + d3) * (a["relu2"] > 0)
    d1 = _conv_gradients(g, d2, a["relu1"], p, "conv2") * (a["relu1"] > 0)
    _conv_gradients(g, d1, a["image"], p, "conv1")
    return g


def train(images: np.ndarray, labels: np.ndarray, *, seed: int = 0, n_epochs: int = 60, batch: int = 64) -> Parameters:
    """Parameters after Adam with a falling step size, on images shifted by up to one pixel at random."""
    rng = np.random.default_rng(seed)
    p = initial_parameters(rng)
    mean = {k: np.zeros_like(v) for k, v in p.items()}
    square = {k: np.zeros_like(v) for k, v in p.items()}
    n_steps = n_epochs * (len(images) // batch)
    step = 0
    for _ in range(n_epochs):
        order = rng.permutation(len(images))
        for start in range(0, len(images) - batch + 1, batch):
            chosen = order[start : start + batch]
            g = gradients(p, shifted(images[chosen], rng), labels[chosen])
            step += 1
            rate = 2e-3 * 0.5 * (1 + np.cos(np.pi * step / n_steps))
            for k in p:
                mean[k] = 0.9 * mean[k] + 0.1 * g[k]
                square[k] = 0.999 * square[k] + 0.001 * g[k] ** 2
                update = mean[k] / (1 - 0.9**step) / (np.sqrt(square[k] / (1 - 0.999**step)) + 1e-8)
                p[k] = (p[k] - rate * (update + 1e-3 * p[k])).astype(np.float32)
    return p


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of images whose largest logit is that of the label."""
    return float(np.mean(logits.argmax(axis=1) == labels))


def _conv(x: np.ndarray, p: Parameters, name: str) -> np.ndarray:
    """3x3 convolution with padding 1, (n, channels, h, w)."""
    w = p[f"{name}.w"]
    view = _windows(x, CONVS[name][2])
    n, h, width = view.shape[0], view.shape[2], view.shape[3]
    columns = view.transpose(0, 2, 3, 1, 4, 5).reshape(n * h * width, -1)
    y = columns @ w.reshape(len(w), -1).T + p[f"{name}.b"]
    return y.reshape(n, h, width, len(w)).transpose(0, 3, 1, 2)


def _conv_gradients(g: Parameters, d: np.ndarray, x: np.ndarray, p: Parameters, name: str) -> np.ndarray:
    """Add the gradients of a convolution's weights and bias to g; answer that of its input."""
    w, stride = p[f"{name}.w"], CONVS[name][2]
    view = _windows(x, stride)
    n, out, h, width = d.shape
    rows = d.transpose(0, 2, 3, 1).reshape(-1, out)
    columns = view.transpose(0, 2, 3, 1, 4, 5).reshape(n * h * width, -1)
    g[f"{name}.w"] = (rows.T @ columns).reshape(w.shape)
    g[f"{name}.b"] = rows.sum(axis=0)
    spread = (rows @ w.reshape(out, -1)).reshape(n, h, width, w.shape[1], 3, 3)
    dx = np.zeros((n, w.shape[1], x.shape[2] + 2, x.shape[3] + 2), np.float32)
    for r in range(3):
        for c in range(3):
            dx[:, :, r : r + h * stride : stride, c : c + width * stride : stride] += spread[..., r, c].transpose(
                0, 3, 1, 2
            )
    return dx[:, :, 1:-1, 1:-1]


def _windows(x: np.ndarray, stride: int) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::stride, ::stride]


def shifted(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image moved by -1, 0 or 1 pixels both ways, the border filled with background."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    starts = rng.integers(0, 3, (len(images), 2))
    return np.stack([padded[i, :, y : y + 8, x : x + 8] for i, (y, x) in enumerate(starts)])
