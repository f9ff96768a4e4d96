"""N:M pruning (NeurIPS 2021, ICLR 2023): mask counts, greedy masks, unbiased gradients, storage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi

import numpy as np

from explore.reproduce import Progress, Quantity, Table
from workloads.pruning.figures import gradient_statistics, mask_statistics
from workloads.pruning.mask_counts import count_masks, transposable_masks
from workloads.pruning.n_of_m import NOfM
from workloads.sparse.formats.n_of_m import NOfM as Stored
from workloads.sparse.nonzeros import pattern

TITLE = "N:M: how many masks, how good greedy ones are, what unbiased gradients cost"
SUMMARY = (
    "Transposable N:M masks (Hubara et al., NeurIPS 2021) and unbiased N:M gradients of least variance (Chmiel et al., "
    "ICLR 2023), as far as no training is needed: accuracies are not reproducible here. Counts and theory are exact; "
    "statistics of random blocks (seed 0) stand beside those of a script that shares no code with ours. 15 seconds."
)

EXACT = "exact, computed apart from this code"
APART = "computed apart from this code"
THEORY = "theory"
RECALLED = "recalled"
MASKS = "Hubara et al., NeurIPS 2021"
GRADIENTS = "Chmiel et al., ICLR 2023"
_SCRIPT = "our reference script, numpy 2.4"

SIDE = 8  # of the block whose masks are counted
COUNTS = {  # masks of an 8 x 8 block: unstructured, N:M along rows, transposable, and the paper's closed form of those
    "1:2": (1832624140942590534, 2**32, 65_536, 65_536),
    "2:4": (1832624140942590534, 6**16, 65_610_000, 144**4),
    "4:8": (1832624140942590534, 70**8, 116_963_796_250, 40320 * 5040 * 720 * 120),
}
BLOCKS = {  # transposable masks of one m x m block
    "1:2": 2, "2:4": 90, "4:8": 116_963_796_250, "1:4": 24, "2:8": 187_530_840,
    "8:16": 34812290428176298285394893936773707951192224124239796250,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Greedy and best transposable masks of |N(0, 1)| blocks; None where the reference does not tell."""

    n_blocks: int
    n_programs: int  # of them solved as linear programs too
    ratio_mean: float
    ratio_min: float
    equal: float | None
    incomplete: float | None
    retained: tuple[float, float, float]  # best transposable, along rows, any


STATISTICS = {
    "1:2": Statistics(
        n_blocks=20_000, n_programs=100, ratio_mean=0.9833, ratio_min=0.5345, equal=None, incomplete=None,
        retained=(0.654, 0.713, 0.752),
    ),
    "2:4": Statistics(
        n_blocks=20_000, n_programs=100, ratio_mean=0.9852, ratio_min=0.8019, equal=0.540, incomplete=0.157,
        retained=(0.704, 0.747, 0.784),
    ),
    "4:8": Statistics(
        n_blocks=400, n_programs=400, ratio_mean=0.9875, ratio_min=0.9459, equal=0.098, incomplete=0.542,
        retained=(0.742, 0.768, 0.791),
    ),
    "8:16": Statistics(
        n_blocks=60, n_programs=60, ratio_mean=0.9920, ratio_min=0.9847, equal=None, incomplete=None,
        retained=(0.766, 0.779, 0.791),
    ),
}  # fmt: skip
N_GRADIENT_BLOCKS = 1_000_000
ERRORS = {  # of estimates / energy: greedy 2:4, unbiased 2:4, the cheap one of the paper
    "normal": (0.1323, 0.4736, 0.5024),
    "laplace": (0.0800, 0.3130, 0.3469),
    "lognormal": (0.0483, 0.2027, 0.2336),
}
STORAGE = {  # 8-bit weights beside dense: an index a value, the number of the pattern
    "2:4": (0.6250, 0.5938), "1:4": (0.3125, 0.3125), "4:8": (0.6875, 0.6094), "1:2": (0.5625, 0.5625),
    "2:8": (0.3438, 0.3281),
}  # fmt: skip


def reproduce(progress: Progress | None = None) -> Table:
    """Counts, statistics of masks, errors of gradients, storage."""
    rows = [*_counts(), *_blocks()]
    n_steps = len(STATISTICS) + len(ERRORS)
    for done, (text, published) in enumerate(STATISTICS.items()):
        if progress:
            progress(f"masks {text}", done, n_steps)
        rows += _mask_rows(text, published)
    for done, (name, errors) in enumerate(ERRORS.items(), start=len(STATISTICS)):
        if progress:
            progress(f"gradients {name}", done, n_steps)
        rows += _gradient_rows(name, errors)
    if progress:
        progress("done", n_steps, n_steps)
    return Table(rows=(*rows, *_storage()), remarks=_REMARKS)


_REMARKS = (
    "The closed form, as we recall it, counts n permutations one after the other: too many masks for 1 < n < m. The "
    "exact number is the one to use; tests enumerate all masks up to 5 x 5.",
    "Figures of random blocks have three or four digits. Blocks are those of the script (default_rng(0)); gradients "
    "are another draw, so that their figures differ by chance.",
)


def _counts() -> Iterator[Quantity]:
    for text, published in COUNTS.items():
        found = count_masks(NOfM.parse(text), SIDE)
        ours = (found.unstructured, found.structured, found.transposable, found.closed_form)
        kinds = ("any entries", "N:M along rows", "transposable", "transposable by the closed form")
        certainties = (EXACT, EXACT, EXACT, RECALLED)
        for kind, one, count, certainty in zip(kinds, published, ours, certainties, strict=True):
            quantity = f"{text}: masks of an {SIDE} x {SIDE} block, {kind}"
            yield _row(quantity, "", one, certainty, MASKS if certainty == RECALLED else _SCRIPT, count)
        because = "" if found.closed_form == found.transposable else (
            "The closed form counts the order of the permutations too, and takes every first choice to leave as many "
            "second ones."
        )  # fmt: skip
        quantity = f"{text}: exact number of transposable masks beside the closed form"
        yield _row(quantity, "", published[3], RECALLED, MASKS, found.transposable, because)


def _blocks() -> Iterator[Quantity]:
    for text, published in BLOCKS.items():
        ours = transposable_masks(NOfM.parse(text))
        yield _row(f"{text}: transposable masks of one block", "", published, EXACT, _SCRIPT, ours)


def _mask_rows(text: str, published: Statistics) -> Iterator[Quantity]:
    found = mask_statistics(NOfM.parse(text), published.n_blocks, 0, published.n_programs)
    of = f"{text}, {published.n_blocks:,} blocks"
    yield _row(f"{of}: greedy / best sum, mean", "", published.ratio_mean, APART, _SCRIPT, found.ratio_mean)
    yield _row(f"{of}: greedy / best sum, smallest", "", published.ratio_min, APART, _SCRIPT, found.ratio_min)
    if published.equal is not None and published.incomplete is not None:
        yield _row(f"{of}: greedy is best", "%", 100 * published.equal, APART, _SCRIPT, 100 * found.equal)
        incomplete = 100 * found.incomplete
        yield _row(f"{of}: greedy is incomplete", "%", 100 * published.incomplete, APART, _SCRIPT, incomplete)
    kinds = ("best transposable", "along rows", "any entries")
    ours = found.retained_transposable, found.retained_rows, found.retained_unstructured
    for kind, one, share in zip(kinds, published.retained, ours, strict=True):
        yield _row(f"{of}: magnitude kept, {kind}", "%", 100 * one, APART, _SCRIPT, 100 * share)
    whole = f"{text}: farthest from a whole number in {published.n_programs} solutions of the linear program"
    yield _row(whole, "", 0, THEORY, MASKS, found.fraction_most)


def _gradient_rows(name: str, published: tuple[float, float, float]) -> Iterator[Quantity]:
    found = gradient_statistics(name, N_GRADIENT_BLOCKS, 0)
    ours = found.greedy_2_4, found.mvue_2_4, found.approximate_2_4
    kinds = ("greedy 2:4 (biased)", "unbiased 2:4, least variance", "unbiased 2:4, approximate")
    for kind, one, error in zip(kinds, published, ours, strict=True):
        quantity = f"{name} gradients: error / energy, {kind}"
        yield _row(quantity, "", one, APART, _SCRIPT, error, "Another draw of blocks.")
    yield _row(f"{name} gradients: largest bias of the unbiased ones, exact", "", 0, THEORY, GRADIENTS, found.bias_most)
    difference = f"{name} gradients: largest difference of the error from its closed form"
    yield _row(difference, "", 0, THEORY, GRADIENTS, found.difference_most)
    yield _row(
        f"{name} gradients: largest error, approximate / least", "", 2, "bound", GRADIENTS, found.approximate_worst,
        "2 is a bound that no block reaches.",
    )  # fmt: skip
    if name == "normal":
        yield _row(f"{name} gradients: error / energy, unbiased 1:2", "", 2 / pi, THEORY, "2 / pi", found.mvue_1_2)
        greedy = f"{name} gradients: error / energy, greedy 1:2"
        yield _row(greedy, "", (1 - 2 / pi) / 2, THEORY, "(1 - 2 / pi) / 2", found.greedy_1_2)


def _storage() -> Iterator[Quantity]:
    for text, (index, minimum) in STORAGE.items():
        n, m = (int(number) for number in text.split(":"))
        matrix = pattern(np.tile(np.arange(m) < n, (64, 64 // m)), 8)
        for kind, one in (("index", index), ("minimum", minimum)):
            size = Stored(n=n, m=m, metadata=kind).size(matrix).stored_bits / (matrix.n_places * 8)  # type: ignore[arg-type]
            what = "an index a value" if kind == "index" else "the number of the pattern"
            yield _row(f"{text}: stored bits / dense, 8-bit weights, {what}", "", one, APART, _SCRIPT, size)


def _row(
    quantity: str, unit: str, published: float, certainty: str, source: str, ours: float, because: str = ""
) -> Quantity:
    return Quantity(
        quantity=quantity, unit=unit, published=published, certainty=certainty, source=source, ours=ours,
        differs_because=because,
    )  # fmt: skip
