"""Classifier files come back whole, and a damaged one is one line."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from tests.designs.test_mutated_files import damaged
from workloads.classifiers.classifier import Classifier
from workloads.classifiers.files import classifier_digest, is_classifier_file, load_classifier, save_classifier
from workloads.netlist_builder import NetlistBuilder
from workloads.random_netlists import random_netlist


def small(labels: bool = True) -> Classifier:
    """Two inputs, their XOR as the class."""
    builder = NetlistBuilder(["a", "b"])
    netlist = builder.finish([("class[0]", builder.lut((0, 1), 0b0110, "tree"))])
    samples = np.array([[0, 0], [1, 0], [0, 1]], np.uint8)
    return Classifier(
        netlist=netlist, samples=samples, labels=np.array([0, 1, 1]) if labels else None, answer="class", n_classes=2,
        facts={"train_seconds": 1.5},
    )  # fmt: skip


def equal(first: Classifier, second: Classifier) -> bool:
    arrays = ("fanin_start", "fanin", "table_start", "tables", "roles", "outputs")
    nets = [(getattr(first.netlist, name), getattr(second.netlist, name)) for name in arrays]
    labels = first.labels is second.labels or np.array_equal(first.labels, second.labels)  # type: ignore[arg-type]
    plain = ("answer", "n_classes", "score_bits", "facts")
    return (
        all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in nets)
        and first.netlist.input_names == second.netlist.input_names
        and first.netlist.output_names == second.netlist.output_names
        and np.array_equal(first.samples, second.samples)
        and labels
        and all(getattr(first, name) == getattr(second, name) for name in plain)
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_classifier_comes_back_whole(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    netlist = random_netlist(rng, int(rng.integers(1, 9)), int(rng.integers(0, 30)), 6, n_outputs=6)
    samples = rng.integers(0, 2, (int(rng.integers(0, 20)), netlist.n_inputs), dtype=np.uint8)
    labels = rng.integers(0, 3, len(samples)) if seed % 2 else None
    classifier = Classifier(netlist=netlist, samples=samples, labels=labels, answer="scores", n_classes=3, score_bits=2)
    save_classifier(classifier, tmp_path / "c.npz")
    loaded = load_classifier(tmp_path / "c.npz")
    assert equal(loaded, classifier)
    assert classifier_digest(loaded) == classifier_digest(classifier)
    save_classifier(loaded, tmp_path / "d.npz")
    assert (tmp_path / "d.npz").read_bytes() == (tmp_path / "c.npz").read_bytes()
    assert is_classifier_file(tmp_path / "c.npz")


def test_the_digest_is_of_the_content_and_not_of_what_training_took() -> None:
    other = small()
    object.__setattr__(other, "facts", {"train_seconds": 99.0})
    assert classifier_digest(other) == classifier_digest(small())
    assert classifier_digest(small(labels=False)) != classifier_digest(small())


def changed(tmp_path: Path, change: Callable[[dict[str, np.ndarray], dict], None]) -> Path:
    """A good file with its arrays and header changed."""
    save_classifier(small(), tmp_path / "c.npz")
    with np.load(tmp_path / "c.npz", allow_pickle=False) as archive:
        arrays = dict(archive)
    header = json.loads(arrays.pop("classifier").tobytes())
    change(arrays, header)
    if header:
        arrays["classifier"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(tmp_path / "c.npz", **arrays)  # type: ignore[arg-type]
    return tmp_path / "c.npz"


FAULTS: dict[str, tuple[Callable[[dict, dict], object], str]] = {
    "no_header": (lambda a, h: h.clear(), "wanted a classifier file of lockstep train or trace, got: arrays fanin_start, fanin"),
    "format": (lambda a, h: h.update(format="lockstep-classifier-9"), "of format 'lockstep-classifier-1', got another; write it again"),
    "no_fanin": (lambda a, h: a.pop("fanin"), "got one without the array fanin; write it again"),
    "no_names": (lambda a, h: h.pop("input_names"), "with a legal header, got: 'input_names'; write it again"),
    "names": (lambda a, h: h.update(input_names="ab"), "input_names: wanted a list of names, got 'ab'"),
    "floats": (lambda a, h: a.update(fanin=a["fanin"] * 1.5), "fanin: wanted a list of integers, got float64 of shape (2,)"),
    "shape": (lambda a, h: a.update(fanin=a["fanin"][None]), "fanin: wanted a list of integers, got int32 of shape (1, 2)"),
    "order": (lambda a, h: a.update(fanin=a["fanin"] + 1), "circuit: LUT 0: wanted signals 0 to 1, got [1, 2]"),
    "starts": (lambda a, h: a.update(fanin_start=a["fanin_start"][:1]), "circuit: wanted fanin_start to rise from 0 to 2 in 1 steps"),
    "tables": (lambda a, h: a.update(tables=np.zeros(9, np.uint8)), "tables: wanted 4 bits, got 9 bytes"),
    "outputs": (lambda a, h: a.update(outputs=np.array([7])), "circuit: output class[0]: wanted a signal below 3, got 7"),
    "samples": (lambda a, h: h.update(n_samples=100), "samples: wanted 200 bits, got 1 bytes"),
    "labels": (lambda a, h: a.update(labels=np.zeros(2, int)), "labels: wanted one for each of 3 samples, got 2"),
    "answer": (lambda a, h: h.update(answer="yes"), "answer: wanted one of class, scores, bits, got 'yes'"),
    "score_bits": (lambda a, h: h.update(answer="scores", score_bits=3), "score_bits: wanted 2 classes of 3 bits in all outputs, got 1 outputs"),
    "count": (lambda a, h: h.update(n_classes=-2), "n_classes: wanted a count, got -2"),
    "other_table": (lambda a, h: a.update(tables=np.array([0x70], np.uint8)), "got one whose content is not what was written; write it again"),
    "roles": (lambda a, h: a.update(roles=np.array([300])), "roles: wanted 0 to 255, got 300 to 300"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_file_is_one_line(tmp_path: Path, fault: str) -> None:
    change, wanted = FAULTS[fault]
    path = changed(tmp_path, change)
    with pytest.raises(InputError) as refused:
        load_classifier(path)
    assert wanted in str(refused.value)
    assert str(refused.value).startswith(f"{path}: ") and "\n" not in str(refused.value)


def test_what_is_no_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    (tmp_path / "text.npz").write_text("no archive")
    for name, reason in (
        ("none.npz", "No such file or directory"),
        ("one.npz", "a single array"),
        ("text.npz", "got: "),
    ):
        assert not is_classifier_file(tmp_path / name)
        with pytest.raises(InputError, match=f"{name}: wanted a classifier file of lockstep train or trace.*{reason}"):
            load_classifier(tmp_path / name)
    with pytest.raises(InputError, match="wanted a name that ends in .npz, got '.json'"):
        save_classifier(small(), tmp_path / "c.json")


def test_pickled_arrays_are_not_opened(tmp_path: Path) -> None:
    content = io.BytesIO()
    np.savez(content, classifier=np.array([{"format": "lockstep-classifier-1"}], dtype=object))
    (tmp_path / "p.npz").write_bytes(content.getvalue())
    with pytest.raises(InputError, match="wanted a classifier file"):
        load_classifier(tmp_path / "p.npz")


def test_damaged_files_give_one_line_or_the_same_classifier(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    save_classifier(small(), path)
    good, draw, refusals = path.read_bytes(), random.Random(3), 0
    for _ in range(300):
        path.write_bytes(damaged(good, draw))
        try:
            assert equal(load_classifier(path), small())
        except InputError as error:
            refusals += 1
            assert "\n" not in str(error) and str(error).startswith(f"{path}: ") and len(str(error)) < 1000
    assert refusals > 200
