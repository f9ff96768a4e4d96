"""Builders against published totals (facts: workloads.md, section 6; the references there are torchvision's counts)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from workloads.builders import network_macs, network_weights
from workloads.builders.convnets import mobilenet_v1, resnet18, resnet50, vgg16
from workloads.builders.transformers import bert_base_layer
from workloads.layer import Layer

# builder, published MACs in units of 10,000 (1,814.07 M), published parameters, parameters that are no weights:
# batch normalization has two a channel, the classifier a bias; VGG has biases only
TOTALS = [
    (resnet18, 181_407, 11_689_512, 2 * 4800 + 1000),
    (resnet50, 408_918, 25_557_032, 2 * 26_560 + 1000),
    (mobilenet_v1, 56_874, 4_231_976, 2 * 10_944 + 1000),
    (vgg16, 1_547_026, 138_357_544, 4224 + 2 * 4096 + 1000),
]


@pytest.mark.parametrize(("build", "macs", "parameters", "others"), TOTALS)
def test_published_totals(build: Callable[[], tuple[Layer, ...]], macs: int, parameters: int, others: int) -> None:
    layers = build()
    assert round(network_macs(layers) / 1e4) == macs
    assert network_weights(layers) + others == parameters


@pytest.mark.parametrize(("build", "others"), [(case[0], case[3]) for case in TOTALS])
def test_other_parameters_follow_from_the_channels(build: Callable[[], tuple[Layer, ...]], others: int) -> None:
    convs = [x for x in build() if x.kind == "conv" and not x.name.startswith(("fc", "average_pool"))]
    fully_connected = [x for x in build() if x.name.startswith("fc")]
    channels = sum(x.out_channels * x.repeat for x in convs)
    per_channel = 1 if build is vgg16 else 2
    assert per_channel * channels + sum(x.out_channels * x.repeat for x in fully_connected) == others


def test_resnet_additions_are_residuals() -> None:
    assert sum(x.repeat for x in resnet18() if x.residual) == 8
    assert sum(x.repeat for x in resnet50() if x.residual) == 16
    assert sum(x.repeat for x in resnet50()) == 53 + 1 + 2  # convolutions, classifier, two poolings


def test_resnet50_strides_in_the_3x3() -> None:
    strided = [x for x in resnet50() if x.stride_h == 2 and x.kernel_h == 3 and x.kind == "conv"]
    assert [(x.in_h, x.out_h, x.out_channels) for x in strided] == [(56, 28, 128), (28, 14, 256), (14, 7, 512)]


def test_first_and_last_layers() -> None:
    for build in (resnet18, resnet50, mobilenet_v1, vgg16):
        layers = build()
        assert layers[0].in_channels == 3 and layers[0].in_h == 224
        assert (layers[-1].out_channels, layers[-1].out_h) == (1000, 1)


def test_bert_base_layer() -> None:
    layers = {layer.name: layer for layer in bert_base_layer()}
    macs = {name: layer.n_macs * layer.repeat for name, layer in layers.items()}
    # 12 such layers: query, key, value and output 3,624 M, attention 302 M, feed-forward 7,248 M; 11,174 M in all
    assert layers["query"].repeat == 4 and round(12 * macs["query"] / 1e6) == 3624
    assert layers["attention_scores"].repeat == 12
    assert round(12 * (macs["attention_scores"] + macs["attention_values"]) / 1e6) == 302
    assert round(12 * (macs["feed_forward_up"] + macs["feed_forward_down"]) / 1e6) == 7248
    assert round(12 * network_macs(layers.values()) / 1e6) == 11_174
    assert layers["query"].in_h * layers["query"].in_w == 128


def test_layers_chain() -> None:
    """Each unmerged layer reads what the layer before wrote, where that is so by construction (VGG)."""
    layers = vgg16()
    for before, layer in zip(layers, layers[1:], strict=False):
        assert (layer.in_channels, layer.in_h) == (before.out_channels, before.out_h)
