"""Sparse matrices by name and by path, and the random layers around them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from designs.errors import InputError
from designs.families.sparse import Design
from workloads.kinds.matrices import Matrices, matrices_of
from workloads.kinds.network import Network
from workloads.load import expect_kind, load_workload
from workloads.mapping.sparse import reference, refusal
from workloads.sparse.layer import SparseLayer, SparseNumbers, activations
from workloads.sparse.nonzeros import nonzeros
from workloads.sparse.random_layers import pruned_weights, quantized, random_layer

DENSE = np.array([[0, 3, 0, -300], [0, 0, 0, 0], [1, 0, 2, 0]])


def loaded(name: object) -> Matrices:
    found = load_workload(str(name))
    assert isinstance(found, Matrices)
    return found


def dense_of(layer: SparseLayer) -> np.ndarray:
    dense = np.zeros(layer.matrix.shape, np.int64)
    dense[layer.matrix.coordinates] = layer.matrix.values
    return dense


@pytest.mark.parametrize(("kind", "start"), [("", "f3bfe2e063c9"), (":iid", "f3bfe2e063c9"), (":rowvar", "187d7a036b29")])
def test_the_matrices_of_the_utilization_table(kind: str, start: str) -> None:
    (layer,) = loaded(f"sparse:512x512:0.77{kind}").layers
    assert layer.matrix.nnz == 60293
    assert hashlib.sha1(np.packbits(dense_of(layer) != 0).tobytes()).hexdigest().startswith(start)
    assert np.abs(layer.matrix.values).max() == 127


def test_kinds_differ_as_they_say() -> None:
    rows = {kind: np.count_nonzero(dense_of(loaded(f"sparse:64x96:0.7:{kind}").layers[0]), axis=1)
            for kind in ("iid", "rowvar", "skewed", "empty")}  # fmt: skip
    assert all(counts.sum() == 1843 for counts in rows.values())
    assert rows["iid"].std() < rows["rowvar"].std() < rows["skewed"].std()
    empty = dense_of(loaded("sparse:64x96:0.7:empty").layers[0])
    assert 8 < np.sum(~empty.any(axis=1)) < 24 and 12 < np.sum(~empty.any(axis=0)) < 36
    assert np.all(dense_of(loaded("sparse:64x96:0:full").layers[0]))
    assert loaded("sparse:8x9:1").layers[0].matrix.nnz == 0


def test_random_workloads_spread_their_results_on_the_default_machine() -> None:
    (layer,) = loaded("sparse:64x48:0.7:rowvar").layers
    assert refusal(Design(), layer) is None
    outputs, _ = reference(Design(), layer, activations(layer, 8))
    assert len(np.unique(outputs)) > 40 and np.mean(np.isin(outputs, (-128, 127))) < 0.2


def test_digests_tell_workloads_apart_and_are_stable() -> None:
    names = ("sparse:8x8:0.5", "sparse:8x8:0.6", "sparse:8x9:0.5", "sparse:8x8:0.5:rowvar")
    assert len({loaded(name).digest for name in names}) == len(names)
    layer = loaded(names[0]).layers[0]
    assert matrices_of((layer,), "other").digest == loaded(names[0]).digest


@pytest.mark.parametrize("suffix", ["scipy.npz", "one.npz", "npy", "mtx"])
def test_a_matrix_of_a_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"w.{suffix}"
    if suffix == "scipy.npz":
        scipy.sparse.save_npz(path, scipy.sparse.csc_array(DENSE))
    elif suffix == "one.npz":
        np.savez(path, weights=DENSE.astype(float))
    elif suffix == "npy":
        np.save(path, DENSE)
    else:
        scipy.io.mmwrite(path, scipy.sparse.coo_array(DENSE))
    found = loaded(path)
    (layer,) = found.layers
    assert found.name == path.stem and layer.name == ("weights" if suffix == "one.npz" else path.stem)
    assert np.array_equal(dense_of(layer), DENSE) and layer.matrix.value_bits == 10


def test_several_matrices_of_an_archive_and_of_a_folder(tmp_path: Path) -> None:
    np.savez(tmp_path / "both.npz", first=DENSE, second=DENSE.T)
    assert [layer.name for layer in loaded(tmp_path / "both.npz").layers] == ["first", "second"]
    np.save(tmp_path / "a.npy", DENSE)
    (tmp_path / "notes.txt").write_text("no matrix")
    found = loaded(tmp_path)
    assert [(layer.name, layer.matrix.shape) for layer in found.layers] == [
        ("a", (3, 4)), ("first", (3, 4)), ("second", (4, 3))
    ]  # fmt: skip


def test_a_folder_is_told_by_a_slash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no folder takes the name of another workload."""
    (tmp_path / "resnet50").mkdir()
    np.save(tmp_path / "resnet50" / "a.npy", DENSE)
    monkeypatch.chdir(tmp_path)
    assert not isinstance(load_workload("resnet50"), Matrices)
    assert loaded("./resnet50").name == loaded("resnet50/").name == "resnet50"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("sparse:8x8:0.5:skew", "kind of matrix: wanted one of iid, rowvar, .* got 'skew' .did you mean 'skewed'"),
        ("sparse:8x8:1.5", "sparsity: wanted 0 to 1, got 1.5"),
        ("sparse:8x8:0.5:full", "sparsity: wanted 0, as full is not pruned, got 0.5"),
        ("sparse:8x0:0.5", "wanted 1 to 2.26 elements, got 0"),
        ("sparse:99999x99999:0.5", "wanted 1 to 2.26 elements"),
        ("sparse:8:0.5", "wanted sparse:HxW:SPARSITY, such as sparse:512x512:0.77"),
        ("sparse", "wanted sparse:HxW:SPARSITY, such as sparse:512x512:0.77"),
        ("transformer_base_pruned", "wanted transformer_base_pruned:SPARSITY:translate=27x27"),
        ("none/w.mtx", "none/w.mtx: wanted a matrix.*No such file"),
    ],
)
def test_bad_names_are_one_line(name: str, wanted: str) -> None:
    with pytest.raises(InputError, match=wanted) as refused:
        load_workload(name)
    assert "\n" not in str(refused.value)


def test_bad_files_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    np.save(tmp_path / "halves.npy", DENSE / 2)
    np.save(tmp_path / "cube.npy", np.ones((2, 2, 2), int))
    np.savez(tmp_path / "lists.npz", a=np.ones(3, int), b=DENSE)
    scipy.sparse.save_npz(tmp_path / "huge.npz", scipy.sparse.coo_array(([1], ([0], [0])), shape=(2**30, 3)))
    for name, wanted in {
        "halves.npy": "wanted whole numbers, got 1.5; quantize it",
        "cube.npy": "wanted a matrix of at least 1 x 1",
        "lists.npz": "wanted .*one or several matrices of whole numbers.* got a file of 'a, b'",
        "huge.npz": "wanted at most 2.24 rows and columns",
        "nothing": "wanted a folder of matrices .*got none; name another",
    }.items():
        with pytest.raises(InputError, match=f"{name}: .*{wanted}") as refused:
            load_workload(str(tmp_path / name))
        assert "\n" not in str(refused.value)


@pytest.mark.filterwarnings("error")
def test_the_widest_numbers_are_loaded_without_a_warning(tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", np.array([[2**62, -(2**63)]]))
    (layer,) = loaded(tmp_path / "wide.npy").layers
    assert layer.matrix.value_bits == 64 and abs(layer.numbers.bias).max() < 2**31


def test_other_families_refuse_it_in_one_line() -> None:
    with pytest.raises(InputError, match="sparse:8x8:0.5: wanted a network for the family tensor .* got a sparse matrix"):
        expect_kind(loaded("sparse:8x8:0.5"), Network, "tensor")


def test_one_bit_holds_minus_one_only() -> None:
    weights = pruned_weights(6, 7, 0.5)
    assert np.array_equal(quantized(weights, 1).places, np.flatnonzero(weights))
    assert set(quantized(weights, 1).values) == {-1} and set(quantized(weights, 2).values) == {-1, 1}
    assert np.array_equal(quantized(weights, 3).places, np.flatnonzero(weights))


def test_random_activations_have_the_share_that_was_asked_for() -> None:
    matrix = nonzeros(np.ones((2, 40), int))
    numbers = SparseNumbers(
        bias=np.zeros(2, np.int64), multiplier=1, shift=0, in_zero=3, in_signed=False, out_zero=0, out_low=0, out_high=15
    )
    layer = SparseLayer(name="x", matrix=matrix, n_vectors=5, act_density=0.3, numbers=numbers)
    narrow, wide = activations(layer, 2), activations(layer, 4)
    assert ((narrow != 3).sum(axis=1) == 12).all() and np.array_equal(narrow != 3, wide != 3)
    assert set(narrow.ravel()) == {0, 1, 2, 3} and wide.max() == 15
    assert np.array_equal(activations(layer, 4), wide)


def test_random_layers_are_of_every_kind() -> None:
    layers = [random_layer(np.random.default_rng(seed), value_bits=5, act_bits=4) for seed in range(60)]
    assert {layer.name.split()[0] for layer in layers} == {"iid", "rowvar", "skewed", "empty", "full"}
    assert {layer.numbers.in_signed for layer in layers} == {layer.numbers.out_low < 0 for layer in layers} == {True, False}
    assert {layer.n_vectors for layer in layers} == {1, 2, 3}
    assert all(refusal(Design(value_bits=5, act_bits=4), layer) is None for layer in layers)


def test_parts_that_do_not_fit_each_other() -> None:
    layer = loaded("sparse:2x3:0.5").layers[0]
    for changes, wanted in (
        ({"vectors": np.zeros((1, 2), np.int64)}, "vectors: wanted 1 x 3, got"),
        ({"n_vectors": 0}, "wanted 1 vector and 1 run or more, got 0 and 1"),
        ({"act_density": 1.5}, "act_density: wanted 0 to 1, got 1.5"),
        ({"numbers": replace(layer.numbers, bias=np.zeros(3, np.int64))}, "bias: wanted 2 integers of 32 bits"),
        ({"numbers": replace(layer.numbers, bias=np.array([0, 1 << 31]))}, "bias: wanted 2 integers of 32 bits"),
        ({"numbers": replace(layer.numbers, shift=64)}, "a shift of 0 to 63, got .* and 64"),
    ):
        with pytest.raises(InputError, match=wanted):
            replace(layer, **changes)
