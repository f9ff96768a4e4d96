"""Rotation, difference and gadget digits on vectors of words, as intrinsics."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from workloads.tfhe.kernels.vectors import Lanes, lanes_of


@intrinsic
def store_difference(typing: Any, lanes: Any, rotated: Any, sign: Any, words: Any, offset: Any, out: Any) -> Any:
    """out = +-rotated - words + offset, one vector of words; `sign` 0 is plus, -1 is minus."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        write = lanes_of(builder, signature)
        _, source, minus, subtracted, added, target = arguments
        flip = _word(write, minus)
        turned = builder.sub(builder.xor(write.load(source, write.words), flip), flip)
        difference = builder.sub(turned, write.load(subtracted, write.words))
        write.store(builder.add(difference, _word(write, added)), target)
        return context.get_dummy_value()

    return types.void(lanes, rotated, sign, words, offset, out), codegen


@intrinsic
def store_digits(typing: Any, lanes: Any, words: Any, shift: Any, mask: Any, bias: Any, out: Any) -> Any:
    """out = ((words >> shift) & mask) - bias, one vector of words."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        write = lanes_of(builder, signature)
        _, source, right, kept, subtracted, target = arguments
        field = builder.lshr(write.load(source, write.words), _word(write, right))
        digits = builder.sub(builder.and_(field, _word(write, kept)), _word(write, subtracted))
        write.store(digits, target)
        return context.get_dummy_value()

    return types.void(lanes, words, shift, mask, bias, out), codegen


def _word(lanes: Lanes, value: ir.Value) -> ir.Value:
    """The low 32 bits of an int64, in every lane."""
    return lanes.splat(lanes.builder.trunc(value, ir.IntType(32)), lanes.words)
