"""Result rows as flat tables: CSV always, Parquet with the `parquet` extra."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from designs.errors import InputError
from designs.whole_file import whole_file

Row: TypeAlias = Mapping[str, Any]


def flat_table(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One flat dict a row: scalars, design parameters by name, breakdowns as `energy_breakdown_pj.pe`; no lists."""
    return [dict(_flat(row)) for row in rows]


def export_csv(rows: Sequence[Row], path: str | Path) -> None:
    """Write `flat_table(rows)` as CSV, whole or not at all."""
    with whole_file(path) as part:
        _write_csv(flat_table(rows), part)


def export_parquet(rows: Sequence[Row], path: str | Path) -> None:
    """Write `flat_table(rows)` as Parquet. InputError where the `parquet` extra (duckdb) is not installed."""
    try:
        import duckdb
    except ImportError as error:
        raise InputError(f"{path}: wanted the package duckdb to write Parquet, got none; pip install duckdb") from error

    with whole_file(path) as part:
        lines = part.with_suffix(".csv")
        try:
            _write_csv(flat_table(rows), lines)
            duckdb.read_csv(str(lines), header=True, sample_size=-1).write_parquet(str(part))
        finally:
            lines.unlink(missing_ok=True)


def _write_csv(table: list[dict[str, Any]], path: Path) -> None:
    columns = list(dict.fromkeys(column for row in table for column in row))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(table)


def _flat(row: Row) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            prefix = "" if name == "point" else f"{name}."
            yield from ((prefix + key, inner) for key, inner in value.items())
        elif not isinstance(value, (list, tuple)):
            yield name, value
