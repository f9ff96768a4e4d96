"""Vector instructions that numba has no type for: a few logic operations on 8 words at an address, and popcount.

LLVM's own vectorizer gives up on loops that store to one of many rows of an array, as the rows could overlap; here each
step is a vector from the start. 8 words are one register of AVX-512 and two of AVX2; other machines take more.
Addresses and offsets are in bytes and not checked.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WORDS = 8  # of a vector
VECTOR_BYTES = 8 * WORDS

_WORD = ir.IntType(64)
_VECTOR = ir.VectorType(_WORD, WORDS)
_ONES = ir.Constant(_VECTOR, [ir.Constant(_WORD, -1)] * WORDS)


def _load(builder: ir.IRBuilder, address: ir.Value, offset: ir.Value) -> ir.Value:
    return builder.load(builder.inttoptr(builder.add(address, offset), _VECTOR.as_pointer()), align=8)


def _store(builder: ir.IRBuilder, value: ir.Value, address: ir.Value, offset: ir.Value) -> None:
    builder.store(value, builder.inttoptr(builder.add(address, offset), _VECTOR.as_pointer()), align=8)


def _tree(builder: ir.IRBuilder, selects: list[ir.Value], leaves: list[ir.Value], offset: ir.Value) -> ir.Value:
    """leaves[0] ^ selects[0] & leaves[1] for one select; with the last select, two such trees are joined alike."""
    if not selects:
        return _load(builder, leaves[0], offset)
    half = len(leaves) // 2
    low = _tree(builder, selects[:-1], leaves[:half], offset)
    high = _tree(builder, selects[:-1], leaves[half:], offset)
    return builder.xor(low, builder.and_(high, selects[-1]))


def _tree_of(builder: ir.IRBuilder, arguments: list[ir.Value], n_selects: int) -> tuple[ir.Value, ir.Value, ir.Value]:
    offset, out, selects, leaves = arguments
    addresses = cgutils.unpack_tuple(builder, selects, n_selects)
    loaded = [_load(builder, address, offset) for address in addresses]
    rows = cgutils.unpack_tuple(builder, leaves, 1 << n_selects)
    return _tree(builder, loaded, rows, offset), out, offset


@intrinsic
def store_tree(typing: Any, offset: Any, out: Any, selects: Any, leaves: Any) -> Any:
    """out = tree over the addresses `selects` (n of them, a tuple) and `leaves` (2^n)."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        value, address, at = _tree_of(builder, arguments, len(selects))
        _store(builder, value, address, at)
        return context.get_dummy_value()

    return types.void(offset, out, selects, leaves), codegen


@intrinsic
def join_tree(typing: Any, offset: Any, out: Any, gate: Any, selects: Any, leaves: Any) -> Any:
    """out ^= gate & tree over `selects` and `leaves`."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        at, address, gate_address, select_addresses, leaf_addresses = arguments
        value, _, _ = _tree_of(builder, [at, address, select_addresses, leaf_addresses], len(selects))
        gated = builder.and_(value, _load(builder, gate_address, at))
        _store(builder, builder.xor(_load(builder, address, at), gated), address, at)
        return context.get_dummy_value()

    return types.void(offset, out, gate, selects, leaves), codegen


@intrinsic
def store_pair_functions(typing: Any, offset: Any, x0: Any, x1: Any, rows: Any, row_bytes: Any) -> Any:
    """Row f = function f of two variables, for the 12 of 16 that are neither constant nor a variable.

    Bit i of the number f is the function's value for x0 + 2 x1 = i.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        at, address_0, address_1, first, stride = arguments
        a, b = _load(builder, address_0, at), _load(builder, address_1, at)
        not_a, not_b, differ = builder.xor(a, _ONES), builder.xor(b, _ONES), builder.xor(a, b)
        functions = {
            0b0001: builder.and_(not_a, not_b),
            0b0010: builder.and_(a, not_b),
            0b0011: not_b,
            0b0100: builder.and_(not_a, b),
            0b0101: not_a,
            0b0110: differ,
            0b0111: builder.or_(not_a, not_b),
            0b1000: builder.and_(a, b),
            0b1001: builder.xor(differ, _ONES),
            0b1011: builder.or_(a, not_b),
            0b1101: builder.or_(not_a, b),
            0b1110: builder.or_(a, b),
        }
        for number, value in functions.items():
            _store(builder, value, builder.add(first, builder.mul(stride, ir.Constant(_WORD, number))), at)
        return context.get_dummy_value()

    return types.void(offset, x0, x1, rows, row_bytes), codegen


@intrinsic
def popcount(typing: Any, word: Any) -> Any:
    """Ones of a uint64."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), codegen
