"""How well networks are trained under a compression scheme: not at all, by L-C, straight through.

    python -m benchmarks.bench_trainers [--seeds 3]

The digits network is trained without the validation images, compressed and trained by each, with its settings as they
are; told is the share of the validation images labelled right, the mean over seeds, and the last residual of L-C.
Test images are not looked at: what is chosen here is chosen without them. Docs: docs/compression.md, section 2.
"""

from __future__ import annotations

import argparse
import statistics

from threadpoolctl import threadpool_limits

from explore.compression.subject import Subject, batches, subject_of
from explore.compression.trial import right_share
from workloads.bitwidths.requantized import run_samples
from workloads.compression import lc, straight_through
from workloads.compression.channels import Filters
from workloads.compression.compose import Compose, Scheme
from workloads.compression.masks import Magnitude
from workloads.compression.quantize import Quantize
from workloads.ir import Graph

NETWORK = "digits_cnn"


def quantize(bits: int) -> Quantize:
    return Quantize(bits=bits, scales="least_squares")


SCHEMES: dict[str, Scheme] = {
    "2 bits": quantize(2),
    "half of the channels": Compose((Filters(sparsity=0.5), quantize(8))),
    "90 % zeros": Compose((Magnitude(sparsity=0.9), quantize(8))),
    "half of the channels, 60 % zeros, 3 bits": Compose((Filters(sparsity=0.5), Magnitude(sparsity=0.6), quantize(3))),
}  # what is not said to have other bits has 8


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_trainers", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    told = parser.parse_args()
    subject = subject_of(NETWORK)
    print(f"{'on validation images':42}{'alone':>8}{'L-C':>8}{'residual':>10}{'straight through':>18}")
    print(f"{NETWORK + ' as it is':42}{right(subject, subject.reference):8.3f}")
    with threadpool_limits(1):  # small matrices: threads would only wait for each other
        for name, scheme in SCHEMES.items():
            print_scheme(subject, name, scheme, told.seeds)


def print_scheme(subject: Subject, name: str, scheme: Scheme, n_seeds: int) -> None:
    """A line."""
    draw = batches(subject)
    learned = [lc.learned_graph(subject.real, scheme, draw, seed=seed) for seed in range(n_seeds)]
    tuned = [straight_through.tuned_graph(subject.real, scheme, draw, seed=seed) for seed in range(n_seeds)]
    by_lc = statistics.fmean(right(subject, graph) for graph, _ in learned)
    residual = statistics.fmean(residuals[-1] for _, residuals in learned)
    straight = statistics.fmean(right(subject, graph) for graph in tuned)
    print(f"{name:42}{right(subject, scheme(subject.real)):8.3f}{by_lc:8.3f}{residual:10.2f}{straight:18.3f}")


def right(subject: Subject, graph: Graph) -> float:
    """The share of the validation images that the network labels right, by the interpreter."""
    (output,) = graph.outputs
    stored = run_samples(graph, subject.validation.images)[output]
    return right_share(stored.reshape(len(stored), -1).argmax(axis=1), subject.validation)


if __name__ == "__main__":
    main()
