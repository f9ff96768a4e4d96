"""Sparse tensor cores: 2:4 weights on 1024 multipliers take half the cycles; what limits 2:8."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from designs.families.tensor import Design
from explore.reproduce import Progress, Quantity, Table
from sim.families import tensor
from sim.run import Run
from workloads.builders.shapes import matrix_product

TITLE = "Sparse tensor cores: N:M weights on 1024 multipliers of 8 bits"
SUMMARY = (
    "A product of (512, 1024) and (1024, 512) on weight stationary tensor machines of 32 x 32 multipliers, dense and "
    "with N:M weights (n_of_m), the same memories and clock. Published are rules of a model of such cores (half the "
    "cycles with 2:4, none less with 2:8 at its bandwidth); our notes have them without a page number."
)

N_ROWS, N_INPUTS, N_OUTPUTS = 512, 1024, 512
N_MACS = 1024
WIDE_BYTES, NARROW_BYTES = 128, 16  # of DRAM a cycle: more than the array needs, and less
_RULE = "from our notes, not checked"
_SOURCE = "a published model's sparse tensor core"

Pattern = tuple[int, int]
DENSE: Pattern = (1, 1)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Weights that keep n of every m, on an array built for a pattern."""

    array: str
    weights: Pattern
    dram_bytes: int = WIDE_BYTES


def design_of(case: Case) -> Design:
    """The machine: one MiB each of activations, weights and sums, so that DRAM has only to stream."""
    return Design(
        array_rows=32, array_cols=32, dataflow="weight_stationary", n_of_m=case.array, act_scratchpad_bytes=1 << 20,
        weight_scratchpad_bytes=1 << 20, acc_scratchpad_bytes=1 << 20, dram_bytes_per_cycle=case.dram_bytes,
        dram_burst_bytes=128, clock_mhz=1000,
    )  # fmt: skip


def simulate(case: Case) -> Run:
    """The product on the machine of the case."""
    layer = replace(matrix_product("product", N_ROWS, N_INPUTS, N_OUTPUTS), weight_n_of_m=case.weights)
    (run,) = tensor.simulate_layers([design_of(case)], [layer])
    if run.failure is not None:
        raise RuntimeError(f"{case}: {run.failure}")
    return run


CASES = {
    "dense": Case(array="1:1", weights=DENSE),
    "2:4": Case(array="2:4", weights=(2, 4)),
    "dense weights on 2:4": Case(array="2:4", weights=DENSE),
    "2:8 weights on 2:4": Case(array="2:4", weights=(2, 8)),
    "2:8": Case(array="2:8", weights=(2, 8)),
    "dense, narrow": Case(array="1:1", weights=DENSE, dram_bytes=NARROW_BYTES),
    "2:4, narrow": Case(array="2:4", weights=(2, 4), dram_bytes=NARROW_BYTES),
}


def reproduce(progress: Progress | None = None) -> Table:
    """Cycles in which the array multiplies, whole runs, and their ratios."""
    runs: dict[str, Run] = {}
    for done, (name, case) in enumerate(CASES.items()):
        if progress:
            progress(name, done, len(CASES))
        runs[name] = simulate(case)
    if progress:
        progress("done", len(CASES), len(CASES))
    return Table(rows=tuple(_rows(runs)), remarks=_REMARKS)


_REMARKS = (
    "An array of pattern n:m has the place of its activation beside each weight and a selector of m in each "
    "multiplier, and reads activation words m / n times as wide (docs/tensor.md, section 11).",
    "multiplying: the cycles in which the array takes activations. whole run: with first loads and last stores, "
    f"through {WIDE_BYTES} or {NARROW_BYTES} bytes of DRAM a cycle.",
)


def _rows(runs: dict[str, Run]) -> Iterator[Quantity]:
    multiplying = {name: run.phases["compute"] for name, run in runs.items()}
    whole = {name: run.cycles for name, run in runs.items()}
    dense_cycles = N_ROWS * N_INPUTS * N_OUTPUTS / N_MACS
    yield _row("dense, multiplying", "cycles", dense_cycles, multiplying["dense"])
    yield _row("2:4 / dense, multiplying", "", 0.5, multiplying["2:4"] / multiplying["dense"])
    yield _row(
        "2:4 / dense, whole run", "", 0.5, whole["2:4"] / whole["dense"], "First loads and last stores do not halve."
    )
    yield _row(
        "2:8 weights / 2:4 weights on an array of 2:4, multiplying", "", None,
        multiplying["2:8 weights on 2:4"] / multiplying["2:4"],
    )  # fmt: skip
    yield _row(
        "2:8 weights on an array of 2:8 / 2:4 on 2:4, multiplying", "", 1, multiplying["2:8"] / multiplying["2:4"],
        "The published machine delivers 24 activation words a cycle whatever the pattern; ours has an activation "
        "memory as wide as its pattern needs (128 channels a word in place of 64), and pays for it in area.",
    )  # fmt: skip
    yield _row(
        "dense weights on an array of 2:4 / dense, multiplying", "", None,
        multiplying["dense weights on 2:4"] / multiplying["dense"],
    )  # fmt: skip
    yield _row(
        f"2:4 / dense, whole run with {NARROW_BYTES} bytes of DRAM a cycle", "", None,
        whole["2:4, narrow"] / whole["dense, narrow"],
    )  # fmt: skip


def _row(quantity: str, unit: str, published: float | None, ours: float, because: str = "") -> Quantity:
    known = published is not None
    return Quantity(
        quantity=quantity, unit=unit, published=published, certainty=_RULE if known else "",
        source=_SOURCE if known else "", ours=ours, differs_because=because,
    )  # fmt: skip
