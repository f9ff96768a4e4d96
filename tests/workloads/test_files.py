"""Graphs on disk: the same graph comes back, the same bytes are written, and no broken file makes a traceback."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from tests.workloads.graphs import feeds, residual_graph
from workloads.files import graph_digest, load_graph, save_graph
from workloads.reference import run_graph


@pytest.mark.parametrize("suffix", ["npz", "json"])
def test_round_trip(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    graph = residual_graph(rng)
    path = tmp_path / f"g.{suffix}"
    save_graph(graph, path)
    loaded = load_graph(path)
    assert graph_digest(loaded) == graph_digest(graph)
    x = feeds(graph, rng)
    for name, value in run_graph(graph, x).items():
        np.testing.assert_array_equal(run_graph(loaded, x)[name], value)
    first = path.read_bytes()
    save_graph(loaded, path)
    assert path.read_bytes() == first


def test_the_digest_sees_everything() -> None:
    graph = residual_graph(np.random.default_rng(0))
    weights = graph.by_name["w1"]
    assert weights.data is not None
    other_data = weights.data.copy()
    other_data[0, 0, 0, 0] ^= 1
    changed = [
        replace(graph, name="other"),
        *(
            replace(graph, tensors=tuple(t if t.name != "w1" else new for t in graph.tensors))
            for new in (replace(weights, data=other_data), replace(weights, scale=np.float32([0.0100001])))
        ),
    ]
    assert len({graph_digest(g) for g in [graph, *changed]}) == 4


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="wanted a name that ends in .npz or .json, got '.onnx'"):
        save_graph(residual_graph(np.random.default_rng(0)), tmp_path / "g.onnx")


def test_missing_file() -> None:
    with pytest.raises(InputError, match="nothing.npz: wanted a graph file of lockstep trace, got"):
        load_graph("nothing.npz")


def test_a_single_array_is_no_graph(tmp_path: Path) -> None:
    with (tmp_path / "one.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InputError, match="one.npz: wanted a graph file of lockstep trace, got no archive of arrays"):
        load_graph(tmp_path / "one.npz")


def test_mutated_npz_files_give_one_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "g.npz"
    save_graph(residual_graph(rng), path)
    good = path.read_bytes()
    n_errors = 0
    for _ in range(200):
        bad = bytearray(good)
        for position in rng.integers(0, len(bad), int(rng.integers(1, 20))):
            bad[position] = rng.integers(256)
        if rng.random() < 0.3:
            bad = bad[: rng.integers(len(bad))]
        path.write_bytes(bytes(bad))
        n_errors += _errors(path)
    assert n_errors > 150


def test_mutated_json_values_give_one_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    path = tmp_path / "g.json"
    save_graph(residual_graph(rng), path)
    good = path.read_text()
    values = [None, -1, 0, 1.5, "x", [], {}, 10**30, True, [None], {"a": 1}, float("inf")]
    n_errors = 0
    for _ in range(300):
        header = json.loads(good)
        _mutate(header, rng, values)
        path.write_text(json.dumps(header))
        n_errors += _errors(path)
    assert n_errors > 200


def _mutate(node: object, rng: np.random.Generator, values: list[object]) -> None:
    """Replace one random part, down a random path."""
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))  # type: ignore[arg-type, call-overload]
        key = keys[rng.integers(len(keys))]
        child = node[key]  # type: ignore[index]
        if isinstance(child, (dict, list)) and child and rng.random() < 0.8:
            node = child
            continue
        node[key] = values[rng.integers(len(values))]  # type: ignore[index]
        return


def _errors(path: Path) -> int:
    try:
        load_graph(path)
    except InputError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
        return 1
    return 0
