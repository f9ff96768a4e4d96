"""How near to the best choice the compression search comes, on landscapes drawn at random whose best is known.

    python -m benchmarks.bench_compression [--landscapes 16] [--floor 0.95]

Each landscape has four layers of six widths (1,296 choices), sensitivities and costs by layer drawn at random; wrong
labels multiply or add over layers; what the search is told of a layer is linear in the bits lost, doubles with them, is
their root or their square; two of three have noise on both. Docs: docs/compression.md, section 5.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from designs.space import load_space
from explore.compression.choices import Choice, ChoiceAxis, Choices
from explore.compression.search import search
from explore.compression.subject import Samples, Subject, subject_of
from explore.compression.trial import Machine
from workloads.compression import straight_through

CHOICES = Choices(tuple(ChoiceAxis(f"bits.{name}", (8, 7, 6, 5, 4, 3)) for name in ("conv1", "conv2", "conv3", "fc")))
LOST = np.array([[8 - int(v) for v in CHOICES.choice(n).values()] for n in range(CHOICES.n_choices)], float)
N_IMAGES, FIRST_SEED = 200, 100
FEATURES: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda lost: lost / 5, lambda lost: 2.0 ** (lost - 8), lambda lost: np.sqrt(lost / 5), lambda lost: (lost / 5) ** 2,
)  # fmt: skip


def landscape(seed: int) -> list[dict[str, Any]]:
    """The rows of all choices, as `explore.compression.grid` has them."""
    rng = np.random.default_rng(seed)
    sensitivities = np.exp(rng.uniform(np.log(0.1), np.log(1.0), 4))
    cost = 1000 * (1 - 0.8 * (LOST / 5) @ rng.dirichlet(np.full(4, 2.0)))
    adds = (seed // len(FEATURES)) % 2
    wrong = 3 + (2.0 ** (1.5 * LOST * sensitivities) - 1).sum(axis=1) if adds else 1.5 * 2.0 ** (LOST @ sensitivities)
    errors = FEATURES[seed % len(FEATURES)](LOST) * np.exp(rng.uniform(-1, 1, 4))
    if seed % 3:
        errors = errors * np.exp(rng.normal(0, 0.05, errors.shape))
        wrong = wrong * np.exp(rng.normal(0, 0.15, wrong.shape))
    rows = []
    for n_wrong, of_choice, value in zip(np.rint(np.minimum(wrong, 0.9 * N_IMAGES)), errors, cost, strict=True):
        costs = dict.fromkeys(("bytes", "cycles", "energy"), float(value))
        rows.append({"n_wrong": int(n_wrong), "n_images": N_IMAGES, "costs": costs, "untrained": costs,
                     "errors": of_choice.tolist()})  # fmt: skip
    return rows


def ratio(rows: list[dict[str, Any]], floor: float) -> float:
    """What the search ends with (where it finds nothing: no compression) over the least cost that keeps the floor."""

    def known(choice: Choice) -> Mapping[str, Any]:
        return rows[CHOICES.index(choice)]

    found = search(
        _subject(), Machine.of(load_space("compression").pin({"weight_bits": 8, "n_of_m": "1:1"})),
        CHOICES, accuracy_floor=floor, objective="bytes", training=straight_through.Settings(n_batches=0), known=known,
    )  # fmt: skip
    least = min(row["costs"]["bytes"] for row in rows if 1 - row["n_wrong"] / N_IMAGES >= floor)
    return (found.best.costs["bytes"] if found.best else rows[0]["costs"]["bytes"]) / least


@cache
def _subject() -> Subject:
    """The digits network with as many images as the landscapes have: of it only the reference's accuracy is used."""
    subject = subject_of("digits_cnn")
    few = Samples(subject.fit.images[:N_IMAGES], subject.fit.labels[:N_IMAGES])
    return replace(subject, validation=few)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_compression", description=__doc__.splitlines()[0])
    parser.add_argument("--landscapes", type=int, default=16)
    parser.add_argument("--floor", type=float, default=0.95)
    told = parser.parse_args()
    ratios = [ratio(landscape(FIRST_SEED + n), told.floor) for n in range(told.landscapes)]
    for n, value in enumerate(ratios):
        print(f"landscape {FIRST_SEED + n}: {value:.3f} times the best")
    print(f"mean {np.mean(ratios):.3f}, median {np.median(ratios):.3f}, worst {max(ratios):.3f}")


if __name__ == "__main__":
    main()
