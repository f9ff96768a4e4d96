"""Constrained compression as a function that returns plain data (`lockstep compress`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from designs.arguments import expect_one_of
from designs.fields import Value
from lockstep.api import SpaceLike, pinned, spare_inputs

if TYPE_CHECKING:
    from explore.compression.search import Found
    from explore.compression.subject import Subject
    from explore.compression.trial import Machine, Training
    from workloads.ir import Graph

Trainer = Literal["straight_through", "lc", "none"]


def compress(
    network: str,
    space: SpaceLike = "compression",
    output: str | Path | None = None,
    *,
    accuracy_floor: float,
    minimize: Literal["cycles", "bytes", "energy"] = "cycles",
    budget: int = 10,
    trainer: Trainer = "straight_through",
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
    **parameters: Value,
) -> dict[str, Any]:
    """The cheapest network that keeps an accuracy floor on validation images, in at most `budget` trainings.

    `space` are the design points it may run on (64 at most), the best of which counts; `parameters` pin axes. `output`
    is a graph file that every command takes as a workload. Answers `trials` in order, and of the `compressed` network
    and its `reference` the bytes, multiplications, cycles, energy and accuracies; `labels` say how many changed on test
    images, which nothing was chosen by, `test` whether those see the floor kept: the best of ten is lucky where it was
    chosen. `compressed` is None where no trial keeps the floor and costs less.
    """
    from explore.compression.choices import choices_by_layer
    from explore.compression.search import expect_settings, search
    from explore.compression.subject import subject_of
    from explore.compression.trial import Machine, compressed
    from workloads.files import expect_graph_file

    expect_settings(accuracy_floor, budget, minimize, seed)
    expect_one_of("trainer", trainer, get_args(Trainer))
    if output is not None:
        expect_graph_file(output)
        spare_inputs(output, network if isinstance(network, str | Path) else None)
    chosen = pinned(space, parameters)
    machine, subject, training = Machine.of(chosen), subject_of(network), _training(trainer)
    found = search(
        subject, machine, choices_by_layer(subject.reference), accuracy_floor=accuracy_floor, objective=minimize,
        training=training, budget=budget, seed=seed, progress=progress,
    )  # fmt: skip
    graph = None if found.best is None else compressed(subject, found.best.choice, training, 0)
    answer = _told(subject, machine, found, graph) | {"space": chosen.name, "trainer": trainer, "seed": seed}
    answer["output"] = None
    if output is not None and graph is not None:
        from workloads.files import save_graph

        save_graph(graph, output)
        answer["output"] = str(output)
    return answer


def _training(trainer: Trainer) -> Training:
    from workloads.compression import lc, straight_through

    if trainer == "lc":
        return lc.Settings()
    return straight_through.Settings() if trainer == "straight_through" else straight_through.Settings(n_batches=0)


def _told(subject: Subject, machine: Machine, found: Found, graph: Graph | None) -> dict[str, Any]:
    from workloads.compression.metrics import label_changes

    trials = [dataclasses.asdict(trial) | {"accuracy": trial.accuracy} for trial in found.trials]
    answer: dict[str, Any] = {
        "network": subject.name,
        "objective": found.objective,
        "accuracy_floor": found.accuracy_floor,
        "n_validation_images": len(subject.validation.labels),
        "validation_was_seen": subject.validation_was_seen,
        "trials": trials,
        "reference": _network(subject, machine, found, subject.reference),
        "compressed": None,
        "choice": None,
        "ratios": None,
        "labels": None,
        "test": None,
    }
    if graph is None or found.best is None:
        return answer
    before, after = answer["reference"], _network(subject, machine, found, graph)
    answer["compressed"], answer["choice"] = after, dict(found.best.choice)
    answer["ratios"] = {name: before[name] / after[name] for name in ("bytes", "n_macs", "cycles", "energy_pj")}
    answer["ratios"]["nonzero_macs"] = before["n_nonzero_macs"] / max(after["n_nonzero_macs"], 1)
    points = [network["point"] for network in (before, after)]
    before_labels, after_labels = (
        machine.labels(g, point, subject.test.images)
        for g, point in zip((subject.reference, graph), points, strict=True)
    )
    answer["labels"] = label_changes(before_labels, after_labels, subject.test.labels)
    answer["test"] = _test(int((after_labels == subject.test.labels).sum()), len(after_labels), found.accuracy_floor)
    return answer


def _test(n_right: int, n_images: int, floor: float) -> dict[str, Any]:
    """Whether images that chose nothing see the floor kept, and the exact 95 % interval (Clopper and Pearson)."""
    from scipy.stats import binomtest

    interval = binomtest(n_right, n_images).proportion_ci(0.95, "exact")
    return {
        "n_images": n_images,
        "interval": [float(interval.low), float(interval.high)],
        "keeps_floor": n_right / n_images >= floor,
    }


def _network(subject: Subject, machine: Machine, found: Found, graph: Graph) -> dict[str, Any]:
    """What a network takes on the best of the points, and how often it is right there."""
    from explore.compression.trial import right_share
    from workloads.compression.metrics import multiplications, stored_layers

    row = machine.best(graph, found.objective)
    layers = stored_layers(graph)
    return {
        "bytes": sum(layer.n_bytes for layer in layers),
        "n_macs": multiplications(graph),
        "n_nonzero_macs": multiplications(graph, nonzero=True),
        "cycles": row["cycles"],
        "energy_pj": row["energy_pj"],
        "area_um2": row["area_um2"],
        "point": row["point"],
        "validation_accuracy": right_share(
            machine.labels(graph, row["point"], subject.validation.images), subject.validation
        ),
        "layers": [layer._asdict() | {"bytes": layer.n_bytes} for layer in layers],
    }
