"""Stations of a rotation (docs/fhe.md, section 3) from the numbers of a shape, and how long its rotations take."""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import entry, inner
from sim.kernels.fhe import rotation as r
from sim.kernels.fhe.rotation import AHEAD, BUSY, N_COLUMNS, N_SIZES, ROOM, rotate

MOST_RANKS = 14

# Places of a shape: all that the times of a rotation depend on. RANK_STAGES is the first of MOST_RANKS, 0s at the end.
(
    STEPS,  # n
    WORDS,  # W
    GROUPS,
    COLUMN_PASSES,
    INVERSE_GROUPS,
    INVERSE_NTTS,
    KEY_COLUMNS,
    MULTIPLIER_STAGES,
    KEY_ROWS,  # at most n
    ROW_BEATS,
    RANKS,
    RANK_STAGES,
) = range(12)
N_SHAPE = RANK_STAGES + MOST_RANKS

N_LENGTHS = 2  # columns of what `rotation_lengths` answers
CYCLES, REFILLED = range(N_LENGTHS)


@inner
def fill_tables(shape: np.ndarray, sizes: np.ndarray, stations: np.ndarray, inverse_after: np.ndarray) -> None:
    """The arguments of `rotate` for a shape (N_SHAPE,): stations ROT, F_0.., MAC, I_0.., WB.

    `sizes` (N_SIZES,), `stations` (2 RANKS + 3 or more, N_COLUMNS) and `inverse_after` (INVERSE_GROUPS or more,).
    """
    words, ranks, sum_latency = shape[WORDS], shape[RANKS], shape[MULTIPLIER_STAGES] + 2  # of a butterfly
    half = words // 2 + 1  # a word and the one half a polynomial later are there
    again = max(words, half + sum_latency)  # I: from one pass of a rank to the next
    multiply, mac = words * shape[COLUMN_PASSES], ranks + 1
    stations[0, BUSY], stations[0, AHEAD], stations[0, ROOM] = words, 4 + half, max(1, words - 4)
    for rank in range(ranks):
        last = (shape[RANK_STAGES + rank] - 1) * again
        low, is_last = last + sum_latency, rank == ranks - 1
        for first, gap, reads in ((1, 1 if is_last else half, multiply if is_last else words), (mac + 1, half, words)):
            station = first + rank
            stations[station, BUSY], stations[station, AHEAD] = last + words, low + gap
            stations[station, ROOM] = max(1, reads - low)
    stations[mac, BUSY], stations[mac, AHEAD], stations[mac, ROOM] = multiply, 0, words
    stations[2 * ranks + 2, BUSY], stations[2 * ranks + 2, AHEAD], stations[2 * ranks + 2, ROOM] = words, 2, 1
    for job in range(shape[INVERSE_GROUPS]):
        # The last column that a job of I_0 takes is written in this pass of MAC, word by word.
        last_column = (job + 1) * shape[INVERSE_NTTS] - 1
        inverse_after[job] = sum_latency + words * (last_column // shape[KEY_COLUMNS]) + 1
    sizes[r.STEPS], sizes[r.GROUPS], sizes[r.INVERSES] = shape[STEPS], shape[GROUPS], shape[INVERSE_GROUPS]
    sizes[r.MAC], sizes[r.WORDS], sizes[r.SUM_ROOM] = mac, words, max(1, words - sum_latency)
    sizes[r.KEY_ROWS], sizes[r.ROW_BEATS], sizes[r.TOTAL_BEATS] = shape[KEY_ROWS], shape[ROW_BEATS], 0
    sizes[r.STREAMED] = shape[KEY_ROWS] < shape[STEPS]


@entry
def tables_of(shape: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(sizes, stations, inverse_after) of a shape (N_SHAPE,), as `rotate` takes them."""
    sizes = np.zeros(N_SIZES, np.int64)
    stations = np.zeros((2 * shape[RANKS] + 3, N_COLUMNS), np.int64)
    inverse_after = np.zeros(shape[INVERSE_GROUPS], np.int64)
    fill_tables(shape, sizes, stations, inverse_after)
    return sizes, stations, inverse_after


@entry
def rotation_lengths(shapes: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """(n, N_LENGTHS) int64 of rotations of slots[i] ciphertexts in shapes[i], keys not stalled, one after the other.

    Cycles, INIT included; cycles from the first of INIT to the last beat of row K of the next batch (-1 where all rows
    stay). `shapes` (n, N_SHAPE), `slots` (n,).
    """
    found = np.empty((len(shapes), N_LENGTHS), np.int64)
    no_arrivals = np.zeros(0, np.int64)
    for point in range(len(shapes)):
        sizes, stations, inverse_after = tables_of(shapes[point])
        rows = np.full(sizes[r.STEPS] + sizes[r.KEY_ROWS], -1, np.int64)
        end, _ = rotate(sizes, stations, inverse_after, slots[point], 0, 0, no_arrivals, rows)
        found[point, CYCLES] = end + 1
        found[point, REFILLED] = rows[-1] if sizes[r.STREAMED] else -1
    return found


@entry
def intervals(shapes: np.ndarray) -> np.ndarray:
    """(n,) int64: cycles that the busiest station of each shape needs for a step of one ciphertext."""
    found = np.empty(len(shapes), np.int64)
    for point in range(len(shapes)):
        sizes, stations, _ = tables_of(shapes[point])
        busiest = np.int64(0)
        for station in range(len(stations)):
            turns = sizes[r.GROUPS] if station <= sizes[r.MAC] else sizes[r.INVERSES]
            busiest = max(busiest, stations[station, BUSY] * turns)
        found[point] = busiest
    return found
