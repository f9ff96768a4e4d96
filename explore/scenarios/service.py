"""How long an accelerator takes for a batch: from the simulator, exactly, for every size of batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from designs.errors import InputError
from designs.space import Point
from designs.technology import Scaling
from explore.evaluate import Row, evaluate
from explore.progress import Steps
from workloads.batches import batch_of
from workloads.load import Workload

PS_PER_S = 10**12


@dataclass(frozen=True, kw_only=True)
class Service:
    """An accelerator as a queue sees it. Entry b - 1 is for a batch of b; times are whole picoseconds.

    A pipeline takes the next batch before it has answered the last one: `busy_ps` is then less than `answer_ps`.
    """

    name: str
    busy_ps: tuple[int, ...]  # from the start of a batch until the next one may start
    answer_ps: tuple[int, ...]  # from the start of a batch until its answers are there
    row: Row | None = field(default=None, compare=False, repr=False)  # result row of one inference

    @property
    def max_batch(self) -> int:
        """The largest batch it is known for."""
        return len(self.busy_ps)

    @property
    def capacity_per_s(self) -> float:
        """Samples a second, batch after batch of the size that it is fastest with."""
        return max((size + 1) * PS_PER_S / busy for size, busy in enumerate(self.busy_ps))


def services_of(
    family: str,
    points: Sequence[Point],
    names: Sequence[str],
    workload: Workload,
    max_batch: int,
    scaling: Scaling = "stillmaker_baas",
    progress: Steps = lambda what, n_done, n_all: None,
) -> list[Service]:
    """The service of each design point, called by its name, for batches of 1 to `max_batch` inferences of `workload`.

    InputError where a point cannot be built, a batch does not fit it, or the workload cannot be batched.
    """
    first = evaluate(family, points, workload, scaling=scaling)
    if all(row["initiation_interval"] is not None for row in first):
        return [_pipeline(name, row, max_batch) for name, row in zip(names, _ran(first, names), strict=True)]
    runs = [_ran(first, names)]
    for size in range(2, max_batch + 1):
        progress("batches", size - 1, max_batch)
        runs.append(_ran(evaluate(family, points, batch_of(workload, size), scaling=scaling), names))
    times = [tuple(_picoseconds(row, row["cycles"]) for row in of_point) for of_point in zip(*runs, strict=True)]
    return [
        Service(name=name, busy_ps=ps, answer_ps=ps, row=row) for name, ps, row in zip(names, times, first, strict=True)
    ]


def _pipeline(name: str, row: Row, max_batch: int) -> Service:
    """Of a machine that takes a sample every `initiation_interval` cycles: one run tells all sizes.

    Sample i of a batch, from 0, enters in cycle floor(i * interval); the next batch enters whole cycles later.
    """
    interval = Fraction(row["initiation_interval"]).limit_denominator(1 << 20)  # 1 / copies
    latency_cycles = round(row["latency_ns"] * row["point"]["clock_mhz"] / 1000)
    sizes = range(1, max_batch + 1)
    return Service(
        name=name,
        busy_ps=tuple(_picoseconds(row, math.ceil(size * interval)) for size in sizes),
        answer_ps=tuple(_picoseconds(row, math.floor((size - 1) * interval) + latency_cycles) for size in sizes),
        row=row,
    )


def _ran(rows: Sequence[Row], names: Sequence[str]) -> Sequence[Row]:
    for row, name in zip(rows, names, strict=True):
        if row["failure"] is not None:
            raise InputError(f"{name} on {row['workload']}: {row['failure']}")
    return rows


def _picoseconds(row: Row, cycles: int) -> int:
    """A number of cycles at the point's clock, to the nearest picosecond, at least one."""
    clock_mhz = row["point"]["clock_mhz"]
    return max(1, (2 * cycles * 10**6 + clock_mhz) // (2 * clock_mhz))
