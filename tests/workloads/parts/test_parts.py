"""Parts of workloads of every kind: how much is left, what it is called, and that machines run it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from designs.errors import InputError
from designs.families import tensor
from sim.families import tensor as simulator
from workloads.circuits.circuit import N_BOOTSTRAPS, Circuit
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.levels import levels_of
from workloads.kinds.classification import Classification
from workloads.kinds.matrices import Matrices
from workloads.kinds.network import Network
from workloads.layer import Layer
from workloads.load import Workload, load_workload
from workloads.parts import part_of

CUT = [
    "resnet50",
    "mobilenet_v1",
    "vgg16",
    "digits_cnn",
    "digits_transformer",
    "bert_base",
    "gemm:512x96x40",
    "sparse:96x64:0.5",
    "digits",
    "adder:16",
]


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("share", [Fraction(1, 4), Fraction(1, 16)])
def test_a_part_has_at_most_its_share(name: str, share: Fraction) -> None:
    workload = load_workload(name)
    part = part_of(workload, share)
    assert part.workload.name == f"{name}[{share}]"
    assert type(part.workload) is type(workload)
    assert 0 < part.share_done <= share
    again = part_of(load_workload(name), float(share))
    assert again.workload.digest == part.workload.digest != workload.digest
    assert part_of(workload, share / 2).workload.digest != part.workload.digest


def test_the_whole_is_its_own_part() -> None:
    workload = load_workload("resnet18")
    assert part_of(workload, 1).workload is workload
    assert part_of(workload, 1.0).share_done == 1


@pytest.mark.parametrize("share", [0, -0.5, 1.01, float("nan"), float("inf")])
def test_shares_that_are_none(share: float) -> None:
    with pytest.raises(InputError, match=r"share: wanted a share of the work above 0 and up to 1, got"):
        part_of(load_workload("resnet18"), share)


class Thing(Workload):
    pass


def test_a_kind_that_cannot_be_cut() -> None:
    with pytest.raises(
        InputError,
        match=r"thing: wanted a workload that can be cut \(circuit, classification, matrices, network\), got a thing",
    ):
        part_of(Thing(name="thing", digest="0"), 0.5)


@pytest.mark.parametrize("name", ["gemm:1x1x1", "sparse:1x1:0", "adder:1"])
def test_too_little_to_cut(name: str) -> None:
    with pytest.raises(InputError, match=r"\[1/16\]: wanted .* enough to be cut so far"):
        part_of(load_workload(name), Fraction(1, 16))


# Networks.


def network(name: str) -> Network:
    found = load_workload(name)
    assert isinstance(found, Network)
    return found


def test_work_of_resnet50_by_hand() -> None:
    """27 jobs; a job's lines count as its share of them, MACs once a job."""
    whole = network("resnet50")
    part = part_of(whole, Fraction(1, 4))
    assert isinstance(part.workload, Network)
    by_name = {job.name: job for job in whole.layers}
    lines = sum(Fraction(job.out_h, by_name[job.name].out_h) for job in part.workload.layers) / 27
    macs = Fraction(sum(job.n_macs for job in part.workload.layers), sum(job.n_macs for job in whole.layers))
    assert part.measures == {"lines": lines, "macs": macs}
    first = part.workload.layers[0]
    assert (first.name, first.out_h, first.in_h, first.repeat) == ("conv1", 1, 7, 1)  # all taps inside


def test_repeats_stand_for_the_whole() -> None:
    """MACs with repeats are those of the whole within a few parts in ten, at a sixteenth of the work."""
    for name in ("resnet50", "vgg16"):
        whole, part = network(name), part_of(network(name), Fraction(1, 16)).workload
        assert isinstance(part, Network)
        ratio = sum(job.n_macs * job.repeat for job in part.layers) / sum(
            job.n_macs * job.repeat for job in whole.layers
        )
        assert 0.7 < ratio < 1.4, name


def test_lines_pixels_then_channels() -> None:
    """A product of 4 lines of 64 pixels and 40 channels: by an eighth half a line, by 1/1024 ten channels of a pixel."""
    found = []
    for share in (Fraction(1, 2), Fraction(1, 8), Fraction(1, 1024)):
        part = part_of(network("gemm:256x96x40"), share).workload
        assert isinstance(part, Network)
        layer = part.layers[0]
        assert isinstance(layer, Layer) and layer.numbers is not None
        assert layer.numbers.weights.shape[0] == len(layer.numbers.bias) == layer.out_channels
        found.append((layer.out_h, layer.in_w, layer.out_w, layer.out_channels))
    assert found == [(2, 64, 64, 40), (1, 32, 32, 40), (1, 1, 1, 10)]


def test_makers_of_weights_stay_with_their_products() -> None:
    whole = network("digits_transformer")
    for share in (Fraction(1, 2), Fraction(3, 4)):
        jobs = {job.name: job for job in part_of(whole, share).workload.layers}
        products = [job for job in jobs.values() if isinstance(job, Layer) and job.weights_from]
        assert products, "the case has none: choose another share"
        for job in products:
            assert f"{job.name}.weights" in jobs


def test_stages_without_jobs_are_left_out() -> None:
    part = part_of(network("gpt2_small:generate=16+8"), Fraction(1, 64)).workload
    assert isinstance(part, Network)
    assert {stage.name for stage in part.stages} == {job.name.partition(".")[0] for job in part.layers}


@pytest.mark.parametrize("name", ["resnet50", "digits_cnn", "digits_transformer", "gpt2_small:generate=16+8"])
def test_machines_run_parts(name: str) -> None:
    design = tensor.Design(
        vector_lanes=4,
        wide_bits=16,
        vector_words=4096,
        act_scratchpad_bytes=1 << 20,
        weight_scratchpad_bytes=1 << 20,
        acc_scratchpad_bytes=1 << 20,
    )
    design.check()
    (whole,) = simulator.simulate([design], network(name))
    for share in (Fraction(1, 4), Fraction(1, 16)):
        part = part_of(network(name), share).workload
        assert isinstance(part, Network)
        (run,) = simulator.simulate([design], part)
        assert run.failure is None
        assert whole.cycles / 4 < run.cycles < whole.cycles * 4  # an estimate of the whole
        assert simulator.accuracy(design, run, part) is None
        assert sum(stage.cycles for stage in run.stages) in (0, run.cycles)


def test_a_part_finds_machines_whose_lines_are_too_short() -> None:
    """The widest window of lines is in every part: 7 lines of 224 pixels in ResNet-50."""
    small = tensor.Design(act_scratchpad_bytes=16384, weight_scratchpad_bytes=1 << 20)
    (run,) = simulator.simulate([small], network("resnet50"))
    (of_part,) = simulator.simulate([small], part_of(network("resnet50"), Fraction(1, 16)).workload)
    assert run.failure is not None and run.failure.startswith("conv1")
    assert of_part.failure == run.failure


# Matrices.


def matrices(name: str) -> Matrices:
    found = load_workload(name)
    assert isinstance(found, Matrices)
    return found


def test_rows_of_a_matrix() -> None:
    whole = matrices("sparse:96x64:0.5")
    part = part_of(whole, Fraction(1, 4)).workload
    assert isinstance(part, Matrices)
    dense = np.zeros(96 * 64, np.int64)
    dense[whole.layers[0].matrix.places] = whole.layers[0].matrix.values
    cut = np.zeros(part.layers[0].matrix.n_places, np.int64)
    cut[part.layers[0].matrix.places] = part.layers[0].matrix.values
    rows = [int(np.flatnonzero((dense.reshape(96, 64) == row).all(axis=1))[0]) for row in cut.reshape(-1, 64)]
    assert rows == sorted(rows) and len(rows) in (23, 24)  # a quarter of 96, or one less where rows are full
    assert set(np.diff(rows)) <= {4, 5}  # evenly spaced
    assert np.array_equal(part.layers[0].numbers.bias, whole.layers[0].numbers.bias[rows])


def test_vectors_go_before_rows() -> None:
    layer = replace(matrices("sparse:32x16:0.5").layers[0], n_vectors=8, vectors=np.arange(128).reshape(8, 16))
    whole = Matrices(name="m", digest="1", layers=(layer,))
    (half,) = part_of(whole, Fraction(1, 2)).workload.layers
    assert (half.n_vectors, half.height, half.repeat) == (4, 32, 2)
    assert np.array_equal(half.vectors, layer.vectors[:4])
    (little,) = part_of(whole, Fraction(1, 16)).workload.layers
    assert little.n_vectors == 1 and 12 <= little.height <= 16


# Classifications.


def test_samples_of_a_data_set() -> None:
    whole = load_workload("digits")
    part = part_of(whole, Fraction(1, 4)).workload
    assert isinstance(whole, Classification) and isinstance(part, Classification)
    assert part.data is not None and whole.data is not None
    of_class = np.bincount(whole.data.labels_train)
    assert np.array_equal(np.bincount(part.data.labels_train), of_class // 4)
    assert len(part.data.labels_test) == 450 // 4
    known = {row.tobytes() for row in whole.data.features_train}
    assert all(row.tobytes() in known for row in part.data.features_train)


# Circuits.


def circuit(name: str) -> Circuit:
    found = load_workload(name)
    assert isinstance(found, Circuit)
    return found


def test_first_levels_of_a_circuit() -> None:
    whole = circuit("adder:16")
    found = part_of(whole, Fraction(1, 2))
    part = found.workload
    assert isinstance(part, Circuit)
    bootstraps, levels = N_BOOTSTRAPS[whole.ops], levels_of(whole)[whole.n_inputs :]
    deepest = levels_of(part).max()
    assert part.n_bootstraps <= whole.n_bootstraps / 2
    assert bootstraps[levels < deepest].sum() <= part.n_bootstraps < bootstraps[levels <= deepest].sum()
    assert found.scale == whole.n_bootstraps / part.n_bootstraps


def test_kept_gates_compute_what_they_did() -> None:
    """The carry-less half of an adder's first level, and every other output that is one of the whole's signals."""
    whole, part = circuit("adder:4"), part_of(circuit("adder:4"), Fraction(1, 2)).workload
    assert isinstance(part, Circuit)
    inputs = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(np.uint8)
    every = replace(whole, outputs=np.arange(whole.n_inputs + whole.n_gates, dtype=np.int32))
    signals = {column.tobytes() for column in np.ascontiguousarray(run_circuit(every, inputs).T)}
    outputs = run_circuit(part, inputs)
    assert outputs.shape[1] == len(part.outputs) > 0
    assert all(column.tobytes() in signals for column in np.ascontiguousarray(outputs.T))
    read = set(part.operands[part.operands >= part.n_inputs].tolist())
    assert read | set(part.outputs.tolist()) == set(range(part.n_inputs, part.n_inputs + part.n_gates))
