"""What an accumulator does with a sum that it cannot hold."""

from __future__ import annotations

from amaranth.hdl import Const, Mux, Value, signed


def fit(value: Value, *, bits: int, saturate: bool) -> tuple[Value, Value]:
    """(`value` as `bits` wide register holds it, 1 where it did not fit): wrapped, or the nearest end of the range."""
    if len(value) <= bits:
        return value, Const(0, 1)
    head = value[bits - 1 :]
    overflow = head.any() & ~head.all()
    wrapped = value[:bits].as_signed()
    if not saturate:
        return wrapped, overflow
    high = (1 << (bits - 1)) - 1
    end = Mux(value[-1], Const(-high - 1, signed(bits)), Const(high, signed(bits)))
    return Mux(overflow, end, wrapped), overflow


def clip(value: Value, low: Value, high: Value) -> Value:
    """`value` held between `low` and `high`, as wide as `value`."""
    return Mux(value < low, low, Mux(value > high, high, value))


def narrowed(value: Value, bits: int) -> Value:
    """`value` saturated to `bits` signed bits."""
    return fit(value, bits=bits, saturate=True)[0]
