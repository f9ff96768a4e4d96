"""`run_layer` against hand-computed sums and the plain-Python reading of its contract."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from tests.workloads.plain import plain_layer
from workloads.layer import Arithmetic, Layer, LayerNumbers
from workloads.random_layers import SHAPES, random_layer
from workloads.reference import run_layer


def dot_layer(weights: list[int], **numbers: int) -> Layer:
    """One output: the dot product of the channels of one pixel with the weights, not scaled."""
    n = LayerNumbers(
        weights=np.asarray(weights)[None, :, None, None], bias=np.zeros(1, np.int64), scale=np.ones(1, np.float32),
        in_zero=0, in_low=-128, in_high=127, out_zero=0, out_low=-32768, out_high=32767,
    )  # fmt: skip
    return Layer(
        name="dot", kind="conv", in_h=1, in_w=1, in_channels=len(weights), out_h=1, out_w=1, out_channels=1,
        numbers=replace(n, **numbers),
    )  # fmt: skip


def dot(weights: list[int], values: list[int], **arithmetic: object) -> tuple[int, int]:
    y, n_overflows = run_layer(
        dot_layer(weights), np.asarray(values)[None, :, None, None], arithmetic=Arithmetic(**arithmetic)  # type: ignore[arg-type]
    )  # fmt: skip
    return int(y[0, 0, 0, 0]), n_overflows


def test_eight_bits_saturate_and_wrap_product_by_product() -> None:
    # 100 + 100 does not fit 8 bits: 127, then - 50 = 77; wrapped it is 200 - 256 = -56, then -106
    saturate = {"accumulator_bits": 8, "overflow": "saturate", "order": "product"}
    assert dot([1, 1, -1], [100, 100, 50], **saturate) == (77, 1)
    assert dot([1, 1, -1], [100, 100, 50], **{**saturate, "overflow": "wrap"}) == (-106, 1)


def test_a_block_is_summed_exactly_before_it_is_added() -> None:
    block = {"accumulator_bits": 8, "overflow": "saturate", "order": "block"}
    assert dot([1, 1, -1], [100, 100, 50], lanes=3, **block) == (127, 1)  # 150 in one addition
    assert dot([1, 1, -1], [100, 100, 100], lanes=3, **block) == (100, 0)
    assert dot([1, 1, -1], [100, 100, 100], lanes=2, **block) == (27, 1)  # 200 -> 127, - 100


def test_the_register_restarts_after_a_tile() -> None:
    product = {"accumulator_bits": 8, "overflow": "saturate", "order": "product", "lanes": 1}
    # tiles of two blocks: 100 + 20 = 120 moves to memory; 20 - 20 = 0 is added: no overflow
    assert dot([1, 1, 1, -1], [100, 20, 20, 20], tile_blocks=2, **product) == (120, 0)
    # one tile: 100 + 20 + 20 saturates
    assert dot([1, 1, 1, -1], [100, 20, 20, 20], tile_blocks=4, **product) == (107, 1)
    # tiles of one block: 120 + 20 overflows in memory
    assert dot([1, 1, 1, -1], [100, 20, 20, 20], tile_blocks=1, **product) == (107, 1)


def test_the_first_product_is_an_addition_to_zero() -> None:
    for order in ("product", "block"):
        assert dot([2], [100], accumulator_bits=8, overflow="saturate", order=order) == (127, 1)
        assert dot([2], [100], accumulator_bits=8, overflow="wrap", order=order) == (-56, 1)


def test_padding_and_the_zero_point_contribute_nothing() -> None:
    n = LayerNumbers(
        weights=np.ones((1, 1, 3, 3), np.int64), bias=np.asarray([7]), scale=np.ones(1, np.float32), in_zero=5,
        in_low=0, in_high=255, out_zero=1, out_low=0, out_high=255,
    )  # fmt: skip
    layer = Layer(
        name="pad", kind="conv", in_h=2, in_w=2, in_channels=1, out_h=2, out_w=2, out_channels=1, kernel_h=3,
        kernel_w=3, pad_top=1, pad_left=1, numbers=n,
    )  # fmt: skip
    y, _ = run_layer(layer, np.asarray([[[[5, 6], [5, 5]]]]))
    assert y.tolist() == [[[[9, 9], [9, 9]]]]  # 6 - 5 = 1 everywhere, + bias 7, + zero point 1


def test_max_pooling_ignores_padding() -> None:
    n = LayerNumbers(
        weights=None, bias=None, scale=None, in_zero=0, in_low=-128, in_high=127, out_zero=0, out_low=-128,
        out_high=127,
    )  # fmt: skip
    layer = Layer(
        name="max", kind="max_pool", in_h=3, in_w=3, in_channels=1, out_h=2, out_w=2, out_channels=1, kernel_h=2,
        kernel_w=2, stride_h=2, stride_w=2, pad_top=1, pad_left=1, numbers=n,
    )  # fmt: skip
    y, n_overflows = run_layer(layer, np.asarray([[[[-9, -8, -7], [-6, -5, -4], [-3, -2, -1]]]]))
    assert (y.tolist(), n_overflows) == ([[[[-9, -7], [-3, -1]]]], 0)


def test_the_residual_is_added_after_requantization() -> None:
    layer = dot_layer([1])
    assert layer.numbers is not None
    numbers = replace(
        layer.numbers, out_zero=10, out_low=0, out_high=100, residual_zero=3, residual_low=0, residual_high=255,
        residual_scales=(0.5, 0.25), sum_zero=-4, sum_low=-128, sum_high=127,
    )  # fmt: skip
    layer = replace(layer, residual=True, numbers=numbers)
    one = np.ones((1, 1, 1, 1), np.int64)
    assert run_layer(layer, 20 * one, 13 * one)[0].item() == 9  # 20 * 0.5 + 10 * 0.25 = 12.5 -> 13, - 4
    assert run_layer(layer, 120 * one, 3 * one)[0].item() == 41  # y is clipped to 100 first: 90 * 0.5 - 4


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), st.data())
def test_run_layer_is_the_plain_definition(seed: int, shape: str, data: st.DataObject) -> None:
    requantize = data.draw(st.sampled_from(["multiplier_shift", "shift"]))
    layer, x, residual = random_layer(
        np.random.default_rng(seed),
        act_bits=data.draw(st.integers(1, 16)),
        weight_bits=data.draw(st.integers(1, 16)),
        per_channel=data.draw(st.booleans()),
        max_macs=1500,
        shape=shape,
        power_of_two=requantize == "shift",
    )
    arithmetic = Arithmetic(
        accumulator_bits=data.draw(st.integers(8, 48)),
        overflow=data.draw(st.sampled_from(["wrap", "saturate"])),
        order=data.draw(st.sampled_from(["product", "block"])),
        lanes=data.draw(st.sampled_from([1, 2, 3, 4, 16])),
        tile_blocks=data.draw(st.sampled_from([1, 2, 3, 1 << 30])),
        requantize=requantize,
        multiplier_bits=data.draw(st.integers(8, 31)),
    )
    y, n_overflows = run_layer(layer, x, residual, arithmetic)
    assert (y.ravel().tolist(), n_overflows) == plain_layer(layer, x, residual, arithmetic)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), st.data())
def test_passes_are_the_plain_definition(seed: int, shape: str, data: st.DataObject) -> None:
    n, m = data.draw(st.sampled_from([(1, 2), (2, 4), (1, 4), (2, 3), (3, 8)]))
    layer, x, residual = random_layer(
        np.random.default_rng(seed), act_bits=6, weight_bits=6, max_macs=1500, shape=shape, wide_bits=12, group_lanes=m
    )
    arithmetic = Arithmetic(
        accumulator_bits=data.draw(st.integers(8, 14)),
        overflow=data.draw(st.sampled_from(["wrap", "saturate"])),
        lanes=m * data.draw(st.integers(1, 3)),
        n_of_m=(n, m),
    )
    y, n_overflows = run_layer(layer, x, residual, arithmetic)
    assert (y.ravel().tolist(), n_overflows) == plain_layer(layer, x, residual, arithmetic)


def test_a_pass_is_summed_exactly_before_it_is_added() -> None:
    """100 * 1 + 100 * 1 - 100 * 2 in one sum; with 1 of 3 in three, of which the second saturates."""
    assert dot([1, 1, -2], [100, 100, 100], accumulator_bits=8, overflow="saturate") == (0, 0)
    passes = {"accumulator_bits": 8, "overflow": "saturate", "lanes": 3, "n_of_m": (1, 3)}
    assert dot([1, 1, -2], [100, 100, 100], **passes) == (-73, 1)
    assert dot([1, 0, -2], [100, 100, 100], **passes) == (-100, 0)


def test_errors_name_the_layer() -> None:
    layer = dot_layer([1, 2])
    with pytest.raises(InputError, match=r"layer dot: input: wanted integers of shape \[1, 2, 1, 1\], got float64"):
        run_layer(layer, np.zeros((1, 2, 1, 1)))
    with pytest.raises(InputError, match="layer dot: input: wanted -128 to 127, got 0 to 200"):
        run_layer(layer, np.asarray([0, 200])[None, :, None, None])
    with pytest.raises(InputError, match="layer dot: wanted a layer with numbers"):
        run_layer(replace(layer, numbers=None), np.zeros((1, 2, 1, 1), np.int64))
    with pytest.raises(InputError, match="layer dot: wanted a residual"):
        run_layer(replace(layer, residual=True), np.zeros((1, 2, 1, 1), np.int64))
