"""Which line of weights each step of a to_weights layer makes, in any dataflow (docs/vector.md, section 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from designs.families.tensor import Design
from workloads.layer import Layer
from workloads.mapping.tensor import MOST_IN_A_TILE, Step, Tiling, ceil_div, smallest_tiling
from workloads.vector_layer import Role, VectorLayer

CACHE_TOKENS = 64  # tokens of a weight tile of a cached product, at least


@dataclass(frozen=True, kw_only=True)
class WeightStep:
    """One line of weights: what is loaded, and where its words go."""

    key: tuple[int, ...]  # `Step.weight_key` of the tile
    line: int  # first line loaded
    lines: int
    block: int  # first block of channels
    blocks: int
    skip: int  # pixels of the loaded lines before the first token
    n_tokens: int
    groups: int  # of array_rows tokens
    block_stride: int
    group_stride: int
    y_words: int


def weight_steps(design: Design, layer: VectorLayer, steps: Sequence[Step]) -> Iterator[WeightStep]:
    """The lines of weights that hold tokens from `layer.first_token` on, in the order in which the product reads them.

    `steps` are the tiles of the product.
    """
    seen: set[tuple[int, ...]] = set()
    for step in steps:
        if step.weight_key in seen:
            continue
        seen.add(step.weight_key)
        rows = design.array_rows
        if layer.role == "keys":
            token, n_tokens, block, blocks = step.channel, step.n_valid, step.block, step.blocks
        else:
            token, block, blocks = step.block * rows, step.channel // rows, ceil_div(step.n_valid, rows)
            n_tokens = min(step.blocks * rows, layer.n_tokens - token)
        if token + n_tokens > layer.first_token:
            yield _weight_step(design, layer, step.weight_key, token, n_tokens, block, blocks)


def _weight_step(
    design: Design, layer: VectorLayer, key: tuple[int, ...], token: int, n_tokens: int, block: int, blocks: int
) -> WeightStep:
    rows, groups = design.array_rows, ceil_div(n_tokens, design.array_rows)
    line = token // layer.in_w
    keys, dataflow = layer.role == "keys", design.dataflow
    if dataflow == "input_stationary":
        block_stride, group_stride = (n_tokens, rows) if keys else (rows, blocks * rows)
    elif keys == (dataflow == "weight_stationary"):
        block_stride, group_stride = groups * rows, rows
    else:
        block_stride, group_stride = rows, blocks * rows
    return WeightStep(
        key=key,
        line=line,
        lines=(token + n_tokens - 1) // layer.in_w + 1 - line,
        block=block,
        blocks=blocks,
        skip=token - line * layer.in_w,
        n_tokens=n_tokens,
        groups=groups,
        block_stride=block_stride,
        group_stride=group_stride,
        y_words=blocks * n_tokens if keys and dataflow == "input_stationary" else blocks * groups * rows,
    )


def weights_refusal(
    design: Design, layer: VectorLayer, product: Layer, tiling: Tiling | None = None
) -> str | None:
    """Why the largest line of weights is too large for the vector unit's buffers; None where it is not.

    Its source is counted as if its tokens began at the end of a line.
    """
    tiling = tiling or smallest_tiling(design, product)
    rows, channels = design.array_rows, min(tiling.channels, product.out_channels)
    tile_blocks = min(tiling.blocks, ceil_div(product.in_channels, rows))
    if layer.role == "keys":
        n_tokens, blocks = channels, tile_blocks
    else:
        n_tokens, blocks = min(tile_blocks * rows, layer.n_tokens), ceil_div(channels, rows)
    lines = min(layer.in_h, (n_tokens + layer.in_w - 2) // layer.in_w + 1)
    words = blocks * max(lines * layer.in_w, ceil_div(n_tokens, rows) * rows)
    if words > design.vector_words:
        wanted = f"wanted at least {words} for the weights of {product.name}"
        return f"{layer.name}: vector_words: {wanted}, got {design.vector_words}; enlarge it"
    if max(lines, blocks) > MOST_IN_A_TILE:
        return f"{layer.name}: wanted steps of at most {MOST_IN_A_TILE} lines and blocks, got {max(lines, blocks)}"
    return None


def smallest_cached_tiling(design: Design, product: Layer, role: Role) -> Tiling:
    """The tiling of a cached product that needs the least memory: docs/vector.md, section 6, a row at a time."""
    unit, rows = design.channel_unit, design.array_rows
    if role == "keys":
        return Tiling(
            rows=1, blocks=ceil_div(product.in_channels, rows), channels=unit * ceil_div(CACHE_TOKENS, unit)
        )
    return Tiling(
        rows=1, blocks=ceil_div(CACHE_TOKENS, rows), channels=unit * ceil_div(product.out_channels, unit)
    )


def product_mismatch(layer: VectorLayer, product: Layer | None) -> str | None:
    """Why the weights that `layer` makes are not those of `product`, on whatever machine; None where they are."""
    if layer.kind != "to_weights":
        return None
    if product is None:
        return f"{layer.name}: wanted the product {layer.product!r} that reads its weights, got none of this name"
    wanted = (layer.channels, layer.n_tokens) if layer.role == "keys" else (layer.n_tokens, layer.channels)
    fits = 0 <= layer.first_token <= layer.n_tokens and 0 < layer.n_tokens <= layer.in_h * layer.in_w
    if (product.in_channels, product.out_channels) != wanted or not fits:
        return (
            f"{layer.name}: wanted a product of {wanted[0]} input and {wanted[1]} output channels from at most "
            f"{layer.in_h * layer.in_w} tokens, got {product.in_channels} and {product.out_channels}"
        )
    if product.kernel_h * product.kernel_w * product.groups * layer.n_images > 1:
        return f"{layer.name}: wanted one matrix and a 1 x 1 kernel, got {layer.n_images} and a larger one"
    return None


def product_refusal(design: Design, layer: VectorLayer) -> str | None:
    """Why `design` cannot make weights out of activations; None where it can."""
    if design.weight_bits == 1:
        return f"{layer.name}: weight_bits: wanted at least 2 for weights that are activations, got 1"
    if design.dataflow != "input_stationary" and design.array_rows != design.array_cols:
        return (
            f"{layer.name}: array_cols: wanted array_rows ({design.array_rows}) where {design.dataflow} arrays take "
            f"weights from activations, got {design.array_cols}"
        )
    whole = design.dataflow == "input_stationary" and layer.role == "values"
    if whole and layer.channels % design.array_rows:
        return f"{layer.name}: array_rows: wanted a divisor of {layer.channels} channels, got {design.array_rows}"
    return None
