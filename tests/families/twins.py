"""Simulator against twin from the command line: `python -m tests.families.<family>_twin --cases N --seed S`."""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable, Mapping


def count_differences(name: str, activity: Mapping[str, int], twin: Mapping[str, int]) -> list[str]:
    """Counters of a run that the twin has not, or has otherwise; those that it never advanced are 0."""
    return [
        f"{name}: {key} {count}, twin: {twin.get(key, 0)}"
        for key, count in activity.items()
        if count != twin.get(key, 0)
    ]


def compare(difference: Callable[[int], str | None], n_cases: int) -> int:
    """Exit code of a comparison of many seeds, 1 with the first difference printed; `n_cases` where none are asked for.

    `difference(seed)` is a function of a module (processes import it): what differs in the case of a seed, or None.
    """
    parser = argparse.ArgumentParser(description="random cases through simulator and twin")
    parser.add_argument("--cases", type=int, default=n_cases)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.cases)
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for done, found in enumerate(pool.imap(difference, seeds, chunksize=16), start=1):
            if found:
                print(found)
                return 1
            if done % 500 == 0:
                print(f"{done} of {options.cases} cases agree", flush=True)
    print(f"{options.cases} cases, seeds {seeds.start} to {seeds.stop - 1}: no difference")
    return 0
