"""Layouts of what moves between the parts of the vector unit; field names of workloads/mapping/vector.py."""

from __future__ import annotations

from enum import IntEnum

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out

from designs.families.tensor import Design
from hw.parts.tensor_types import ADDRESS_BITS

TOKEN_BITS = 17  # tokens and channels
PIXEL_BITS = 21  # pixels of a step: words of a block
COUNT_BITS = 12  # lines and blocks, as of tiles
WORDS_BITS = 24  # words of the result
BIAS_BITS, SHIFT_BITS = 40, 6  # of a channel, workloads/functions/output.py
VALUE_BITS = 41  # what is multiplied at last: a value of 40 bits and its bias
SUM_BITS = 34  # sum of a row, signed; and wide enough for ITA's, unsigned
FACTOR_BITS = 33
ENTRY_BITS, TABLE_WORDS = 16, 256
ID_BITS = 32


class Operation(IntEnum):
    """`VectorConfig.operation`, numbered as in workloads/mapping/vector.py."""

    REQUANTIZE = 0
    GELU = 1
    ADD = 2
    GATHER = 3
    SOFTMAX = 4
    LAYER_NORM = 5
    RANGE_NORM = 6
    TO_WEIGHTS = 7


class Pass(IntEnum):
    """One pass over all items or rows (docs/vector.md, section 5)."""

    MAXIMUM = 0
    EXP_SUM = 1
    ITA_SUM = 2
    SUM = 3
    SQUARES = 4
    RESULT = 5
    MOVE = 6  # to_weights
    MEAN = 8
    FACTOR = 9
    ROOT_FACTOR = 10


ROW_PASSES = (Pass.MEAN, Pass.FACTOR, Pass.ROOT_FACTOR)


def passes(design: Design) -> dict[Operation, tuple[Pass, ...]]:
    """What each operation does, in order."""
    one = (Pass.RESULT,)
    exponentials = (Pass.ITA_SUM,) if design.vector_softmax == "ita" else (Pass.MAXIMUM, Pass.EXP_SUM)
    return {
        Operation.REQUANTIZE: one,
        Operation.GELU: one,
        Operation.ADD: one,
        Operation.GATHER: one,
        Operation.SOFTMAX: (*exponentials, Pass.FACTOR, Pass.RESULT),
        Operation.LAYER_NORM: (Pass.SUM, Pass.MEAN, Pass.SQUARES, Pass.ROOT_FACTOR, Pass.RESULT),
        Operation.RANGE_NORM: (Pass.SUM, Pass.MEAN, Pass.FACTOR, Pass.RESULT),
        Operation.TO_WEIGHTS: (Pass.MOVE,),
    }


def value_shape(design: Design) -> Shape:
    """A source's value, zero point subtracted."""
    return signed(design.edge_bits + 1)


def param_layout(design: Design) -> data.StructLayout:
    """What a channel of a normalization has of its own."""
    return data.StructLayout(
        {
            "bias": signed(BIAS_BITS),
            "multiplier": signed(design.requant_multiplier_bits + 1),
            "shift": unsigned(SHIFT_BITS),
        }
    )


def result_write_signature(design: Design) -> wiring.Signature:
    """Write port of the result, from the writer's view: `en` names the slices of vector_lanes lanes to be written."""
    return wiring.Signature(
        {
            "en": Out(design.vector_slices),
            "addr": Out(range(design.vector_words)),
            "data": Out(design.vector_result_word_bits),
        }
    )


def step_layout() -> data.StructLayout:
    """A step: what to load, and where its result goes."""
    address, count, token, words = (unsigned(n) for n in (ADDRESS_BITS, COUNT_BITS, TOKEN_BITS, WORDS_BITS))
    return data.StructLayout(
        {
            "x_addr": address,
            "z_addr": address,
            "y_addr": address,
            "lines": count,
            "blocks": count,
            "n_cols": token,
            "first_token": token,
            "param_addr": address,
            "param_words": token,
            "table_addr": address,
            "load_table": unsigned(1),
            "y_words": words,
            "skip": token,
            "n_tokens": token,
            "groups": count,
            "block_stride": words,
            "group_stride": words,
        }
    )


def vector_config_layout(design: Design) -> data.StructLayout:
    """The registers of a vector program; the host holds them while the machine is busy."""
    value = signed(design.edge_bits + 2)  # any stored value, signed or not
    bound = signed(max(design.edge_bits, design.weight_bits) + 2)  # on a result, which may be a weight
    flag, address, multiplier = unsigned(1), unsigned(ADDRESS_BITS), unsigned(design.requant_multiplier_bits)
    formats = {
        f"{source}_{name}": shape
        for source in ("x", "z", "y")
        for name, shape in (("wide", flag), ("signed", flag), ("line_bytes", address), ("block_bytes", address))
        if (source, name) != ("y", "signed")
    }
    return data.StructLayout(
        {
            "operation": Operation,
            "in_w": unsigned(COUNT_BITS),
            **formats,
            "table_base": address,
            "causal": flag,
            "causal_offset": signed(TOKEN_BITS + 1),
            "transposed": flag,
            "drop": flag,
            "x_zero": value,
            "z_zero": value,
            "multiplier": multiplier,
            "z_multiplier": multiplier,
            "shift": unsigned(SHIFT_BITS),
            "out_zero": bound,
            "out_low": bound,
            "out_high": bound,
            "out_bits": unsigned(5),
            "left_shift": unsigned(5),
            "ln2": unsigned(15),
            "clip": unsigned(20),
            "reciprocal": unsigned(19),
            "reciprocal_shift": unsigned(6),
            "b": signed(18),
            "c": signed(33),
            "one": signed(18),
            "function_multiplier": unsigned(16),
            "function_shift": unsigned(6),
            "n": unsigned(TOKEN_BITS),
            "pre_shift": unsigned(5),
        }
    )
