"""Random matrices through every format and back: values, order, stored bits and widths.

    python -m tests.workloads.sparse.round_trips --matrices 10000 --seed 0

Every matrix goes through every format, with random parameters beside the shown ones; a difference exits with 1.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from workloads.sparse import formats
from workloads.sparse.format import Encoded, Format
from workloads.sparse.formats.bsr import Bsr
from workloads.sparse.formats.interleaved_csc import InterleavedCsc
from workloads.sparse.formats.n_of_m import NOfM
from workloads.sparse.formats.rcsc import Rcsc
from workloads.sparse.formats.run_length import RunLength
from workloads.sparse.formats.sa_rcsc import SaRcsc
from workloads.sparse.nonzeros import NonZeros, nonzeros

ANY_DIMENSIONS = ("bitmap", "coo", "csf", "dense", "run_length")


def random_matrix(rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """(matrix, value_bits): empty, all zero, dense, skewed, with empty rows and columns, sometimes 3-D or 4-D."""
    n_dimensions = int(rng.choice([2, 2, 2, 3, 4]))
    shape = tuple(int(size) for size in rng.integers(0, {2: 40, 3: 12, 4: 6}[n_dimensions], n_dimensions))
    value_bits = int(rng.integers(1, 65))
    low, high = -(1 << (value_bits - 1)), (1 << (value_bits - 1)) - 1
    matrix = rng.integers(low, high, shape, endpoint=True)
    if rng.random() < 0.3:
        matrix[rng.random(shape) < 0.5] = rng.choice([low, high])  # the extremes of the width
    density = rng.choice([0.0, 0.02, 0.1, 0.3, 0.7, 1.0])
    matrix[rng.random(shape) >= density] = 0
    if rng.random() < 0.5:
        matrix[rng.random(shape[0]) < 0.4] = 0
        matrix[..., rng.random(shape[-1]) < 0.4] = 0
    return matrix, value_bits


def random_points(rng: np.random.Generator, matrix: np.ndarray) -> tuple[Format, ...]:
    """Formats that hold this matrix: the shown ones, and some with parameters that are multiples of nothing."""
    if matrix.ndim != 2:
        return tuple(point for point in formats.points() if point.name in ANY_DIMENSIONS)
    sets, ways, m = (int(n) for n in rng.integers(1, 9, 3))
    folded = bool(rng.integers(2))
    return (
        *formats.points(),
        RunLength(run_bits=int(rng.integers(1, 8))),
        Bsr(block=int(rng.integers(1, 9))),
        InterleavedCsc(n_pes=int(rng.integers(1, 12)), relative_bits=int(rng.integers(1, 5))),
        NOfM(m=m, metadata="minimum"),
        NOfM(n=m, m=m),
        Rcsc(lanes=int(rng.integers(1, 50)), folded=folded),
        SaRcsc(lanes=sets * ways, sets=sets, folded=folded),
    )


def widths(encoded: Encoded) -> list[str]:
    """Which numbers do not fit the width that they are counted with."""
    found = []
    for name, field in encoded.metadata.items():
        if field.numbers.ndim != 1 or np.any(field.numbers < 0) or np.any(field.numbers >> min(field.bits, 62)):
            found.append(f"{name} does not fit {field.bits} bits")
    half = 1 << (encoded.values.bits - 1)
    if any(not -half <= int(value) < half for value in encoded.values.numbers):
        found.append(f"values do not fit {encoded.values.bits} bits")
    return found


def differences(point: Format, matrix: np.ndarray, given: NonZeros) -> list[str]:
    """What is wrong with one matrix in one format; empty where all is right."""
    encoded = point.encode(given)
    size = point.size(given)
    found = widths(encoded)
    if not np.array_equal(encoded.decode(), matrix):
        found.append("decode is another matrix")
    coordinates, values = encoded.iterate()
    if len(values) != np.count_nonzero(matrix) or not np.array_equal(matrix[coordinates], values):
        found.append("iterate tells others than the non-zeros")
    for quantity in ("stored_bits", "metadata_bits", "n_padding"):
        if getattr(encoded, quantity) != getattr(size, quantity):
            found.append(f"{quantity}: arrays {getattr(encoded, quantity)}, formula {getattr(size, quantity)}")
    return [f"{point.label}: {text}" for text in found]


def matrix_differences(seed: int) -> tuple[int, list[str]]:
    """(round trips made, what is wrong) for the matrix of a seed."""
    rng = np.random.default_rng(seed)
    matrix, value_bits = random_matrix(rng)
    given = nonzeros(matrix, value_bits)
    points = random_points(rng, matrix)
    found = [text for point in points for text in differences(point, matrix, given)]
    return len(points), [f"seed {seed}, shape {matrix.shape}, {value_bits} bits: {text}" for text in found]


def main() -> int:
    parser = argparse.ArgumentParser(description="random matrices through every sparse format and back")
    parser.add_argument("--matrices", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begin = time.perf_counter()
    n_trips = 0
    for seed in range(options.seed, options.seed + options.matrices):
        made, found = matrix_differences(seed)
        n_trips += made
        if found:
            print("\n".join(found))
            return 1
    seconds = time.perf_counter() - begin
    print(
        f"{options.matrices} matrices, {n_trips} round trips, {len(formats.names())} formats, {seconds:.0f} s: no difference"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
