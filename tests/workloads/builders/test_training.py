"""The three products of a training step."""

from __future__ import annotations

import pytest

from designs.errors import InputError
from workloads.builders import training
from workloads.load import load_workload


def test_products_by_hand() -> None:
    forward, backward, weights = training.training_step(30, 20, 10)
    sizes = [(p.in_h * p.in_w, p.in_channels, p.out_channels) for p in (forward, backward, weights)]
    assert sizes == [(30, 20, 10), (30, 10, 20), (20, 30, 10)]
    assert {p.n_macs for p in (forward, backward, weights)} == {6000}
    assert [p.weight_n_of_m for p in (forward, backward, weights)] == [(1, 1)] * 3


def test_names_tell_sizes_and_patterns() -> None:
    assert training.build("training_step:8x4x2") == training.training_step(8, 4, 2)
    built = training.build("training_step:64x32x16:weights=1:2:forward=4:8")
    assert built is not None and [p.weight_n_of_m for p in built] == [(4, 8), (1, 1), (1, 2)]
    assert training.build("resnet50") is None
    (name,) = training.names()
    assert [layer.name for layer in load_workload(name).layers] == list(training.PRODUCTS)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("training_step", "wanted sizes MxKxN as in training_step:1024x1024x1024:forward=2:4, got ''"),
        ("training_step:8x4", "wanted sizes MxKxN as in training_step:1024x1024x1024:forward=2:4, got '8x4'"),
        ("training_step:0x4x2", "wanted sizes of 1 to 1048576, got 0x4x2"),
        (
            "training_step:8x4x2:forwards=2:4",
            "wanted each of forward, backward, weights at most once, as forward=2:4, got 'forwards=2:4'",
        ),
        ("training_step:8x4x2:forward=2:4:forward=2:4", "wanted each of forward, backward, weights at most once"),
        ("training_step:8x4x2:forward=24", "forward: pattern '24': wanted two numbers n:m"),
        ("training_step:8x4x2:forward=4:2", "forward: pattern 4:2: wanted 1 <= n <= m"),
    ],
)
def test_wrong_names(name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        training.build(name)
    assert str(caught.value).startswith(f"workload {name}: {message}")
