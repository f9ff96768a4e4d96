"""The search, on landscapes that are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from designs.errors import InputError
from designs.space import load_space
from explore.compression.choices import Choice, ChoiceAxis, Choices
from explore.compression.grid import best_of
from explore.compression.search import Found, search
from explore.compression.subject import Samples, Subject
from explore.compression.trial import Machine, kept_trial, trial, untrained_costs, weight_errors
from workloads.compression import lc, straight_through
from workloads.digits import digits_split
from workloads.load import load_workload

CHOICES = Choices(tuple(ChoiceAxis(f"bits.{name}", (8, 7, 6, 5, 4, 3)) for name in ("conv1", "conv2", "conv3", "fc")))
N_IMAGES = 200


def subject(n: int = 40) -> Subject:
    """The shipped network, which needs no training, and a few images."""
    graph = load_workload("digits_cnn").graph  # type: ignore[attr-defined]
    images, test_images, labels, test_labels = digits_split()
    parts = [Samples(images[start : start + n], labels[start : start + n]) for start in (0, n)]
    return Subject(
        name="digits_cnn", reference=graph, real=graph, fit=parts[0], validation=parts[1],
        test=Samples(test_images[:n], test_labels[:n]), validation_was_seen=True,
    )  # fmt: skip


def machine(**settings: Any) -> Machine:
    return Machine.of(load_space("compression").pin({"weight_bits": 8, "n_of_m": "1:1", **settings}))


FEATURES: dict[str, Callable[[int], float]] = {  # bits less -> what the model is told of a layer's weights
    "doubling": lambda lost: 2.0 ** (lost - 8),  # as rounding errors do
    "linear": lambda lost: lost / 5,
    "root": lambda lost: (lost / 5) ** 0.5,
}


def landscape(choice: Choice, features: str = "doubling") -> Mapping[str, Any]:
    """Weights of conv2 and fc may be narrow, others cost labels: wrong ones double with each bit less."""
    lost = {name: 8 - int(choice[f"bits.{name}"]) for name in ("conv1", "conv2", "conv3", "fc")}
    wrong = 2.0 ** (0.3 * lost["conv2"] + 0.3 * lost["fc"] + 0.8 * lost["conv1"] + 0.8 * lost["conv3"])
    cost = float(1000 - 40 * sum(lost.values()))
    return {
        "n_wrong": round(wrong), "n_images": N_IMAGES, "costs": dict.fromkeys(("bytes", "cycles", "energy"), cost),
        "untrained": dict.fromkeys(("bytes", "cycles", "energy"), cost),
        "errors": [FEATURES[features](lost[name]) for name in lost],
    }  # fmt: skip


def uneven(choice: Choice) -> Mapping[str, Any]:
    """Each layer loses labels by itself, conv3 most, and saves unlike others; at most nine tenths are wrong."""
    lost = np.array([8 - int(value) for value in choice.values()])
    wrong = 3 + np.sum(2.0 ** (lost * [0.9, 0.5, 1.4, 0.2]) - 1)
    cost = float(1000 - np.sum(lost * [10, 70, 50, 30]))
    return {
        "n_wrong": min(round(float(wrong)), 180), "n_images": N_IMAGES,
        "costs": dict.fromkeys(("bytes", "cycles", "energy"), cost),
        "untrained": dict.fromkeys(("bytes", "cycles", "energy"), cost), "errors": list(2.0 ** (lost - 8)),
    }  # fmt: skip


def found(
    seed: int = 0, floor: float = 0.95, budget: int = 10, known: Callable[[Choice], Mapping[str, Any]] = landscape
) -> Found:
    return search(
        subject(N_IMAGES), machine(), CHOICES, accuracy_floor=floor, objective="bytes",
        training=straight_through.Settings(n_batches=0), seed=seed, budget=budget, known=known,
    )  # fmt: skip


@pytest.mark.parametrize("floor", [0.9, 0.95, 0.97])
@pytest.mark.parametrize(
    "known", [*(partial(landscape, features=name) for name in FEATURES), uneven], ids=[*FEATURES, "uneven"]
)
def test_near_the_best_of_all(known: Callable[[Choice], Mapping[str, Any]], floor: float) -> None:
    rows = [known(CHOICES.choice(index)) for index in range(CHOICES.n_choices)]
    best = best_of(rows, "bytes", floor)  # type: ignore[arg-type]
    assert best is not None
    result = found(0, floor, known=known)
    assert result.best is not None and result.best.accuracy >= floor
    assert result.best.costs["bytes"] <= 1.2 * rows[best]["costs"]["bytes"]
    assert len(result.trials) <= 10
    assert len({tuple(trial.choice.items()) for trial in result.trials}) == len(result.trials)


def test_the_floor_is_kept_and_bisected_first() -> None:
    result = found()
    assert [trial.origin for trial in result.trials][:2] == ["bisection"] * 2  # the third is the first again
    assert {trial.origin for trial in result.trials[2:]} == {"expected improvement"}
    assert all(trial.feasible == (trial.accuracy >= 0.95) for trial in result.trials)
    assert result.trials[0].choice == CHOICES.at(0.5)
    assert result.trials[1].choice == CHOICES.at(0.75 if result.trials[0].feasible else 0.25)


def test_the_same_seed_is_the_same_search() -> None:
    assert found(1) == found(1)


def test_a_floor_that_nothing_keeps() -> None:
    result = found(floor=1.0)
    assert result.best is None and len(result.trials) == 10


def test_a_budget_of_one() -> None:
    assert len(found(budget=1).trials) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"floor": 1.5}, "floor: wanted 0 to 1, got 1.5"),
        ({"budget": 11}, "budget: wanted 1 to 10, got 11"),
    ],
)
def test_refusals(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        found(**settings)
    assert str(caught.value) == message


def test_machines() -> None:
    with pytest.raises(InputError, match="wanted at most 64 points"):
        Machine.of(load_space("tensor"))
    with pytest.raises(InputError, match="wanted a space of a family that runs networks, such as tensor, got sparse"):
        Machine.of(load_space("sparse_lanes"))
    of = machine()
    graph = subject().reference
    assert of.best(graph, "cycles")["cycles"] == of.cost(graph, "cycles")
    with pytest.raises(InputError, match="digits_cnn on compression"):
        machine(weight_bits=3).cost(graph, "cycles")


def test_labels_are_those_of_the_simulator() -> None:
    from explore.evaluate import evaluate

    of, network = machine(acc_bits=12, acc_overflow="wrap"), load_workload("digits_cnn")
    point = of.points[0]
    images, labels = digits_split()[1], digits_split()[3]
    row = evaluate("tensor", [point], network)[0]
    assert row["overflows"] > 0
    assert np.mean(of.labels(network.graph, point, images) == labels) == row["accuracy"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "training",
    [straight_through.Settings(n_batches=2), lc.Settings(n_compressions=2, n_batches=1)],
    ids=["straight_through", "lc"],
)
def test_trials_are_kept_and_deterministic(training: Any) -> None:
    choice: Choice = {"channels.conv1": 0.5, "zeros": 0.5, "bits": 4}
    small, of = subject(), machine(weight_bits=4)
    first = trial(small, of, choice, training, 0)
    assert first == trial(small, of, choice, training, 0) == kept_trial(small, of, choice, training, 0)
    assert first["n_images"] == 40 and set(first["costs"]) == {"bytes", "cycles", "energy"}
    assert first["costs"]["bytes"] < of_bytes(small) / 2
    assert untrained_costs(small, of, choice, ["cycles"])["cycles"] == first["costs"]["cycles"]


def of_bytes(small: Subject) -> float:
    return machine().cost(small.reference, "bytes")


def test_errors_of_weights_grow() -> None:
    small = subject()
    errors = [weight_errors(small, {"bits.conv2": bits}) for bits in (8, 5, 3)]
    assert errors[0][1] < errors[1][1] < errors[2][1]
    assert errors[0][0] == errors[2][0]  # conv1 has the same bits in all


def test_a_search_that_trains() -> None:
    result = search(
        replace(subject(), name="few"), machine(), Choices(CHOICES.axes[2:]), accuracy_floor=0.5, objective="bytes",
        training=straight_through.Settings(n_batches=0), budget=3,
    )  # fmt: skip
    assert result.best is not None
    assert result.best.costs["bytes"] < result.reference_costs["bytes"]
