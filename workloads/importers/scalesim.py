"""SCALE-Sim topology files: layer shapes as comma-separated values, convolutions or matrix products."""

from __future__ import annotations

import csv
from pathlib import Path

from designs.errors import InputError
from workloads.builders.shapes import matrix_product
from workloads.layer import Layer

CONV_COLUMNS = ("name", "input height", "input width", "filter height", "filter width", "channels", "filters", "stride")
GEMM_COLUMNS = ("name", "M", "N", "K")


def load_scalesim(path: str | Path) -> tuple[Layer, ...]:
    """Layers (shapes only) of a topology file, in order; InputError names file, line and column.

    A header of `Layer, M, N, K` makes matrix products (M, K) x (K, N), with a batch in a fifth column as `repeat`.
    Otherwise the columns are those of CONV_COLUMNS and perhaps a second stride, for the width; the input is taken
    as padded already. As in SCALE-Sim a last position that hangs over the edge counts, and a layer with `DP` in its
    name is depthwise. A last column `N:M` is a density; only 1:1 is read.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(number, [cell.strip() for cell in row]) for number, row in enumerate(csv.reader(file), start=1)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: wanted a SCALE-Sim topology in text, got {' '.join(str(error).split())}") from error
    rows = [(number, _without_empty_end(row)) for number, row in rows]
    rows = [(number, row) for number, row in rows if row]
    if len(rows) < 2:
        raise InputError(f"{path}: wanted a header line and a line a layer, got {len(rows)} lines")
    header = [cell.upper() for cell in rows[0][1]]
    as_matrix = header[1:4] == ["M", "N", "K"]
    return tuple(_matrix(path, *row) if as_matrix else _conv(path, *row) for row in rows[1:])


def _matrix(path: Path, line: int, row: list[str]) -> Layer:
    m, n, k, *batch = _sizes(path, line, row, GEMM_COLUMNS, "batch")
    return matrix_product(row[0], m, k, n, repeat=batch[0] if batch else 1)


def _conv(path: Path, line: int, row: list[str]) -> Layer:
    sizes = _sizes(path, line, row, CONV_COLUMNS, "stride of the width")
    in_h, in_w, kernel_h, kernel_w, channels, filters, stride_h = sizes[:7]
    stride_w = sizes[7] if len(sizes) > 7 else stride_h
    if kernel_h > in_h or kernel_w > in_w:
        raise InputError(
            f"{path}:{line}: {row[0]}: wanted a filter within the input {in_h}x{in_w}, got {kernel_h}x{kernel_w}"
        )
    groups = channels if "DP" in row[0] else 1
    return Layer(
        name=row[0], kind="conv", in_h=in_h, in_w=in_w, in_channels=channels,
        out_h=-(-(in_h - kernel_h) // stride_h) + 1, out_w=-(-(in_w - kernel_w) // stride_w) + 1,
        out_channels=filters * groups, groups=groups,
        kernel_h=kernel_h, kernel_w=kernel_w, stride_h=stride_h, stride_w=stride_w,
    )  # fmt: skip


def _sizes(path: Path, line: int, row: list[str], columns: tuple[str, ...], optional: str) -> list[int]:
    """The integers of a line after its name; the optional column is the last, before a density."""
    if ":" in row[-1]:
        if row[-1] != "1:1":
            raise InputError(f"{path}:{line}: density: wanted 1:1 (dense weights), got {row[-1]!r:.40}")
        row = row[:-1]
    if not len(columns) <= len(row) <= len(columns) + 1:
        raise InputError(f"{path}:{line}: wanted {len(columns)} columns ({', '.join(columns)}), got {len(row)}")
    sizes = []
    for column, cell in zip((*columns, optional), row, strict=False):
        if column == "name":
            continue
        if not (cell.isascii() and cell.isdigit() and len(cell) < 9 and 0 < int(cell) < 1 << 24):
            raise InputError(f"{path}:{line}: {column}: wanted a positive integer, got {cell!r:.40}")
        sizes.append(int(cell))
    return sizes


def _without_empty_end(row: list[str]) -> list[str]:
    while row and not row[-1]:
        row = row[:-1]
    return row
