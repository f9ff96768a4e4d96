"""The sizes of one matrix in all formats, and how busy each keeps the lanes of an engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from designs.errors import InputError
from workloads.sparse import formats
from workloads.sparse.format import Format
from workloads.sparse.nonzeros import NonZeros


class SizeTable(NamedTuple):
    """`rows`: format, stored_bits, metadata_bits, ratio_to_dense, n_padding, utilization; `refused`: format, reason."""

    rows: list[dict[str, Any]]
    refused: list[dict[str, str]]


def size_table(matrix: NonZeros, points: Iterable[Format] | None = None) -> SizeTable:
    """Bits by each format's formula, the smallest first; `points` are all formats where None.

    Nothing is encoded, so that a matrix may be far larger dense than memory. `ratio_to_dense` is None where the dense
    matrix has no bits, `utilization` (`Format.utilization`) where the format does not deal to the lanes of an engine. A
    format that cannot hold the matrix is refused, with the reason.
    """
    dense_bits = matrix.n_places * matrix.value_bits
    rows: list[dict[str, Any]] = []
    refused = []
    for point in formats.points() if points is None else points:
        try:
            fitted = point.fitted(matrix)
            size = fitted.size(matrix)
            utilization = fitted.utilization(matrix)
        except InputError as error:
            refused.append({"format": point.label, "reason": str(error)})
            continue
        rows.append(
            {
                "format": fitted.label,
                "stored_bits": size.stored_bits,
                "metadata_bits": size.metadata_bits,
                "ratio_to_dense": size.stored_bits / dense_bits if dense_bits else None,
                "n_padding": size.n_padding,
                "utilization": utilization,
            }
        )
    return SizeTable(sorted(rows, key=lambda row: (row["stored_bits"], row["format"])), refused)
