"""Nodes of the transform's tree: a few levels of butterflies on vectors in registers, as intrinsics.

A polynomial a of N real coefficients modulo X^N + 1 is one of N/2 complex coefficients a[y] + i a[y + N/2] modulo
X^(N/2) - i. A node of the tree is a polynomial modulo X^2m - w^2; its children are the same modulo X^m - w and X^m + w,
so that one level is u + w v and u - w v, w one number a node. The right child's w is i times the left child's: only the
left ones are in memory, in the order in which the levels use them. No twist is needed, and no order of the leaves:
products are taken leaf by leaf. The inverse undoes level by level, without the halving.

Points lie in memory as vectors of real parts, each followed by its vector of imaginary parts: 16 bytes a point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from workloads.tfhe.kernels.vectors import WORD_BYTES, Complex, Lanes, lanes_of

POINT_BYTES = 16
ROUNDER = 1.5 * 2.0**52  # added to a double below 2^51 in size, it leaves the nearest integer in the low bits
FINEST_ROUNDED = 2.0**51


def n_factors(n_levels: int) -> int:
    """Complex numbers a node needs: 1, 1, 2, 4, .. for its levels, less those that are i times another."""
    return (1 << n_levels) // 2


def _node_factors(n_levels: int) -> list[list[int]]:
    """For each level the number, in memory, of the factor that its even nodes use."""
    places, used = [], 0
    for level in range(n_levels):
        count = max(1, (1 << level) // 2)
        places.append(list(range(used, used + count)))
        used += count
    return places


def _times(lanes: Lanes, value: Complex, factor: Complex) -> Complex:
    b = lanes.builder
    (x, y), (c, s) = value, factor
    real = lanes.fma(b.fneg(s), y, b.fmul(c, x))
    return real, lanes.fma(s, x, b.fmul(c, y))


def _times_conjugate(lanes: Lanes, value: Complex, factor: Complex) -> Complex:
    b = lanes.builder
    (x, y), (c, s) = value, factor
    return lanes.fma(s, y, b.fmul(c, x)), lanes.fma(b.fneg(s), x, b.fmul(c, y))


def _forward(lanes: Lanes, points: list[Complex], factors: Sequence[Complex]) -> list[Complex]:
    """All levels of a node of len(points) = 2^levels legs."""
    b = lanes.builder
    half = len(points) // 2
    for level in _node_factors(len(points).bit_length() - 1):
        for node in range(len(points) // (2 * half)):
            factor = factors[level[node // 2]]
            for leg in range(2 * half * node, 2 * half * node + half):
                u, (x, y) = points[leg], _times(lanes, points[leg + half], factor)
                if node % 2:  # i (x + i y) = -y + i x
                    points[leg] = b.fsub(u[0], y), b.fadd(u[1], x)
                    points[leg + half] = b.fadd(u[0], y), b.fsub(u[1], x)
                else:
                    points[leg] = b.fadd(u[0], x), b.fadd(u[1], y)
                    points[leg + half] = b.fsub(u[0], x), b.fsub(u[1], y)
        half //= 2
    return points


def _inverse(lanes: Lanes, points: list[Complex], factors: Sequence[Complex]) -> list[Complex]:
    b = lanes.builder
    half = 1
    for level in reversed(_node_factors(len(points).bit_length() - 1)):
        for node in range(len(points) // (2 * half)):
            factor = factors[level[node // 2]]
            for leg in range(2 * half * node, 2 * half * node + half):
                u, v = points[leg], points[leg + half]
                points[leg] = b.fadd(u[0], v[0]), b.fadd(u[1], v[1])
                if node % 2:  # (x + i y) / i = y - i x
                    turned = b.fsub(u[1], v[1]), b.fsub(v[0], u[0])
                else:
                    turned = b.fsub(u[0], v[0]), b.fsub(u[1], v[1])
                points[leg + half] = _times_conjugate(lanes, turned, factor)
        half *= 2
    return points


def _legs(lanes: Lanes, first: ir.Value, step: ir.Value, n_legs: int) -> list[ir.Value]:
    addresses = [first]
    for _ in range(n_legs - 1):
        addresses.append(lanes.at(addresses[-1], step))
    return addresses


def _scalars(lanes: Lanes, address: ir.Value, n_levels: int) -> list[Complex]:
    return [lanes.splat_load(lanes.at(address, POINT_BYTES * index)) for index in range(n_factors(n_levels))]


def _node(n_levels: int, transform: Callable[..., list[Complex]]) -> Any:
    @intrinsic
    def node(typing: Any, lanes: Any, points: Any, step: Any, factors: Any) -> Any:
        """`n_levels` levels in place on one vector of each leg: from address `points`, `step` bytes from leg to leg."""

        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
            write = lanes_of(builder, signature)
            _, first, distance, table = arguments
            legs = _legs(write, first, distance, 1 << n_levels)
            done = transform(write, [write.load_complex(leg) for leg in legs], _scalars(write, table, n_levels))
            for value, leg in zip(done, legs, strict=True):
                write.store_complex(value, leg)
            return context.get_dummy_value()

        return types.void(lanes, points, step, factors), codegen

    return node


def _node_from_words(n_levels: int) -> Any:
    @intrinsic
    def node(typing: Any, lanes: Any, words: Any, half: Any, points: Any, step: Any, factors: Any) -> Any:
        """The root's first levels: reads signed words at `words` (real) and `words + half` bytes (imaginary)."""

        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
            write = lanes_of(builder, signature)
            _, source, imaginary, first, distance, table = arguments
            shorter = builder.udiv(distance, ir.Constant(distance.type, POINT_BYTES // WORD_BYTES))
            values = [
                (_to_double(write, leg), _to_double(write, write.at(leg, imaginary)))
                for leg in _legs(write, source, shorter, 1 << n_levels)
            ]
            done = _forward(write, values, _scalars(write, table, n_levels))
            for value, leg in zip(done, _legs(write, first, distance, 1 << n_levels), strict=True):
                write.store_complex(value, leg)
            return context.get_dummy_value()

        return types.void(lanes, words, half, points, step, factors), codegen

    return node


def _to_double(lanes: Lanes, address: ir.Value) -> ir.Value:
    return lanes.builder.sitofp(lanes.load(address, lanes.half_words), lanes.doubles)


def _node_to_words(n_levels: int) -> Any:
    @intrinsic
    def node(
        typing: Any, lanes: Any, points: Any, step: Any, factors: Any, words: Any, half: Any, shift: Any, worst: Any
    ) -> Any:
        """The root's last levels: adds round(result) << shift to words; `worst` is two vectors, see `_round_into`."""

        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
            write = lanes_of(builder, signature)
            _, first, distance, table, target, imaginary, left, seen = arguments
            legs = _legs(write, first, distance, 1 << n_levels)
            done = _inverse(write, [write.load_complex(leg) for leg in legs], _scalars(write, table, n_levels))
            shorter = builder.udiv(distance, ir.Constant(distance.type, POINT_BYTES // WORD_BYTES))
            amount = write.splat(builder.trunc(left, ir.IntType(32)), write.half_words)
            extremes = write.load_complex(seen)
            for value, leg in zip(done, _legs(write, target, shorter, 1 << n_levels), strict=True):
                extremes = _round_into(write, value[0], leg, amount, extremes)
                extremes = _round_into(write, value[1], write.at(leg, imaginary), amount, extremes)
            write.store_complex(extremes, seen)
            return context.get_dummy_value()

        return types.void(lanes, points, step, factors, words, half, shift, worst), codegen

    return node


def _round_into(lanes: Lanes, value: ir.Value, address: ir.Value, shift: ir.Value, extremes: Complex) -> Complex:
    """Add a rounded vector to words; answers the largest |value - rounded| and |value| seen so far."""
    b = lanes.builder
    risen = b.fadd(value, lanes.constant(ROUNDER))
    error = lanes.absolute(b.fsub(value, b.fsub(risen, lanes.constant(ROUNDER))))
    bits = b.bitcast(risen, lanes.words)
    low = lanes.shuffle(bits, bits, range(0, 2 * lanes.width, 2))
    lanes.store(b.add(lanes.load(address, lanes.half_words), b.shl(low, shift)), address)
    return lanes.larger(error, extremes[0]), lanes.larger(lanes.absolute(value), extremes[1])


forward_2, forward_4, forward_8 = (_node(n_levels, _forward) for n_levels in (1, 2, 3))
inverse_2, inverse_4, inverse_8 = (_node(n_levels, _inverse) for n_levels in (1, 2, 3))
words_1, words_2, words_4, words_8 = (_node_from_words(n_levels) for n_levels in (0, 1, 2, 3))
to_words_1, to_words_2, to_words_4, to_words_8 = (_node_to_words(n_levels) for n_levels in (0, 1, 2, 3))


def leaf_factors_bytes(width: int) -> int:
    """Bytes of the factors of a leaf: a node of `width` legs, then, transposed, `width` nodes side by side in lanes."""
    return n_factors(width.bit_length() - 1) * (1 + width) * POINT_BYTES


def _leaf_factors(lanes: Lanes, address: ir.Value) -> tuple[list[Complex], list[Complex]]:
    n_levels = lanes.width.bit_length() - 1
    count = n_factors(n_levels)
    lane_wise = lanes.at(address, POINT_BYTES * count)
    vectors = [lanes.load_complex(lanes.at(lane_wise, 2 * lanes.vector_bytes * index)) for index in range(count)]
    return _scalars(lanes, address, n_levels), vectors


def _leaf_legs(lanes: Lanes, address: ir.Value) -> list[ir.Value]:
    return [lanes.at(address, 2 * lanes.vector_bytes * leg) for leg in range(lanes.width)]


@intrinsic
def forward_leaf(typing: Any, lanes: Any, points: Any, factors: Any) -> Any:
    """The last levels, in place: a node of width^2 points becomes as many numbers."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        write = lanes_of(builder, signature)
        legs = _leaf_legs(write, arguments[1])
        across, within = _leaf_factors(write, arguments[2])
        done = _forward(write, [write.load_complex(leg) for leg in legs], across)
        done = _forward(write, write.transposed_complex(done), within)
        for value, leg in zip(done, legs, strict=True):
            write.store_complex(value, leg)
        return context.get_dummy_value()

    return types.void(lanes, points, factors), codegen


@intrinsic
def inverse_leaf(typing: Any, lanes: Any, points: Any, factors: Any) -> Any:
    """Undoes `forward_leaf`, times width^2."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        write = lanes_of(builder, signature)
        legs = _leaf_legs(write, arguments[1])
        across, within = _leaf_factors(write, arguments[2])
        done = _inverse(write, [write.load_complex(leg) for leg in legs], within)
        done = _inverse(write, write.transposed_complex(done), across)
        for value, leg in zip(done, legs, strict=True):
            write.store_complex(value, leg)
        return context.get_dummy_value()

    return types.void(lanes, points, factors), codegen


@intrinsic
def multiply_add(typing: Any, lanes: Any, points: Any, key: Any, out: Any) -> Any:
    """out += points * key, one vector of complex numbers."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        write = lanes_of(builder, signature)
        (x, y), (c, s), (u, v) = (write.load_complex(address) for address in arguments[1:])
        real = write.fma(builder.fneg(s), y, write.fma(c, x, u))
        write.store_complex((real, write.fma(s, x, write.fma(c, y, v))), arguments[3])
        return context.get_dummy_value()

    return types.void(lanes, points, key, out), codegen
