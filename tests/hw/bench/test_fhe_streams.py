"""Streams of a bootstrapping machine: transforms by their property, beats by plain loops over docs/fhe.md, section 2."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from designs.families.fhe import Design
from designs.moduli import modulus, root_of_unity
from hw.bench.fhe_streams import (
    batch_words,
    bootstrap_key_beats,
    ciphertext_beats,
    command_words,
    forward,
    key_switch_key_beats,
    transformed_key,
    twiddles,
)
from hw.parts.fhe_commands import batch_layout, command_layout
from workloads.mapping.fhe import Program
from workloads.tfhe.keys import generate_keys

DESIGN = Design(
    parameter_set="custom", lwe_dimension=5, glwe_dimension=3, ring_degree=16, decomposition_levels=4,
    decomposition_base_bits=4, key_switch_levels=3, key_switch_base_bits=2, lwe_noise=1e-6, glwe_noise=1e-8,
    modulus_bits=50, coefficients_per_cycle=4, rotators=2, decomposers=2, key_columns=2, inverse_ntts=1, ntt_ranks=2,
    key_residues_per_cycle=8, key_switch_lanes=4, ciphertext_words_per_cycle=2,
)  # fmt: skip


@pytest.mark.parametrize("degree", [16, 64, 1024])
def test_positions_of_the_transform(degree: int) -> None:
    """Position x has the value at psi to the power of 2 (x's bits reversed) + 1; products there are negacyclic ones."""
    design = replace(DESIGN, ring_degree=degree, modulus_bits=64)
    p, psi = modulus(64), root_of_unity(64, 2 * degree)
    rng = np.random.default_rng(degree)
    polynomial = rng.integers(-(2**31), 2**31, degree)
    stages = design.n_stages
    values = forward(design, polynomial)
    for position in (0, 1, 5, degree - 1):
        point = pow(psi, 2 * int(f"{position:0{stages}b}"[::-1], 2) + 1, p)
        assert values[position] == sum(int(c) * pow(point, power, p) for power, c in enumerate(polynomial)) % p
    shifted = np.concatenate([[-polynomial[-1]], polynomial[:-1]])  # times X
    x = np.zeros(degree, np.int64)
    x[1] = 1
    assert (forward(design, shifted) == values * forward(design, x) % p).all()
    assert twiddles(design)[1] == pow(psi, degree // 2, p)


def test_key_beats_by_plain_loops() -> None:
    design, d = DESIGN, DESIGN.parameters
    design.check()
    _, key = generate_keys(d, seed=1)
    residues = transformed_key(design, key.bootstrap_key)
    order = []
    for step in range(d.lwe_dimension):
        for group in range(design.n_groups):
            rg, lg = divmod(group, d.decomposition_levels // design.decomposers)
            for column_pass in range(design.column_passes):
                for word in range(design.poly_words):
                    for q in range(design.digit_polynomials):
                        j = rg * design.rotators + q // design.decomposers
                        level = lg * design.decomposers + q % design.decomposers
                        for cc in range(design.key_columns):
                            for lane in range(design.coefficients_per_cycle):
                                at = word * design.coefficients_per_cycle + lane
                                order.append(int(residues[step, j, level, column_pass * design.key_columns + cc, at]))
    beats, bits = bootstrap_key_beats(design, key.bootstrap_key), design.modulus_bits
    assert beats.shape == (d.lwe_dimension * design.row_beats, 8 * bits // 8)
    found = [int.from_bytes(beat.tobytes(), "little") >> bits * i & (1 << bits) - 1 for beat in beats for i in range(8)]
    assert found == order
    n, p = d.ring_degree, modulus(bits)
    words = forward(design, key.bootstrap_key[2, 1, 3, 0].view(np.int32))
    assert (residues[2, 1, 3, 0].astype(object) * n % p == words).all()


def test_words_of_the_other_streams() -> None:
    design = DESIGN
    key = np.arange(2 * 3 * 6, dtype=np.uint32).reshape(2, 3, 6) + 7
    beats = key_switch_key_beats(design, key).view("<u4")
    assert beats.shape == (2 * 3 * 2, 4)
    assert beats[:2].tolist() == [[7, 8, 9, 10], [11, 12, 0, 0]] and beats[2].tolist() == [13, 14, 15, 16]
    pair = ciphertext_beats(design, key[0, :2]).view("<u4")
    assert pair.tolist() == [[[7, 8], [9, 10], [11, 12]], [[13, 14], [15, 16], [17, 18]]]


def _program(factors: list[list[int]]) -> Program:
    n = len(factors)
    return Program(
        slots=np.array([n]), after=np.array([3]), first_cell=np.array([0, n]), valid=np.ones(n, bool),
        holds=np.arange(n) == 0, factors=np.array(factors, np.int8), constant=np.full(n, 2**32 - 1, np.uint32),
        value=np.full(n, 5, np.uint32), post=np.full(n, 6, np.uint32), operands=np.full((n, 2), 9, np.int32),
        result=np.full(n, 11, np.int32),
    )  # fmt: skip


def test_commands_are_packed_and_refused_without_operands() -> None:
    program = _program([[-2, 1], [0, 2]])
    (batch,) = batch_words(DESIGN, program)
    found = batch_layout(DESIGN).from_bits(batch)
    assert (found.slots, found.after) == (2, 3)
    first, second = (command_layout().from_bits(word) for word in command_words(program))
    assert (first.holds, second.holds, first.factor_a, first.factor_b, second.factor_b) == (1, 0, -2, 1, 2)
    assert (first.constant, first.value, first.post, first.a, first.result) == (2**32 - 1, 5, 6, 9, 11)
    with pytest.raises(ValueError, match="wanted at least one operand in each valid cell"):
        command_words(_program([[0, 0]]))
