"""Which trainer, and at which rate: chosen on training images alone (docs/compression.md).

    python -m explore.compression.trainers

Each setting trains the digits network on the fitting images under each of four schemes, and the validation images are
counted. The rule was set before the table was made: the setting with the most right labels over all four schemes is the
default, of equals the one listed first. What `lc.Settings` and `straight_through.Settings` have is what this chose; a
test holds them to it. Test images stand beside it and choose nothing.
"""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import numpy as np

from explore.compression.choices import Choice
from explore.compression.subject import Samples, Subject, subject_of
from explore.compression.trial import Training, compressed
from explore.kept import kept
from explore.progress import progress_for
from workloads.compression import lc, straight_through
from workloads.compression.differentiate import Differentiable
from workloads.compression.quantize import reals
from workloads.files import graph_digest
from workloads.ir import Graph

SCHEMES: dict[str, Choice] = {
    "2 bits": {"bits": 2},
    "half of the channels": {"channels.conv1": 0.5, "channels.conv2": 0.5},
    "90 % zeros": {"zeros": 0.9},
    "half of the channels, 60 % zeros, 3 bits": {
        "channels.conv1": 0.5, "channels.conv2": 0.5, "zeros": 0.6, "bits": 3,
    },
}  # fmt: skip
ALONE = straight_through.Settings(n_batches=0)
STRAIGHT_THROUGH = tuple(straight_through.Settings(rate=rate) for rate in (1e-3, 3e-3, 1e-2, 3e-2))
LC = tuple(lc.Settings(rate=rate, mu=mu) for rate in (3e-3, 1e-2, 3e-2) for mu in (0.01, 0.1, 1.0))
SEED = 0


class Figures(NamedTuple):
    """What a setting came to, by scheme in the order of SCHEMES."""

    training: Training
    validation: tuple[float, ...]
    test: tuple[float, ...]

    @property
    def mean(self) -> float:
        """What settings are compared by: nothing of it is from test images."""
        return float(np.mean(self.validation))


def compare(subject: Subject, settings: tuple[Training, ...], *, progress: bool = False) -> list[Figures]:
    """The accuracies of each setting; made once on this machine."""
    found = []
    with progress_for("trainers", len(settings) * len(SCHEMES), 0, wanted=progress) as shown:
        for training in settings:
            shares = []
            for choice in SCHEMES.values():
                shares.append(_kept_shares(subject, choice, training))
                shown.advance(1)
            found.append(Figures(training, *zip(*shares, strict=True)))
    return found


def best_of(figures: list[Figures]) -> Figures:
    """The largest mean accuracy on validation images; of equals the first."""
    return max(figures, key=lambda one: one.mean)


def _kept_shares(subject: Subject, choice: Choice, training: Training) -> tuple[float, float]:
    def make() -> list[float]:
        graph = compressed(subject, choice, training, SEED)
        return [_right(graph, subject.validation), _right(graph, subject.test)]

    key = (graph_digest(subject.real), choice, training, SEED)
    validation, test = kept("trainers", key, ("explore.compression.trial",), make)
    return validation, test


def _right(graph: Graph, samples: Samples) -> float:
    answers = Differentiable(graph).forward(reals(graph), samples.images)
    return float(np.mean(answers.reshape(len(answers), -1).argmax(axis=1) == samples.labels))


def _told(figures: Figures) -> str:
    training: Any = figures.training
    if figures.training == ALONE:
        name = "scheme alone"
    elif isinstance(training, lc.Settings):
        name = f"L-C, rate {training.rate:g}, mu {training.mu:g}"
    else:
        name = f"straight through, rate {training.rate:g}"
    shares = " | ".join(f"{v:.3f} ({t:.3f})" for v, t in zip(figures.validation, figures.test, strict=True))
    return f"| {name} | {shares} | {figures.mean:.4f} |"


def main() -> None:
    """Print the table, and what it chooses."""
    argparse.ArgumentParser(description=__doc__.split("\n\n")[0]).parse_args()
    subject = subject_of("digits_cnn")
    alone, *rest = compare(subject, (ALONE, *STRAIGHT_THROUGH, *LC), progress=True)
    print(
        f"Top-1 on {len(subject.validation.labels)} validation images, by whose mean a setting is chosen; in "
        f"parentheses on {len(subject.test.labels)} test images, which choose nothing\n"
    )
    print(f"| | {' | '.join(SCHEMES)} | mean |\n|{'---|' * (len(SCHEMES) + 2)}")
    for figures in (alone, *rest):
        print(_told(figures))
    n_straight = len(STRAIGHT_THROUGH)
    print(f"\nbest:                  {_told(best_of(rest))}")
    print(f"best straight through: {_told(best_of(rest[:n_straight]))}")
    print(f"best L-C:              {_told(best_of(rest[n_straight:]))}")


if __name__ == "__main__":
    main()
