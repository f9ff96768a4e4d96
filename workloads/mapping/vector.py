"""(design, vector layer) -> the program of the vector unit (docs/vector.md, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from designs.families.tensor import Design
from workloads.layer import Layer
from workloads.mapping.tensor import (
    MOST_IN_A_TILE,
    MOST_OF_AN_AXIS,
    MOST_WORK,
    StoredLines,
    Tiling,
    ceil_div,
    constants_lines,
    line_bytes,
    place_refusal,
    stored_lines,
)
from workloads.mapping.vector_numbers import NORMS, bind_vector_numbers
from workloads.mapping.vector_program import VectorConfig, VectorField, VectorOperation, VectorProgram
from workloads.mapping.vector_weights import product_mismatch, product_refusal, weight_steps, weights_refusal
from workloads.vector_layer import VectorLayer

ROW_KINDS = ("softmax", *NORMS, "gather")  # a row must be whole
MOST_IN_A_ROW = 1 << 16  # entries of a softmax or a normalization: the registers of their sums hold no more
ID_BITS = 32
TABLE_WORDS, TABLE_BITS = 256, 16
_TABLE_KINDS = ("softmax", "gelu")


@dataclass(frozen=True, kw_only=True)
class VectorRegions:
    """First DRAM byte of a vector layer's tensors, each on a burst boundary.

    Parameters and tables start at `constants`. Of to_weights, `y` is where the constants of its product start.
    """

    x: int
    z: int
    y: int
    constants: int


@dataclass(frozen=True, kw_only=True)
class VectorCut:
    """How a vector layer is cut into steps, to_weights apart."""

    lines: int  # of a step
    blocks: int  # of a step; all of them but where not even a line of all blocks fits


def vector_cut(design: Design, layer: VectorLayer) -> VectorCut:
    """As many lines as fit with all blocks; else one line and as many blocks as fit (0 where none do)."""
    blocks = ceil_div(layer.channels, design.array_rows)
    lines = min(layer.in_h, design.vector_words // (blocks * layer.in_w))
    if layer.kind in ROW_KINDS:
        return VectorCut(lines=min(lines, design.vector_rows // layer.in_w), blocks=blocks)
    if lines:
        return VectorCut(lines=lines, blocks=blocks)
    return VectorCut(lines=1, blocks=min(blocks, design.vector_words // layer.in_w))


def vector_layer_refusal(layer: VectorLayer) -> str | None:
    """Why no vector unit runs `layer`, whatever its size; None where its shape is no obstacle."""
    if layer.in_w > MOST_IN_A_TILE:
        return f"{layer.name}: wanted lines of at most {MOST_IN_A_TILE} pixels, got {layer.in_w}"
    longest = max(layer.n_images, layer.in_h, layer.channels)
    if longest > MOST_OF_AN_AXIS:
        return f"{layer.name}: wanted lines and channels of at most {MOST_OF_AN_AXIS}, got {longest}; split the layer"
    if layer.kind in ("softmax", *NORMS) and layer.channels > MOST_IN_A_ROW:
        return f"{layer.name}: wanted rows of at most {MOST_IN_A_ROW} columns, got {layer.channels}"
    work = layer.repeat * layer.n_images * layer.in_h * layer.in_w * (layer.channels + 255) << 8
    if work > MOST_WORK:
        return f"{layer.name}: wanted a layer of at most {MOST_WORK >> 8:.0e} values, got {work >> 8:.0e}; split it"
    return None


def vector_refusal(
    design: Design, layer: VectorLayer, product: Layer | None = None, tiling: Tiling | None = None
) -> str | None:
    """Why `design` cannot run the layer, as one line; None where it can.

    Of to_weights, `product` is the layer that reads the weights and `tiling` its tiling (default: the smallest).
    """
    if not design.vector_lanes:
        return f"{layer.name}: vector_lanes: wanted a vector unit for {layer.kind}, got 0 lanes; give it some"
    places = layer.in_place, layer.out_place
    if problem := vector_layer_refusal(layer) or place_refusal(design, layer.name, *places):
        return problem
    if layer.kind == "to_weights":
        problem = product_mismatch(layer, product) or product_refusal(design, layer)
        if problem or product is None:
            return problem
        return weights_refusal(design, layer, product, tiling)
    blocks, cut = ceil_div(layer.channels, design.array_rows), vector_cut(design, layer)
    whole = layer.kind in ROW_KINDS
    needs = {"vector_words": ((blocks if whole else 1) * layer.in_w, design.vector_words)}
    if whole:
        needs["vector_rows"] = (layer.in_w, design.vector_rows)
    if layer.kind in NORMS:
        needs["vector_param_words"] = (blocks * design.vector_slices, design.vector_param_words)
    if problem := _too_small(layer, needs):
        return problem
    if (largest := max(cut.lines, cut.blocks)) > MOST_IN_A_TILE:
        return f"{layer.name}: wanted steps of at most {MOST_IN_A_TILE} lines and blocks, got {largest}"
    return None


def _too_small(layer: VectorLayer, needs: dict[str, tuple[int, int]]) -> str | None:
    for field, (needed, available) in needs.items():
        if needed > available:
            return f"{layer.name}: {field}: wanted at least {needed} for one step, got {available}; enlarge it"
    return None


def x_lines(design: Design, layer: VectorLayer) -> StoredLines:
    """Where the layer's x lies, or its ids: a tensor of one block."""
    channels = 1 if layer.kind == "gather" else layer.channels
    return stored_lines(design, layer.in_place, layer.n_images, channels, layer.in_h)


def z_lines(design: Design, layer: VectorLayer) -> StoredLines:
    """Where the second source of an addition lies."""
    return stored_lines(design, None, layer.n_images, layer.channels, layer.in_h)


def y_lines(design: Design, layer: VectorLayer) -> StoredLines:
    """Where the result lies, to_weights apart."""
    return stored_lines(design, layer.out_place, layer.n_images, layer.channels, layer.in_h)


def x_bytes(design: Design, layer: VectorLayer) -> int:
    """DRAM bytes of the stored tensor that holds the layer's x."""
    return x_lines(design, layer).n_lines * _x_line(design, layer)


def z_bytes(design: Design, layer: VectorLayer) -> int:
    """DRAM bytes of the second source; 0 where there is none."""
    return z_lines(design, layer).n_lines * _line(design, layer, layer.z_bits) if layer.kind == "add" else 0


def y_bytes(design: Design, layer: VectorLayer) -> int:
    """DRAM bytes of the stored tensor that holds the result; 0 for to_weights."""
    if layer.kind == "to_weights":
        return 0
    return y_lines(design, layer).n_lines * _line(design, layer, layer.out_bits)


def has_table(design: Design, layer: VectorLayer) -> bool:
    """Whether the layer loads a table of function values."""
    if layer.kind == "softmax" and design.vector_softmax == "ita":
        return False
    return design.vector_functions == "table" and layer.kind in _TABLE_KINDS


def build_vector_program(
    design: Design,
    layer: VectorLayer,
    regions: VectorRegions | None = None,
    *,
    product: Layer | None = None,
    tiling: Tiling | None = None,
) -> VectorProgram:
    """The program that runs `layer` on `design`; by default its tensors follow each other from 0.

    A to_weights layer needs the `product` that reads its weights and the `tiling` of it. Raises InputError where the
    layer or its numbers do not fit the machine.
    """
    if problem := vector_refusal(design, layer, product, tiling):
        raise InputError(problem)
    if regions is None:
        z = x_bytes(design, layer)
        y = z + z_bytes(design, layer)
        regions = VectorRegions(x=0, z=z, y=y, constants=y + y_bytes(design, layer))
    program = _VectorBuilder(design, layer, regions, product, tiling).build()
    if program.end >= 1 << 32:
        raise InputError(f"{layer.name}: wanted less than 4 GiB of DRAM, got {program.end} bytes; cut the layer")
    return program


def _line(design: Design, layer: VectorLayer, bits: int) -> int:
    return line_bytes(layer.in_w, design.stored_word_bits(bits), design.dram_burst_bytes)


def _x_line(design: Design, layer: VectorLayer) -> int:
    """Bytes of a line of x as it is walked: of pixels, or of ids."""
    if layer.kind == "gather":
        return line_bytes(layer.in_w, ID_BITS, design.dram_burst_bytes)
    return _line(design, layer, layer.in_bits)


class _VectorBuilder:
    def __init__(
        self, design: Design, layer: VectorLayer, regions: VectorRegions, product: Layer | None, tiling: Tiling | None
    ) -> None:
        self.design, self.layer, self.regions, self.product, self.tiling = design, layer, regions, product, tiling
        self.blocks = ceil_div(layer.channels, design.array_rows)
        self.x, self.z, self.y = x_lines(design, layer), z_lines(design, layer), y_lines(design, layer)
        self.x_line = _x_line(design, layer)
        self.z_line, self.y_line = _line(design, layer, layer.z_bits), _line(design, layer, layer.out_bits)
        self._place_constants()

    def _place_constants(self) -> None:
        """Parameters, the table of a function, the table of rows: in this order."""
        design, layer, burst = self.design, self.layer, self.design.dram_burst_bytes
        self.param_words = self.blocks * design.vector_slices if layer.kind in NORMS else 0
        self.params = self.regions.constants
        self.table = self.params + line_bytes(self.param_words, design.vector_param_word_bits, burst)
        self.rows = self.table + (line_bytes(TABLE_WORDS, TABLE_BITS, burst) if has_table(design, layer) else 0)
        row = line_bytes(self.blocks, design.stored_word_bits(layer.in_bits), burst)
        self.row_bytes = row if layer.kind == "gather" else 0
        self.end = self.rows + layer.n_table_rows * self.row_bytes

    def build(self) -> VectorProgram:
        if self.layer.kind == "to_weights":
            return self._program(self._weight_steps())
        return self._program(self._steps())

    def _program(self, steps: list[dict[VectorField, int]]) -> VectorProgram:
        rows = np.zeros((len(steps), len(VectorField)), dtype=np.int64)
        for row, step in zip(rows, steps, strict=True):
            for field, value in step.items():
                row[field] = value
        return VectorProgram(
            config=self._config(), steps=rows, x_base=self.regions.x, z_base=self.regions.z, y_base=self.regions.y,
            end=self.end,
        )  # fmt: skip

    def _steps(self) -> list[dict[VectorField, int]]:
        """Images, then lines, then blocks."""
        design, layer, cut = self.design, self.layer, vector_cut(self.design, self.layer)
        gathers = layer.kind == "gather"
        found: list[dict[VectorField, int]] = []
        for image in range(layer.n_images):
            for line in range(0, layer.in_h, cut.lines):
                for block in range(0, self.blocks, cut.blocks):
                    n_blocks = min(cut.blocks, self.blocks - block)
                    x_at = self.x.at(image, 0 if gathers else block, line)
                    step = {
                        VectorField.X_ADDR: self.regions.x + x_at * self.x_line,
                        VectorField.Y_ADDR: self.regions.y + self.y.at(image, block, line) * self.y_line,
                        VectorField.LINES: min(cut.lines, layer.in_h - line),
                        VectorField.BLOCKS: n_blocks,
                        VectorField.N_COLS: self._columns(block, n_blocks),
                        VectorField.FIRST_TOKEN: line * layer.in_w,
                    }
                    if layer.kind == "add":
                        z_at = self.z.at(image, block, line)
                        step[VectorField.Z_ADDR] = self.regions.z + z_at * self.z_line
                    found.append(step)
        if self.param_words:
            found[0] |= {VectorField.PARAM_ADDR: self.params, VectorField.PARAM_WORDS: self.param_words}
        if has_table(design, layer):
            found[0] |= {VectorField.TABLE_ADDR: self.table, VectorField.LOAD_TABLE: 1}
        return found

    def _columns(self, block: int, blocks: int) -> int:
        """Valid channels of some blocks."""
        rows = self.design.array_rows
        return min(self.layer.channels - block * rows, blocks * rows)

    def _weight_steps(self) -> list[dict[VectorField, int]]:
        assert self.product is not None and self.tiling is not None
        design, layer = self.design, self.layer
        lines = constants_lines(design, self.product, self.tiling, self.regions.y)
        self.end = lines.end
        found = []
        for part in weight_steps(design, layer, lines.steps):
            found.append(
                {
                    VectorField.X_ADDR: self.regions.x + self.x.at(0, part.block, part.line) * self.x_line,
                    VectorField.Y_ADDR: lines.weight_addr[part.key],
                    VectorField.LINES: part.lines,
                    VectorField.BLOCKS: part.blocks,
                    VectorField.N_COLS: self._columns(part.block, part.blocks),
                    VectorField.FIRST_TOKEN: part.line * layer.in_w,
                    VectorField.Y_WORDS: part.y_words,
                    VectorField.SKIP: part.skip,
                    VectorField.N_TOKENS: part.n_tokens,
                    VectorField.GROUPS: part.groups,
                    VectorField.BLOCK_STRIDE: part.block_stride,
                    VectorField.GROUP_STRIDE: part.group_stride,
                }
            )
        return found

    def _config(self) -> VectorConfig:
        design, layer = self.design, self.layer
        gathers, stationary_input = layer.kind == "gather", design.dataflow == "input_stationary"
        weights = layer.kind == "to_weights"
        return VectorConfig(
            operation=VectorOperation[layer.kind.upper()],
            in_w=layer.in_w,
            x_wide=int(design.is_wide(layer.in_bits)),
            x_line_bytes=self.row_bytes if gathers else self.x_line,
            x_block_bytes=0 if gathers else self.x.lines * self.x_line,
            table_base=self.rows if gathers else 0,
            **(
                {
                    "z_wide": int(design.is_wide(layer.z_bits)),
                    "z_line_bytes": self.z_line,
                    "z_block_bytes": self.z.lines * self.z_line,
                }
                if layer.kind == "add"
                else {}
            ),
            y_wide=0 if weights else int(design.is_wide(layer.out_bits)),
            y_line_bytes=0 if weights else self.y_line,
            y_block_bytes=0 if weights else self.y.lines * self.y_line,
            causal=int(layer.causal),
            causal_offset=layer.causal_offset,
            transposed=int(weights and (layer.role == "values") == stationary_input),
            drop=int(weights and layer.role == "keys" and stationary_input),
            **(bind_vector_numbers(design, layer)[1] if layer.numbers else {}),
        )
