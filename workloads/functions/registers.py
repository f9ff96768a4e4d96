"""From a choice of functions and a tensor's scale to the registers, and from registers to the function they drive."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from workloads.functions.choice import FunctionChoice
from workloads.functions.ibert import (
    GeluNumbers,
    LayerNormNumbers,
    SoftmaxNumbers,
    gelu_ibert,
    gelu_numbers,
    gelu_scale,
    layer_norm_ibert,
    layer_norm_numbers,
    layer_norm_scale,
    softmax_ibert,
    softmax_numbers,
)
from workloads.functions.ita import ItaNumbers, ita_numbers, softmax_ita
from workloads.functions.range_norm import RangeNormNumbers, range_norm, range_norm_numbers, range_norm_scale
from workloads.functions.tables import (
    TableNumbers,
    exp_table_numbers,
    gelu_table,
    gelu_table_numbers,
    gelu_table_scale,
    softmax_table,
)

SoftmaxRegisters: TypeAlias = SoftmaxNumbers | ItaNumbers | TableNumbers
WideRegisters: TypeAlias = GeluNumbers | TableNumbers | LayerNormNumbers | RangeNormNumbers


def softmax_registers(scale: float, choice: FunctionChoice) -> SoftmaxRegisters:
    """Registers of a softmax of inputs at this scale."""
    if choice.softmax == "ita":
        return ita_numbers(scale)
    return exp_table_numbers(scale) if choice.softmax == "table" else softmax_numbers(scale)


def run_softmax(
    q: np.ndarray, numbers: SoftmaxRegisters, valid: np.ndarray, out_bits: int, choice: FunctionChoice
) -> np.ndarray:
    """The softmax (as `softmax_ibert` says) that the registers belong to."""
    if isinstance(numbers, ItaNumbers):
        return softmax_ita(q, numbers, valid, out_bits, choice.ita_block)
    if isinstance(numbers, TableNumbers):
        return softmax_table(q, numbers, valid, out_bits)
    return softmax_ibert(q, numbers, valid, out_bits)


def gelu_registers(scale: float, choice: FunctionChoice) -> tuple[GeluNumbers | TableNumbers, float]:
    """(registers of a GELU of inputs at this scale, what one unit of its wide result means)."""
    if choice.gelu == "table":
        return gelu_table_numbers(scale), gelu_table_scale(scale)
    return gelu_numbers(scale), gelu_scale(scale)


def norm_registers(kind: str, n: int, in_bits: int) -> tuple[LayerNormNumbers | RangeNormNumbers, float]:
    """(registers of a "layer_norm" or "range_norm" of rows of n entries, what one unit of its wide result means)."""
    if kind == "layer_norm":
        return layer_norm_numbers(n, in_bits), layer_norm_scale(n)
    return range_norm_numbers(n, in_bits), range_norm_scale(n)


def run_wide(q: np.ndarray, numbers: WideRegisters) -> np.ndarray:
    """The wide result (int64), before the output stage, of the function that the registers belong to."""
    if isinstance(numbers, TableNumbers):
        return gelu_table(q, numbers)
    if isinstance(numbers, GeluNumbers):
        return gelu_ibert(q, numbers)
    if isinstance(numbers, LayerNormNumbers):
        return layer_norm_ibert(q, numbers)
    return range_norm(q, numbers)
