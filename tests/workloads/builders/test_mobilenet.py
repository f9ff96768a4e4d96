"""Variants of MobileNetV1 against the counts of Howard et al. 2017, tables 6 and 7 (recalled, in millions)."""

from __future__ import annotations

import pytest

from designs.errors import InputError
from workloads.builders import network_macs, network_weights
from workloads.builders.convnets import MOBILENET_RESOLUTIONS, MOBILENET_WIDTHS, build, in_order, mobilenet_v1
from workloads.load import load_workload


@pytest.mark.parametrize(("width", "macs", "parameters"), [("1.0", 569, 4.2), ("0.75", 325, 2.6), ("0.5", 149, 1.3), ("0.25", 41, 0.5)])  # fmt: skip  # noqa: E501
def test_widths(width: str, macs: int, parameters: float) -> None:
    layers = build(f"mobilenet_v1:{width}")
    assert layers is not None
    assert round(network_macs(layers) / 1e6) == macs
    assert round((network_weights(layers) + 1000 + 2 * 10_944 * float(width)) / 1e6, 1) == parameters


@pytest.mark.parametrize(("resolution", "macs"), [(224, 569), (192, 418), (160, 290), (128, 186)])
def test_resolutions(resolution: int, macs: int) -> None:
    layers = build(f"mobilenet_v1:1.0:{resolution}")
    assert layers is not None and abs(network_macs(layers) / 1e6 - macs) < 1


def test_the_largest_variant_is_the_network_itself() -> None:
    assert build("mobilenet_v1:1.0:224") == build("mobilenet_v1:1.0") == build("mobilenet_v1") == mobilenet_v1()
    assert load_workload("mobilenet_v1:1.0:224").digest == load_workload("mobilenet_v1").digest


def test_layers_in_order_chain() -> None:
    for width in MOBILENET_WIDTHS:
        for resolution in MOBILENET_RESOLUTIONS:
            layers = in_order(f"mobilenet_v1:{width}:{resolution}")
            assert layers is not None and len(layers) == 29 and all(layer.repeat == 1 for layer in layers)
            for before, layer in zip(layers, layers[1:], strict=False):
                assert (layer.in_channels, layer.in_h) == (before.out_channels, before.out_h)


@pytest.mark.parametrize("name", ["mobilenet_v1:0.8", "mobilenet_v1:0.75:225", "mobilenet_v1:.5:224", "mobilenet_v1:1:224"])
def test_other_variants_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="wanted mobilenet_v1:WIDTH:RESOLUTION with a width of 0.25, 0.5, 0.75, 1.0"):
        load_workload(name)
