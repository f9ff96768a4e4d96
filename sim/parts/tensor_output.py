"""Parts of the output path of a tensor machine: requantizers, residual lanes, their order, pooling."""

from __future__ import annotations

from designs.families.tensor import Design
from sim.inventory import Part
from sim.parts.tensor_array import product_of_counts

_BIAS_BITS, _SHIFT_BITS, _N_SHIFTS = 32, 6, 64


def requantizers(design: Design) -> tuple[Part, ...]:
    """Bias, multiplier, rounding shift, zero point, clip, in three steps."""
    lanes, each = design.post_lanes, {"post_ops": 1.0}
    biased = max(design.acc_bits, _BIAS_BITS) + 1
    factor = design.requant_multiplier_bits if design.requant == "multiplier_shift" else 0
    wide = biased + factor
    parts = [
        Part(kind="adder", count=lanes, bits=biased, operations=each),
        Part(kind="register", count=lanes, bits=biased + wide, operations=each),
        *_rounded_and_clipped(design, lanes, wide, each),
        Part(kind="cleared_register", count=lanes, bits=design.edge_bits + 2, operations=each),
    ]
    if factor:
        parts.append(Part(kind="multiplier", count=lanes, bits=biased, other_bits=factor, operations=each))
    if design.channel_scale_bits:
        parts.append(Part(kind="register", count=lanes, bits=factor + 2 * _SHIFT_BITS, operations=each))
    return tuple(parts)


def _rounded_and_clipped(design: Design, lanes: int, wide: int, each: dict[str, float]) -> tuple[Part, ...]:
    kept = design.edge_bits + 4
    return (
        Part(kind="shifter", count=lanes, bits=wide, other_bits=_N_SHIFTS, operations=each),
        Part(kind="gate", count=lanes, bits=wide, operations=each),  # does it fit what is kept?
        Part(kind="gate", count=lanes, bits=2 * kept, operations=each),
        Part(kind="incrementer", count=lanes, bits=kept, operations=each),  # the half
        Part(kind="adder", count=lanes, bits=kept, operations=each),  # the zero point
        Part(kind="comparator", count=2 * lanes, bits=kept + 1, operations=each),
        Part(kind="mux", count=lanes, bits=design.edge_bits + 2, other_bits=3, operations=each),
    )


def residual_lanes(design: Design) -> int:
    """Lanes of the residual sum: those of a slice, or of a whole word where pixels leave a transposer."""
    return design.act_lanes if design.dataflow == "input_stationary" else design.post_lanes


def residual(design: Design) -> tuple[Part, ...]:
    """Sum of two tensors. Its work has no counter of its own: area and leakage only."""
    lanes, factor = residual_lanes(design), design.requant_multiplier_bits
    own, other = design.edge_bits + 3, design.edge_bits + 3  # both without their zero points
    wide = own + factor + 1
    return (
        Part(kind="adder", count=lanes, bits=own),
        Part(kind="adder", count=lanes, bits=other),
        Part(kind="multiplier", count=lanes, bits=own, other_bits=factor),
        Part(kind="multiplier", count=lanes, bits=other, other_bits=factor),
        Part(kind="mux", count=lanes, bits=own + factor, other_bits=2),
        Part(kind="register", count=lanes, bits=own + other + 2 * factor),
        Part(kind="adder", count=lanes, bits=wide),
        *_rounded_and_clipped(design, lanes, wide, {}),
        Part(kind="mux", count=2 * lanes, bits=design.edge_bits, other_bits=2),
        Part(kind="cleared_register", count=lanes, bits=design.edge_bits + 1),
    )


def output_path(design: Design) -> tuple[Part, ...]:
    """The order of accumulator words in and output words out, delayed beside the lanes; slices of words."""
    channels, cols, lanes = design.act_lanes, design.array_cols, design.post_lanes
    channel_bits = channels.bit_length()
    acc, param, out = (_bits(n) for n in (design.acc_words, design.param_words, design.out_words))
    transposed = design.dataflow == "input_stationary"
    index = _bits(max(channels // lanes, cols)) if transposed else _bits(channels // lanes)
    each = {"param_reads": 1.0}
    parts = [
        # Steps: block, pixel (or row and column), slice; addresses in, parameters, out.
        Part(kind="counter", bits=12, operations=each),
        Part(kind="gate", count=4, bits=12),  # the last row, the last block
        Part(kind="counter", bits=param, operations=each),
        Part(kind="counter", bits=acc, operations=each),
        Part(kind="counter", bits=out, operations=each),
        Part(kind="counter", bits=_bits(channels // lanes)),
        Part(kind="adder", bits=16),
        Part(kind="mux", bits=channel_bits, other_bits=2),
        Part(kind="comparator", count=2, bits=16),  # what the output waits for
        # What is known of a step, as many cycles as it is used.
        Part(kind="cleared_register", bits=4 + 3 + 6 * (out + 2) + 2, operations=each),
        Part(kind="cleared_register", count=4, bits=channel_bits + (index if transposed or channels > lanes else 0)),
        Part(kind="gate", count=residual_lanes(design), bits=channel_bits),  # lane number against n_keep
    ]
    if transposed:
        parts += [
            Part(kind="cleared_register", count=4, bits=_bits(channels) + _bits(cols // lanes)),
            Part(kind="counter", bits=_bits(cols) + _bits(channels) + _bits(lanes)),
            Part(kind="adder", count=5, bits=out + 1),
            Part(kind="comparator", count=2, bits=out + 1),
            product_of_counts(out, 12),
            Part(kind="cleared_register", count=2, bits=out),
            Part(kind="mux", bits=_BIAS_BITS + design.channel_scale_bits, other_bits=lanes, operations=each),
        ]
    else:
        parts += [
            Part(kind="counter", count=2, bits=12, operations=each),
            Part(kind="gate", count=2, bits=12),  # the last column
            Part(kind="enabled_register", bits=acc),
            Part(kind="mux", bits=acc, other_bits=2),
        ]
        if channels > cols:  # the slices of a pixel lie in folds apart
            parts += [
                product_of_counts(acc, 12),
                Part(kind="cleared_register", count=2, bits=acc),
                Part(kind="adder", bits=acc),
            ]
    if cols > lanes:
        parts.append(
            Part(kind="mux", bits=lanes * design.acc_bits, other_bits=cols // lanes, operations={"post_ops": 1 / lanes})
        )
        if not transposed:
            parts.append(Part(kind="cleared_register", bits=_bits(cols // lanes)))
    if channels > lanes and not transposed:
        n_slices = channels // lanes
        parts += [
            Part(kind="mux", bits=lanes * design.edge_bits, other_bits=n_slices),
            Part(kind="register", bits=(channels - lanes) * design.edge_bits, operations={"out_writes": 1.0}),
        ]
    return tuple(parts)


def pooling(design: Design) -> tuple[Part, ...]:
    """The maximum of every lane. Its work is not told from other reads of activations: area and leakage only."""
    lanes, bits = design.act_lanes, design.act_bits
    return (
        Part(kind="comparator", count=lanes, bits=bits),
        Part(kind="gate", count=lanes, bits=bits),  # zero outside the image
        Part(kind="gate", count=lanes, bits=4),  # signs turned, in and out
        Part(kind="enabled_register", count=lanes, bits=bits),
        Part(kind="counter", bits=_bits(design.out_words)),
        Part(kind="cleared_register", bits=9),
    )


def _bits(n: int) -> int:
    return max((n - 1).bit_length(), 1)
