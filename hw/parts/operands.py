"""From stored fields to operands of the array."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Value

from designs.families.tensor import Design


def stored_value(field: Value, is_signed: Value) -> Value:
    """A stored field as a signed number, one bit wider."""
    return Cat(field, field[-1] & is_signed).as_signed()


def activations(design: Design, word: Value, *, inside: Value, is_signed: Value, zero: Value) -> list[Value]:
    """Operands of an activation word: the zero point subtracted; all zero where the tap is not `inside`."""
    bits = design.act_bits
    lanes = [stored_value(word.word_select(i, bits), is_signed) - zero for i in range(design.act_lanes)]
    return [Mux(inside, lane[: bits + 1].as_signed(), 0) for lane in lanes]


def weights(design: Design, word: Value, *, n_columns: Value | None = None) -> list[Value]:
    """Operands of a weight word, n:m weights with their places.

    A stored bit 1 is -1 and 0 is +1, and 0 in lanes from `n_columns` on (all if None).
    """
    fields = [word.word_select(i, design.weight_bits + design.place_bits) for i in range(design.weight_lanes)]
    if design.place_bits:
        return fields
    if design.weight_bits > 1:
        return [field.as_signed() for field in fields]
    if n_columns is None:
        return [Cat(1, field).as_signed() for field in fields]
    return [Mux(i < n_columns, Cat(1, field).as_signed(), 0) for i, field in enumerate(fields)]
