"""What all builders share: a network under construction, and the totals that publications count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

from workloads.layer import Layer, matrix_lines
from workloads.vector_layer import Job

AVERAGE_POOL = "average_pool"  # names of these layers start so; publications do not count their additions as MACs


class Network:
    """Layers in order; keeps the size of the image that the next layer reads."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        self.layers: list[Layer] = []
        self.channels, self.height, self.width = channels, height, width

    def conv(
        self, name: str, out_channels: int, kernel: int, *, stride: int = 1, pad: int | None = None, groups: int = 1,
        residual: bool = False,
    ) -> None:  # fmt: skip
        """A square convolution; padding is that of "same" where not given."""
        self._window(name, "conv", out_channels, kernel, stride, kernel // 2 if pad is None else pad, groups, residual)

    def depthwise(self, name: str, kernel: int, *, stride: int = 1) -> None:
        """A convolution of each channel with a kernel of its own."""
        self.conv(name, self.channels, kernel, stride=stride, groups=self.channels)

    def max_pool(self, name: str, kernel: int, *, stride: int, pad: int = 0) -> None:
        """Max pooling."""
        self._window(name, "max_pool", self.channels, kernel, stride, pad, 1, False)

    def global_average_pool(self) -> None:
        """The mean of each channel: a convolution with ones."""
        self.conv(AVERAGE_POOL, self.channels, self.height, pad=0, groups=self.channels)
        self.layers[-1] = replace(self.layers[-1], shared_weights=True)

    def fully_connected(self, name: str, out_features: int) -> None:
        """A matrix product with all pixels of the image: a convolution as large as the image."""
        self._window(name, "conv", out_features, self.height, 1, 0, 1, False)

    def _window(
        self, name: str, kind: str, out_channels: int, kernel: int, stride: int, pad: int, groups: int, residual: bool
    ) -> None:
        out_h = (self.height + 2 * pad - kernel) // stride + 1
        out_w = (self.width + 2 * pad - kernel) // stride + 1
        self.layers.append(
            Layer(
                name=name, kind=kind, in_h=self.height, in_w=self.width, in_channels=self.channels,  # type: ignore[arg-type]
                out_h=out_h, out_w=out_w, out_channels=out_channels, kernel_h=kernel, kernel_w=kernel,
                stride_h=stride, stride_w=stride, pad_top=pad, pad_left=pad, groups=groups, residual=residual,
            )
        )  # fmt: skip
        self.channels, self.height, self.width = out_channels, out_h, out_w


def matrix_product(name: str, m: int, k: int, n: int, *, repeat: int = 1) -> Layer:
    """(m, k) x (k, n) as a 1x1 convolution over m pixels; `matrix_lines` may pad m."""
    lines, pixels = matrix_lines(m)
    return Layer(
        name=name, kind="conv", in_h=lines, in_w=pixels, in_channels=k, out_h=lines, out_w=pixels, out_channels=n,
        repeat=repeat,
    )  # fmt: skip


def merged(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Layers of the same shape as one, with `repeat` added up, named as the first; layers without numbers only."""
    by_shape: dict[tuple[object, ...], Layer] = {}
    names = [f.name for f in fields(Layer) if f.name not in ("name", "repeat", "inputs", "output", "numbers")]
    for layer in layers:
        shape = tuple(getattr(layer, name) for name in names) + (layer.name.startswith(AVERAGE_POOL),)
        first = by_shape.get(shape)
        by_shape[shape] = layer if first is None else replace(first, repeat=first.repeat + layer.repeat)
    return tuple(by_shape.values())


def network_macs(layers: Iterable[Job]) -> int:
    """Multiplications of convolutions and matrix products, as publications count them: no pooling of either kind."""
    return sum(layer.n_macs * layer.repeat for layer in layers if not layer.name.startswith(AVERAGE_POOL))


def network_weights(layers: Iterable[Layer]) -> int:
    """Weights of convolutions and matrix products, biases and pooling not counted."""
    return sum(layer.n_weights * layer.repeat for layer in layers if not layer.name.startswith(AVERAGE_POOL))
