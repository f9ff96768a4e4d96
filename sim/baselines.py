"""What other classifiers cost: multilayer perceptrons of floats and of bits, from the same technology tables.

Counted is what every implementation has to do: arithmetic, and each weight fetched once an inference. Activations,
control and wires are left out, which favours these baselines over a simulated machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

from designs.errors import InputError
from designs.technology import Technology

Weights: TypeAlias = Literal["sram", "dram"]

WORD_BITS = 32  # of a weight memory
BANK_KB = 32  # of one SRAM macro; on-chip weights lie in as many as they need, all of which are read at once


def float_mlp_pj(
    layer_sizes: Sequence[int], technology: Technology, *, weights: Weights, clock_mhz: float = 100
) -> dict[str, float]:
    """Energy of one inference in pJ, by slice, in FP32; `layer_sizes` are values of each layer, inputs first.

    `arithmetic` is one multiplication and one addition a weight, `weights` one 32-bit read a weight, `leakage` that of
    the weight memory while each bank delivers a word a cycle (of DRAM: of one bank that its words pass through).
    """
    n_macs = _n_macs(layer_sizes)
    arithmetic = n_macs * (technology.fp32_multiply_pj + technology.fp32_add_pj)
    return {"arithmetic": arithmetic, **_weights(n_macs * WORD_BITS, technology, weights, clock_mhz)}


def binary_mlp_pj(
    layer_sizes: Sequence[int], technology: Technology, *, weights: Weights, clock_mhz: float = 100
) -> dict[str, float]:
    """Energy of one inference in pJ, by slice, with weights and activations of one bit.

    `arithmetic` is an XNOR and a full adder of the population count a weight, and the comparison of each count with its
    threshold; memories as in `float_mlp_pj`, 32 weights a word.
    """
    n_macs = _n_macs(layer_sizes)
    a_mac = technology.logic_pj["gate"]["bits"] + technology.logic_pj["adder"]["bits"]
    count_bits = sum(n_outputs * n_inputs.bit_length() for n_inputs, n_outputs in pairwise(layer_sizes))
    arithmetic = n_macs * a_mac + count_bits * technology.logic_pj["comparator"]["bits"]
    return {"arithmetic": arithmetic, **_weights(n_macs, technology, weights, clock_mhz)}


def _n_macs(layer_sizes: Sequence[int]) -> int:
    if len(layer_sizes) < 2 or min(layer_sizes) < 1:
        raise InputError(f"layer_sizes: wanted two or more numbers from 1 up, got {list(layer_sizes)}")
    return sum(n_inputs * n_outputs for n_inputs, n_outputs in pairwise(layer_sizes))


def _weights(n_bits: int, technology: Technology, place: Weights, clock_mhz: float) -> dict[str, float]:
    n_words = -(-n_bits // WORD_BITS)
    bank_words = BANK_KB * 8192 // WORD_BITS
    n_banks = -(-n_words // bank_words) if place == "sram" else 1
    if place == "sram":
        reads = n_words * technology.sram_read_pj.at(BANK_KB, WORD_BITS)
    else:
        reads = n_words * WORD_BITS * technology.dram_pj_per_bit
    latency_ns = -(-n_words // n_banks) * 1000 / clock_mhz
    leakage_nw = n_banks * BANK_KB * technology.sram_leakage_nw_per_kb
    return {"weights": reads, "leakage": leakage_nw * latency_ns * 1e-6}
