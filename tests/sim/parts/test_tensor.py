"""The inventory of the tensor machine, by hand."""

from __future__ import annotations

from dataclasses import replace

from designs.families.tensor import Design
from sim.parts.tensor import tensor_inventory
from sim.parts.tensor_array import product_of_counts, sum_bits
from sim.parts.tensor_control import OUTPUT_BITS, TILE_BITS

SMALL = Design(array_rows=4, array_cols=2, act_bits=8, weight_bits=4, acc_bits=32, scratchpad_banks=4)


def count(design: Design, name: str, kind: str) -> int:
    return sum(part.count for part in tensor_inventory(design)[name] if part.kind == kind)


def bits(design: Design, name: str, kind: str) -> int:
    return sum(part.count * part.bits for part in tensor_inventory(design)[name] if part.kind == kind)


def test_sums_hold_the_largest_products() -> None:
    # 255 x -8 = -2040 needs 12 signed bits, four of them (-8160) 14.
    assert (sum_bits(SMALL, 1), sum_bits(SMALL, 4)) == (12, 14)


def test_weight_stationary_array_by_hand() -> None:
    assert count(SMALL, "pe", "multiplier") == 8
    assert bits(SMALL, "pe", "enabled_register") == 8 * 4  # the weights stay
    # Activations of 9 bits pass to the one column further right; sums of 12, 13, 14, 14 bits pass down two columns.
    assert bits(SMALL, "pe", "register") == 4 * 9 + 2 * (12 + 13 + 14 + 14)
    # Triangles: 6 activations, 1 weight, 1 sum.
    assert bits(SMALL, "skew", "register") == 6 * 9 + 4 + 14


def test_output_stationary_array_by_hand() -> None:
    design = replace(SMALL, dataflow="output_stationary")
    assert bits(design, "pe", "register") == 3 * 2 * 4  # weights pass down three rows
    # Accumulators; activations with their flag to the next column; two flags.
    assert bits(design, "pe", "cleared_register") == 8 * 32 + 4 * 10 + 8 * 2
    assert bits(design, "transposer", "cleared_register") == (16 + 4) * 9


def test_binary_weights_have_no_multiplier() -> None:
    assert count(replace(SMALL, weight_bits=1), "pe", "multiplier") == 0


def test_memories_by_hand() -> None:
    inventory = tensor_inventory(SMALL)
    (bank,) = [part for part in inventory["act_scratchpad"] if part.kind == "sram"]
    assert (bank.count, bank.bits, bank.words) == (4, 32, 4096)  # 64 KB of 4-byte words in four banks
    (accumulators,) = [part for part in inventory["accumulator"] if part.kind == "sram"]
    assert (accumulators.count, accumulators.bits, accumulators.words) == (2, 64, 4096)
    assert [(part.bits, part.words) for part in inventory["descriptors"]] == [(332, 8), (107, 8)]
    assert (TILE_BITS, OUTPUT_BITS) == (332, 107)


def test_n_of_m_array_by_hand() -> None:
    """2:4 on 4 rows: two groups of 4 channels, words of 8."""
    design = replace(SMALL, n_of_m="2:4")
    (selector,) = [part for part in tensor_inventory(design)["pe"] if part.kind == "mux"]
    assert (selector.count, selector.bits, selector.other_bits) == (8, 9, 4)
    assert bits(design, "pe", "enabled_register") == 8 * (4 + 2)  # weights and their places
    assert bits(design, "pe", "register") == 4 * 4 * 9 + 2 * (12 + 13 + 14 + 14)  # a row passes its whole group on
    assert bits(design, "skew", "register") == 4 * (1 + 3) * 9 + 6 + 14  # groups as late as their last rows
    (bank,) = [part for part in tensor_inventory(design)["act_scratchpad"] if part.kind == "sram"]
    assert (bank.count, bank.bits, bank.words) == (4, 64, 2048)


def test_wide_edges_widen_the_output_buffer() -> None:
    (narrow,), (wide,) = (
        [part for part in tensor_inventory(design)["output_buffer"] if part.kind == "sram"]
        for design in (SMALL, replace(SMALL, wide_bits=20))
    )
    assert (narrow.bits, wide.bits, narrow.words) == (32, 80, wide.words)


def test_residual_lanes_are_of_a_slice_or_of_a_word() -> None:
    assert count(SMALL, "residual", "multiplier") == 2 * 2
    assert count(replace(SMALL, dataflow="input_stationary"), "residual", "multiplier") == 2 * 4


def test_only_output_and_input_stationary_transpose() -> None:
    assert "transposer" not in tensor_inventory(SMALL)
    assert bits(replace(SMALL, dataflow="input_stationary"), "transposer", "enabled_register") == 8 * 10


def test_truncated_product_by_hand() -> None:
    part = product_of_counts(4, 12)  # 4 + 3 + 2 + 1 partial products: two and a half rows of four
    assert (part.bits, part.other_bits) == (4, 2)
