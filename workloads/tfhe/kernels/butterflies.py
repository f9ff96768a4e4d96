"""Nodes of the transform's tree: a few levels of butterflies on vectors in registers, as intrinsics.

A polynomial a of N real coefficients modulo X^N + 1 is one of N/2 complex coefficients a[y] + i a[y + N/2] modulo
X^(N/2) - i. A node of the tree is a polynomial modulo X^2m - w^2; its children are the same modulo X^m - w and X^m + w:
u + w v and u - w v, w one number a node. The right child's w is i times the left child's, and of four grandchildren it
is 1, i, sqrt(i), i sqrt(i) times the first one's. So a node of several levels multiplies each leg by one factor, the
product of the w on its way, and then does the same butterflies with those constants as any other node. No twist is
needed, and no order of the leaves: products are taken leaf by leaf. The inverse undoes level by level, without the
halving, and multiplies at the end.

Points lie in memory as vectors of real parts, each followed by its vector of imaginary parts: 16 bytes a point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from workloads.tfhe.kernels.vectors import WORD_BYTES, Complex, Lanes, lanes_of

POINT_BYTES = 16
ROUNDER = 1.5 * 2.0**52  # added to a double below 2^51 in size, it leaves the nearest integer in the low bits
FINEST_ROUNDED = 2.0**51
HALF_ROOT = 0.5**0.5  # sqrt(i) = HALF_ROOT (1 + i)


def n_factors(n_levels: int) -> int:
    """Complex numbers a node needs: one for each leg but the first."""
    return (1 << n_levels) - 1


def _times(lanes: Lanes, value: Complex, factor: Complex) -> Complex:
    b = lanes.builder
    (x, y), (c, s) = value, factor
    return lanes.fma(b.fneg(s), y, b.fmul(c, x)), lanes.fma(s, x, b.fmul(c, y))


def _times_conjugate(lanes: Lanes, value: Complex, factor: Complex) -> Complex:
    b = lanes.builder
    (x, y), (c, s) = value, factor
    return lanes.fma(s, y, b.fmul(c, x)), lanes.fma(b.fneg(s), x, b.fmul(c, y))


def _add_and_subtract(lanes: Lanes, u: Complex, v: Complex, eighths: int) -> tuple[Complex, Complex]:
    """u + r v and u - r v for r = sqrt(i)^eighths, eighths of 0 to 3."""
    b = lanes.builder
    x, y = v
    if eighths in (0, 2):
        if eighths:  # i (x + i y)
            x, y = b.fneg(y), x
        return (b.fadd(u[0], x), b.fadd(u[1], y)), (b.fsub(u[0], x), b.fsub(u[1], y))
    x, y = b.fsub(x, y), b.fadd(x, y)  # sqrt(i) (x + i y) / HALF_ROOT
    if eighths == 3:
        x, y = b.fneg(y), x
    root, minus = lanes.constant(HALF_ROOT), lanes.constant(-HALF_ROOT)
    return (lanes.fma(x, root, u[0]), lanes.fma(y, root, u[1])), (lanes.fma(x, minus, u[0]), lanes.fma(y, minus, u[1]))


def _turned_difference(lanes: Lanes, u: Complex, v: Complex, eighths: int) -> Complex:
    """(u - v) / sqrt(i)^eighths."""
    b = lanes.builder
    if eighths in (0, 1):
        x, y = b.fsub(u[0], v[0]), b.fsub(u[1], v[1])
    else:  # (x + i y) / i = y - i x
        x, y = b.fsub(u[1], v[1]), b.fsub(v[0], u[0])
    if eighths in (0, 2):
        return x, y
    root = lanes.constant(HALF_ROOT)  # (x + i y) / sqrt(i) = HALF_ROOT (x + y + i (y - x))
    return b.fmul(b.fadd(x, y), root), b.fmul(b.fsub(y, x), root)


def _eighths(node: int) -> int:
    """Of the nodes of a level, 1, 2 or 4: by what power of sqrt(i) its w differs from the first one's."""
    return (0, 2, 1, 3)[node]


Legs = Callable[[int], Complex]
Sink = Callable[[int, Complex], None]


def _forward(lanes: Lanes, n_levels: int, leg: Legs, factor: Legs, sink: Sink) -> None:
    """All levels of a node: reads each leg at its first use, hands over each result as soon as it is there."""
    n_legs = 1 << n_levels
    points: dict[int, Complex] = {}

    def scaled(number: int) -> Complex:
        return _times(lanes, leg(number), factor(number - 1)) if number else leg(0)

    half = n_legs // 2
    while half:
        for node in range(n_legs // (2 * half)):
            for low in range(2 * half * node, 2 * half * node + half):
                if 2 * half == n_legs:
                    points[low + half], points[low] = scaled(low + half), scaled(low)
                results = _add_and_subtract(lanes, points[low], points[low + half], _eighths(node))
                points[low], points[low + half] = results
                if half == 1:
                    sink(low, points[low])
                    sink(low + 1, points[low + 1])
        half //= 2
    if n_legs == 1:
        sink(0, leg(0))


def _inverse(lanes: Lanes, n_levels: int, leg: Legs, factor: Legs, sink: Sink) -> None:
    """Undoes `_forward`, times the number of legs."""
    n_legs = 1 << n_levels
    points: dict[int, Complex] = {}

    def finish(number: int) -> None:
        value = points[number]
        sink(number, _times_conjugate(lanes, value, factor(number - 1)) if number else value)

    b = lanes.builder
    half = 1
    while half < n_legs:
        for node in range(n_legs // (2 * half)):
            for low in range(2 * half * node, 2 * half * node + half):
                u, v = (points[low], points[low + half]) if half > 1 else (leg(low), leg(low + 1))
                points[low] = b.fadd(u[0], v[0]), b.fadd(u[1], v[1])
                points[low + half] = _turned_difference(lanes, u, v, _eighths(node))
                if 2 * half == n_legs:
                    finish(low)
                    finish(low + half)
        half *= 2
    if n_legs == 1:
        sink(0, leg(0))


def _legs(lanes: Lanes, first: ir.Value, step: ir.Value, n_legs: int) -> list[ir.Value]:
    addresses = [first]
    for _ in range(n_legs - 1):
        addresses.append(lanes.at(addresses[-1], step))
    return addresses


def _scalars(lanes: Lanes, address: ir.Value) -> Legs:
    """Factors of one node, the same in every lane, each loaded where it is used."""
    return lambda index: lanes.splat_load(lanes.at(address, POINT_BYTES * index))


def _node(n_levels: int, transform: Callable[..., None]) -> Any:
    @intrinsic
    def node(typing: Any, lanes: Any, points: Any, step: Any, factors: Any) -> Any:
        """`n_levels` levels in place on one vector of each leg: from address `points`, `step` bytes from leg to leg."""

        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
            write = lanes_of(builder, signature)
            _, first, distance, table = arguments
            legs = _legs(write, first, distance, 1 << n_levels)
            transform(
                write,
                n_levels,
                lambda leg: write.load_complex(legs[leg]),
                _scalars(write, table),
                lambda leg, value: write.store_complex(value, legs[leg]),
            )
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
            sources = _legs(write, source, shorter, 1 << n_levels)
            legs = _legs(write, first, distance, 1 << n_levels)
            _forward(
                write,
                n_levels,
                lambda leg: (_to_double(write, sources[leg]), _to_double(write, write.at(sources[leg], imaginary))),
                _scalars(write, table),
                lambda leg, value: write.store_complex(value, legs[leg]),
            )
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
            shorter = builder.udiv(distance, ir.Constant(distance.type, POINT_BYTES // WORD_BYTES))
            legs = _legs(write, first, distance, 1 << n_levels)
            targets = _legs(write, target, shorter, 1 << n_levels)
            amount = write.splat(builder.trunc(left, ir.IntType(32)), write.half_words)
            extremes = [write.load_complex(seen)]

            def round_leg(leg: int, value: Complex) -> None:
                extremes.append(_round_into(write, value[0], targets[leg], amount, extremes[-1]))
                address = write.at(targets[leg], imaginary)
                extremes.append(_round_into(write, value[1], address, amount, extremes[-1]))

            _inverse(
                write,
                n_levels,
                lambda leg: write.load_complex(legs[leg]),
                _scalars(write, table),
                round_leg,
            )
            write.store_complex(extremes[-1], seen)
            return context.get_dummy_value()

        return types.void(lanes, points, step, factors, words, half, shift, worst), codegen

    return node


def _round_into(lanes: Lanes, value: ir.Value, address: ir.Value, shift: ir.Value, extremes: Complex) -> Complex:
    """Add a rounded vector to words; answers the largest |value - rounded| and |value| so far."""
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
    """Bytes of the factors of the nodes of a leaf: `width` nodes of `width` legs, side by side in lanes."""
    return n_factors(width.bit_length() - 1) * width * POINT_BYTES


def _vectors(lanes: Lanes, address: ir.Value) -> Legs:
    """Factors of `width` nodes, one a lane."""
    return lambda index: lanes.load_complex(lanes.at(address, 2 * lanes.vector_bytes * index))


def _leaf_legs(lanes: Lanes, address: ir.Value) -> list[ir.Value]:
    return [lanes.at(address, 2 * lanes.vector_bytes * leg) for leg in range(lanes.width)]


def _forward_leaf(lanes: Lanes, address: ir.Value, table: ir.Value, sink: Sink) -> None:
    """Transposed, so that what was in the lanes of a vector is in one lane of the legs."""
    rows = lanes.transposed_complex([lanes.load_complex(leg) for leg in _leaf_legs(lanes, address)])
    _forward(lanes, lanes.width.bit_length() - 1, rows.__getitem__, _vectors(lanes, table), sink)


@intrinsic
def forward_leaf(typing: Any, lanes: Any, points: Any, factors: Any) -> Any:
    """The last levels, in place: `width` nodes of as many points become as many numbers."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        write = lanes_of(builder, signature)
        _, address, table = arguments
        legs = _leaf_legs(write, address)
        _forward_leaf(write, address, table, lambda leg, value: write.store_complex(value, legs[leg]))
        return context.get_dummy_value()

    return types.void(lanes, points, factors), codegen


@intrinsic
def inverse_leaf(typing: Any, lanes: Any, points: Any, factors: Any) -> Any:
    """Undoes `forward_leaf`, times width."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        write = lanes_of(builder, signature)
        _, address, table = arguments
        legs = _leaf_legs(write, address)
        done: dict[int, Complex] = {}
        _inverse(
            write,
            write.width.bit_length() - 1,
            lambda leg: write.load_complex(legs[leg]),
            _vectors(write, table),
            done.__setitem__,
        )
        rows = write.transposed_complex([done[leg] for leg in range(write.width)])
        for leg, value in zip(legs, rows, strict=True):
            write.store_complex(value, leg)
        return context.get_dummy_value()

    return types.void(lanes, points, factors), codegen


@intrinsic
def store_products(
    typing: Any, lanes: Any, points: Any, points_step: Any, key: Any, n_rows: Any, step: Any, sums: Any
) -> Any:
    """`width` vectors of complex numbers: sums = the sum over rows of points times key.

    Rows of points are `points_step` bytes apart, those of the key `step` bytes. Sums stay in registers meanwhile.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        write = lanes_of(builder, signature)
        _, first, distance, first_key, count, key_distance, target = arguments
        zero = write.constant(0.0)
        totals = [
            (cgutils.alloca_once_value(builder, zero), cgutils.alloca_once_value(builder, zero))
            for _ in range(write.width)
        ]
        with cgutils.for_range(builder, count) as loop:
            legs = _leaf_legs(write, write.at(first, builder.mul(loop.index, distance)))
            factors = _leaf_legs(write, write.at(first_key, builder.mul(loop.index, key_distance)))
            for (real, imaginary), leg, factor in zip(totals, legs, factors, strict=True):
                (x, y), (c, s) = write.load_complex(leg), write.load_complex(factor)
                builder.store(write.fma(builder.fneg(y), s, write.fma(x, c, builder.load(real))), real)
                builder.store(write.fma(y, c, write.fma(x, s, builder.load(imaginary))), imaginary)
        for (real, imaginary), leg in zip(totals, _leaf_legs(write, target), strict=True):
            write.store_complex((builder.load(real), builder.load(imaginary)), leg)
        return context.get_dummy_value()

    return types.void(lanes, points, points_step, key, n_rows, step, sums), codegen
