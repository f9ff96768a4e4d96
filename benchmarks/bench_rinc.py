"""How fast level-wise trees are trained on one core, and how that compares with scikit-learn's trees at the same work.

    python -m benchmarks

Work is counted in pairs of a sample and a feature that are looked at for one level: a tree of P levels on N samples of
F features is N * F * P pairs, whoever trains it and however many of them he really touches. scikit-learn's
DecisionTreeClassifier(criterion="entropy", max_depth=P) chooses a feature for every node of a level rather than one for
all, so its trees are others; the pairs are the same.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from workloads.classifiers.rinc import pack, train_modules

SEED = 0
REPEATS = 3
# (what, samples, features, P): the bits of digits, and the 512 binary features of a convolution stack on MNIST
SHAPES = (("digits", 1347, 192, 6), ("mnist", 60_000, 512, 6), ("mnist", 60_000, 512, 8))


def samples(n_samples: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Random bits, 40 % ones, and a noisy binary neuron that reads all of them."""
    rng = np.random.default_rng(SEED)
    bits = (rng.random((n_samples, n_features)) < 0.4).astype(np.uint8)
    sums = (bits - 0.4) @ rng.normal(size=n_features)
    return bits, (sums + rng.normal(0, 2, n_samples) > 0).astype(np.uint8)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Median of REPEATS runs: other work on the machine shows in a single one."""
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def main() -> None:
    """Print pairs a second of both, and their ratio."""
    print("[bench] tree training, one core: pairs of sample and feature looked at for one level, a second")
    print(f"{'shape':34} {'here: ms a tree':>16} {'pairs/s':>9} {'scikit-learn: ms':>17} {'pairs/s':>9} {'ratio':>6}")
    for name, n_samples, n_features, n_inputs in SHAPES:
        bits, target = samples(n_samples, n_features)
        ours = _seconds_a_tree(bits, target, n_inputs)
        peer = DecisionTreeClassifier(criterion="entropy", max_depth=n_inputs, random_state=SEED)
        floats = bits.astype(np.float32)  # what scikit-learn works on, so that it need not convert
        theirs = cpu_seconds(lambda peer=peer, floats=floats, target=target: peer.fit(floats, target))
        pairs = n_samples * n_features * n_inputs
        shape = f"{name}: {n_samples} x {n_features}, P = {n_inputs}"
        print(
            f"{shape:34} {ours * 1e3:16.2f} {pairs / ours:9.2e} {theirs * 1e3:17.1f} {pairs / theirs:9.2e} "
            f"{theirs / ours:6.1f}",
            flush=True,
        )


def _seconds_a_tree(bits: np.ndarray, target: np.ndarray, n_inputs: int) -> float:
    """Of one neuron's RINC-1: boosting's changing weights and its reading of rows are counted in."""
    packed, targets = pack(bits), target[None]

    def train() -> None:
        train_modules(packed, len(bits), targets, tree_inputs=n_inputs, levels=1, n_threads=1)

    train()  # compiles, or reads numba's cache
    return cpu_seconds(train) / n_inputs


if __name__ == "__main__":
    main()
