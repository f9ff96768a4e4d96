"""Programs of the tensor machine: every element is computed once, waits are causal, what does not fit is refused."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from designs.families.tensor import Design
from workloads.layer import Layer
from workloads.mapping.program import OutputField, TileField
from workloads.mapping.tensor import Tiling, build_program, count_tiles, fits, geometry, layer_refusal, refusal, steps

DESIGN = Design(array_rows=4, array_cols=8, dataflow="weight_stationary", dram_burst_bytes=64)
CONV = Layer(
    name="conv", kind="conv", in_h=9, in_w=7, in_channels=11, out_h=5, out_w=4, out_channels=19,
    kernel_h=3, kernel_w=3, stride_h=2, stride_w=2, pad_top=1, pad_left=1,
)  # fmt: skip


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    kernel, stride, pad = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(0, 1))
    height, width = draw(st.integers(3, 9)), draw(st.integers(3, 9))
    kind = draw(st.sampled_from(("conv", "conv", "max_pool")))
    channels, groups = draw(st.integers(1, 20)), 1
    depthwise = kind == "max_pool" or draw(st.booleans())
    if depthwise and kind == "conv":
        groups = channels
    pad = min(pad, kernel - 1)
    return Layer(
        name="l", kind=kind, n_images=draw(st.integers(1, 2)), in_h=height, in_w=width, in_channels=channels,
        out_h=(height + 2 * pad - kernel) // stride + 1, out_w=(width + 2 * pad - kernel) // stride + 1,
        out_channels=channels if depthwise else draw(st.integers(1, 40)), kernel_h=kernel, kernel_w=kernel,
        stride_h=stride, stride_w=stride, pad_top=pad, pad_left=pad, groups=groups,
        residual=kind == "conv" and draw(st.booleans()),
    )  # fmt: skip


designs = st.builds(
    Design,
    array_rows=st.sampled_from((2, 4, 8)),
    array_cols=st.sampled_from((2, 4, 8)),
    dataflow=st.sampled_from(("output_stationary", "weight_stationary", "input_stationary")),
    double_buffered=st.booleans(),
)
tilings = st.builds(
    lambda rows, blocks, units, order: (rows, blocks, units, order),
    st.integers(1, 9), st.integers(1, 6), st.integers(1, 3), st.sampled_from(("rows_outer", "channels_outer")),
)  # fmt: skip


def test_a_program_by_hand() -> None:
    """19 channels are 3 tiles of 8; 5 rows are 2, 2, 1; 11 input channels are 3 blocks, 2 + 1."""
    program = build_program(DESIGN, CONV, Tiling(rows=2, blocks=2, channels=8))
    assert len(program.tiles) == 3 * 3 * 2
    assert len(program.outputs) == 9
    first = program.tiles[0]
    # rows 0 and 1 read input rows -1 to 3: one row of padding above, four rows loaded
    assert (first[TileField.ROW_OFFSET], first[TileField.ACT_ROWS]) == (-1, 4)
    assert first[TileField.WEIGHT_WORDS] == 2 * 9 * 1 * 4
    # a line of 7 words of 4 bytes is one burst; blocks follow each other after 9 rows
    assert program.config.act_block_bytes == 9 * 64
    # the third tile reuses the first buffer, which tile 0 was the last to read
    assert program.tiles[2, TileField.WAIT_RELEASED] == 1
    assert program.tiles[:, TileField.N_STORES].tolist() == [0, 0] + [1, 0] * 7 + [1, 1]
    assert program.outputs[2, OutputField.N_VALID] == 3


@settings(max_examples=60, deadline=None)
@given(designs, layers(), tilings)
def test_every_output_element_meets_every_input_block_once(
    design: Design, layer: Layer, cut: tuple[int, int, int, str]
) -> None:
    rows, blocks, units, order = cut
    tiling = Tiling(rows=rows, blocks=blocks, channels=units * design.channel_unit, order=order)  # type: ignore[arg-type]
    seen: Counter[tuple[int, ...]] = Counter()
    for step in steps(design, layer, tiling):
        for row in range(step.row, step.row + step.rows):
            for channel in range(step.channel, step.channel + step.n_valid):
                seen[step.image, row, channel] += step.blocks
    shape = geometry(design, layer, tiling)
    assert set(seen) == {
        (i, r, c) for i in range(layer.n_images) for r in range(layer.out_h) for c in range(layer.out_channels)
    }
    for (_, _, channel), n_blocks in seen.items():
        assert n_blocks == shape.blocks_of(channel // shape.group_channels)


@settings(max_examples=60, deadline=None)
@given(designs, layers(), tilings)
def test_waits_are_causal_and_lines_are_stored_once(
    design: Design, layer: Layer, cut: tuple[int, int, int, str]
) -> None:
    rows, blocks, units, order = cut
    tiling = Tiling(rows=rows, blocks=blocks, channels=units * design.channel_unit, order=order)  # type: ignore[arg-type]
    if not fits(design, layer, tiling):
        with pytest.raises(InputError):
            build_program(design, layer, tiling)
        return
    program = build_program(design, layer, tiling)
    tiles, outputs = program.tiles, program.outputs
    assert len(tiles) == count_tiles(design, layer, tiling)
    assert tiles[:, TileField.N_STORES].sum() == len(outputs)
    index = np.arange(len(tiles))
    assert (tiles[:, TileField.WAIT_RELEASED] <= index).all()
    finished = np.searchsorted(outputs[:, OutputField.WAIT_TILES], index, side="right")
    assert (tiles[:, TileField.WAIT_OUTPUTS] <= finished).all()
    assert (tiles[:, TileField.COMPUTE_WAIT_OUTPUTS] <= finished).all()
    shape = geometry(design, layer, tiling)
    stored: Counter[int] = Counter()
    for row in outputs:
        for block in range(row[OutputField.BLOCKS]):
            start = row[OutputField.STORE_ADDR] + block * program.config.out_block_bytes
            stored.update(range(start, start + row[OutputField.ROWS] * shape.out_line_bytes, shape.out_line_bytes))
    n_lines = layer.n_images * shape.out_blocks * layer.out_h
    end = program.out_base + n_lines * shape.out_line_bytes
    assert stored == Counter(range(program.out_base, end, shape.out_line_bytes))


def test_average_pooling_loads_its_weights_once() -> None:
    pool = Layer(
        name="pool", kind="conv", in_h=4, in_w=4, in_channels=32, out_h=1, out_w=1, out_channels=32,
        kernel_h=4, kernel_w=4, groups=32, shared_weights=True,
    )  # fmt: skip
    program = build_program(DESIGN, pool, Tiling(rows=1, blocks=2, channels=8))
    assert program.tiles[:, TileField.LOAD_WEIGHTS].tolist() == [1, 0, 0, 0]
    assert program.tiles[:, TileField.LOAD_PARAMS].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"act_scratchpad_bytes": 256}, "act_scratchpad_bytes: wanted room for 35 words of a tile, got a buffer of 32"),
        ({"acc_scratchpad_bytes": 256}, "acc_scratchpad_bytes: wanted room for 8 words of a tile, got a buffer of 4"),
        ({"weight_scratchpad_bytes": 256}, "weight_scratchpad_bytes: wanted room for 36 words of a tile, got a buffer of 16"),
    ],
)
def test_what_does_not_fit_says_what_is_missing(change: dict[str, int], problem: str) -> None:
    small = replace(DESIGN, **change)
    assert refusal(small, CONV, Tiling(rows=2, blocks=1, channels=8)) == f"conv: {problem}; enlarge it"


def test_channels_of_a_tile_are_whole_units() -> None:
    assert "wanted a multiple of 8, got 12" in str(refusal(DESIGN, CONV, Tiling(rows=1, blocks=1, channels=12)))


def test_what_no_machine_runs_says_why() -> None:
    assert layer_refusal(CONV) is None
    assert layer_refusal(replace(CONV, kernel_h=300)) == "conv: wanted kernel, stride and padding of at most 255, got 300"
    axis = "conv: wanted lines and channels of at most 1048576, got 1048577; split the layer"
    assert layer_refusal(replace(CONV, in_channels=(1 << 20) + 1)) == axis
    huge = replace(CONV, in_channels=1 << 20, out_channels=1 << 20, out_h=1 << 20)
    assert "wanted a layer of at most 1e+15 multiplications, got" in str(layer_refusal(huge))
    assert "wanted a layer of at most 1e+15 multiplications, got" in str(layer_refusal(replace(CONV, repeat=1 << 50)))
    assert layer_refusal(replace(CONV, in_w=5000)) == "conv: wanted lines of at most 4095 pixels, got 5000"
    tall = replace(CONV, in_h=20_000, out_h=10_000, in_w=1, out_w=1, in_channels=1)
    assert not fits(replace(DESIGN, act_scratchpad_bytes=1 << 20), tall, Tiling(rows=4000, blocks=1, channels=8))
