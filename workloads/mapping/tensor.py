"""(design, layer, tiling) -> the program of a tensor machine (docs/tensor.md, section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import lcm
from typing import Literal

import numpy as np

from designs.errors import InputError
from designs.families.tensor import Design
from workloads.layer import Layer, Place
from workloads.mapping.n_of_m import passes
from workloads.mapping.numbers import bind_numbers
from workloads.mapping.program import LayerConfig, OutputField, Program, TileField

Order = Literal["rows_outer", "channels_outer"]
MOST_TILES = 65535  # what the machine's counters hold
MOST_IN_A_TILE = 4095  # rows and blocks: 12-bit fields of a descriptor
MOST_IN_A_KERNEL = 255  # kernel, stride, padding: 8-bit registers
MOST_OF_AN_AXIS = 1 << 20  # lines, channels, images, groups: beyond them no machine has tiles enough
MOST_WORK = 1 << 50  # of `_work`: every count of a run then fits 64 bits, padding and DRAM bursts included


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """How a layer is cut: the three tile sizes and which loop is outside. The k loop (input blocks) is innermost."""

    rows: int  # output rows of a tile
    blocks: int  # input channel blocks of a tile
    channels: int  # output channels of a tile, a multiple of design.channel_unit; ignored by max pooling
    order: Order = "rows_outer"


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """A layer as one machine sees it: blocks of act_lanes channels, independent groups, DRAM lines."""

    in_blocks: int  # blocks of the whole input
    out_blocks: int
    n_groups: int  # independent convolutions, one after the other
    group_channels: int  # output channels of a group (the last may have fewer)
    group_blocks: int  # input blocks of a group (the last may have fewer)
    act_line_bytes: int  # one row of one block in DRAM, whole bursts
    out_line_bytes: int

    def channels_of(self, group: int, layer: Layer) -> int:
        """Output channels of `group`."""
        return min(self.group_channels, layer.out_channels - group * self.group_channels)

    def blocks_of(self, group: int) -> int:
        """Input blocks of `group`."""
        return min(self.group_blocks, self.in_blocks - group * self.group_blocks)


def ceil_div(a: int, b: int) -> int:
    """Smallest integer not below a / b."""
    return -(-a // b)


def line_bytes(n_words: int, word_bits: int, burst_bytes: int) -> int:
    """DRAM bytes of a line of `n_words` words: whole bursts."""
    return ceil_div(n_words * ceil_div(word_bits, 8), burst_bytes) * burst_bytes


def geometry(design: Design, layer: Layer, tiling: Tiling | None = None) -> Geometry:
    """How the machine sees `layer`. A max pooling is cut into groups of `tiling.blocks` blocks (default: one group)."""
    lanes = design.act_lanes
    in_blocks, out_blocks = ceil_div(layer.in_channels, lanes), ceil_div(layer.out_channels, lanes)
    group_channels, group_blocks = layer.out_channels, in_blocks
    if layer.kind == "max_pool":
        group_blocks = min(tiling.blocks, in_blocks) if tiling else in_blocks
        group_channels = group_blocks * lanes
    elif layer.groups > 1 and layer.in_channels == layer.out_channels:
        unit = lcm(design.channel_unit, layer.in_channels // layer.groups)
        if unit < layer.out_channels:
            group_channels, group_blocks = unit, unit // lanes
    return Geometry(
        in_blocks=in_blocks,
        out_blocks=out_blocks,
        n_groups=ceil_div(layer.out_channels, group_channels),
        group_channels=group_channels,
        group_blocks=group_blocks,
        act_line_bytes=line_bytes(layer.in_w, design.act_word_bits, design.dram_burst_bytes),
        out_line_bytes=line_bytes(layer.out_w, out_word_bits(design, layer), design.dram_burst_bytes),
    )


def out_is_wide(design: Design, layer: Layer) -> bool:
    """Whether output and residual of `layer` are stored wide. What pooling picks is its input: never."""
    return layer.kind != "max_pool" and design.is_wide(layer.out_bits)


def out_word_bits(design: Design, layer: Layer) -> int:
    """Bits of a word of the layer's output, and of its residual."""
    return design.stored_word_bits(layer.out_bits) if out_is_wide(design, layer) else design.act_word_bits


@dataclass(frozen=True, kw_only=True)
class StoredLines:
    """Where the lines of a tensor, or of a part of one, lie in DRAM."""

    blocks: int  # of the stored tensor
    lines: int  # of a block of it
    n_lines: int  # of the whole
    first: int  # line at (image 0, block 0, row 0) of the part

    def at(self, image: int, block: int, row: int) -> int:
        """The line, counted from the start of the stored tensor."""
        return self.first + (image * self.blocks + block) * self.lines + row


def stored_lines(design: Design, place: Place | None, n_images: int, channels: int, height: int) -> StoredLines:
    """The lines of a tensor of `n_images` images, `channels` channels and `height` lines, a part where it has a place.

    The part must start at a block of the machine (`place_refusal`).
    """
    lanes = design.act_lanes
    if place is None:
        place = Place(n_images=n_images, channels=channels)
    blocks, lines = ceil_div(place.channels, lanes), place.lines or height
    first = (place.image * blocks + place.channel // lanes) * lines + place.line
    return StoredLines(blocks=blocks, lines=lines, n_lines=place.n_images * blocks * lines, first=first)


def place_refusal(design: Design, name: str, *places: Place | None) -> str | None:
    """Why a part of a tensor does not lie in blocks of the machine; None where all do."""
    for place in places:
        if place is not None and place.channel % design.act_lanes:
            return (
                f"{name}: array_rows: wanted a divisor of {place.channel}, where a part of a tensor starts, "
                f"got {design.array_rows}"
            )
    return None


def input_lines(design: Design, layer: Layer) -> StoredLines:
    """Where the layer's input lies."""
    return stored_lines(design, layer.in_place, layer.n_images, layer.in_channels, layer.in_h)


def output_lines(design: Design, layer: Layer) -> StoredLines:
    """Where the layer's output lies, and its residual in a tensor of the same shape."""
    return stored_lines(design, layer.out_place, layer.n_images, layer.out_channels, layer.out_h)


def tile_words(design: Design, layer: Layer, tiling: Tiling) -> dict[str, tuple[int, int]]:
    """Words that the largest tile needs and words that a buffer has, for each memory (docs/tensor.md, section 2)."""
    shape = geometry(design, layer, tiling)
    cols = design.array_cols
    rows = min(tiling.rows, layer.out_h)
    blocks = min(tiling.blocks, shape.group_blocks)
    pixels = rows * layer.out_w
    needs = {"act_scratchpad_bytes": (_act_rows(layer, rows) * blocks * layer.in_w, design.act_words)}
    if layer.kind == "max_pool":
        return needs | {"acc_scratchpad_bytes": (blocks * pixels, design.out_words)}
    channels = min(tiling.channels, shape.group_channels)
    taps = layer.kernel_h * layer.kernel_w
    folds = ceil_div(channels, cols)
    if design.dataflow == "input_stationary":
        weight_words, acc_words = blocks * taps * channels, ceil_div(pixels, cols) * channels
    else:
        weight_words = blocks * taps * passes(design, layer) * folds * design.array_rows
        acc_words = folds * pixels
    # The output buffer is as large as the accumulators, so both are a matter of acc_scratchpad_bytes.
    out_words = ceil_div(channels, design.act_lanes) * pixels
    if out_words * design.acc_words > acc_words * design.out_words:
        acc_words, acc_available = out_words, design.out_words
    else:
        acc_available = design.acc_words
    return needs | {
        "weight_scratchpad_bytes": (weight_words, design.weight_words),
        "acc_scratchpad_bytes": (acc_words, acc_available),
        "array_rows": (ceil_div(channels, design.post_lanes), design.param_words),
    }


def _act_rows(layer: Layer, rows: int) -> int:
    """Input rows that the largest tile of `rows` output rows reads."""
    return min((rows - 1) * layer.stride_h + layer.kernel_h, layer.in_h)


def layer_refusal(layer: Layer) -> str | None:
    """Why no tensor machine runs `layer`, whatever its size; None where its shape is no obstacle."""
    if layer.in_w > MOST_IN_A_TILE or layer.out_w > MOST_IN_A_TILE:
        return f"{layer.name}: wanted lines of at most {MOST_IN_A_TILE} pixels, got {max(layer.in_w, layer.out_w)}"
    window = max(
        layer.kernel_h, layer.kernel_w, layer.stride_h, layer.stride_w, abs(layer.pad_left), abs(layer.pad_top)
    )
    if window > MOST_IN_A_KERNEL:
        return f"{layer.name}: wanted kernel, stride and padding of at most {MOST_IN_A_KERNEL}, got {window}"
    longest = max(layer.in_h, layer.out_h, layer.in_channels, layer.out_channels, layer.n_images)
    if longest > MOST_OF_AN_AXIS:
        return f"{layer.name}: wanted lines and channels of at most {MOST_OF_AN_AXIS}, got {longest}; split the layer"
    if (work := _work(layer)) > MOST_WORK:
        return f"{layer.name}: wanted a layer of at most {MOST_WORK:.0e} multiplications, got {work:.0e}; split it"
    return None


def _work(layer: Layer) -> int:
    """No fewer than the words that any schedule multiplies, loads or stores for a layer, `repeat` included.

    Arrays pad channels to at most 256; a tile reads at least one line, each at most once a tap.
    """
    lines = layer.n_images * layer.out_h * max(layer.kernel_h, layer.stride_h)
    pixels = max(layer.in_w, layer.out_w * layer.kernel_w)
    return layer.repeat * lines * pixels * (layer.in_channels + 255) * (layer.out_channels + 255)


def fits(design: Design, layer: Layer, tiling: Tiling) -> bool:
    """Whether the tiles of `tiling` fit the machine's memories, descriptors and counters."""
    rows, blocks = min(tiling.rows, layer.out_h), min(tiling.blocks, geometry(design, layer, tiling).group_blocks)
    if max(rows, blocks, _act_rows(layer, rows)) > MOST_IN_A_TILE:
        return False
    if any(needed > available for needed, available in tile_words(design, layer, tiling).values()):
        return False
    return count_tiles(design, layer, tiling) <= MOST_TILES


def count_tiles(design: Design, layer: Layer, tiling: Tiling) -> int:
    """Tiles of the program."""
    shape = geometry(design, layer, tiling)
    n_rows = layer.n_images * ceil_div(layer.out_h, min(tiling.rows, layer.out_h))
    if layer.kind == "max_pool":
        return n_rows * shape.n_groups
    total = 0
    for group in (0, shape.n_groups - 1):
        a_group = ceil_div(shape.channels_of(group, layer), tiling.channels) * ceil_div(
            shape.blocks_of(group), tiling.blocks
        )
        total += a_group * (shape.n_groups - 1 if group == 0 and shape.n_groups > 1 else 1)
        if shape.n_groups == 1:
            break
    return n_rows * total


def smallest_tiling(design: Design, layer: Layer) -> Tiling:
    """The tiling that needs the least memory: one row, one block, one channel unit."""
    return Tiling(rows=1, blocks=1, channels=design.channel_unit)


def refusal(design: Design, layer: Layer, tiling: Tiling | None = None) -> str | None:
    """Why `tiling` (default: the smallest) does not fit, as one line; None where it fits."""
    tiling = tiling or smallest_tiling(design, layer)
    if layer.kind != "max_pool" and (tiling.channels < 1 or tiling.channels % design.channel_unit):
        return f"{layer.name}: tiling channels: wanted a multiple of {design.channel_unit}, got {tiling.channels}"
    if tiling.rows < 1 or tiling.blocks < 1:
        return f"{layer.name}: tiling: wanted at least 1 row and 1 block, got {tiling.rows} and {tiling.blocks}"
    if problem := layer_refusal(layer) or place_refusal(design, layer.name, layer.in_place, layer.out_place):
        return problem
    for memory, (needed, available) in tile_words(design, layer, tiling).items():
        if needed > available:
            wanted = f"wanted room for {needed} words of a tile, got a buffer of {available}"
            return f"{layer.name}: {memory}: {wanted}; enlarge it"
    if not fits(design, layer, tiling):
        n_tiles = count_tiles(design, layer, tiling)
        return f"{layer.name}: wanted at most {MOST_TILES} tiles, got {n_tiles}; enlarge tiles or scratchpads"
    return None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One tile in loop order: which part of the layer it covers. Keys are equal where the loaded data are the same."""

    group: int
    image: int
    row: int  # first output row
    rows: int
    channel: int  # first output channel, counted in the layer
    n_valid: int
    block: int  # first input block, counted in the layer
    blocks: int
    first: bool
    last: bool
    act_key: tuple[int, ...]
    weight_key: tuple[int, ...]
    param_key: tuple[int, ...]


def steps(design: Design, layer: Layer, tiling: Tiling) -> Iterator[Step]:
    """The tiles of a layer in the order in which the machine runs them."""
    shape = geometry(design, layer, tiling)
    tile_rows = min(tiling.rows, layer.out_h)
    row_tiles = [(i, r) for i in range(layer.n_images) for r in range(0, layer.out_h, tile_rows)]
    for group in range(shape.n_groups):
        channels, blocks = shape.channels_of(group, layer), shape.blocks_of(group)
        tile_channels = channels if layer.kind == "max_pool" else tiling.channels
        channel_tiles = range(0, channels, tile_channels)
        if tiling.order == "rows_outer":
            pairs = [(m, n) for m in row_tiles for n in channel_tiles]
        else:
            pairs = [(m, n) for n in channel_tiles for m in row_tiles]
        for (image, row), channel in pairs:
            n_valid = min(tile_channels, channels - channel)
            for block in range(0, blocks, tiling.blocks):
                n_blocks = min(tiling.blocks, blocks - block)
                weight_group = -1 if layer.shared_weights else group
                yield Step(
                    group=group,
                    image=image,
                    row=row,
                    rows=min(tile_rows, layer.out_h - row),
                    channel=group * shape.group_channels + channel,
                    n_valid=n_valid,
                    block=group * shape.group_blocks + block,
                    blocks=n_blocks,
                    first=block == 0,
                    last=block + n_blocks == blocks,
                    act_key=(group, image, row, block),
                    weight_key=(weight_group, channel, block, n_valid, n_blocks),
                    param_key=(group, channel),
                )


@dataclass
class _Buffers:
    """Which buffer holds what, and who used it last: the source of all waits."""

    n_buffers: int
    n_loads: int = 0
    key: tuple[int, ...] | None = None
    last_user: dict[int, int] = field(default_factory=dict)

    def load(self, key: tuple[int, ...]) -> bool:
        """True when `key` is not what was loaded last, and then the next buffer is taken."""
        if key == self.key:
            return False
        self.key = key
        self.n_loads += 1
        return True

    @property
    def buffer(self) -> int:
        return (self.n_loads - 1) % self.n_buffers

    @property
    def wait(self) -> int:
        """What the users' counter must have reached before the current buffer may be overwritten."""
        return self.last_user.get(self.buffer, -1) + 1

    def use(self, index: int) -> None:
        self.last_user[self.buffer] = index


def act_bytes(design: Design, layer: Layer) -> int:
    """DRAM bytes of the tensor that holds the layer's input."""
    return input_lines(design, layer).n_lines * geometry(design, layer).act_line_bytes


def out_bytes(design: Design, layer: Layer) -> int:
    """DRAM bytes of the tensor that holds the layer's output."""
    return output_lines(design, layer).n_lines * geometry(design, layer).out_line_bytes


@dataclass(frozen=True, kw_only=True)
class Regions:
    """First DRAM byte of a layer's tensors, each on a burst boundary; weights and parameters start at `constants`."""

    act: int
    residual: int
    out: int
    constants: int


def build_program(design: Design, layer: Layer, tiling: Tiling, regions: Regions | None = None) -> Program:
    """The program that runs `layer` on `design`, cut by `tiling`; by default its tensors follow each other from 0.

    Raises InputError where the tiling does not fit, or where the layer's numbers do not fit the machine.
    """
    problem = refusal(design, layer, tiling)
    if problem:
        raise InputError(problem)
    if regions is None:
        residual = act_bytes(design, layer)
        out = residual + (out_bytes(design, layer) if layer.residual else 0)
        regions = Regions(act=0, residual=residual, out=out, constants=out + out_bytes(design, layer))
    return _Builder(design, layer, tiling, regions).build()


@dataclass(frozen=True, kw_only=True)
class ConstantsLines:
    """Where the tiles of a layer find their weights and parameters."""

    steps: list[Step]
    weight_addr: dict[tuple[int, ...], int]  # by `Step.weight_key`
    param_addr: dict[tuple[int, ...], int]  # by `Step.param_key`
    end: int  # first byte after them


def constants_lines(design: Design, layer: Layer, tiling: Tiling, constants: int) -> ConstantsLines:
    """The lines of weights and parameters of a layer whose constants start at the byte `constants`."""
    built = _Builder(design, layer, tiling, Regions(act=0, residual=0, out=0, constants=constants))
    return ConstantsLines(
        steps=built.steps, weight_addr=built.weight_addr, param_addr=built.param_addr, end=built.end
    )


class _Builder:
    def __init__(self, design: Design, layer: Layer, tiling: Tiling, regions: Regions) -> None:
        self.design, self.layer, self.tiling, self.regions = design, layer, tiling, regions
        self.shape = geometry(design, layer, tiling)
        self.passes = passes(design, layer)
        self.in_lines, self.out_lines = input_lines(design, layer), output_lines(design, layer)
        self.steps = list(steps(design, layer, tiling))
        self._place_constants()

    def _place_constants(self) -> None:
        """Give every tile of weights and of parameters its DRAM address."""
        design, address = self.design, self.regions.constants
        self.weight_addr: dict[tuple[int, ...], int] = {}
        self.param_addr: dict[tuple[int, ...], int] = {}
        for step in self.steps if self.layer.kind != "max_pool" else ():
            if step.weight_key not in self.weight_addr:
                self.weight_addr[step.weight_key] = address
                address += line_bytes(self.weight_words(step), design.weight_word_bits, design.dram_burst_bytes)
            if step.param_key not in self.param_addr:
                self.param_addr[step.param_key] = address
                address += line_bytes(self.param_words(step), design.param_word_bits, design.dram_burst_bytes)
        self.end = address
        if self.end >= 1 << 32:
            raise InputError(f"{self.layer.name}: wanted less than 4 GiB of DRAM, got {self.end} bytes; cut the layer")

    def weight_words(self, step: Step) -> int:
        """Weight words of a tile (docs/tensor.md, section 6)."""
        k_blocks = step.blocks * self.layer.kernel_h * self.layer.kernel_w * self.passes
        if self.design.dataflow == "input_stationary":
            return k_blocks * step.n_valid
        return k_blocks * ceil_div(step.n_valid, self.design.array_cols) * self.design.array_rows

    def param_words(self, step: Step) -> int:
        """Parameter words of an output's channels."""
        return ceil_div(step.n_valid, self.design.post_lanes)

    def out_line(self, step: Step) -> int:
        """Byte offset, inside an output tensor, of the first line that the output writes."""
        block = step.channel // self.design.act_lanes
        return self.out_lines.at(step.image, block, step.row) * self.shape.out_line_bytes

    def build(self) -> Program:
        """Walk the tiles, giving out buffers and waits."""
        n_buffers = self.design.n_buffers
        pooling = self.layer.kind == "max_pool"
        acts, weights, params = _Buffers(n_buffers), _Buffers(n_buffers), _Buffers(n_buffers)
        tiles = np.zeros((len(self.steps), len(TileField)), dtype=np.int64)
        outputs: list[list[int]] = []
        for index, step in enumerate(self.steps):
            tile, output = tiles[index], len(outputs)
            free_output = max(0, output - n_buffers + 1)  # the output buffer's last user is out of the way
            self._load_act(tile, step, acts, index)
            if not pooling:
                self._load_weights(tile, step, weights, params, index)
            if step.last and self.layer.residual:
                tile[TileField.LOAD_RESIDUAL] = 1
                tile[TileField.RESIDUAL_ADDR] = self.regions.residual + self.out_line(step)
                tile[TileField.RESIDUAL_BLOCKS] = ceil_div(step.n_valid, self.design.act_lanes)
                tile[TileField.WAIT_STORES] = free_output
            if step.first:
                tile[TileField.COMPUTE_WAIT_STORES if pooling else TileField.COMPUTE_WAIT_OUTPUTS] = free_output
            tile[TileField.ACC_BUF] = tile[TileField.OUT_BUF] = output % n_buffers
            tile[TileField.FIRST], tile[TileField.ROWS], tile[TileField.N_VALID] = step.first, step.rows, step.n_valid
            if step.last:
                if not pooling:
                    params.use(output)
                outputs.append(self._output(step, output, index, 0 if pooling else params.buffer))
        last_tiles = [row[OutputField.WAIT_TILES] - 1 for row in outputs]
        for last in last_tiles:
            tiles[min(last + n_buffers - 1, len(tiles) - 1), TileField.N_STORES] += 1
        return Program(
            config=self._config(),
            tiles=tiles,
            outputs=np.array(outputs, dtype=np.int64).reshape(len(outputs), len(OutputField)),
            act_base=self.regions.act,
            residual_base=self.regions.residual,
            out_base=self.regions.out,
            end=self.end,
        )

    def _load_act(self, tile: np.ndarray, step: Step, acts: _Buffers, index: int) -> None:
        layer, shape = self.layer, self.shape
        top = step.row * layer.stride_h - layer.pad_top
        first = min(max(top, 0), layer.in_h - 1)
        bottom = min(top + (step.rows - 1) * layer.stride_h + layer.kernel_h - 1, layer.in_h - 1)
        tile[TileField.ACT_ROWS] = max(bottom - first + 1, 1)
        tile[TileField.ROW_OFFSET] = top - first
        tile[TileField.BLOCKS] = step.blocks
        if acts.load(step.act_key):
            line = self.in_lines.at(step.image, step.block, first)
            tile[TileField.LOAD_ACT] = 1
            tile[TileField.ACT_ADDR] = self.regions.act + line * shape.act_line_bytes
            tile[TileField.WAIT_RELEASED] = acts.wait
        tile[TileField.ACT_BUF] = acts.buffer
        acts.use(index)

    def _load_weights(self, tile: np.ndarray, step: Step, weights: _Buffers, params: _Buffers, index: int) -> None:
        if weights.load(step.weight_key):
            tile[TileField.LOAD_WEIGHTS] = 1
            tile[TileField.WEIGHT_ADDR] = self.weight_addr[step.weight_key]
            tile[TileField.WEIGHT_WORDS] = self.weight_words(step)
            tile[TileField.WAIT_RELEASED] = max(tile[TileField.WAIT_RELEASED], weights.wait)
        tile[TileField.WEIGHT_BUF] = weights.buffer
        weights.use(index)
        if step.first and params.load(step.param_key):
            tile[TileField.LOAD_PARAMS] = 1
            tile[TileField.PARAM_ADDR] = self.param_addr[step.param_key]
            tile[TileField.PARAM_WORDS] = self.param_words(step)
            tile[TileField.WAIT_OUTPUTS] = params.wait
        tile[TileField.PARAM_BUF] = params.buffer

    def _output(self, step: Step, output: int, index: int, param_buf: int) -> list[int]:
        row = [0] * len(OutputField)
        row[OutputField.WAIT_TILES] = index + 1
        row[OutputField.WAIT_STORES] = max(0, output - self.design.n_buffers + 1)
        row[OutputField.ACC_BUF] = row[OutputField.OUT_BUF] = output % self.design.n_buffers
        row[OutputField.PARAM_BUF] = param_buf
        row[OutputField.ROWS] = step.rows
        row[OutputField.BLOCKS] = ceil_div(step.n_valid, self.design.act_lanes)
        row[OutputField.N_VALID] = step.n_valid
        row[OutputField.STORE_ADDR] = self.regions.out + self.out_line(step)
        return row

    def _config(self) -> LayerConfig:
        design, layer, shape = self.design, self.layer, self.shape
        beat = design.dram_bytes_per_cycle
        return LayerConfig(
            pooling=layer.kind == "max_pool",
            kernel_h=layer.kernel_h,
            kernel_w=layer.kernel_w,
            stride_h=layer.stride_h,
            stride_w=layer.stride_w,
            pad_left=layer.pad_left,
            in_w=layer.in_w,
            out_w=layer.out_w,
            act_line_beats=shape.act_line_bytes // beat,
            act_block_bytes=self.in_lines.lines * shape.act_line_bytes,
            out_line_beats=shape.out_line_bytes // beat,
            out_block_bytes=self.out_lines.lines * shape.out_line_bytes,
            passes=self.passes,
            out_wide=int(out_is_wide(design, layer)),
            residual=int(layer.residual),
            **(bind_numbers(design, layer).registers if layer.numbers else {}),
        )
