"""Steps of Adam on weights by name, and what trainers share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from workloads.compression.quantize import Reals

Weights = dict[str, np.ndarray]  # `LAYER.weights` and `LAYER.bias`
_MEAN, _SQUARE, _SMALL = 0.9, 0.999, 1e-8  # decay of both moments, and what keeps the root from zero: Adam's own


class Adam:
    """Moments of the gradients so far (Kingma and Ba, 2015)."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._n_steps = 0
        self._mean = {name: np.zeros_like(value) for name, value in weights.items()}
        self._square = {name: np.zeros_like(value) for name, value in weights.items()}

    def step(self, weights: Weights, gradients: Mapping[str, np.ndarray], rate: float) -> Weights:
        """The weights one step on, in their own types."""
        self._n_steps += 1
        found = {}
        for name, value in weights.items():
            d = gradients[name]
            mean = self._mean[name] = _MEAN * self._mean[name] + (1 - _MEAN) * d
            square = self._square[name] = _SQUARE * self._square[name] + (1 - _SQUARE) * d**2
            update = mean / (1 - _MEAN**self._n_steps) / (np.sqrt(square / (1 - _SQUARE**self._n_steps)) + _SMALL)
            found[name] = value - value.dtype.type(rate) * update
        return found


def falling(rate: float, step: int, n_steps: int) -> float:
    """The step size at step 0 to n_steps - 1: half a cosine from `rate` towards 0."""
    return float(rate * 0.5 * (1 + np.cos(np.pi * step / n_steps)))


def flat(values: Mapping[str, Reals], dtype: type | None = None) -> Weights:
    """Numbers of layers, by names of their own."""
    found = {}
    for name, of_layer in values.items():
        for part, array in of_layer._asdict().items():
            if array is not None:
                found[f"{name}.{part}"] = array if dtype is None else array.astype(dtype)
    return found


def by_layer(weights: Mapping[str, np.ndarray]) -> dict[str, Reals]:
    """What `flat` took apart."""
    names = [name.removesuffix(".weights") for name in weights if name.endswith(".weights")]
    return {name: Reals(weights[f"{name}.weights"], weights.get(f"{name}.bias")) for name in names}
