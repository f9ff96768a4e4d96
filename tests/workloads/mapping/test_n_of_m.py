"""Weights with places, passes, and wide words in DRAM: by hand and there and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from designs.families.tensor import Design
from workloads.layer import Layer, LayerNumbers
from workloads.mapping.memory import dram_image, read_output, unpack_words, weight_words
from workloads.mapping.n_of_m import kept_macs, kept_weights, most_in_a_group, passes
from workloads.mapping.numbers import bind_numbers
from workloads.mapping.program import TileField
from workloads.mapping.tensor import Tiling, build_program, geometry, out_is_wide, steps
from workloads.random_layers import random_layer

SHAPE = Layer(name="dot", kind="conv", in_h=1, in_w=1, in_channels=8, out_h=1, out_w=1, out_channels=2)
TWO_OF_FOUR = Design(array_rows=4, array_cols=2, n_of_m="2:4", dram_burst_bytes=16, dram_bytes_per_cycle=4)


def with_weights(weights: np.ndarray, **changes: object) -> Layer:
    """`weights` are (out, in of a group)."""
    numbers = LayerNumbers(
        weights=weights[:, :, None, None], bias=np.zeros(len(weights), np.int64), scale=np.array([0.5], np.float32),
        in_zero=5, in_low=0, in_high=255, out_zero=0, out_low=-128, out_high=127,
    )  # fmt: skip
    layer = replace(SHAPE, in_channels=weights.shape[1], out_channels=len(weights), numbers=numbers)
    return replace(layer, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "m", "most"),
    [((1, 1), 4, 4), ((2, 4), 4, 2), ((2, 4), 8, 4), ((2, 4), 2, 2), ((3, 8), 4, 3), ((1, 8), 4, 1), ((2, 3), 4, 4)],
)
def test_most_in_a_group_of_shapes(pattern: tuple[int, int], m: int, most: int) -> None:
    assert most_in_a_group(replace(SHAPE, weight_n_of_m=pattern), m) == most


def test_no_more_than_the_channels_of_a_group() -> None:
    depthwise = replace(SHAPE, out_channels=8, groups=8)
    assert most_in_a_group(depthwise, 4) == 1 and passes(TWO_OF_FOUR, depthwise) == 1
    assert kept_macs(TWO_OF_FOUR, depthwise) == depthwise.n_macs
    assert most_in_a_group(replace(SHAPE, in_channels=3), 4) == 3


def test_most_in_a_group_is_counted() -> None:
    layer = with_weights(np.array([[1, 0, 2, 0, 0, 0, 0, 3], [0, 0, 0, 0, 4, 5, 6, 0]]))
    assert [most_in_a_group(layer, m) for m in (2, 3, 4, 8, 16)] == [2, 2, 3, 3, 3]
    assert passes(TWO_OF_FOUR, layer) == 2 and passes(Design(), layer) == 1
    assert kept_macs(TWO_OF_FOUR, layer) == 2 * 2 * 3 and kept_macs(Design(), layer) == layer.n_macs
    assert passes(TWO_OF_FOUR, with_weights(np.zeros((2, 8), np.int64))) == 1
    # Groups of 3 channels: the second begins at channel 3, so that its weights are in groups [0, 4) and [4, 8).
    grouped = with_weights(np.ones((2, 3), np.int64), in_channels=6, groups=2)
    assert [most_in_a_group(grouped, m) for m in (2, 3, 4)] == [2, 3, 3]
    assert most_in_a_group(with_weights(np.ones((2, 2), np.int64), in_channels=4, groups=2), 3) == 2


def test_weights_and_places_by_hand() -> None:
    """A word is 2 weights of 8 + 2 bits; two groups of 4 lanes are rows 0 and 1, 2 and 3."""
    layer = with_weights(np.array([[1, 0, 2, 3, 0, 0, 0, -1], [0, 0, 0, 4, 5, 6, 0, 0]]))
    assert layer.numbers is not None
    (step,) = steps(TWO_OF_FOUR, layer, Tiling(rows=1, blocks=1, channels=8))
    found = weight_words(TWO_OF_FOUR, layer, layer.numbers, step)
    weights, places = found & 255, found >> 8
    assert weights.tolist() == [[1, 4], [2, 0], [255, 5], [0, 6], [3, 0], [0, 0], [0, 0], [0, 0]]
    assert places.tolist() == [[0, 3], [2, 0], [3, 0], [0, 1], [3, 0], [0, 0], [0, 0], [0, 0]]


@settings(max_examples=30)
@given(st.sampled_from([(1, 2), (2, 4), (2, 3), (3, 8)]), st.integers(0, 2**32 - 1))
def test_kept_weights_come_back(pattern: tuple[int, int], seed: int) -> None:
    n, m = pattern
    rng = np.random.default_rng(seed)
    dense = rng.integers(-3, 4, (3, 2, 2 * m)) * (rng.random((3, 2, 2 * m)) < rng.random())
    n_passes = max(-(-int((dense.reshape(3, 2, 2, m) != 0).sum(axis=3).max()) // n), 1)
    weights, places = kept_weights(dense, n, m, n_passes)
    back = np.zeros_like(dense)
    for channel, k_block, row in zip(*np.nonzero(weights), strict=True):
        back[channel, k_block // n_passes, row // n * m + places[channel, k_block, row]] += weights[channel, k_block, row]
    assert (back == dense).all()
    assert (places[weights == 0] == 0).all()


def test_programs_have_passes_and_blocks_of_all_lanes() -> None:
    layer = with_weights(np.ones((9, 17), np.int64))  # three blocks of 8 lanes, two of the output
    program = build_program(TWO_OF_FOUR, layer, Tiling(rows=1, blocks=3, channels=16))
    assert (program.config.passes, program.config.out_wide) == (2, 0)
    (tile,) = program.tiles
    assert tile[TileField.BLOCKS] == 3
    assert tile[TileField.WEIGHT_WORDS] == 3 * 2 * 5 * 4  # blocks, passes, folds of 2 columns, rows
    shape = geometry(TWO_OF_FOUR, layer)
    assert (shape.in_blocks, shape.out_blocks, shape.act_line_bytes) == (3, 2, 16)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_weights_of_programs_lie_in_dram(seed: int) -> None:
    """Every weight line of the image is the words of its tile."""
    design = replace(TWO_OF_FOUR, wide_bits=16)
    rng = np.random.default_rng(seed)
    layer, x, residual = random_layer(rng, shape="conv", group_lanes=4, wide_bits=16)
    tiling = Tiling(rows=layer.out_h, blocks=2, channels=8)
    program = build_program(design, layer, tiling)
    image = dram_image(design, layer, tiling, program, x, residual)
    assert layer.numbers is not None
    for tile, step in zip(program.tiles, steps(design, layer, tiling), strict=True):
        if tile[TileField.LOAD_WEIGHTS]:
            address, n_words = int(tile[TileField.WEIGHT_ADDR]), int(tile[TileField.WEIGHT_WORDS])
            words = image[address : address + 3 * n_words].reshape(n_words, 3)  # 20 bits in 3 bytes
            expected = weight_words(design, layer, layer.numbers, step)
            assert (unpack_words(words, 2, 10, False) == expected).all()


def test_wide_outputs_and_residuals_in_dram() -> None:
    """Two lanes of 12 bits are 3 bytes; a line is two words in a burst of 8 bytes."""
    design = Design(array_rows=2, array_cols=2, wide_bits=12, dram_burst_bytes=8, dram_bytes_per_cycle=4)
    layer = with_weights(np.array([[1, 0]]), in_w=2, out_w=2, out_bits=12, residual=True)
    assert layer.numbers is not None
    numbers = replace(
        layer.numbers, out_low=-2048, out_high=2047, residual_low=-2048, residual_high=2047, residual_zero=7,
        sum_low=-2048, sum_high=2047,
    )  # fmt: skip
    layer = replace(layer, numbers=numbers)
    tiling = Tiling(rows=1, blocks=1, channels=2)
    program = build_program(design, layer, tiling)
    residual = np.array([-2, 0x123]).reshape(1, 1, 1, 2)
    image = dram_image(design, layer, tiling, program, np.zeros((1, 2, 1, 2), np.int64), residual)
    line = image[program.residual_base : program.out_base].tolist()
    assert line == [0xFE, 0x7F, 0x00, 0x23, 0x71, 0x00, 0, 0]  # lane 1 has no channel: it holds the zero point 7
    image[program.out_base : program.out_base + 8] = line
    assert (read_output(design, layer, program, image) == residual).all()
    assert program.config.out_wide == 1 and program.config.out_line_beats == 2


def test_which_outputs_are_wide() -> None:
    design = Design(wide_bits=16)
    assert [out_is_wide(design, replace(SHAPE, out_bits=bits)) for bits in (8, 9)] == [False, True]
    assert not out_is_wide(design, replace(SHAPE, kind="max_pool", out_bits=9))
    assert not out_is_wide(Design(), replace(SHAPE, out_bits=9))


def test_values_must_fit_the_width_they_are_stored_in() -> None:
    layer = with_weights(np.ones((2, 8), np.int64), out_bits=16)
    assert layer.numbers is not None
    wide = replace(layer, numbers=replace(layer.numbers, out_low=-40000))
    bind_numbers(Design(wide_bits=17), wide)
    with pytest.raises(InputError) as caught:
        bind_numbers(Design(wide_bits=16), wide)
    assert str(caught.value) == "dot: wide_bits: the output is -40000 to 127, wanted at least 17, got 16"
    with pytest.raises(InputError, match="dot: act_bits: the output is -40000 to 127, wanted at least 17, got 8"):
        bind_numbers(Design(wide_bits=17), replace(wide, out_bits=8))
