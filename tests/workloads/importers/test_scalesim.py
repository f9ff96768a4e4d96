"""SCALE-Sim topology files."""

from __future__ import annotations

from pathlib import Path

import pytest

from designs.errors import InputError
from workloads.importers.scalesim import load_scalesim

HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "topology.csv"
    path.write_text(text)
    return path


def test_convolutions(tmp_path: Path) -> None:
    layers = load_scalesim(
        write(tmp_path, HEADER + "Conv1, 224, 224, 7, 7, 3, 64, 2,\n\nConv2, 9, 8, 3, 2, 4, 5, 2, 3,\n")
    )
    first, second = layers
    assert (first.name, first.out_h, first.out_w, first.out_channels) == ("Conv1", 110, 110, 64)
    assert first.n_macs == 110 * 110 * 64 * 3 * 49
    assert (second.out_h, second.out_w, second.stride_h, second.stride_w) == (4, 3, 2, 3)


def test_a_last_position_that_hangs_over_counts(tmp_path: Path) -> None:
    (layer,) = load_scalesim(write(tmp_path, HEADER + "a, 8, 9, 3, 3, 1, 1, 2,\n"))
    assert (layer.out_h, layer.out_w) == (4, 4)  # ceil((8 - 3) / 2) + 1, (9 - 3) / 2 + 1


def test_matrix_products(tmp_path: Path) -> None:
    (layer,) = load_scalesim(write(tmp_path, "Layer, M, N, K,\nqk, 128, 96, 64,\n"))
    assert (layer.in_h * layer.in_w, layer.in_channels, layer.out_channels) == (128, 64, 96)
    assert layer.n_macs == 128 * 96 * 64


def test_depthwise_by_name_and_dense_by_column(tmp_path: Path) -> None:
    (layer,) = load_scalesim(write(tmp_path, HEADER + "Conv2_DP, 9, 9, 3, 3, 32, 1, 2, 1:1,\n"))
    assert (layer.groups, layer.in_channels, layer.out_channels, layer.stride_w) == (32, 32, 32, 2)
    assert layer.n_macs == 4 * 4 * 32 * 9
    (product,) = load_scalesim(write(tmp_path, "Layer, M, N, K,\nqk, 128, 128, 64, 12,\n"))
    assert product.repeat == 12


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "wanted a header line and a line a layer, got 0 lines"),
        (HEADER, "got 1 lines"),
        (HEADER + "a, 8, 8, 3, 3, 1\n", "topology.csv:2: wanted 8 columns"),
        (HEADER + "a, 8, 8, 3, 3, 1, 1, 1, 1, 1\n", "topology.csv:2: wanted 8 columns"),
        (HEADER + "a, 8, 8, 3, 3, 1, 4, 1\nb, 8, x, 3, 3, 1, 4, 1\n", "topology.csv:3: input width: wanted a positive integer, got 'x'"),
        (HEADER + "a, 8, 8, 3, 3, 1, 4, 0\n", "topology.csv:2: stride: wanted a positive integer, got '0'"),
        (HEADER + "a, 8, 8, 3, 3, 1, 4, " + "9" * 5000 + "\n", "topology.csv:2: stride: wanted a positive integer, got '999"),
        (HEADER + "a, 8, 8, 9, 3, 1, 4, 1\n", "topology.csv:2: a: wanted a filter within the input 8x8, got 9x3"),
        (HEADER + "a, 8, 8, 3, 3, 1, 4, 1, 2:4,\n", "topology.csv:2: density: wanted 1:1 (dense weights), got '2:4'"),
        ("Layer, M, N, K\na, 1, 2\n", "topology.csv:2: wanted 4 columns (name, M, N, K), got 3"),
    ],
)  # fmt: skip
def test_errors_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        load_scalesim(write(tmp_path, text))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "topology.csv"
    path.write_bytes(bytes(range(128, 256)) * 4)
    with pytest.raises(InputError, match="wanted a SCALE-Sim topology in text"):
        load_scalesim(path)
