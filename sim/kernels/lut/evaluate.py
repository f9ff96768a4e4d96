"""Values and switching of a circuit of LUTs of at most 6 inputs, 64 samples a word.

A table over x0 ... x5 is expanded over x2 ... x5 as f = f|x=0 ^ x & (f|x=0 ^ f|x=1) (positive Davio expansion): one
operation a node less than a multiplexer has, and the xor of the tables is done beforehand. What is left at the 16
leaves are functions of x0 and x1. There are 16 of them: all are made once a LUT and then only read. So a LUT of 6
inputs costs 30 operations and 12 stores, whatever its table is.

Rows of the working memory: function f of the pair x0, x1 is row f (0 and 15 are the constants), signal s row
N_PAIR + s.
"""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import entry, inner
from sim.kernels.lut.vectors import (
    VECTOR_BYTES,
    WORDS,
    join_tree,
    popcount,
    store_pair_functions,
    store_tree,
)

N_PAIR = 16  # functions of two variables
MOST_INPUTS = 6
N_LEAVES = 16
BLOCK_WORDS = 64  # evaluated at a time; measured best between 32 and 128: tables are read once a block, rows stay near
_X0, _X1 = 0b1010, 0b1100  # numbers of the two functions that are a variable


def pack_samples(bits: np.ndarray) -> np.ndarray:
    """(n_samples, n_inputs) of 0 and 1 -> (n_inputs, n_words) uint64; words are filled up with zeros."""
    n_samples, n_inputs = bits.shape
    packed = np.zeros((n_inputs, -(-n_samples // 64) * 8), dtype=np.uint8)
    packed[:, : -(-n_samples // 8)] = np.packbits(np.asarray(bits, dtype=np.uint8).T, axis=1, bitorder="little")
    return packed.view("<u8").astype(np.uint64, copy=False)


def unpack_samples(words: np.ndarray, n_samples: int) -> np.ndarray:
    """(n_signals, n_words) uint64 -> (n_samples, n_signals) uint8: the inverse of `pack_samples`."""
    as_bytes = np.ascontiguousarray(words).astype("<u8", copy=False).view(np.uint8)
    return np.ascontiguousarray(np.unpackbits(as_bytes, axis=1, count=n_samples, bitorder="little").T)


@entry
def expand(
    n_inputs: int, fanin_start: np.ndarray, fanin: np.ndarray, table_start: np.ndarray, tables: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(inputs of each LUT, rows that it reads (n_luts, 6), rows of its leaves (n_luts, 16)) of the arrays of a netlist.

    Missing inputs read the row of zeros.
    """
    n_luts = len(fanin_start) - 1
    sizes = np.zeros(n_luts, dtype=np.int64)
    operands = np.zeros((n_luts, MOST_INPUTS), dtype=np.int64)
    leaves = np.zeros((n_luts, N_LEAVES), dtype=np.int64)
    for lut in range(n_luts):
        size = fanin_start[lut + 1] - fanin_start[lut]
        sizes[lut] = size
        for place in range(size):
            operands[lut, place] = N_PAIR + fanin[fanin_start[lut] + place]
        n_entries = 1 << size
        for leaf in range(max(1, n_entries >> 2)):
            number = 0
            for place in range(4):  # a LUT of one input has half of the four entries, and reads them twice
                number |= int(tables[table_start[lut] + (leaf * 4 + place) % n_entries]) << place
            leaves[lut, leaf] = number
        distance = 1
        while distance < n_entries >> 2:
            for leaf in range(n_entries >> 2):
                if leaf & distance:
                    leaves[lut, leaf] ^= leaves[lut, leaf - distance]
            distance *= 2
        for leaf in range(N_LEAVES):
            if leaves[lut, leaf] == _X0:
                leaves[lut, leaf] = operands[lut, 0]
            elif leaves[lut, leaf] == _X1:
                leaves[lut, leaf] = operands[lut, 1]
    return sizes, operands, leaves


@entry
def evaluate(
    sizes: np.ndarray,
    operands: np.ndarray,
    leaves: np.ndarray,
    output_rows: np.ndarray,
    inputs: np.ndarray,
    answers: np.ndarray,
) -> None:
    """Fill `answers` (n_outputs, n_words) uint64 from `inputs` (n_inputs, n_words) uint64; tables as of `expand`."""
    n_words = inputs.shape[1]
    rows = _working_rows(len(inputs) + len(sizes))
    for start in range(0, n_words, BLOCK_WORDS):
        n_block = min(BLOCK_WORDS, n_words - start)
        _fill_block(rows, sizes, operands, leaves, inputs, start, n_block)
        for output in range(len(output_rows)):
            answers[output, start : start + n_block] = rows[output_rows[output], :n_block]


@entry
def evaluate_and_count(
    sizes: np.ndarray,
    operands: np.ndarray,
    leaves: np.ndarray,
    output_rows: np.ndarray,
    inputs: np.ndarray,
    answers: np.ndarray,
    n_samples: int,
    copies: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """`evaluate`, and what switches with each number of copies: (changes of each signal, pipelines whose first sample
    has it 1), each (len(copies), n_signals) int64, inputs first.

    Sample i follows sample i - `copies[c]` (1 to 63), as in so many pipelines that take samples in turn. Every pipeline
    begins with zeros: a first sample of 1 is a change. Samples are evaluated once, whatever the copies.
    """
    n_words, n_signals = inputs.shape[1], len(inputs) + len(sizes)
    rows = _working_rows(n_signals)
    changes = np.zeros((len(copies), n_signals), dtype=np.int64)
    first_ones = np.zeros((len(copies), n_signals), dtype=np.int64)
    before = np.zeros(n_signals, dtype=np.uint64)  # last word of the block before
    for start in range(0, n_words, BLOCK_WORDS):
        n_block = min(BLOCK_WORDS, n_words - start)
        _fill_block(rows, sizes, operands, leaves, inputs, start, n_block)
        for output in range(len(output_rows)):
            answers[output, start : start + n_block] = rows[output_rows[output], :n_block]
        n_left = n_samples - (start + n_block - 1) * 64
        last_mask = ~np.uint64(0) >> np.uint64(max(0, 64 - n_left))
        for signal in range(n_signals):
            words = rows[N_PAIR + signal]
            for point in range(len(copies)):
                n_copies = copies[point]
                changes[point, signal] += _changes(words, before[signal], n_block, np.uint64(n_copies), last_mask)
                if start == 0:
                    first_mask = ~np.uint64(0) >> np.uint64(64 - min(n_copies, n_samples))
                    first_ones[point, signal] = popcount(words[0] & first_mask)
            before[signal] = words[n_block - 1]
    return changes, first_ones


@entry
def settle_on_zeros(
    n_inputs: int,
    fanin_start: np.ndarray,
    fanin: np.ndarray,
    table_start: np.ndarray,
    tables: np.ndarray,
    stages: np.ndarray,
) -> np.ndarray:
    """(n_luts,) uint8: value of each LUT while the register bank that its stage reads is all zeros."""
    settled = np.zeros(len(stages), dtype=np.uint8)
    for lut in range(len(stages)):
        index = 0
        for place in range(fanin_start[lut + 1] - fanin_start[lut]):
            source = fanin[fanin_start[lut] + place] - n_inputs
            if source >= 0 and stages[source] == stages[lut]:
                index |= int(settled[source]) << place
        settled[lut] = tables[table_start[lut] + index]
    return settled


@inner
def _working_rows(n_signals: int) -> np.ndarray:
    rows = np.zeros((N_PAIR + n_signals, BLOCK_WORDS), dtype=np.uint64)
    rows[N_PAIR - 1] = ~np.uint64(0)
    return rows


@inner
def _changes(words: np.ndarray, before: int, n_words: int, copies: int, last_mask: int) -> int:
    """Bits that differ from the bit `copies` earlier; `before` is the word before, `last_mask` what the last counts."""
    back = np.uint64(64) - copies
    found = np.uint64(0)
    for word in range(1, n_words - 1):
        found += popcount(words[word] ^ (words[word] << copies | words[word - 1] >> back))
    if n_words > 1:
        found += popcount(words[0] ^ (words[0] << copies | before >> back))
        before = words[n_words - 2]
    last = words[n_words - 1]
    return int(found + popcount((last ^ (last << copies | before >> back)) & last_mask))


@inner
def _eight(base: int, rows: np.ndarray, first: int, row_bytes: int) -> tuple[int, int, int, int, int, int, int, int]:
    """Addresses of eight of the rows."""
    return (
        base + rows[first] * row_bytes,
        base + rows[first + 1] * row_bytes,
        base + rows[first + 2] * row_bytes,
        base + rows[first + 3] * row_bytes,
        base + rows[first + 4] * row_bytes,
        base + rows[first + 5] * row_bytes,
        base + rows[first + 6] * row_bytes,
        base + rows[first + 7] * row_bytes,
    )


@inner
def _fill_block(
    rows: np.ndarray,
    sizes: np.ndarray,
    operands: np.ndarray,
    leaves: np.ndarray,
    inputs: np.ndarray,
    start: int,
    n_words: int,
) -> None:
    """Rows of all signals for `n_words` words from word `start` on."""
    n_inputs = len(inputs)
    for signal in range(n_inputs):
        rows[N_PAIR + signal, :n_words] = inputs[signal, start : start + n_words]
    row_bytes = BLOCK_WORDS * 8
    n_bytes = -(-n_words // WORDS) * VECTOR_BYTES
    base = rows.ctypes.data
    known_0 = known_1 = np.int64(-1)  # the pair whose functions are in rows 1 to 14
    for lut in range(len(sizes)):
        reads, leaf = operands[lut], leaves[lut]
        if reads[0] != known_0 or reads[1] != known_1:
            known_0, known_1 = reads[0], reads[1]
            x0, x1 = base + known_0 * row_bytes, base + known_1 * row_bytes
            for offset in range(0, n_bytes, VECTOR_BYTES):
                store_pair_functions(offset, x0, x1, base, row_bytes)
        out = base + (N_PAIR + n_inputs + lut) * row_bytes
        selects = (base + reads[2] * row_bytes, base + reads[3] * row_bytes, base + reads[4] * row_bytes)
        low = _eight(base, leaf, 0, row_bytes)
        if sizes[lut] >= 5:
            for offset in range(0, n_bytes, VECTOR_BYTES):
                store_tree(offset, out, selects, low)
        elif sizes[lut] == 4:
            for offset in range(0, n_bytes, VECTOR_BYTES):
                store_tree(offset, out, selects[:2], low[:4])
        elif sizes[lut] == 3:
            for offset in range(0, n_bytes, VECTOR_BYTES):
                store_tree(offset, out, selects[:1], low[:2])
        else:
            for offset in range(0, n_bytes, VECTOR_BYTES):
                store_tree(offset, out, (), low[:1])
        if sizes[lut] == MOST_INPUTS:  # in two halves, so that all addresses fit into registers
            gate = base + reads[5] * row_bytes
            high = _eight(base, leaf, 8, row_bytes)
            for offset in range(0, n_bytes, VECTOR_BYTES):
                join_tree(offset, out, gate, selects, high)
