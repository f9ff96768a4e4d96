"""Sizes of sparse formats and the utilization of their lists, beside figures computed apart from this code."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from explore.reproduce import Progress, Quantity, Table
from workloads.sparse.format import Format
from workloads.sparse.formats.bitmap import Bitmap
from workloads.sparse.formats.bsr import Bsr
from workloads.sparse.formats.coo import Coo
from workloads.sparse.formats.csr import Csr
from workloads.sparse.formats.ell import Ell
from workloads.sparse.formats.interleaved_csc import InterleavedCsc
from workloads.sparse.formats.n_of_m import NOfM
from workloads.sparse.formats.rcsc import Rcsc
from workloads.sparse.formats.run_length import RunLength
from workloads.sparse.formats.sa_rcsc import SaRcsc
from workloads.sparse.nonzeros import NonZeros, pattern
from workloads.sparse.random_layers import pruned_weights

TITLE = "Sparse formats: sizes beside dense, and how busy their lists keep multipliers"
SUMMARY = (
    "512 x 512 weights of 8 bits. Sizes at six densities, of N:M at five patterns; utilization of N multipliers that "
    "never wait for activations, 77 % pruned. No publication has these figures: those in the column were computed by a "
    "script that shares no code with ours, from the same seeds and the formulas of docs/formats.md. RCSC and SA-RCSC "
    "are reconstructions."
)

SIDE, VALUE_BITS = 512, 8
SPARSITY = 0.77
APART = "computed apart from this code"
_SOURCE = "our reference script, numpy 2.4"

FORMATS: dict[str, Format] = {
    "COO": Coo(),
    "CSR": Csr(),
    "bitmap": Bitmap(),
    "run-length, 4 bits": RunLength(run_bits=4),
    "run-length, 5 bits": RunLength(run_bits=5),
    "ELL": Ell(),
    "BSR 4 x 4": Bsr(block=4),
    "BSR 16 x 16": Bsr(block=16),
    "RCSC, 256 lists": Rcsc(lanes=256, folded=True),
    "SA-RCSC, 512 lists in 8 sets": SaRcsc(lanes=512, sets=8, folded=True),
}
SIZES = {  # density: bits / bits of dense, in the order of FORMATS
    0.5: (1.628, 1.069, 0.626, 0.752, 0.814, 1.208, 1.056, 1.003, 1.129, 1.443),
    0.4: (1.298, 0.853, 0.525, 0.599, 0.649, 0.988, 1.055, 1.003, 0.900, 1.151),
    0.23: (0.748, 0.493, 0.355, 0.351, 0.374, 0.614, 1.039, 1.003, 0.519, 0.663),
    0.1: (0.327, 0.218, 0.226, 0.185, 0.169, 0.299, 0.864, 1.003, 0.227, 0.291),
    0.05: (0.161, 0.109, 0.175, 0.133, 0.100, 0.162, 0.585, 1.003, 0.112, 0.144),
    0.02: (0.064, 0.045, 0.145, 0.108, 0.068, 0.083, 0.288, 0.999, 0.045, 0.058),
}
N_OF_M = {  # metadata as indices, as few bits as there are patterns
    (2, 4): (0.6250, 0.5938),
    (1, 4): (0.3125, 0.3125),
    (4, 8): (0.6875, 0.6094),
    (1, 2): (0.5625, 0.5625),
    (2, 8): (0.3438, 0.3281),
}
ENGINES: dict[str, tuple[Format, int]] = {  # format, sets
    "interleaved CSC": (InterleavedCsc(), 1),
    "RCSC": (Rcsc(), 1),
    "SA-RCSC, 8 sets": (SaRcsc(), 8),
    "SA-RCSC, 32 sets": (SaRcsc(), 32),
}
UTILIZATION = {  # (weights, multipliers): in the order of ENGINES
    ("iid", 64): (0.927, 0.998, 0.999, 0.998),
    ("iid", 128): (0.906, 0.996, 0.998, 0.998),
    ("iid", 256): (0.838, 0.994, 0.998, 0.998),
    ("iid", 512): (0.801, 0.801, 0.998, 0.998),
    ("iid", 1024): (0.401, 0.401, 0.998, 0.998),
    ("iid", 2048): (0.200, 0.200, 0.981, 0.981),
    ("rowvar", 64): (0.687, 0.958, 0.998, 0.982),
    ("rowvar", 128): (0.593, 0.904, 0.998, 0.981),
    ("rowvar", 256): (0.512, 0.807, 0.998, 0.981),
    ("rowvar", 512): (0.407, 0.407, 0.998, 0.981),
    ("rowvar", 1024): (0.204, 0.204, 0.998, 0.981),
    ("rowvar", 2048): (0.102, 0.102, 0.981, 0.981),
}
SETS = {  # 1024 multipliers: sets and utilization
    "rowvar": {8: 0.998, 16: 0.981, 64: 0.950, 128: 0.892, 256: 0.807, 512: 0.406},
    "iid": {64: 0.998, 128: 0.981, 256: 0.981, 512: 0.796},
}


def reproduce(progress: Progress | None = None) -> Table:
    """Every cell of the tables."""
    rows: list[Quantity] = []
    n_far = 0
    for done, (name, part, n_decimals) in enumerate(_PARTS):
        if progress:
            progress(name, done, len(_PARTS))
        found = list(part())
        n_far += sum(differs(row, n_decimals) for row in found)
        rows += found
    if progress:
        progress("done", len(_PARTS), len(_PARTS))
    return Table(rows=tuple(rows), remarks=(_rounding(len(rows), n_far), *_REMARKS))


def differs(row: Quantity, n_decimals: int) -> bool:
    """Whether ours, rounded to the decimals of the other figure, is another number."""
    if row.ours is None or row.published is None:
        return True
    return abs(row.ours - row.published) > 0.5 * 10**-n_decimals + 1e-12


_REMARKS = (
    "Sizes: mask of default_rng(0).random((512, 512)) < density; list lengths are counted, the permutation of rows is "
    "not (it goes into the columns of the next layer). The script does not tell the lists of SA-RCSC: 512 give all six "
    "of its figures.",
    "Utilization: weights of default_rng(1), normal (iid), or with rows and columns that differ in scale (rowvar); "
    "non-zeros / (multipliers x longest list). Windows and queues of real sizes cost more (docs/sparse.md).",
)


def random_mask(density: float) -> NonZeros:
    """The matrix of the size table."""
    return pattern(np.random.default_rng(0).random((SIDE, SIDE)) < density, VALUE_BITS)


def _sizes() -> Iterator[Quantity]:
    for density, published in SIZES.items():
        matrix = random_mask(density)
        for (name, point), one in zip(FORMATS.items(), published, strict=True):
            yield _cell(f"size of {name}, density {density:g}", one, _ratio(point, matrix))


def _n_of_m_sizes() -> Iterator[Quantity]:
    for (n, m), (index, minimum) in N_OF_M.items():
        matrix = pattern(np.tile(np.arange(m) < n, (SIDE, SIDE // m)), VALUE_BITS)
        yield _cell(f"size of {n}:{m}, an index a value", index, _ratio(NOfM(n=n, m=m), matrix))
        fewest = _ratio(NOfM(n=n, m=m, metadata="minimum"), matrix)
        yield _cell(f"size of {n}:{m}, the number of the pattern", minimum, fewest)


def _utilization() -> Iterator[Quantity]:
    matrices = {kind: pruned(kind) for kind in ("iid", "rowvar")}
    for (kind, n_macs), published in UTILIZATION.items():
        for (name, (point, n_sets)), one in zip(ENGINES.items(), published, strict=True):
            found = point.on_engine(n_macs, n_sets).utilization(matrices[kind])
            yield _cell(f"utilization of {n_macs} multipliers, {kind}, {name}", one, found)


def _sets() -> Iterator[Quantity]:
    for kind, published in SETS.items():
        matrix = pruned(kind)
        for n_sets, one in published.items():
            found = SaRcsc(lanes=1024, sets=n_sets).utilization(matrix)
            accumulators = f"{1024 * -(-SIDE // n_sets):,} accumulators"
            yield _cell(f"utilization of 1024 multipliers, {kind}, {n_sets} sets ({accumulators})", one, found)


def pruned(kind: str) -> NonZeros:
    """The matrix of the utilization table."""
    return pattern(pruned_weights(SIDE, SIDE, SPARSITY, kind), VALUE_BITS)


def _ratio(point: Format, matrix: NonZeros) -> float:
    return point.size(matrix).stored_bits / (matrix.n_places * VALUE_BITS)


def _cell(quantity: str, published: float, ours: float | None) -> Quantity:
    return Quantity(
        quantity=quantity, unit="", published=published, certainty=APART, source=_SOURCE, ours=ours,
    )  # fmt: skip


def _rounding(n_rows: int, n_far: int) -> str:
    return (
        f"{n_rows} figures, given to three decimals (N:M to four): {n_far} differ from ours by more than half a unit "
        "of the last one; all other errors are that rounding."
    )


# What is computed, by what, and to how many decimals the other figures are given.
_PARTS: tuple[tuple[str, Callable[[], Iterator[Quantity]], int], ...] = (
    ("sizes", _sizes, 3),
    ("sizes of N:M", _n_of_m_sizes, 4),
    ("utilization", _utilization, 3),
    ("sets", _sets, 3),
)
