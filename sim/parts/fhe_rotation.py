"""The stations of a blind rotation as numbers (docs/fhe.md, section 3), and how long rotations take."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from designs.families.fhe import Design
from sim.kernels.fhe import rotation as kernel
from sim.kernels.fhe.rotation import BUSY, first_steps
from sim.kernels.fhe.stations import (
    KEY_ROWS,
    N_SHAPE,
    RANK_STAGES,
    ROW_BEATS,
    STEPS,
    intervals,
    rotation_lengths,
    tables_of,
)

_KEPT = 1 << 14  # rotations


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


def numbers_of(shape: Shape) -> np.ndarray:
    """(stations.N_SHAPE,) int64: the shape as kernels take it."""
    *numbers, rank_stages, multiplier_stages, key_rows, row_beats = shape
    found = np.zeros(N_SHAPE, np.int64)
    found[:RANK_STAGES] = *numbers, multiplier_stages, key_rows, row_beats, len(rank_stages)
    found[RANK_STAGES : RANK_STAGES + len(rank_stages)] = rank_stages
    return found


@lru_cache(maxsize=_KEPT)
def tables(shape: Shape) -> Tables:
    """The stations ROT, F_0.., MAC, I_0.., WB; arrays that nobody writes to."""
    return Tables(*tables_of(numbers_of(shape)))


def interval_cycles(shape: Shape) -> int:
    """Cycles that the busiest station needs for a step of one ciphertext."""
    return int(intervals(numbers_of(shape)[None])[0])


@lru_cache(maxsize=_KEPT)
def length(shape: Shape, n_slots: int) -> Length:
    """Of a batch of so many slots; from INIT on the same in every batch, as INIT waits for the first K rows."""
    shapes = np.stack([numbers_of(shape), numbers_of(shape)])
    all_rows_stay(shapes[1:])
    (cycles, refilled), (unstalled, _) = rotation_lengths(shapes, np.full(2, n_slots)).tolist()
    return Length(cycles, refilled, unstalled)


def all_rows_stay(shapes: np.ndarray) -> None:
    """Make shapes (n, N_SHAPE) those of machines that keep the whole key, whose rows are always there."""
    shapes[:, KEY_ROWS], shapes[:, ROW_BEATS] = shapes[:, STEPS], 0


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
