"""What a compression search chooses from: axes of shares, patterns and bits, and the scheme of a choice."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from workloads.compression.channels import Filters, channel_groups
from workloads.compression.compose import Compose, Scheme
from workloads.compression.layers import weighted_layers
from workloads.compression.masks import Magnitude, Pattern
from workloads.compression.quantize import Quantize
from workloads.ir import Graph

Choice = dict[str, float | int | str]

CHANNEL_SHARES = (0.0, 0.125, 0.25, 0.375, 0.5)
ZEROS = (0.0, 0.5, "2:4", 0.75, "1:4")  # a share of zeros anywhere, or a pattern that n:m machines make use of
BITS = (8, 6, 5, 4, 3)


@dataclass(frozen=True)
class ChoiceAxis:
    """Values from the least to the most compression; the first leaves the network as it is."""

    name: str  # `channels.LAYER`, `zeros.LAYER`, `bits.LAYER`; without LAYER: of all that have no axis of their own
    values: tuple[float | int | str, ...]


@dataclass(frozen=True)
class Choices:
    """All combinations of the axes' values; the last axis changes fastest."""

    axes: tuple[ChoiceAxis, ...]

    @property
    def n_choices(self) -> int:
        return math.prod(len(axis.values) for axis in self.axes)

    def choice(self, index: int) -> Choice:
        """Number `index`, from 0."""
        places = np.unravel_index(index, [len(axis.values) for axis in self.axes])
        return {axis.name: axis.values[int(place)] for axis, place in zip(self.axes, places, strict=True)}

    def index(self, choice: Choice) -> int:
        """The number of a choice."""
        places = [axis.values.index(choice[axis.name]) for axis in self.axes]
        return int(np.ravel_multi_index(places, [len(axis.values) for axis in self.axes]))

    def at(self, level: float) -> Choice:
        """The choice a share `level` of the way from no compression to the most, on all axes alike."""
        return {axis.name: axis.values[round(level * (len(axis.values) - 1))] for axis in self.axes}

    def sample(self, n: int, seed: int) -> list[Choice]:
        """All choices where there are at most n, else n different ones at random."""
        if self.n_choices <= n:
            return [self.choice(index) for index in range(self.n_choices)]
        drawn = np.random.default_rng(seed).choice(self.n_choices, n, replace=False) if self.n_choices < 1 << 20 else (
            np.unique(np.random.default_rng(seed).integers(0, self.n_choices, n)))  # fmt: skip
        return [self.choice(int(index)) for index in drawn]


def choices_by_layer(graph: Graph) -> Choices:
    """Channels of each group, and zeros and bits of each layer with weights."""
    axes = [ChoiceAxis(f"channels.{group.producers[0]}", CHANNEL_SHARES) for group in channel_groups(graph)]
    for layer in weighted_layers(graph):
        axes.append(ChoiceAxis(f"zeros.{layer.name}", ZEROS))
        axes.append(ChoiceAxis(f"bits.{layer.name}", _bits(layer.weights.bits, BITS)))
    return Choices(tuple(axes))


def scheme_of(graph: Graph, choice: Mapping[str, float | int | str]) -> Scheme:
    """Channels first, then zeros, then bits, one scale a channel; without a choice, the bits that `graph` has."""
    widths = {layer.name: layer.weights.bits for layer in weighted_layers(graph)}
    channels = {name.partition(".")[2]: float(v) for name, v in choice.items() if name.startswith("channels.")}
    zeros = _of_layers("zeros", widths, choice)
    bits = widths | {name: int(value) for name, value in _of_layers("bits", widths, choice).items()}
    return Compose(
        (
            Filters(sparsity=channels),
            Magnitude(sparsity={name: float(v) for name, v in zeros.items() if not isinstance(v, str)}),
            Pattern(pattern={name: v for name, v in zeros.items() if isinstance(v, str)}),
            Quantize(bits=bits, scales="least_squares"),
        )
    )


def _of_layers(
    what: str, layers: Iterable[str], choice: Mapping[str, float | int | str]
) -> dict[str, float | int | str]:
    found = {}
    for name in layers:
        value = choice.get(f"{what}.{name}", choice.get(what))
        if value is not None:
            found[name] = value
    return found


def _bits(most: int, values: tuple[int, ...]) -> tuple[int, ...]:
    """The widths up to that of the reference."""
    return (most, *(bits for bits in values if bits < most))
