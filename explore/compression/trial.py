"""What one choice comes to: its cost, which formulas tell, and its accuracy, for which it has to be trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from designs.errors import InputError
from designs.space import Point, Space
from explore.compression.choices import scheme_of
from explore.compression.subject import Samples, Subject, batches
from explore.evaluate import Row, evaluate, simulator
from explore.kept import kept
from workloads.compression import lc, straight_through
from workloads.compression.compose import of_same_shape
from workloads.compression.metrics import stored_bytes
from workloads.compression.quantize import reals
from workloads.files import graph_digest
from workloads.ir import Graph
from workloads.kinds.network import Network
from workloads.layer import Arithmetic, Layer
from workloads.lower import lower
from workloads.reference import run_layer

Objective = Literal["cycles", "bytes", "energy"]
OBJECTIVES: tuple[Objective, ...] = ("cycles", "bytes", "energy")
COLUMNS = {"cycles": "cycles", "energy": "energy_pj"}  # of result rows
MOST_POINTS = 64

Training = straight_through.Settings | lc.Settings


@dataclass(frozen=True, eq=False)
class Machine:
    """The design points that a compressed network may run on: the best of them for it counts."""

    space: Space
    points: tuple[Point, ...]

    @classmethod
    def of(cls, space: Space) -> Machine:
        """InputError where the space has more than 64 points, or its family runs no networks."""
        if simulator(space.family).RUNS is not Network:
            raise InputError(
                f"{space.name}: wanted a space of a family that runs networks, such as tensor, got {space.family}"
            )
        if space.n_points > MOST_POINTS:
            raise InputError(
                f"{space.name}: wanted at most {MOST_POINTS} points, each network is simulated on all of them, got "
                f"{space.n_points}; pin axes with --set"
            )
        return cls(space, tuple(space.points()))

    def best(self, graph: Graph, objective: Objective) -> Row:
        """The row with the fewest cycles or the least energy (for bytes: cycles); InputError where nothing fits."""
        return min(self._rows(graph), key=lambda row: row[COLUMNS.get(objective, "cycles")])

    def cost(self, graph: Graph, objective: Objective) -> float:
        """What is minimized: cycles and picojoules of one inference, or bytes of weights in memory."""
        return self.costs(graph, (objective,))[objective]

    def costs(self, graph: Graph, objectives: Sequence[Objective] = OBJECTIVES) -> dict[str, float]:
        """`cost` of each objective; the points are simulated once."""
        rows = self._rows(graph) if set(objectives) != {"bytes"} else []
        return {
            name: float(stored_bytes(graph)) if name == "bytes" else float(min(row[COLUMNS[name]] for row in rows))
            for name in objectives
        }

    def _rows(self, graph: Graph) -> list[Row]:
        """Rows of the points on which the network fits."""
        layers = lower(graph)
        workload = Network(
            name=graph.name, digest=graph_digest(graph), layers=layers
        )  # no graph: labels are read apart
        rows = evaluate(self.space.family, self.points, workload, space=self.space.name)
        able = [row for row in rows if row["failure"] is None]
        if not able:
            raise InputError(f"{graph.name} on {self.space.name}: {rows[0]['failure']}")
        return able

    def labels(self, graph: Graph, point: Point, images: np.ndarray) -> np.ndarray:
        """What the machine at that point answers, in its own arithmetic, bit for bit: (n,)."""
        module = simulator(self.space.family)
        workload = Network(name=graph.name, digest=graph_digest(graph), layers=lower(graph), graph=graph)
        design = self.space.design(point)
        (run,) = module.simulate([design], workload)
        values = {workload.layers[0].inputs[0]: images}
        for layer, arithmetic in zip(workload.layers, module.arithmetics(design, run), strict=True):
            if not isinstance(layer, Layer) or not isinstance(arithmetic, Arithmetic):
                raise InputError(f"{graph.name}: wanted a network without a vector unit, got {layer.name}")
            x = values[layer.inputs[0]]
            residual = values[layer.inputs[1]] if layer.residual else None
            values[layer.output], _ = run_layer(replace(layer, n_images=len(x)), x, residual, arithmetic)
        return values[workload.layers[-1].output].reshape(len(images), -1).argmax(axis=1)


def compressed(subject: Subject, choice: Mapping[str, Any], training: Training, seed: int) -> Graph:
    """The network compressed as chosen and trained under that, in one BLAS thread: always the same."""
    scheme = scheme_of(subject.reference, choice)
    with threadpool_limits(1):
        if isinstance(training, lc.Settings):
            return lc.learned_graph(subject.real, scheme, batches(subject), seed=seed, settings=training)[0]
        return straight_through.tuned_graph(subject.real, scheme, batches(subject), seed=seed, settings=training)


def untrained_costs(
    subject: Subject, machine: Machine, choice: Mapping[str, Any], objectives: Sequence[Objective] = OBJECTIVES
) -> dict[str, float]:
    """Costs of the network as the scheme alone makes it: what training leaves but for a few zeros."""
    return machine.costs(scheme_of(subject.reference, choice)(subject.real), objectives)


def weight_errors(subject: Subject, choice: Mapping[str, Any]) -> list[float]:
    """Of each layer, |w - compressed w| / |w| before any training: what a model of accuracy is told of a choice."""
    before = reals(subject.real)
    after = reals(of_same_shape(scheme_of(subject.reference, choice))(subject.real))
    return [
        float(np.linalg.norm(after[name].weights - values.weights) / (np.linalg.norm(values.weights) or 1.0))
        for name, values in before.items()
    ]


def trial(
    subject: Subject, machine: Machine, choice: Mapping[str, Any], training: Training, seed: int
) -> dict[str, Any]:
    """One full evaluation: train, run the validation images, simulate: `n_wrong` of `n_images`, exact `costs`.

    Where the points with the fewest cycles and the least energy differ, the one that is more often wrong counts.
    """
    graph = compressed(subject, choice, training, seed)
    points: list[Point] = []
    for objective in OBJECTIVES:
        if (point := machine.best(graph, objective)["point"]) not in points:
            points.append(point)
    wrong = [
        int(np.sum(machine.labels(graph, point, subject.validation.images) != subject.validation.labels))
        for point in points
    ]
    return {"n_wrong": max(wrong), "n_images": len(subject.validation.labels), "costs": machine.costs(graph)}


def kept_trial(
    subject: Subject, machine: Machine, choice: Mapping[str, Any], training: Training, seed: int
) -> dict[str, Any]:
    """`trial`, made once on this machine."""
    return kept_work(
        "trial", subject, machine, training, seed, [choice], lambda c: trial(subject, machine, c, training, seed)
    )[0]


def kept_work(
    kind: str, subject: Subject, machine: Machine, training: Training, seed: int, some: list[Any],
    work: Callable[[Any], dict[str, Any]],
) -> list[dict[str, Any]]:  # fmt: skip
    """`work` of each choice, all kept together under what they depend on."""
    key = (kind, graph_digest(subject.real), machine.points, training, seed, tuple(map(repr, some)))
    found: list[dict[str, Any]] = kept("compression", key, (__name__,), lambda: [work(choice) for choice in some])
    return found


def right_share(labels: np.ndarray, samples: Samples) -> float:
    return float(np.mean(labels == samples.labels))
