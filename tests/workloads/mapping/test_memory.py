"""Bytes in DRAM, by hand and there and back."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.families.tensor import Design
from workloads.layer import Layer, LayerNumbers
from workloads.mapping.memory import (
    dram_image,
    pack_activations,
    pack_words,
    unpack_activations,
    unpack_words,
    weight_words,
)
from workloads.mapping.tensor import Tiling, build_program, steps

DOT = Layer(name="dot", kind="conv", in_h=1, in_w=1, in_channels=3, out_h=1, out_w=1, out_channels=3)


def _numbers(weights: list[list[int]]) -> LayerNumbers:
    return LayerNumbers(
        weights=np.array(weights)[:, :, None, None], bias=np.array([7, -1, 3]), scale=np.array([0.5], np.float32),
        in_zero=5, in_low=0, in_high=255, out_zero=0, out_low=-128, out_high=127,
    )  # fmt: skip


def test_words_are_packed_lane_0_lowest() -> None:
    assert pack_words(np.array([[1, 2, -1]]), 4).tolist() == [[0x21, 0x0F]]
    assert pack_words(np.array([[1, 0, 1]]), 1).tolist() == [[0b101]]


@given(st.integers(1, 16), st.booleans(), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_words_come_back(bits: int, signed: bool, n_lanes: int, seed: int) -> None:
    low = -(1 << bits - 1) if signed else 0
    values = np.random.default_rng(seed).integers(low, low + (1 << bits), size=(5, n_lanes))
    assert (unpack_words(pack_words(values, bits), n_lanes, bits, signed) == values).all()


@settings(max_examples=30)
@given(st.integers(1, 16), st.integers(1, 9), st.sampled_from((2, 4, 8)), st.integers(0, 2**32 - 1))
def test_activations_come_back(bits: int, channels: int, lanes: int, seed: int) -> None:
    design = Design(array_rows=lanes, array_cols=4, act_bits=bits)
    x = np.random.default_rng(seed).integers(0, 1 << bits, size=(2, channels, 3, 5))
    assert (unpack_activations(design, pack_activations(design, x, 0), x.shape, False) == x).all()


def test_a_dot_product_in_dram() -> None:
    """4 lanes of 8 bits a word; the unused lane holds the zero point; bursts of 16 bytes."""
    design = Design(
        array_rows=4, array_cols=2, dataflow="output_stationary", requant_granularity="per_tensor",
        dram_burst_bytes=16, dram_bytes_per_cycle=4,
    )  # fmt: skip
    layer = Layer(**{**DOT.__dict__, "numbers": _numbers([[1, 2, 3], [4, 5, 6], [-1, -2, -3]])})
    tiling = Tiling(rows=1, blocks=1, channels=4)
    program = build_program(design, layer, tiling)
    image = dram_image(design, layer, tiling, program, np.array([9, 8, 255]).reshape(1, 3, 1, 1))
    assert image[:16].tolist() == [9, 8, 255, 5] + [0] * 12
    constants = image[32:]  # after input and output: channel fold, lane, then the 2 columns
    assert constants[:16].tolist() == [1, 4, 2, 5, 3, 6, 0, 0, 255, 0, 254, 0, 253, 0, 0, 0]
    assert constants[16:32].tolist() == [7, 0, 0, 0, 255, 255, 255, 255, 3, 0, 0, 0, 0, 0, 0, 0]


def test_weights_in_the_order_of_each_dataflow() -> None:
    layer = Layer(**{**DOT.__dict__, "numbers": _numbers([[1, 2, 3], [4, 5, 6], [7, 8, 9]])})
    expected = {
        "weight_stationary": [[1, 4], [2, 5], [7, 0], [8, 0], [3, 6], [0, 0], [9, 0], [0, 0]],
        "output_stationary": [[1, 4], [2, 5], [3, 6], [0, 0], [7, 0], [8, 0], [9, 0], [0, 0]],
        "input_stationary": [[1, 2], [4, 5], [7, 8], [3, 0], [6, 0], [9, 0]],
    }
    for dataflow, words in expected.items():
        design = Design(array_rows=2, array_cols=2, dataflow=dataflow)  # type: ignore[arg-type]
        (step,) = steps(design, layer, Tiling(rows=1, blocks=2, channels=4))
        assert layer.numbers is not None
        assert weight_words(design, layer, layer.numbers, step).tolist() == words


def test_depthwise_weights_are_block_diagonal() -> None:
    numbers = LayerNumbers(
        weights=np.array([3, -4]).reshape(2, 1, 1, 1), bias=np.zeros(2, np.int64), scale=np.array([0.5], np.float32),
        in_zero=0, in_low=0, in_high=255, out_zero=0, out_low=0, out_high=255,
    )  # fmt: skip
    layer = Layer(**{**DOT.__dict__, "in_channels": 2, "out_channels": 2, "groups": 2, "numbers": numbers})
    design = Design(array_rows=2, array_cols=2)
    (step,) = steps(design, layer, Tiling(rows=1, blocks=1, channels=2))
    assert weight_words(design, layer, numbers, step).tolist() == [[3, 0], [0, -4]]


def test_one_bit_weights_are_signs() -> None:
    layer = Layer(**{**DOT.__dict__, "numbers": _numbers([[1, -1, 1]] * 3)})
    design = Design(array_rows=4, array_cols=4, weight_bits=1)
    (step,) = steps(design, layer, Tiling(rows=1, blocks=1, channels=4))
    assert layer.numbers is not None
    assert weight_words(design, layer, layer.numbers, step)[1].tolist() == [1, 1, 1, 0]
