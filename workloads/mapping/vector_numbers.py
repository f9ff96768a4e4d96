"""A vector layer's numbers in the registers of one machine, or why they do not fit."""

from __future__ import annotations

from designs.errors import InputError
from designs.families.tensor import Design
from workloads.functions.choice import FunctionChoice
from workloads.functions.ibert import GeluNumbers, LayerNormNumbers, SoftmaxNumbers
from workloads.functions.ita import ItaNumbers
from workloads.functions.range_norm import RangeNormNumbers
from workloads.functions.tables import TableNumbers
from workloads.mapping.numbers import bits_of_range
from workloads.reference_vector_layer import BoundVector, FunctionNumbers, bind_vector
from workloads.vector_layer import VectorArithmetic, VectorLayer, VectorNumbers

MOST_FUNCTION_BITS = 16  # of what softmax, GELU and normalizations read
NORMS = ("layer_norm", "range_norm")


def vector_arithmetic(design: Design) -> VectorArithmetic:
    """Which functions `design` has, and how it rounds."""
    table = design.vector_functions == "table"
    exp = "table" if table else "i_bert"
    return VectorArithmetic(
        functions=FunctionChoice(
            softmax="ita" if design.vector_softmax == "ita" else exp,  # type: ignore[arg-type]
            gelu="table" if table else "i_bert",
            ita_block=max(design.vector_lanes, 1),
        ),
        multiplier_bits=design.requant_multiplier_bits,
    )


def bind_vector_numbers(design: Design, layer: VectorLayer) -> tuple[BoundVector, dict[str, int]]:
    """(integers of a layer with numbers, registers of a `VectorConfig`); InputError names what is too small."""
    n = layer.numbers
    assert n is not None, "only layers with numbers can be bound"
    _check_values(design, layer, n)
    bound = bind_vector(layer, vector_arithmetic(design))
    registers = {
        "x_signed": int(n.x_low < 0),
        "z_signed": int(n.z_low < 0),
        "x_zero": n.x_zero,
        "z_zero": n.z_zero,
        "out_zero": n.out_zero,
        "out_low": n.out_low,
        "out_high": n.out_high,
        "out_bits": layer.out_bits if layer.kind == "softmax" else 0,
        **_function_registers(bound.function),
    }
    if bound.pair is not None:
        registers |= dict(zip(("multiplier", "z_multiplier", "shift"), bound.pair, strict=True))
    elif bound.output is not None and layer.kind not in NORMS:
        registers |= {"multiplier": bound.output.multiplier[0], "shift": bound.output.shift[0]}
    return bound, registers


def _function_registers(numbers: FunctionNumbers) -> dict[str, int]:
    if isinstance(numbers, SoftmaxNumbers):
        return {
            "left_shift": numbers.left_shift,
            "ln2": numbers.ln2,
            "clip": numbers.clip,
            "reciprocal": numbers.reciprocal,
            "reciprocal_shift": numbers.reciprocal_shift,
            "b": numbers.b,
            "c": numbers.c,
            "function_multiplier": numbers.multiplier,
            "function_shift": numbers.shift,
        }
    if isinstance(numbers, ItaNumbers):
        return {"function_multiplier": numbers.multiplier, "function_shift": numbers.shift}
    if isinstance(numbers, TableNumbers):
        return {
            "left_shift": numbers.left_shift,
            "function_multiplier": numbers.multiplier,
            "function_shift": numbers.shift,
        }
    if isinstance(numbers, GeluNumbers):
        return {"left_shift": numbers.left_shift, "b": numbers.b, "c": numbers.c, "one": numbers.one}
    if isinstance(numbers, LayerNormNumbers):
        return {"left_shift": numbers.left_shift, "n": numbers.n, "pre_shift": numbers.shift}
    if isinstance(numbers, RangeNormNumbers):
        return {"left_shift": numbers.left_shift, "n": numbers.n}
    return {}


def _check_values(design: Design, layer: VectorLayer, n: VectorNumbers) -> None:
    """Every stored value fits the bits that its edge says, and these a lane of the machine."""
    ranges = [("input", n.x_low, n.x_high, layer.in_bits)]
    if layer.kind == "add":
        ranges.append(("second input", n.z_low, n.z_high, layer.z_bits))
    if layer.kind != "to_weights":
        ranges.append(("output", n.out_low, n.out_high, layer.out_bits))
    for what, low, high, bits in ranges:
        if (needed := bits_of_range(low, high)) > bits:
            raise InputError(f"{layer.name}: the {what} is {low} to {high}, wanted at least {needed} bits, got {bits}")
        if bits > design.edge_bits:
            field = "wide_bits" if design.wide_bits else "act_bits"
            raise InputError(
                f"{layer.name}: {field}: the {what} has {bits} bits, wanted at least as many, got {design.edge_bits}"
            )
    if layer.kind in ("softmax", "gelu", *NORMS) and layer.in_bits > MOST_FUNCTION_BITS:
        raise InputError(
            f"{layer.name}: wanted an input of at most {MOST_FUNCTION_BITS} bits, got {layer.in_bits}; requantize it"
        )
    if layer.kind == "to_weights":
        low, high = n.x_low - n.x_zero, n.x_high - n.x_zero
        needed = bits_of_range(min(low, -1), high)
        if needed > design.weight_bits:
            raise InputError(
                f"{layer.name}: weight_bits: values are {low} to {high}, wanted at least {needed}, "
                f"got {design.weight_bits}"
            )
