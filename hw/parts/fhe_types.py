"""Layouts and ports of what moves between the parts of the TFHE machine (docs/fhe.md, whose letters are used)."""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design

TORUS_BITS = 32


def torus_word(design: Design) -> data.ArrayLayout:
    """P coefficients of a torus polynomial, the lowest first."""
    return data.ArrayLayout(unsigned(TORUS_BITS), design.coefficients_per_cycle)


def residue_word(design: Design) -> data.ArrayLayout:
    """P coefficients modulo the prime, the lowest first."""
    return data.ArrayLayout(unsigned(design.modulus_bits), design.coefficients_per_cycle)


def residue_words(design: Design, n_polynomials: int) -> data.ArrayLayout:
    """One word of each of several polynomials that go side by side."""
    return data.ArrayLayout(residue_word(design), n_polynomials)


def n_columns(design: Design) -> int:
    """k + 1: polynomials of an accumulator."""
    return design.parameters.glwe_dimension + 1


def mac_cycles(design: Design) -> int:
    """T of MAC: words of the key that one group of digits meets."""
    return design.poly_words * design.column_passes


def key_row_words(design: Design) -> int:
    """Words of Q m P residues in a row of the bootstrapping key, in the order of its stream."""
    return design.n_groups * mac_cycles(design)


def exponent_bits(design: Design) -> int:
    """Of an exponent modulo 2 N."""
    return design.n_stages + 1


def exponent_signature(design: Design) -> wiring.Signature:
    """Read of exponents: `en`, `step`, `slot` in cycle x, `data` (a core each) from x + 1 until after the next `en`."""
    return wiring.Signature(
        {
            "en": Out(1),
            "step": Out(range(design.parameters.lwe_dimension)),
            "slot": Out(range(design.batch)),
            "data": In(data.ArrayLayout(unsigned(exponent_bits(design)), design.cores)),
        }
    )


def key_signature(design: Design) -> wiring.Signature:
    """Read of the bootstrapping key: `en`, `place`, `address` in cycle x, `data` in x + 1.

    `place` counts rows: modulo K, or the step's number where the key is resident. `address` is that of a word of the
    row, below key_row_words: group, then column pass, then word of the polynomial. `data` is in the order of the
    stream: digit q < Q, column cc < m, coefficient < P, lowest first.
    """
    n_residues = design.digit_polynomials * design.key_columns * design.coefficients_per_cycle
    return wiring.Signature(
        {
            "en": Out(1),
            "place": Out(range(design.key_rows)),
            "address": Out(range(key_row_words(design))),
            "data": In(data.ArrayLayout(unsigned(design.modulus_bits), n_residues)),
        }
    )


def init_signature(design: Design) -> wiring.Signature:
    """Writes of INIT: word `word` of polynomial k of slot `slot`, a core each; polynomials below k become 0 there.

    What is written in cycle x is stored in x.
    """
    return wiring.Signature(
        {
            "valid": Out(1),
            "slot": Out(range(design.batch)),
            "word": Out(range(design.poly_words)),
            "data": Out(data.ArrayLayout(torus_word(design), design.cores)),
        }
    )


def extract_signature(design: Design) -> wiring.Signature:
    """Reads of EXTRACT: `en`, `slot`, `word` in cycle x, that word of all k + 1 polynomials, a core each, in x + 1."""
    return wiring.Signature(
        {
            "en": Out(1),
            "slot": Out(range(design.batch)),
            "word": Out(range(design.poly_words)),
            "data": In(data.ArrayLayout(data.ArrayLayout(torus_word(design), n_columns(design)), design.cores)),
        }
    )


def rotation_events(design: Design) -> data.StructLayout:
    """What blind rotation does in a cycle, each times the cells that have a command.

    ROT jobs that start, forward passes that start, cycles of MAC, inverse passes that start, WB jobs that start.
    """
    cells, passes = range(design.cores + 1), range(design.cores * design.ntt_ranks + 1)
    return data.StructLayout(
        {
            "rotations": cells,
            "forward_passes": passes,
            "mac_cycles": cells,
            "inverse_passes": passes,
            "write_backs": cells,
        }
    )
