"""ResNet, MobileNet and VGG with 1000 classes, on images of 224 x 224 pixels where not said otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable

from designs.errors import InputError
from workloads.builders.shapes import Network, merged
from workloads.layer import Layer

MOBILENET_WIDTHS = (0.25, 0.5, 0.75, 1.0)
MOBILENET_RESOLUTIONS = (128, 160, 192, 224)
_MOBILENET = re.compile(r"mobilenet_v1:([0-9.]{1,8})(?::([0-9]{1,6}))?")


def names() -> tuple[str, ...]:
    """Names that `build` knows; the last stands for all published variants, `mobilenet_v1:WIDTH:RESOLUTION`."""
    return (*_IN_ORDER, "mobilenet_v1:0.75:224")


def build(name: str) -> tuple[Layer, ...] | None:
    """The layers of a network, those of one shape merged; None where the name is not in `names()`.

    InputError for a variant that was not published.
    """
    layers = in_order(name)
    return None if layers is None else merged(layers)


def in_order(name: str) -> tuple[Layer, ...] | None:
    """`build`, each layer for itself, in the order in which they run."""
    if name in _IN_ORDER:
        return _IN_ORDER[name]()
    if match := _MOBILENET.fullmatch(name):
        widths, resolutions = (", ".join(map(str, known)) for known in (MOBILENET_WIDTHS, MOBILENET_RESOLUTIONS))
        width, resolution = match[1], match[2] or "224"
        if width not in map(str, MOBILENET_WIDTHS) or resolution not in map(str, MOBILENET_RESOLUTIONS):
            raise InputError(
                f"workload {name}: wanted mobilenet_v1:WIDTH:RESOLUTION with a width of {widths} and a resolution of "
                f"{resolutions}, got {width} and {resolution}"
            )
        return mobilenet_layers(float(width), int(resolution))
    return None


def resnet18() -> tuple[Layer, ...]:
    """ResNet-18 (He et al. 2016): blocks of two 3x3 convolutions; 1,814.07 M MACs."""
    return merged(_resnet18())


def resnet50() -> tuple[Layer, ...]:
    """ResNet-50 v1.5: bottlenecks of 1x1, 3x3 (which strides) and 1x1 convolutions; 4,089.18 M MACs."""
    return merged(_resnet50())


def mobilenet_v1() -> tuple[Layer, ...]:
    """MobileNetV1 1.0 (Howard et al. 2017): depthwise and pointwise convolutions in turn; 568.74 M MACs."""
    return merged(mobilenet_layers())


def vgg16() -> tuple[Layer, ...]:
    """VGG-16 (Simonyan and Zisserman 2015): 3x3 convolutions, three large matrices; 15,470.26 M MACs."""
    return merged(_vgg16())


def _resnet18() -> tuple[Layer, ...]:
    net = _resnet_stem()
    for stage, width in enumerate((64, 128, 256, 512)):
        for block in range(2):
            stride = 2 if stage and not block else 1
            name = f"layer{stage + 1}.{block}"
            _shortcut(net, name, width, stride)
            net.conv(f"{name}.conv1", width, 3, stride=stride)
            net.conv(f"{name}.conv2", width, 3, residual=True)
    return _classifier(net)


def _resnet50() -> tuple[Layer, ...]:
    net = _resnet_stem()
    for stage, (width, n_blocks) in enumerate(zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True)):
        for block in range(n_blocks):
            stride = 2 if stage and not block else 1
            name = f"layer{stage + 1}.{block}"
            _shortcut(net, name, 4 * width, stride)
            net.conv(f"{name}.conv1", width, 1)
            net.conv(f"{name}.conv2", width, 3, stride=stride)
            net.conv(f"{name}.conv3", 4 * width, 1, residual=True)
    return _classifier(net)


def mobilenet_layers(width_multiplier: float = 1.0, resolution: int = 224) -> tuple[Layer, ...]:
    """MobileNetV1 layer by layer; `width_multiplier` scales all channels but those of the image and the classes."""
    net = Network(3, resolution, resolution)
    net.conv("conv0", int(32 * width_multiplier), 3, stride=2)
    strided = {2, 4, 6, 12}
    for i, width in enumerate((64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024), start=1):
        net.depthwise(f"dw{i}", 3, stride=2 if i in strided else 1)
        net.conv(f"pw{i}", int(width * width_multiplier), 1)
    return _classifier(net)


def _vgg16() -> tuple[Layer, ...]:
    net = Network(3, 224, 224)
    for group, (width, n_convs) in enumerate(zip((64, 128, 256, 512, 512), (2, 2, 3, 3, 3), strict=True), start=1):
        for i in range(1, n_convs + 1):
            net.conv(f"conv{group}_{i}", width, 3)
        net.max_pool(f"pool{group}", 2, stride=2)
    for name, width in (("fc6", 4096), ("fc7", 4096), ("fc8", 1000)):
        net.fully_connected(name, width)
    return tuple(net.layers)


def _resnet_stem() -> Network:
    net = Network(3, 224, 224)
    net.conv("conv1", 64, 7, stride=2)
    net.max_pool("maxpool", 3, stride=2, pad=1)
    return net


def _shortcut(net: Network, name: str, out_channels: int, stride: int) -> None:
    """The projection of a block whose shape changes: it reads what the block reads, from where the block goes on."""
    if stride == 1 and net.channels == out_channels:
        return
    before = net.channels, net.height, net.width
    net.conv(f"{name}.downsample", out_channels, 1, stride=stride)
    net.channels, net.height, net.width = before


def _classifier(net: Network) -> tuple[Layer, ...]:
    net.global_average_pool()
    net.fully_connected("fc", 1000)
    return tuple(net.layers)


_IN_ORDER: dict[str, Callable[[], tuple[Layer, ...]]] = {
    "resnet18": _resnet18,
    "resnet50": _resnet50,
    "mobilenet_v1": mobilenet_layers,
    "vgg16": _vgg16,
}
