"""Verification: random design points and layers, run by the simulator, the interpreter and the RTL; tolerance zero."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pkgutil
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import explore.families
from designs.errors import InputError
from designs.space import Point, Space
from explore.evaluate import simulator as simulator_of
from workloads.load import Workload, expect_kind

Progress = Callable[[int, int], None]  # points done, points in all

MISSING = "missing"  # what a difference says of a counter or a result that is not there


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where the RTL differs from what was predicted."""

    what: str  # "outputs", "cycles" or the name of an activity counter
    expected: int | str
    rtl: int | str
    where: str  # the first differing tile and cycle


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """One layer or circuit on one machine."""

    point: int  # index of the point in this verification
    design: Point
    layer: str
    n_tiles: int | None  # None where the family knows no tiles
    n_outputs: int
    simulated_cycles: int
    rtl_cycles: int
    outputs_equal: bool
    activity_equal: bool
    overflows: int
    differences: tuple[Difference, ...] = ()
    waves: str | None = None


@dataclass(frozen=True, kw_only=True)
class NetworkResult:
    """A whole network or circuit on one machine."""

    workload: str
    n_samples: int  # images, or what else is answered one by one
    n_cases: int  # samples x layers, or x runs: as many were compared
    labels: tuple[int, ...] | None  # what the RTL answers, sample by sample; None where answers are not classes
    expected_labels: tuple[int, ...] | None  # what the interpreter answers
    true_labels: tuple[int, ...] | None  # where the samples have labels
    n_overflows: int | None  # of accumulators; None where the family has none
    simulated_cycles: int  # of all cases
    rtl_cycles: int
    differences: tuple[Difference, ...] = ()

    @property
    def accuracy(self) -> float | None:
        """Share of samples that the RTL labels right."""
        return _share_equal(self.labels, self.true_labels)

    @property
    def interpreter_accuracy(self) -> float | None:
        """Share of samples that the interpreter labels right."""
        return _share_equal(self.expected_labels, self.true_labels)


def _share_equal(labels: tuple[int, ...] | None, truth: tuple[int, ...] | None) -> float | None:
    if labels is None or truth is None:
        return None
    return sum(label == true for label, true in zip(labels, truth, strict=True)) / len(labels)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What `verify` answers. Equal for equal arguments, whatever the number of workers."""

    results: tuple[CaseResult, ...]
    seed: int
    n_points: int

    @property
    def differences(self) -> list[dict[str, Any]]:
        """Every difference, with its point and layer; empty is good."""
        return [
            {"point": result.point, "design": result.design, "layer": result.layer, **asdict(difference)}
            for result in self.results
            for difference in result.differences
        ]

    @property
    def rtl_cycles(self) -> int:
        """RTL cycles compared."""
        return sum(result.rtl_cycles for result in self.results)


def verify(
    space: Space,
    *,
    points: int,
    seed: int,
    workers: int | None = None,
    simulator: str | None = None,
    waves_dir: Path | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Compare simulator and RTL on `points` random points of `space`, several layers each.

    The cases depend on `seed` and the point's index only. With `waves_dir`, a point that differs leaves its waveform
    there. Raises InputError where the family has no RTL to verify or no simulator is installed.
    """
    _family(space.family)  # refuse before anything is started
    chosen = space.random_points(points, seed)
    jobs = [
        (space.family, index, space.design(point), point, seed, simulator, waves_dir)
        for index, point in enumerate(chosen)
    ]
    results: dict[int, tuple[CaseResult, ...]] = {}
    with ProcessPoolExecutor(max_workers=workers or os.cpu_count(), initializer=_start_worker) as pool:
        futures = {pool.submit(_verify_point, *job): job[1] for job in jobs}
        try:
            for future in as_completed(futures):
                results[futures[future]] = tuple(future.result())
                if progress:
                    progress(len(results), len(jobs))
        except BaseException:  # an interrupt, too: nobody waits for simulations whose results are not wanted
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise
    return Verification(
        results=tuple(result for index in sorted(results) for result in results[index]),
        seed=seed,
        n_points=len(chosen),
    )


def _start_worker() -> None:
    """End on SIGTERM by an exception, so that a bench that is running takes its simulator with it."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def verify_network(
    space: Space, workload: Workload, n_images: int, *, simulator: str | None = None, progress: Progress | None = None
) -> NetworkResult:
    """Run `workload` whole on the RTL of the space's first point, on its first `n_images` samples.

    InputError where it does not fit the machine, or is of a kind that the family does not run.

    `progress` is told (samples since the last call, samples in all).
    """
    family = _family(space.family)
    expect_kind(workload, simulator_of(space.family).RUNS, space.family)
    design = space.design(space.first_point())
    result: NetworkResult = family.verify_network(design, workload, n_images, simulator=simulator, progress=progress)
    return result


def _verify_point(
    family: str, index: int, design: Any, point: Point, seed: int, simulator: str | None, waves_dir: Path | None
) -> Sequence[CaseResult]:
    results: Sequence[CaseResult] = _family(family).verify_point(
        design, point=point, index=index, seed=seed, simulator=simulator, waves_dir=waves_dir
    )
    return results


def _family(name: str) -> Any:
    known = sorted(module.name for module in pkgutil.iter_modules(explore.families.__path__))
    if name not in known:
        raise InputError(f"family: wanted one that has RTL to verify ({', '.join(known)}), got {name}")
    return importlib.import_module(f"explore.families.{name}")
