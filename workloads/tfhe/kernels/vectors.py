"""Vectors of doubles and of words for kernels: what an intrinsic's code generator writes its instructions with.

numba has no vector type, and LLVM's own vectorizer leaves transforms at a seventh of what explicit vectors reach.
A kernel takes `lanes`, a tuple of as many zeros as a vector has doubles, so that the width is part of its type: each
width is compiled by itself, when it is first used. Addresses are in bytes and not checked; any alignment will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import llvmlite.binding  # type: ignore[import-untyped]
from llvmlite import ir
from numba.core import cgutils

Complex = tuple[ir.Value, ir.Value]  # vectors of real and imaginary parts

_INT64 = ir.IntType(64)
_INT32 = ir.IntType(32)
_DOUBLE = ir.DoubleType()
DOUBLE_BYTES = 8
WORD_BYTES = 4


def widest_lanes(n_points: int) -> tuple[int, ...]:
    """`lanes` for transforms of `n_points` complex points: as wide as this CPU's registers, at most sqrt(n_points)."""
    features = llvmlite.binding.get_host_cpu_features()
    width = 8 if features.get("avx512f") else 4
    while width * width > n_points:
        width //= 2
    return (0,) * width


class Lanes:
    """Writes vector instructions: `width` doubles, or twice as many words of 32 bits, a vector."""

    def __init__(self, builder: ir.IRBuilder, width: int) -> None:
        self.builder = builder
        self.width = width
        self.doubles = ir.VectorType(_DOUBLE, width)
        self.longs = ir.VectorType(_INT64, width)
        self.half_words = ir.VectorType(_INT32, width)  # as many words as a vector has doubles
        self.words = ir.VectorType(_INT32, 2 * width)
        self.vector_bytes = DOUBLE_BYTES * width

    def at(self, address: ir.Value, *offsets: ir.Value | int) -> ir.Value:
        """Address + offsets, in bytes."""
        for offset in offsets:
            step = ir.Constant(_INT64, offset) if isinstance(offset, int) else offset
            address = self.builder.add(address, step)
        return address

    def load(self, address: ir.Value, vector: ir.VectorType) -> ir.Value:
        return self.builder.load(self.builder.inttoptr(address, vector.as_pointer()), align=WORD_BYTES)

    def store(self, value: ir.Value, address: ir.Value) -> None:
        self.builder.store(value, self.builder.inttoptr(address, value.type.as_pointer()), align=WORD_BYTES)

    def load_complex(self, address: ir.Value) -> Complex:
        """A vector of real parts and, behind it, one of imaginary parts."""
        return self.load(address, self.doubles), self.load(self.at(address, self.vector_bytes), self.doubles)

    def store_complex(self, value: Complex, address: ir.Value) -> None:
        self.store(value[0], address)
        self.store(value[1], self.at(address, self.vector_bytes))

    def splat(self, value: ir.Value, vector: ir.VectorType) -> ir.Value:
        """A scalar in every lane."""
        first = self.builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(_INT32, 0))
        zeros = ir.Constant(ir.VectorType(_INT32, vector.count), [0] * vector.count)
        return self.builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)

    def splat_load(self, address: ir.Value) -> Complex:
        """The complex number at an address, in every lane."""
        parts = []
        for offset in (0, DOUBLE_BYTES):
            pointer = self.builder.inttoptr(self.at(address, offset), _DOUBLE.as_pointer())
            parts.append(self.splat(self.builder.load(pointer, align=DOUBLE_BYTES), self.doubles))
        return parts[0], parts[1]

    def constant(self, value: float) -> ir.Constant:
        return ir.Constant(self.doubles, [value] * self.width)

    def fma(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a b + c, rounded once."""
        kind = ir.FunctionType(self.doubles, [self.doubles] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fma.v{self.width}f64")
        return self.builder.call(function, [a, b, c])

    def absolute(self, value: ir.Value) -> ir.Value:
        kind = ir.FunctionType(self.doubles, [self.doubles])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fabs.v{self.width}f64")
        return self.builder.call(function, [value])

    def larger(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def shuffle(self, a: ir.Value, b: ir.Value, lanes: Sequence[int]) -> ir.Value:
        """The given lanes of a followed by b."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INT32, len(lanes)), list(lanes)))

    def transposed(self, rows: Sequence[ir.Value]) -> list[ir.Value]:
        """`width` vectors: lane x of vector y becomes lane y of vector x."""
        rows, width = list(rows), self.width
        distance = width // 2
        while distance:
            for low in (index for index in range(width) if not index & distance):
                a, b = rows[low], rows[low + distance]
                keep_low = [x if not x & distance else width + x - distance for x in range(width)]
                keep_high = [x + distance if not x & distance else width + x for x in range(width)]
                rows[low], rows[low + distance] = self.shuffle(a, b, keep_low), self.shuffle(a, b, keep_high)
            distance //= 2
        return rows

    def transposed_complex(self, rows: Sequence[Complex]) -> list[Complex]:
        real, imaginary = (self.transposed([row[part] for row in rows]) for part in (0, 1))
        return list(zip(real, imaginary, strict=True))


def lanes_of(builder: ir.IRBuilder, signature: Any) -> Lanes:
    """For an intrinsic whose first argument is `lanes`."""
    return Lanes(builder, len(signature.args[0]))
