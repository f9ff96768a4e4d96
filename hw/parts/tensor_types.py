"""Layouts of what moves between the parts of the tensor machine; field names of workloads/mapping/program.py."""

from __future__ import annotations

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from designs.families.tensor import Design

COUNTER_BITS = 16  # tiles and outputs of one program, and the counters that engines wait for
ADDRESS_BITS = 32  # bytes of DRAM
PASSES_BITS = 5  # passes over a k-block: at most 16, of one weight in a group of 16


def tile_layout() -> data.StructLayout:
    """A tile: what to load and what to compute."""
    count, address, flag = unsigned(COUNTER_BITS), unsigned(ADDRESS_BITS), unsigned(1)
    return data.StructLayout(
        {
            "load_act": flag,
            "act_addr": address,
            "act_rows": unsigned(12),
            "blocks": unsigned(12),
            "load_weights": flag,
            "weight_addr": address,
            "weight_words": unsigned(24),
            "load_params": flag,
            "param_addr": address,
            "param_words": unsigned(12),
            "load_residual": flag,
            "residual_addr": address,
            "residual_blocks": unsigned(12),
            "wait_released": count,
            "wait_outputs": count,
            "wait_stores": count,
            "compute_wait_outputs": count,
            "compute_wait_stores": count,
            "act_buf": flag,
            "weight_buf": flag,
            "acc_buf": flag,
            "param_buf": flag,
            "out_buf": flag,
            "first": flag,
            "rows": unsigned(12),
            "row_offset": signed(12),
            "n_valid": unsigned(16),
            "n_stores": unsigned(2),
        }
    )


def output_layout() -> data.StructLayout:
    """An output: what to requantize and store."""
    count = unsigned(COUNTER_BITS)
    return data.StructLayout(
        {
            "wait_tiles": count,
            "wait_stores": count,
            "acc_buf": unsigned(1),
            "out_buf": unsigned(1),
            "param_buf": unsigned(1),
            "rows": unsigned(12),
            "blocks": unsigned(12),
            "n_valid": unsigned(16),
            "store_addr": unsigned(ADDRESS_BITS),
        }
    )


def config_layout(design: Design) -> data.StructLayout:
    """The registers of a layer; the host holds them while the machine is busy."""
    value = signed(design.act_bits + 2)  # any stored activation, signed or not, and any bound on it
    edge = signed(design.edge_bits + 2)  # the same of an output or residual, which may be wide
    multiplier = unsigned(design.requant_multiplier_bits)
    return data.StructLayout(
        {
            "pooling": unsigned(1),
            "kernel_h": unsigned(8),
            "kernel_w": unsigned(8),
            "stride_h": unsigned(8),
            "stride_w": unsigned(8),
            "pad_left": unsigned(8),
            "in_w": unsigned(12),
            "out_w": unsigned(12),
            "act_line_beats": unsigned(20),
            "act_block_bytes": unsigned(ADDRESS_BITS),
            "out_line_beats": unsigned(20),
            "out_block_bytes": unsigned(ADDRESS_BITS),
            "in_signed": unsigned(1),
            "in_zero": value,
            "multiplier": multiplier,
            "shift": unsigned(6),
            "out_zero": edge,
            "out_low": edge,
            "out_high": edge,
            "residual": unsigned(1),
            "residual_signed": unsigned(1),
            "residual_zero": edge,
            "residual_m1": multiplier,
            "residual_m2": multiplier,
            "residual_shift": unsigned(6),
            "sum_zero": edge,
            "sum_low": edge,
            "sum_high": edge,
            **({"out_wide": unsigned(1)} if design.wide_bits else {}),
            **({"passes": unsigned(PASSES_BITS)} if design.place_bits else {}),
        }
    )
