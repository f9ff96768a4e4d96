"""Key switch of a batch of ciphertexts: a product of a matrix of small digits and the key, modulo 2^32."""

from __future__ import annotations

import numpy as np

from workloads.tfhe.kernels.compiled import entry

ROWS_AT_ONCE = 256  # of the key, a tile wide: they stay in the first-level cache while the batch passes


@entry
def subtract_products(digits: np.ndarray, key: np.ndarray, out: np.ndarray) -> None:
    """out -= digits @ key, modulo 2^32.

    digits int32 (batch, rows); key uint32 (tiles, rows, tile words); out uint32 (batch, tiles, tile words).
    """
    for tile in range(key.shape[0]):
        for first in range(0, key.shape[1], ROWS_AT_ONCE):
            last = min(first + ROWS_AT_ONCE, key.shape[1])
            for gate in range(digits.shape[0]):
                for row in range(first, last):
                    digit = np.uint32(digits[gate, row])
                    for word in range(key.shape[2]):
                        out[gate, tile, word] -= np.uint32(digit * key[tile, row, word])


@entry
def cut_digits(words: np.ndarray, levels: int, base_bits: int, out: np.ndarray) -> None:
    """Signed digits: words uint32 (batch, x) to int32 (batch, x * levels), a word's digits side by side."""
    offset = 0 if levels * base_bits == 32 else 1 << (31 - levels * base_bits)
    half = 1 << (base_bits - 1)
    for level in range(1, levels + 1):
        offset += half << (32 - level * base_bits)
    mask = (1 << base_bits) - 1
    for gate in range(words.shape[0]):
        for index in range(words.shape[1]):
            word = (np.int64(words[gate, index]) + offset) & 0xFFFFFFFF
            for level in range(levels):
                digit = ((word >> (32 - (level + 1) * base_bits)) & mask) - half
                out[gate, index * levels + level] = digit
