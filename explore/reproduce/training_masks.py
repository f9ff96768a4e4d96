"""N:M masks in training (NeurIPS 2021, ICLR 2023): what pruning one, two or all three products of a step is worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from designs.families.tensor import Design
from explore.reproduce import Progress, Quantity, Table
from sim.families import tensor
from workloads.builders.training import PRODUCTS, training_step
from workloads.pruning.n_of_m import NOfM

TITLE = "Training with N:M masks: a step's three matrix products on a 2:4 array"
SUMMARY = (
    "Three equal products, 4096 tokens through a layer of 1024 x 1024, on a weight stationary array of 16 x 16: dense "
    "products on a dense array against pruned ones on an array of as many multipliers that keeps 2 of 4 weights. "
    "Expected is the papers' arithmetic, a pruned product in half the time; ours are simulated cycles."
)

PATTERN = NOfM(2, 4)
M, K, N = 4096, 1024, 1024
SPARSE = Design(n_of_m=str(PATTERN), dram_bytes_per_cycle=32)
DENSE = Design(dram_bytes_per_cycle=32)
SLOW_BYTES = 4

# Which products a mask lets be pruned, and three products over their time with those at twice the speed.
CHOICES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("one-way mask: forward", PRODUCTS[:1], "Hubara et al., NeurIPS 2021"),
    ("transposable mask: forward and backward", PRODUCTS[:2], "Hubara et al., NeurIPS 2021"),
    ("and gradients by MVUE: all three", PRODUCTS, "Chmiel et al., ICLR 2023"),
)


def cycles(design: Design, pruned: tuple[str, ...], sizes: tuple[int, int, int] = (M, K, N)) -> int:
    """Simulated cycles of a step in which the products named are pruned to PATTERN."""
    (run,) = tensor.simulate_layers([design], training_step(*sizes, dict.fromkeys(pruned, PATTERN)))
    assert run.failure is None, run.failure
    return run.cycles


def expected(pruned: tuple[str, ...]) -> float:
    """Three products of equal time over the same with those named at m / n of the speed."""
    return len(PRODUCTS) / (len(PRODUCTS) - len(pruned) * (1 - PATTERN.n / PATTERN.m))


def reproduce(progress: Progress | None = None) -> Table:
    """The speed-up of each choice of masks; what a dense step loses on the 2:4 array."""
    return Table(
        rows=tuple(_rows(progress)),
        remarks=(
            "Both arrays have 256 multipliers, 64 KiB scratchpads and 32 bytes of DRAM a cycle if nothing else is "
            "said; the 2:4 array has words of 32 channels, a 4:1 multiplexer a multiplier, and weights of 8 + 2 bits.",
            "No masks are trained and no accuracy is claimed: the products are shapes.",
        ),
    )


def _rows(progress: Progress | None) -> Iterator[Quantity]:
    n_steps = len(CHOICES) + 2
    if progress:
        progress("dense", 0, n_steps)
    dense = cycles(DENSE, ())
    for done, (what, pruned, source) in enumerate(CHOICES, start=1):
        if progress:
            progress(what, done, n_steps)
        yield Quantity(
            quantity=f"Speed-up, {what}", unit="", published=expected(pruned), certainty="arithmetic of the paper",
            source=source, ours=dense / cycles(SPARSE, pruned),
            differs_because="Filling and draining the array, loads of first tiles and pipelines are not halved.",
        )  # fmt: skip
    if progress:
        progress("dense products on the 2:4 array", n_steps - 1, n_steps)
    yield Quantity(
        quantity="Speed-up, no mask: dense products on the 2:4 array", unit="", published=1.0, certainty="arithmetic",
        source="two passes of half the products", ours=dense / cycles(SPARSE, ()),
        differs_because="Pixels are read twice, weights with places are longer.",
    )  # fmt: skip
    slow_dense, slow_sparse = (replace(design, dram_bytes_per_cycle=SLOW_BYTES) for design in (DENSE, SPARSE))
    yield Quantity(
        quantity=f"Speed-up, all three, {SLOW_BYTES} bytes of DRAM a cycle", unit="", published=expected(PRODUCTS),
        certainty="arithmetic of the paper", source=CHOICES[-1][2],
        ours=cycles(slow_dense, ()) / cycles(slow_sparse, PRODUCTS),
        differs_because="The arithmetic knows no memory: activations move as before, weights shrink to 5/8.",
    )  # fmt: skip
    if progress:
        progress("done", n_steps, n_steps)
