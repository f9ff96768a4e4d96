"""Workloads by name and by path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from tests.workloads.graphs import residual_graph
from workloads.files import save_graph
from workloads.kinds import network
from workloads.layer import Arithmetic
from workloads.load import Workload, expect_kind, load_workload, workload_names
from workloads.random_layers import random_input
from workloads.reference import run_layer


@pytest.mark.parametrize("name", [n for n in network.names() if n != "gemm:MxKxN"])
def test_every_name_loads(name: str) -> None:
    workload = load_workload(name)
    assert workload.name == name and len(workload.digest) == 64 and workload.layers
    assert (workload.graph is not None) == name.startswith("digits")
    assert all((layer.numbers is not None) == (workload.graph is not None) for layer in workload.layers)


def test_digests_tell_workloads_apart_and_are_stable() -> None:
    names = [n for n in network.names() if n != "gemm:MxKxN"] + ["gemm:2x3x4", "gemm:2x4x3"]
    assert len({load_workload(name).digest for name in names}) == len(names)
    assert load_workload("gemm:2x3x4").digest == load_workload("gemm:2x3x4").digest


def test_gemm_can_be_run() -> None:
    workload = load_workload("gemm:64x128x96")
    (layer,) = workload.layers
    assert layer.n_macs == 64 * 128 * 96
    assert (layer.in_channels, layer.out_channels) == (128, 96)
    y, n_overflows = run_layer(layer, random_input(layer, np.random.default_rng(0)), arithmetic=Arithmetic())
    assert n_overflows == 0 and len(np.unique(y)) > 200


def test_a_large_gemm_is_a_shape_and_fills_no_memory() -> None:
    (layer,) = load_workload("gemm:999999x999999x999999").layers
    assert layer.numbers is None and (layer.in_channels, layer.out_channels) == (999999, 999999)
    (small,) = load_workload("gemm:64x128x96").layers
    assert small.numbers is not None


def test_paths(tmp_path: Path) -> None:
    graph = residual_graph(np.random.default_rng(0))
    save_graph(graph, tmp_path / "net.npz")
    save_graph(graph, tmp_path / "net.json")
    assert load_workload(str(tmp_path / "net.npz")).digest == load_workload(str(tmp_path / "net.json")).digest
    assert load_workload(str(tmp_path / "net.npz")).name == "net"
    (tmp_path / "t.csv").write_text("Layer, M, N, K\na, 1, 2, 3\n")
    assert load_workload(str(tmp_path / "t.csv")).layers[0].n_macs == 6


def test_an_archive_that_no_kind_takes_is_named_with_what_would_do(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", apples=np.zeros(1), pears=np.zeros(1))
    with pytest.raises(InputError, match=r"other\.npz: wanted .*a graph file of lockstep trace.*, got .*apples, pears"):
        load_workload(str(tmp_path / "other.npz"))
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match=r"damaged\.npz: wanted a graph file of lockstep trace"):
        load_workload(str(tmp_path / "damaged.npz"))
    with pytest.raises(InputError, match=r"none\.npz: wanted a graph file of lockstep trace, got .*No such file"):
        load_workload(str(tmp_path / "none.npz"))


@dataclass(frozen=True, kw_only=True)
class Fruit(Workload):
    """A kind of workload that no family runs."""


def test_a_workload_of_another_kind_is_refused_with_what_would_do() -> None:
    expect_kind(load_workload("gemm:2x3x4"), network.Network, "tensor")
    with pytest.raises(InputError) as error:
        expect_kind(Fruit(name="apple", digest=""), network.Network, "tensor")
    message = str(error.value)
    assert message.startswith("apple: wanted a network for the family tensor (digits_cnn, ")
    assert message.endswith(", gemm:MxKxN, or a path), got a fruit") and "\n" not in message


def test_the_kinds_are_listed() -> None:
    assert set(network.names()) <= set(workload_names())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet5", "got 'resnet5' (did you mean 'resnet50'?)"),
        ("gemm:0x1x1", "workload gemm:0x1x1: wanted sizes of at least 1, got 0"),
        ("gemm:\u0663x1x1", "workload: wanted a path or one of "),
        ("gemm:1x1", ":segment=192+192, gemm:MxKxN"),
        ("model.onnx", "run lockstep trace on it first"),
        ("nothing.csv", "nothing.csv: wanted a SCALE-Sim topology"),
    ],
)
def test_errors(name: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        load_workload(name)
    assert message in str(error.value) and "\n" not in str(error.value)
