"""What a bootstrapping machine is given: keys, ciphertexts, batches, commands (docs/fhe.md, sections 1 and 2)."""

from __future__ import annotations

import numpy as np
from amaranth.lib import data

from designs.families.fhe import Design
from designs.moduli import modulus, root_of_unity
from hw.parts.fhe_commands import batch_layout, command_layout
from workloads.mapping.fhe import Program


def twiddles(design: Design) -> np.ndarray:
    """(N,) object: z(x), psi to the power of x with its S bits reversed."""
    degree, stages, p = design.parameters.ring_degree, design.n_stages, modulus(design.modulus_bits)
    psi = root_of_unity(design.modulus_bits, 2 * degree)
    powers = [1]
    for _ in range(degree - 1):
        powers.append(powers[-1] * psi % p)
    return np.array([powers[int(f"{x:0{stages}b}"[::-1], 2)] for x in range(degree)], dtype=object)


def forward(design: Design, polynomials: np.ndarray) -> np.ndarray:
    """Transform (.., N) of integers modulo the prime: object array, positions as section 1 has them."""
    degree, p, z = design.parameters.ring_degree, modulus(design.modulus_bits), twiddles(design)
    values = polynomials.astype(object) % p
    butterfly = np.arange(degree // 2)
    for stage in range(design.n_stages):
        u, v = values[..., : degree // 2], values[..., degree // 2 :]
        turned = v * z[(1 << stage) + butterfly % (1 << stage)] % p
        values = np.stack([(u + turned) % p, (u - turned) % p], axis=-1).reshape(values.shape)
    return values


def transformed_key(design: Design, bootstrap_key: np.ndarray) -> np.ndarray:
    """1/N forward of each polynomial of (n, k+1, l, k+1, N) uint32, words read as signed: uint64 of the same shape."""
    p = modulus(design.modulus_bits)
    signed = np.ascontiguousarray(bootstrap_key).view(np.int32)
    inverse = pow(design.parameters.ring_degree, -1, p)
    return (forward(design, signed) * inverse % p).astype(np.uint64)


def bootstrap_key_beats(design: Design, bootstrap_key: np.ndarray) -> np.ndarray:
    """The stream of n rows, (n row_beats, bytes) uint8: E residues of e bits a beat, packed, little-endian."""
    p, lanes = design.parameters, design.coefficients_per_cycle
    columns, r, d, m = p.glwe_dimension + 1, design.rotators, design.decomposers, design.key_columns
    residues = transformed_key(design, bootstrap_key)
    # [n, j = (rg, jj), level = (lg, dd), column = (cp, cc), coefficient = (w, lane)]
    cut = residues.reshape(
        -1, columns // r, r, p.decomposition_levels // d, d, columns // m, m, design.poly_words, lanes
    )
    # Group (rg, lg), column pass, word; in it digit q = (jj, dd), column cc, lane.
    ordered = cut.transpose(0, 1, 3, 5, 7, 2, 4, 6, 8)
    return _packed(ordered.reshape(-1, design.key_residues_per_cycle), design.modulus_bits)


def key_switch_key_beats(design: Design, key_switch_key: np.ndarray) -> np.ndarray:
    """The stream of one batch, (kN t c_V, 4 V) uint8: rows of n + 1 words padded with zeros."""
    width = design.key_switch_chunks * design.key_switch_lanes
    rows = np.zeros((*key_switch_key.shape[:2], width), np.uint32)
    rows[..., : key_switch_key.shape[-1]] = key_switch_key
    return _bytes(rows.reshape(-1, design.key_switch_lanes))


def ciphertext_beats(design: Design, ciphertexts: np.ndarray) -> np.ndarray:
    """(n, n + 1) uint32 as (n, c_D, 4 D) uint8, padded with zeros."""
    lanes = design.ciphertext_words_per_cycle
    rows = np.zeros((len(ciphertexts), design.ciphertext_beats * lanes), np.uint32)
    rows[:, : ciphertexts.shape[1]] = ciphertexts
    return _bytes(rows.reshape(-1, lanes)).reshape(len(ciphertexts), design.ciphertext_beats, 4 * lanes)


def batch_words(design: Design, program: Program) -> list[int]:
    """Payloads of `batches`."""
    layout = batch_layout(design)
    pairs = zip(program.slots, program.after, strict=True)
    return [_bits(layout, {"slots": int(slots), "after": int(after)}) for slots, after in pairs]


def command_words(program: Program) -> list[int]:
    """Payloads of `commands`; ValueError for a valid cell without operands, which the machine does not know."""
    if (program.valid & (program.factors == 0).all(axis=1)).any():
        raise ValueError("commands: wanted at least one operand in each valid cell, got none")
    columns = {
        "valid": program.valid, "holds": program.holds, "constant": program.constant, "value": program.value,
        "post": program.post, "result": program.result, "factor_a": program.factors[:, 0],
        "factor_b": program.factors[:, 1], "a": program.operands[:, 0], "b": program.operands[:, 1],
    }  # fmt: skip
    lists = {name: column.astype(np.int64).tolist() for name, column in columns.items()}
    layout = command_layout()
    return [_bits(layout, {name: values[i] for name, values in lists.items()}) for i in range(len(program.valid))]


def _bits(layout: data.StructLayout, fields: dict[str, int]) -> int:
    return int(layout.const(fields).as_bits())


def _bytes(words: np.ndarray) -> np.ndarray:
    """(n, words) uint32 as rows of little-endian bytes."""
    return np.ascontiguousarray(words.astype("<u4")).view(np.uint8)


def _packed(numbers: np.ndarray, bits: int) -> np.ndarray:
    """(n, count) uint64 below 2**bits as rows of bytes, `bits` bits each without gaps, the lowest first."""
    rows = np.ascontiguousarray(numbers.astype("<u8")).view(np.uint8).reshape(*numbers.shape, 8)
    each = np.unpackbits(rows, axis=-1, bitorder="little")[..., :bits]
    return np.packbits(each.reshape(len(numbers), -1), axis=-1, bitorder="little")
