"""EIE (ISCA 2016): its nine fully connected layers on the sparse machine with queues, masks drawn at random."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from designs.families.sparse import Design
from explore.reproduce import Progress, Quantity, Table
from sim.families import sparse
from sim.run import LayerRun
from workloads.sparse.formats.interleaved_csc import InterleavedCsc
from workloads.sparse.layer import SparseLayer, SparseNumbers
from workloads.sparse.nonzeros import NonZeros

TITLE = "EIE: compressed fully connected layers on 64 lanes with queues"
SUMMARY = (
    "Nine layers of AlexNet, VGG-16 and NeuralTalk, 64 lanes at 800 MHz, relative indices of 4 bits, FIFOs of 8. "
    "Shapes and densities determine both times of each layer but for its mask, which is drawn at random here (seed 1). "
    "All published numbers are recalled and were not checked against the paper."
)

RECALLED = "recalled"
_SOURCE = "EIE, ISCA 2016, wall clock time of the layers"
_SEED, _ROWS_AT_ONCE = 1, 64

# The FIFO of EIE has 8 places beside the activation that its lane works on; here that one keeps its place.
FIFO_PLACES = 8
CLOCK_MHZ = 800
N_LANES = 64


@dataclass(frozen=True, kw_only=True)
class Published:
    """A layer: shape, shares of non-zeros, and the times of the paper in microseconds."""

    name: str
    width: int
    height: int
    weight_density: float
    act_density: float
    theoretical_us: float
    actual_us: float


PUBLISHED = tuple(
    Published(
        name=name, width=width, height=height, weight_density=weights / 100, act_density=acts / 100,
        theoretical_us=theoretical, actual_us=actual,
    )
    for name, width, height, weights, acts, theoretical, actual in (
        ("Alex-6", 9216, 4096, 9, 35.1, 28.1, 30.3),
        ("Alex-7", 4096, 4096, 9, 35.3, 11.7, 12.2),
        ("Alex-8", 4096, 1000, 25, 37.5, 8.9, 9.9),
        ("VGG-6", 25088, 4096, 4, 18.3, 28.1, 34.4),
        ("VGG-7", 4096, 4096, 4, 37.5, 7.9, 8.7),
        ("VGG-8", 4096, 1000, 23, 41.1, 7.3, 8.4),
        ("NT-We", 4096, 600, 10, 100, 5.2, 8.0),
        ("NT-Wd", 600, 8791, 11, 100, 13.0, 13.9),
        ("NT-LSTM", 1201, 2400, 10, 100, 6.5, 7.5),
    )
)  # fmt: skip


def design_of(fifo_places: int) -> Design:
    """EIE's machine, as far as multiply phases depend on it."""
    return Design(
        n_macs=N_LANES, n_sets=N_LANES, sort_rows=False, feed="queue", queue_depth=fifo_places + 1, relative_bits=4,
        value_bits=4, accumulators=512, lane_entries=65535, act_words=32768, clock_mhz=CLOCK_MHZ,
    )  # fmt: skip


def layer_of(published: Published) -> SparseLayer:
    """The layer with a mask of independent draws; what is multiplied says nothing about time."""
    places = np.concatenate(list(_places(published)))
    return SparseLayer(
        name=published.name,
        matrix=NonZeros(
            shape=(published.height, published.width),
            places=places,
            values=np.full(len(places), -1, np.int64),
            value_bits=4,
        ),
        act_density=published.act_density,
        numbers=SparseNumbers(
            bias=np.zeros(published.height, np.int64), multiplier=1, shift=8, in_zero=0, in_signed=False, out_zero=0,
            out_low=0, out_high=255,
        ),
    )  # fmt: skip


def _places(published: Published) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(_SEED)
    for first in range(0, published.height, _ROWS_AT_ONCE):
        n_rows = min(_ROWS_AT_ONCE, published.height - first)
        kept = rng.random(n_rows * published.width) < published.weight_density
        yield np.flatnonzero(kept) + first * published.width


def multiply_cycles(run: LayerRun) -> int:
    """Cycles of the multiply phases: EIE's times are without loading and reading results."""
    return sum(run.phases[name] for name in ("multiply", "stall_queue", "imbalance"))


def efficiency(run: LayerRun) -> float:
    """Entries, padding included, over lane cycles."""
    return run.activity["acc_updates"] / (N_LANES * multiply_cycles(run))


def reproduce(progress: Progress | None = None) -> Table:
    """Both times of the nine layers."""
    rows: list[Quantity] = []
    for done, published in enumerate(PUBLISHED):
        if progress:
            progress(published.name, done, len(PUBLISHED))
        rows += _rows(published, sparse.run_layer(design_of(FIFO_PLACES), layer_of(published)))
    if progress:
        progress("done", len(PUBLISHED), len(PUBLISHED))
    return Table(
        rows=tuple(rows),
        remarks=(
            "balanced: all entries of the columns that meet a non-zero activation, padding zeros included, spread "
            "evenly over the lanes, beside the paper's theoretical time. Without padding it would be below it (Alex-6: "
            "23.3 us).",
            "with FIFOs of 8: the cycles in which the simulated machine multiplies, beside the paper's actual time; "
            "loading and reading results are in neither.",
            "VGG-6 takes two slices of half its rows on our machine, as a list has at most 65,535 entries. Gaps "
            "between rows begin anew in each, which needs fewer padding zeros, and activations are broadcast twice. "
            "'In one slice' counts the entries of the same mask in whole lists (format interleaved_csc).",
        ),
    )


def _rows(published: Published, run: LayerRun) -> Iterator[Quantity]:
    balanced = run.activity["acc_updates"] / N_LANES
    queued = multiply_cycles(run)
    times = [("balanced", published.theoretical_us, balanced), ("with FIFOs of 8", published.actual_us, queued)]
    sliced = run.activity["act_reads"] > _n_alive(published)
    if sliced:
        times.insert(1, ("balanced, in one slice", published.theoretical_us, _whole_list_cycles(published)))
    for what, theirs, cycles in times:
        yield Quantity(
            quantity=f"{published.name}, {what}",
            unit="us",
            published=theirs,
            certainty=RECALLED,
            source=_SOURCE,
            ours=cycles / CLOCK_MHZ,
            differs_because=_SLICES + _MASKS if sliced and "one slice" not in what else _MASKS,
        )


_MASKS = (
    "In a trained layer zeros may cluster, and its non-zero activations need not meet average columns; ours are drawn "
    "one by one, each from its density alone."
)
_SLICES = "Two slices need fewer padding zeros (see below). "


def _whole_list_cycles(published: Published) -> float:
    """Balanced cycles where every lane has one list; of the columns with activations, as many as their share."""
    whole = InterleavedCsc(n_pes=N_LANES, relative_bits=4, pointer_bits=32)
    return whole.size(layer_of(published).matrix).n_values * published.act_density / N_LANES


def _n_alive(published: Published) -> int:
    return round(published.act_density * published.width)
