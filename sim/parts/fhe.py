"""What a bootstrapping machine is made of: parts by kind, count and size, as docs/fhe.md describes the machine.

The names are the slices of area and energy. Memories of one read and one write port are priced as macros of one port,
as in the other families; a second read port is a second copy. Twiddles are memories that nobody writes, shared by the
polynomials that a rank transforms side by side.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from designs.families.fhe import Design
from designs.moduli import EXPONENTS
from sim.inventory import Inventory, Part

_WORD = 32  # bits of the torus
_COUNTER_BITS = 48  # activity
_NUMBER_BITS = 32  # of a ciphertext
_JOB_BITS = 16  # where a station is: step, slot, group, word
_COMMAND_BITS = 3 * _NUMBER_BITS + 3 * _WORD + 2 * 3 + 2
_N_COUNTERS = 16


def hardware_of(design: Design) -> Design:
    """The design with everything at its default that the hardware does not depend on; equal for equal hardware."""
    names = ("lwe_noise", "glwe_noise", "memory_latency_cycles", "schedule", "clock_mhz", "node_nm")
    unused: dict[str, Any] = {name: getattr(Design, name) for name in names}
    return replace(design.with_parameters(), **unused, parameter_set="custom")


def fhe_inventory(design: Design) -> Inventory:
    """All parts of one machine. The names are the slices of its area and energy breakdown."""
    slices: dict[str, tuple[Part, ...]] = {
        "rotators": _rotators(design),
        "decomposers": _decomposers(design),
        "forward_ntt": _forward(design),
        "key_multipliers": _key_multipliers(design),
        "transformed_accumulator": _transformed_accumulator(design),
        "inverse_ntt": _inverse(design),
        "accumulator": _accumulator(design),
        "exponents": _exponents(design),
        "extract": _extract(design),
        "key_switch": _key_switch(design),
        "key_rows": _key_rows(design),
        "control": _control(design),
        "streams": _streams(design),
        "hbm": _memory(design),
    }
    return {name: tuple(part for part in parts if _is_there(part)) for name, parts in slices.items()}


def _is_there(part: Part) -> bool:
    """A choice of one, or none of a part, is no hardware."""
    return part.count > 0 and not (part.kind in ("mux", "shifter") and part.other_bits == 1)


# Arithmetic modulo p = 2^e - 2^f + 1.


def _modular_multipliers(design: Design, count: int, uses: dict[str, float]) -> list[Part]:
    """A product of 2e bits, folds 2^e = 2^f - 1 until e bits are left, a subtraction; A registers between them."""
    e, f = design.modulus_bits, EXPONENTS[design.modulus_bits]
    stages = design.multiplier_stages
    parts = [Part(kind="multiplier", count=count, bits=e, other_bits=e, operations=uses)]
    high_bits: int = e  # of what lies above 2^e
    while high_bits > 0:
        folded_bits = max(e, high_bits + f)
        parts.append(Part(kind="adder", count=2 * count, bits=folded_bits + 1, operations=_times(uses, 2)))
        high_bits += f - e
    return [
        *parts,
        *_modular_adders(design, count, uses),
        Part(kind="register", count=stages * count, bits=2 * e, operations=_times(uses, stages)),
    ]


def _modular_adders(design: Design, count: int, uses: dict[str, float]) -> list[Part]:
    """A sum or difference, and p off or on."""
    e = design.modulus_bits
    return [
        Part(kind="adder", count=2 * count, bits=e + 1, operations=_times(uses, 2)),
        Part(kind="mux", count=count, bits=e, other_bits=2, operations=uses),
    ]


def _times(uses: dict[str, float], n: float) -> dict[str, float]:
    return {name: n * each for name, each in uses.items()}


# Stations.


def _rotators(design: Design) -> tuple[Part, ...]:
    """Words that begin at any coefficient, signs, differences."""
    n, p = design.cores * design.rotators, design.coefficients_per_cycle
    each, word = {"rotated": 1.0}, {"rotated": 1.0 / p}
    return (
        Part(kind="enabled_register", count=n, bits=_WORD * p, operations=word),  # the word before
        Part(kind="shifter", count=n, bits=_WORD * p, other_bits=p, operations=word),
        Part(kind="gate", count=n * p, bits=_WORD, operations=each),
        Part(kind="adder", count=2 * n * p, bits=_WORD, operations={"rotated": 2.0}),
        Part(kind="register", count=2 * n * p, bits=_WORD, operations={"rotated": 2.0}),
        Part(kind="adder", count=2 * n, bits=design.n_stages + 1, operations=_times(word, 2)),  # addresses
    )


def _decomposers(design: Design) -> tuple[Part, ...]:
    """One rounding a coefficient, then d of its l digits at once, as residues."""
    q = design.parameters
    rotated, digits = design.cores * design.rotators * design.coefficients_per_cycle, {"digits": 1.0}
    made = rotated * design.decomposers
    passes = q.decomposition_levels // design.decomposers
    bits, e = q.decomposition_base_bits, design.modulus_bits
    return (
        Part(kind="adder", count=rotated, bits=_WORD, operations={"rotated": 1.0}),
        Part(kind="mux", count=made, bits=bits, other_bits=passes, operations=digits),
        Part(kind="register", count=made, bits=bits, operations=digits),
        Part(kind="adder", count=made, bits=e, operations=digits),  # p where the digit is negative
    )


def _forward(design: Design) -> tuple[Part, ...]:
    n = design.cores * design.digit_polynomials
    bits = design.parameters.decomposition_base_bits
    digits = _buffers(design, n, bits, 1, "butterflies", 1 / design.n_stages, {"digits": 1.0})
    between = _buffers(design, n, design.modulus_bits, design.n_stages - 1, "butterflies", 1 - 1 / design.n_stages, {})
    return (*_butterflies(design, n, "butterflies"), *digits, *between)


def _inverse(design: Design) -> tuple[Part, ...]:
    n = design.cores * design.inverse_ntts
    share = 1 - 1 / design.n_stages  # the first stage reads the transformed accumulator
    after = {"accumulated": 1.0}
    buffers = _buffers(design, n, design.modulus_bits, design.n_stages, "inverse_butterflies", share, after)
    return (*_butterflies(design, n, "inverse_butterflies"), *buffers)


def _butterflies(design: Design, n: int, counter: str) -> list[Part]:
    """n transforms side by side of R ranks of P/2 butterflies, and the twiddles of each rank."""
    half, uses = design.coefficients_per_cycle // 2, {counter: 1.0}
    count = n * design.ntt_ranks * half
    parts = _modular_multipliers(design, count, uses) + _modular_adders(design, 2 * count, _times(uses, 2))
    parts.append(Part(kind="register", count=2 * count, bits=design.modulus_bits, operations=_times(uses, 2)))
    together = n // design.cores
    stage = 0
    for n_stages in design.rank_stages:
        n_twiddles = (1 << (stage + n_stages)) - (1 << stage)
        reads = {counter: n_stages / design.n_stages / (half * together)}
        words = -(-n_twiddles // half)
        parts.append(Part(kind="sram", count=design.cores, bits=half * design.modulus_bits, words=words, reads=reads))
        stage += n_stages
    return parts


def _buffers(
    design: Design, n: int, bits: int, n_stages: int, counter: str, share: float, others: dict[str, float]
) -> list[Part]:
    """Two places in front of each rank that has one of `n_stages`, and two more in it between its passes.

    A place has two banks of half words, as butterflies read or write halves of words. `share` of the butterflies read
    here, and as many write; `others` write, or read, a coefficient at a time.
    """
    if n_stages == 0:
        return []
    ranks = min(n_stages, design.ntt_ranks)
    inside = 1 if n_stages > design.ntt_ranks else 0
    half = max(design.coefficients_per_cycle // 2, 1)
    accesses = {counter: 2 * share / half} | {name: each / half for name, each in others.items()}
    count = n * 2 * 2 * ranks * (1 + inside)
    return [Part(kind="sram", count=count, bits=bits * half, words=design.poly_words, reads=accesses, writes=accesses)]


def _key_multipliers(design: Design) -> tuple[Part, ...]:
    """Q m P products, summed over Q; what they multiply waits in two places of each digit polynomial."""
    p, e, together = design.coefficients_per_cycle, design.modulus_bits, design.digit_polynomials
    n, uses = design.cores * together * design.key_columns * p, {"key_macs": 1.0}
    summed = design.cores * (together - 1) * design.key_columns * p
    adders = _modular_adders(design, summed, {"key_macs": (together - 1) / together})
    waiting = Part(
        kind="sram", count=2 * design.cores * together, bits=p * e, words=design.poly_words,
        reads={"key_macs": 1 / (p * design.key_columns)}, writes={"digits": 1 / p},
    )  # fmt: skip
    row = Part(kind="register", count=n, bits=e, operations=uses)  # of the key, in each core
    return (*_modular_multipliers(design, n, uses), *adders, waiting, row)


def _transformed_accumulator(design: Design) -> tuple[Part, ...]:
    """Two places of k + 1 polynomials, and what adds to them."""
    p, columns = design.coefficients_per_cycle, design.parameters.glwe_dimension + 1
    update = {"transform_updates": 1 / p}
    first_stage = {"inverse_butterflies": 2 / p / design.n_stages}
    return (
        *_modular_adders(design, design.cores * design.key_columns * p, {"transform_updates": 1.0}),
        Part(
            kind="sram", count=2 * design.cores * columns, bits=p * design.modulus_bits, words=design.poly_words,
            reads=update | first_stage, writes=update,
        ),
    )  # fmt: skip


def _accumulator(design: Design) -> tuple[Part, ...]:
    """ACC of all slots, once for words where they are and once for words where the exponent puts them; lift and add."""
    p, columns = design.coefficients_per_cycle, design.parameters.glwe_dimension + 1
    n, each = design.cores * design.inverse_ntts * p, {"accumulated": 1.0}
    return (
        Part(
            kind="sram", count=2 * design.cores * columns, bits=_WORD * p, words=design.batch * design.poly_words,
            reads={"rotated": 2 / p, "accumulated": 1 / p, "extracted": 1 / p},
            writes={"accumulated": 2 / p, "started": 2 / p},
        ),
        Part(kind="comparator", count=n, bits=design.modulus_bits, operations=each),
        Part(kind="adder", count=2 * n, bits=_WORD, operations={"accumulated": 2.0}),
        Part(kind="register", count=2 * n, bits=_WORD, operations={"accumulated": 2.0}),
    )  # fmt: skip


def _exponents(design: Design) -> tuple[Part, ...]:
    """The linear part word by word, modulus switch, and two places of exponents for each slot."""
    d, beats = design.ciphertext_words_per_cycle, design.ciphertext_beats
    word, exponent = {"linear_words": 1.0}, design.n_stages + 1
    beat = {"read_beats": 1.0}
    steps = {"rotated": 1 / (design.parameters.ring_degree * design.rotators * design.n_groups)}
    return (
        Part(kind="sram", bits=_WORD * d, words=beats, reads=beat, writes=beat),  # s1 A
        Part(kind="mux", count=d, bits=_WORD, other_bits=3, operations=word),  # 0, 1, 2 times
        Part(kind="adder", count=3 * d, bits=_WORD, operations=_times(word, 3)),  # sign, sum, rounding
        Part(kind="register", count=2 * d, bits=_WORD, operations=_times(word, 2)),
        Part(
            kind="sram", count=2 * design.cores, bits=exponent * d, words=design.batch * beats, reads=steps, writes=beat
        ),
    )


def _extract(design: Design) -> tuple[Part, ...]:
    """Signs, sums of what holds, and the samples of a batch."""
    q, p = design.parameters, design.coefficients_per_cycle
    n, each = design.cores * p, {"extracted": 1.0}
    words = design.batch * (q.glwe_dimension * design.poly_words + 1)
    taken = {"key_switch_macs": 1 / (design.key_switch_lanes * q.key_switch_levels * design.key_switch_chunks)}
    return (
        Part(kind="adder", count=2 * n, bits=_WORD, operations={"extracted": 2.0}),
        Part(kind="register", count=n, bits=_WORD, operations=each),
        Part(
            kind="sram", count=design.cores, bits=_WORD * p, words=words,
            reads=_times(each, 1 / p) | taken, writes={"extracted": 1 / p},
        ),
    )  # fmt: skip


def _key_switch(design: Design) -> tuple[Part, ...]:
    """Digit by digit: V products and sums of each switcher, and what the results have come to."""
    q, lanes = design.parameters, design.key_switch_lanes
    switchers = design.cores * design.key_switchers
    n, each, word = switchers * lanes, {"key_switch_macs": 1.0}, {"key_switch_macs": 1 / lanes}
    per_switcher = -(-design.batch // design.key_switchers)
    h, d = q.key_switch_base_bits, design.ciphertext_words_per_cycle
    return (
        Part(kind="adder", count=switchers, bits=_WORD, operations=word),  # rounding
        Part(kind="mux", count=switchers, bits=h, other_bits=q.key_switch_levels, operations=word),
        Part(kind="enabled_register", count=switchers, bits=_WORD, operations=word),
        Part(kind="multiplier", count=n, bits=_WORD, other_bits=h, operations=each),
        Part(kind="register", count=n, bits=_WORD, operations=each),
        Part(kind="adder", count=n, bits=_WORD, operations=each),
        Part(
            kind="sram", count=switchers, bits=_WORD * lanes, words=per_switcher * design.key_switch_chunks,
            reads=word | {"write_beats": 1.0}, writes=word,
        ),
        Part(kind="mux", bits=_WORD * d, other_bits=lanes // d * switchers, operations={"write_beats": 1.0}),
    )  # fmt: skip


def _key_rows(design: Design) -> tuple[Part, ...]:
    """K rows, in banks of the words that a cycle needs; a word serves all cores."""
    p, e = design.coefficients_per_cycle, design.modulus_bits
    banks = design.digit_polynomials * design.key_columns
    words = design.key_rows if not design.resident else design.parameters.lwe_dimension
    words *= design.n_groups * design.column_passes * design.poly_words
    reads = {"key_macs": 1 / (p * design.cores)}
    return (
        Part(
            kind="sram", count=banks, bits=p * e, words=words,
            reads=reads, writes={"key_beats": max(1.0, design.key_residues_per_cycle / p)},
        ),
    )  # fmt: skip


def _control(design: Design) -> tuple[Part, ...]:
    """Where each station is, whether it may start, commands of two batches, what is counted."""
    n_stations = 2 * design.ntt_ranks + 3 + 5  # and LOAD, INIT, EXTRACT, KEY SWITCH, STORE
    cells = design.batch * design.cores
    return (
        Part(kind="counter", count=3 * n_stations, bits=_JOB_BITS),
        Part(kind="comparator", count=3 * n_stations, bits=_JOB_BITS),
        Part(
            kind="sram", bits=_COMMAND_BITS, words=2 * cells,
            reads={"bootstraps": 1.0}, writes={"bootstraps": 1.0},
        ),
        Part(kind="counter", count=_N_COUNTERS, bits=_COUNTER_BITS),
        Part(kind="adder", count=_N_COUNTERS, bits=cells.bit_length()),  # cells that have a command
    )  # fmt: skip


def _streams(design: Design) -> tuple[Part, ...]:
    """A register for the beat of each stream."""
    words = _WORD * design.ciphertext_words_per_cycle
    return (
        Part(
            kind="enabled_register", bits=design.key_residues_per_cycle * design.modulus_bits,
            operations={"key_beats": 1.0},
        ),
        Part(
            kind="enabled_register", bits=_WORD * design.key_switch_lanes, operations={"key_switch_beats": 1.0}
        ),
        Part(kind="enabled_register", bits=words, operations={"read_beats": 1.0}),
        Part(kind="enabled_register", bits=words, operations={"write_beats": 1.0}),
    )  # fmt: skip


def _memory(design: Design) -> tuple[Part, ...]:
    """Keys and ciphertexts, off chip; the words that pad a beat are moved too."""
    words = _WORD * design.ciphertext_words_per_cycle
    row = 8 * design.residue_bytes * design.key_residues_per_cycle
    return (
        Part(kind="hbm", bits=row, reads={"key_beats": 1.0}),
        Part(kind="hbm", bits=_WORD * design.key_switch_lanes, reads={"key_switch_beats": 1.0}),
        Part(kind="hbm", bits=words, reads={"read_beats": 1.0}, writes={"write_beats": 1.0}),
    )
