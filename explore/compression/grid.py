"""All of a thousand choices, and how near to the best of them a search with ten trainings comes (docs/compression.md).

    python -m explore.compression.grid [--floor 0.93 0.95] [--workers 2] [--batches 0] [-o rows.json]

Grid and search are trained alike, by default not at all: so a thousand choices take minutes. What is done is kept: an
interrupted run goes on where it stood, and the search reads its trials from the grid.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from designs.space import load_space
from designs.whole_file import whole_file
from explore.compression.choices import CHANNEL_SHARES, ZEROS, Choice, ChoiceAxis, Choices
from explore.compression.search import search
from explore.compression.subject import Subject, subject_of
from explore.compression.trial import (
    OBJECTIVES,
    Machine,
    Objective,
    kept_work,
    trial,
    untrained_costs,
    weight_errors,
)
from explore.progress import progress_for
from workloads.compression import straight_through

CHOICES = Choices(
    (
        ChoiceAxis("channels.conv1", CHANNEL_SHARES),
        ChoiceAxis("channels.conv2", CHANNEL_SHARES),
        ChoiceAxis("zeros", ZEROS),
        ChoiceAxis("bits", (8, 5, 4, 3)),
        ChoiceAxis("bits.fc", (8, 4)),
    )
)
SPACE = "compression"
SEED = 0  # of training
_CHUNK = 20


def evaluate_grid(
    training: straight_through.Settings, workers: int = 1, *, progress: bool = False
) -> list[dict[str, Any]]:
    """Of each choice in order: `n_wrong`, `n_images`, `costs`, `untrained` costs and `errors` of weights."""
    chunks = [range(start, start + _CHUNK) for start in range(0, CHOICES.n_choices, _CHUNK)]
    found: dict[int, list[dict[str, Any]]] = {}
    _settings()  # the float network is there before processes ask for it
    with (
        progress_for("grid", len(chunks) * _CHUNK, 0, wanted=progress) as shown,
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
    ):
        asked = {pool.submit(_chunk, chunk, training): index for index, chunk in enumerate(chunks)}
        for done in as_completed(asked):
            found[asked[done]] = done.result()
            shown.advance(_CHUNK)
    return [row for index in range(len(chunks)) for row in found[index]]


def best_of(grid: Sequence[dict[str, Any]], objective: Objective, floor: float) -> int | None:
    """The number of the cheapest choice of those that keep the floor."""
    able = [index for index, row in enumerate(grid) if 1 - row["n_wrong"] / row["n_images"] >= floor]
    return min(able, key=lambda index: grid[index]["costs"][objective], default=None)


def distances(
    grid: Sequence[dict[str, Any]],
    objective: Objective,
    floor: float,
    n_seeds: int,
    training: straight_through.Settings,
) -> list[dict[str, Any]]:
    """Of each seed: the search's cost over the best of the grid, and how many trials it took."""
    best = best_of(grid, objective, floor)
    if best is None:
        return []
    least, found = grid[best]["costs"][objective], []
    subject, machine = _settings()
    for seed in range(n_seeds):
        result = search(
            subject, machine, CHOICES, accuracy_floor=floor, objective=objective, training=training, seed=seed,
            known=lambda choice: grid[CHOICES.index(choice)],
        )  # fmt: skip
        cost = result.best.costs[objective] if result.best else result.reference_costs[objective]
        found.append({"seed": seed, "ratio": cost / least, "n_trials": len(result.trials)})
    return found


@cache
def _settings() -> tuple[Subject, Machine]:
    return subject_of("digits_cnn"), Machine.of(load_space(SPACE))


def _chunk(indices: range, training: straight_through.Settings) -> list[dict[str, Any]]:
    subject, machine = _settings()

    def work(choice: Choice) -> dict[str, Any]:
        found = trial(subject, machine, choice, training, SEED)
        untrained = found["costs"] if training.n_batches == 0 else untrained_costs(subject, machine, choice)
        return {**found, "untrained": untrained, "errors": weight_errors(subject, choice)}

    with threadpool_limits(1):
        return kept_work("grid", subject, machine, training, SEED, [CHOICES.choice(i) for i in indices], work)


def main() -> None:
    """Print the best of the grid and the distances for each objective."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--floor", type=float, nargs="+", default=[0.95], help="One or more.")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-o", "--output", type=Path, help="Also write the grid's rows as JSON.")
    parser.add_argument("--batches", type=int, default=0, help="Batches that each choice is trained for.")
    given = parser.parse_args()
    training = straight_through.Settings(n_batches=given.batches)
    grid = evaluate_grid(training, given.workers, progress=True)
    if given.output is not None:
        with whole_file(given.output) as part:
            part.write_text(json.dumps(grid) + "\n", encoding="utf-8")
    for floor in given.floor:
        _tell(grid, floor, given.seeds, training)


def _tell(grid: list[dict[str, Any]], floor: float, n_seeds: int, training: straight_through.Settings) -> None:
    n_able = sum(1 - row["n_wrong"] / row["n_images"] >= floor for row in grid)
    print(f"{len(grid)} choices, {n_able} keep {floor:g} on {grid[0]['n_images']} validation images")
    for objective in OBJECTIVES:
        best = best_of(grid, objective, floor)
        if best is None:
            print(f"{objective}: no choice keeps the floor", file=sys.stderr)
            continue
        found = distances(grid, objective, floor, n_seeds, training)
        ratios = np.array([entry["ratio"] for entry in found])
        n_trials = max(entry["n_trials"] for entry in found)
        print(
            f"{objective}: best of the grid {grid[best]['costs'][objective]:,.0f} ({CHOICES.choice(best)}); search, at "
            f"most {n_trials} trials, {len(found)} seeds: {ratios.mean():.3f} times that "
            f"(median {np.median(ratios):.3f}, worst {ratios.max():.3f})"
        )


if __name__ == "__main__":
    main()
