"""Many searches of one space, a process each, kept as files: what bench_search compares."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from designs.space import load_space
from designs.whole_file import whole_file
from explore.evaluate import model_version
from explore.local_runner import die_with_parent
from explore.progress import progress_for
from explore.search.fidelity import Fidelity
from explore.search.result import Evaluation, SearchResult
from explore.search.scheduler import Halving
from explore.search.search import search
from explore.sources import sources_of
from explore.store import Store
from workloads.load import load_workload


@dataclass(frozen=True)
class Task:
    """One search. `sampler` is a sampler's name, with "+asha" behind it where parts are simulated first."""

    space: str
    sampler: str
    seed: int
    budget: float
    eta: int
    folder: Path

    @property
    def file(self) -> Path:
        """Where its result is kept: another file when the space, a model or the search is another."""
        space = load_space(self.space)
        told = [repr((space, self.eta)), load_workload(space.workload or "").digest, model_version(space.family)]
        told += [path.read_text() for path in sources_of(*_SOURCES).values()]
        key = hashlib.sha256("\0".join(told).encode()).hexdigest()[:12]
        return self.folder / f"{space.name}-{self.sampler}-{self.budget:g}-seed{self.seed}-{key}.json"


_SOURCES = ("explore.search.search", "workloads.parts.network")


@dataclass(frozen=True)
class Found:
    """A search and the CPU seconds that it took, samplers included; with rows that hold objectives only."""

    result: SearchResult
    cpu_seconds: float


def run_all(tasks: Sequence[Task], n_processes: int | None = None) -> list[Found]:
    """The searches in the order of the tasks: those kept already from their files, others on all cores."""
    files = {task: task.file for task in tasks}
    missing = [task for task in tasks if not files[task].exists()]
    n_done = len(tasks) - len(missing)
    context = multiprocessing.get_context("spawn")
    with (
        progress_for("searches", len(tasks), n_done, wanted=True) as shown,
        ProcessPoolExecutor(n_processes or os.cpu_count(), mp_context=context, initializer=die_with_parent) as pool,
    ):
        shown.advance(0)
        for done in as_completed([pool.submit(_run, task, files[task]) for task in missing]):
            shown.advance(1, done.result())
    return [_read(files[task]) for task in tasks]


def _run(task: Task, file: Path) -> str:
    """Search and keep; says which it was."""
    space = load_space(task.space)
    workload = load_workload(space.workload or "")
    sampler, _, halving = task.sampler.partition("+")
    began = time.process_time()
    with Store(store_of(task.folder, space.name)) as store:
        result = search(
            space, workload, budget=task.budget, sampler=sampler, seed=task.seed, store=store,
            scheduler=Halving(task.eta) if halving else None, with_importance=False,
        )  # fmt: skip
    cpu_seconds = time.process_time() - began
    with whole_file(file) as part:
        part.write_text(json.dumps({"cpu_seconds": cpu_seconds, **_slim(result)}))
    return f"{task.sampler}, seed {task.seed}"


def store_of(folder: Path, space: str) -> Path:
    """The results store of all searches of a space."""
    return folder / f"{space}.sqlite"


def _slim(result: SearchResult) -> dict[str, Any]:
    told = {name: value for name, value in vars(result).items() if name not in ("evaluations", "pareto_front")}
    kept = ("failure", *result.objectives)
    evaluations = [
        vars(evaluation) | {"row": {name: evaluation.row.get(name) for name in kept}}
        for evaluation in result.evaluations
    ]
    return told | {"evaluations": evaluations, "fidelities": [vars(each) for each in result.fidelities]}


def _read(file: Path) -> Found:
    told = json.loads(file.read_text())
    cpu_seconds = told.pop("cpu_seconds")
    evaluations = tuple(Evaluation(**one) for one in told.pop("evaluations"))
    told["fidelities"] = tuple(Fidelity(**one) for one in told["fidelities"])
    for name in ("objectives", "constraints"):
        told[name] = tuple(told[name])
    return Found(SearchResult(**told, evaluations=evaluations, pareto_front=()), cpu_seconds)
