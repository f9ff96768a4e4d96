"""The stations of a blind rotation as numbers (docs/fhe.md, section 3), and how long rotations take."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from designs.families.fhe import Design
from sim.kernels.fhe import rotation as kernel
from sim.kernels.fhe.rotation import AHEAD, BUSY, N_COLUMNS, N_SIZES, ROOM, first_steps, rotate

_KEPT = 1 << 14  # rotations
_ALWAYS = np.zeros(0, np.int64)  # no arrivals: a beat is there when it can be taken


class Shape(NamedTuple):
    """All that the times of a rotation depend on; designs that agree in it share them."""

    n_steps: int
    poly_words: int  # W
    n_groups: int
    column_passes: int
    inverse_groups: int
    inverse_ntts: int
    key_columns: int
    rank_stages: tuple[int, ...]
    multiplier_stages: int
    key_rows: int
    row_beats: int


class Tables(NamedTuple):
    """Arguments of the kernel."""

    sizes: np.ndarray  # (N_SIZES,) int64
    stations: np.ndarray  # (n_stations, N_COLUMNS) int64
    inverse_after: np.ndarray  # (inverse_groups,) int64


class Length(NamedTuple):
    """Cycles of a rotation with INIT, keys as they come without stalls."""

    cycles: int
    refilled: int  # from the first cycle of INIT to the last beat of row K of the next batch
    unstalled: int  # with key rows that are always there


def shape_of(design: Design) -> Shape:
    p = design.parameters
    return Shape(
        n_steps=p.lwe_dimension,
        poly_words=design.poly_words,
        n_groups=design.n_groups,
        column_passes=design.column_passes,
        inverse_groups=design.inverse_groups,
        inverse_ntts=design.inverse_ntts,
        key_columns=design.key_columns,
        rank_stages=design.rank_stages,
        multiplier_stages=design.multiplier_stages,
        key_rows=min(design.key_rows, p.lwe_dimension),
        row_beats=design.row_beats,
    )


@lru_cache(maxsize=_KEPT)
def tables(shape: Shape) -> Tables:
    """The stations ROT, F_0.., MAC, I_0.., WB; arrays that nobody writes to."""
    words, sum_latency = shape.poly_words, shape.multiplier_stages + 2  # a butterfly, a product: A + 2
    half = words // 2 + 1  # a word and the one half a polynomial later are there
    again = max(words, half + sum_latency)  # I: from one pass of a rank to the next
    passes = [(stages - 1) * again for stages in shape.rank_stages]
    multiply = words * shape.column_passes
    # Of each station T, Lo, So, and Rd.
    forward = [(last + words, last + sum_latency, half, words) for last in passes]
    to_mac = [*forward[:-1], (*forward[-1][:2], 1, words)]
    inverse = [(last + words, last + sum_latency, half, words) for last in passes]
    told = [(words, 4, half, 0), *to_mac, (multiply, 0, 0, multiply), *inverse, (words, 2, 0, words)]
    stations = np.zeros((len(told), N_COLUMNS), np.int64)
    for station, (busy, low, gap, _) in enumerate(told):
        reads = told[station + 1][3] if station + 1 < len(told) else 0
        stations[station, [BUSY, AHEAD, ROOM]] = busy, low + gap, max(1, reads - low)
    # The last column that a job of I_0 takes is written in this pass of MAC, word by word.
    last_columns = (np.arange(shape.inverse_groups, dtype=np.int64) + 1) * shape.inverse_ntts - 1
    inverse_after = sum_latency + words * (last_columns // shape.key_columns) + 1
    sizes = np.zeros(N_SIZES, np.int64)
    sizes[kernel.STEPS], sizes[kernel.GROUPS], sizes[kernel.INVERSES] = (
        shape.n_steps, shape.n_groups, shape.inverse_groups,
    )  # fmt: skip
    sizes[kernel.MAC], sizes[kernel.WORDS] = len(forward) + 1, words
    sizes[kernel.SUM_ROOM] = max(1, words - sum_latency)
    sizes[kernel.KEY_ROWS], sizes[kernel.ROW_BEATS] = shape.key_rows, shape.row_beats
    sizes[kernel.STREAMED] = shape.key_rows < shape.n_steps
    return Tables(sizes, stations, inverse_after)


def interval_cycles(shape: Shape) -> int:
    """Cycles that the busiest station needs for a step of one ciphertext."""
    stations = tables(shape).stations[:, BUSY]
    mac = len(shape.rank_stages) + 1
    return int(max(stations[: mac + 1].max() * shape.n_groups, stations[mac + 1 :].max() * shape.inverse_groups))


@lru_cache(maxsize=_KEPT)
def length(shape: Shape, n_slots: int) -> Length:
    """Of a batch of so many slots; from INIT on the same in every batch, as INIT waits for the first K rows."""
    sizes, stations, inverse_after = tables(shape)
    rows = np.full(shape.n_steps + shape.key_rows, -1, np.int64)
    endless = sizes.copy()
    endless[kernel.STREAMED] = 0
    unstalled, _ = rotate(endless, stations, inverse_after, n_slots, 0, 0, _ALWAYS, rows)
    if not sizes[kernel.STREAMED]:
        return Length(unstalled + 1, -1, unstalled + 1)
    end, _ = rotate(sizes, stations, inverse_after, n_slots, 0, 0, _ALWAYS, rows)
    return Length(end + 1, int(rows[-1]), unstalled + 1)


class Job(NamedTuple):
    """What a station does from one cycle to another, counted from INIT's first."""

    station: str
    step: int
    first_cycle: int
    end_cycle: int  # the cycle after the last


def first_jobs(shape: Shape, n_slots: int, n_steps: int) -> list[Job]:
    """Every job of the first steps of a batch of `n_slots`, key rows in time, station by station."""
    n_steps = min(n_steps, shape.n_steps)
    sizes, stations, inverse_after = tables(shape)
    turns, mac = n_steps * n_slots, int(sizes[kernel.MAC])
    n_jobs = [turns * int(sizes[kernel.GROUPS if s <= mac else kernel.INVERSES]) for s in range(len(stations))]
    starts = np.zeros((len(stations), max(n_jobs)), np.int64)
    rows = np.full(shape.n_steps + shape.key_rows, -1, np.int64)
    first_steps(sizes, stations, inverse_after, n_slots, n_steps, rows, starts)
    ranks = len(shape.rank_stages)
    names = ["ROT", *(f"F{r}" for r in range(ranks)), "MAC", *(f"I{r}" for r in range(ranks)), "WB"]
    return [
        Job(names[station], job * n_steps // n_jobs[station], start, start + int(stations[station, BUSY]))
        for station in range(len(stations))
        for job, start in enumerate(starts[station, : n_jobs[station]].tolist())
    ]
