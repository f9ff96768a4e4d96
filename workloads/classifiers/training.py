"""Classifiers for designs: trained once, kept in the user's cache stage by stage, resumed where they were interrupted.

Stages of `rinc`: the teacher (shared by all tree sizes and depths), its modules (one file a neuron), the circuit. A
stage's key is a hash of all it depends on, this project's sources included; a file that cannot be read is made again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from functools import cache
from pathlib import Path

import numpy as np

from designs.cache import cache_dir, locked, mark_used
from designs.errors import InputError
from designs.families.lut import Design
from designs.whole_file import whole_file
from workloads.archives import UNREADABLE
from workloads.classifiers.boosted import train_boosted
from workloads.classifiers.build import build_classifier
from workloads.classifiers.classifier import Classifier
from workloads.classifiers.data import DataSet, data_set
from workloads.classifiers.encode import Encoding, noisy, thermometer
from workloads.classifiers.files import load_classifier, save_classifier
from workloads.classifiers.rinc import Module, from_arrays, pack, to_arrays, train_modules
from workloads.classifiers.structure import BoostedStructure, RincStructure, score_tables
from workloads.classifiers.teacher import Teacher, train_teacher

Progress = Callable[[str, int, int], None]  # (stage, n_done, n_all)

SMALL_SET = 10_000  # training images up to which noisy copies are added
NOISY_COPIES = 7
SMALL_IMAGE = 256  # pixels up to which a teacher reads them itself; larger ones go through convolutions (`torch`)

_TEACHER_SOURCES = ("data.py", "encode.py", "teacher.py", "teacher_torch.py")
_MODULE_SOURCES = ("rinc.py", "kernels.py")


def train(design: Design, data: DataSet, progress: Progress | None = None) -> Classifier:
    """The classifier that `design` describes, trained on `data`; from the cache where it was trained before.

    The circuit depends on `data`, `design.trained`, `design.output` and the sources alone, wherever a training was
    interrupted. `facts`: train_seconds (of all stages, wherever they ran), accuracy (of the structure, on the test
    samples), and for `rinc` teacher_seconds, teacher_accuracy, mimic_fidelity (share of test samples' neurons that the
    modules tell right). InputError where a teacher needs the extra `torch` and it is not installed.
    """
    key = _key("circuit", data.digest, design.trained, design.output, _sources())
    with _folder(f"circuit-{key}") as folder:
        path = folder / "classifier.npz"
        with suppress(InputError):  # not there yet, or damaged
            return load_classifier(path)
        made = _train_rinc if design.classifier == "rinc" else _train_boosted
        found = made(design, data, progress)
        save_classifier(found, path)
        return found


def _train_rinc(design: Design, data: DataSet, progress: Progress | None) -> Classifier:
    data, encoding, teacher, teacher_seconds = _teacher(design, data, progress)
    features, _, clean = training_samples(data, design.training_seed)
    neurons = teacher.neurons(encoding.encode(data.features_train))
    # Noisy copies keep the neurons of their originals: modules learn to overlook what the teacher should not see.
    targets = np.ascontiguousarray(neurons[clean].T)
    modules, module_seconds = _modules(design, encoding.encode(features), targets, progress)
    structure = RincStructure(
        encoding=encoding,
        modules=modules,
        score_tables=score_tables(teacher, neurons, design.score_bits),
        score_bits=design.score_bits,
    )
    expected = teacher.neurons(encoding.encode(data.features_test))
    facts = {
        "train_seconds": teacher_seconds + module_seconds,
        "teacher_seconds": teacher_seconds,
        "teacher_accuracy": _accuracy(teacher.scores(expected), data.labels_test),
        "mimic_fidelity": float(np.mean(structure.neurons(data.features_test) == expected)),
        "accuracy": _accuracy(structure.scores(data.features_test), data.labels_test),
    }
    return build_classifier(structure, data, design.output, facts)


def _train_boosted(design: Design, data: DataSet, progress: Progress | None) -> Classifier:
    begin = time.perf_counter()
    structure = boosted_structure(design, data, progress)
    seconds = time.perf_counter() - begin
    facts = {"train_seconds": seconds, "accuracy": _accuracy(structure.scores(data.features_test), data.labels_test)}
    return build_classifier(structure, data, design.output, facts)


def boosted_structure(design: Design, data: DataSet, progress: Progress | None = None) -> BoostedStructure:
    """The trees of a `boosted` design, trained here and now; those of fewer trees a class are their beginnings."""
    encoding = thermometer(data, design.thresholds)
    features, labels, _ = training_samples(data, design.training_seed)
    trees = train_boosted(
        pack(encoding.encode(features)),
        len(features),
        labels,
        data.n_classes,
        tree_inputs=design.tree_inputs,
        trees_per_class=design.trees_per_class,
        vote_bits=design.score_bits,
        progress=_stage(progress, "trees"),
    )
    return BoostedStructure(encoding=encoding, trees=trees, vote_bits=design.score_bits)


def training_samples(data: DataSet, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(features, labels, index of the original): the training samples; if they are few images, noisy copies too."""
    n = len(data.features_train)
    with_copies = data.image_shape is not None and data.feature_bits > 1 and n <= SMALL_SET
    n_copies = NOISY_COPIES if with_copies else 0
    rng = np.random.default_rng((seed, 1))
    highest = int(data.features_train.max())
    copies = [noisy(data.features_train, highest, rng) for _ in range(n_copies)]
    original = np.tile(np.arange(n), n_copies + 1)
    return np.vstack([data.features_train, *copies]), data.labels_train[original], original


def _teacher(design: Design, data: DataSet, progress: Progress | None) -> tuple[DataSet, Encoding, Teacher, float]:
    """(data the circuit reads, its encoding, the teacher, seconds of its training)."""
    convolutional = data.image_shape is not None and np.prod(data.image_shape) > SMALL_IMAGE
    thresholds = 1 if convolutional else design.thresholds
    key = _key(
        "teacher", data.digest, design.neurons_per_class, thresholds, design.training_seed, _sources(*_TEACHER_SOURCES)
    )
    with _folder(f"teacher-{key}") as folder:
        path = folder / "teacher.npz"
        arrays = _load(path)
        if arrays is None:
            arrays = _train_conv(design, data, progress) if convolutional else _train_plain(design, data, progress)
            _save(path, arrays)
    if convolutional:
        data = data_set(
            data.name,
            (arrays["features_train"], data.labels_train),
            (arrays["features_test"], data.labels_test),
            feature_bits=1,
            n_classes=data.n_classes,
        )
    teacher = Teacher(**{field.name: arrays[field.name] for field in fields(Teacher)})
    return data, _encoding(arrays), teacher, float(arrays["seconds"])


def _train_plain(design: Design, data: DataSet, progress: Progress | None) -> dict[str, np.ndarray]:
    begin = time.perf_counter()
    encoding = thermometer(data, design.thresholds)
    teacher = train_teacher(
        data,
        encoding,
        neurons_per_class=design.neurons_per_class,
        seed=design.training_seed,
        progress=_stage(progress, "teacher"),
    )
    return _teacher_arrays(teacher, encoding, time.perf_counter() - begin)


def _train_conv(design: Design, data: DataSet, progress: Progress | None) -> dict[str, np.ndarray]:
    from workloads.classifiers.teacher_torch import train_conv_teacher

    begin = time.perf_counter()
    features, teacher = train_conv_teacher(
        data,
        neurons_per_class=design.neurons_per_class,
        seed=design.training_seed,
        progress=_stage(progress, "teacher"),
    )
    n_bits = features.n_features
    encoding = Encoding(features=np.arange(n_bits), thresholds=np.ones(n_bits, np.int64))
    arrays = _teacher_arrays(teacher, encoding, time.perf_counter() - begin)
    return arrays | {"features_train": features.features_train, "features_test": features.features_test}


def _teacher_arrays(teacher: Teacher, encoding: Encoding, seconds: float) -> dict[str, np.ndarray]:
    arrays = {field.name: getattr(teacher, field.name) for field in fields(Teacher)}
    bits = {"encoding_features": encoding.features, "encoding_thresholds": encoding.thresholds}
    return arrays | bits | {"seconds": np.array(seconds)}


def _encoding(arrays: Mapping[str, np.ndarray]) -> Encoding:
    return Encoding(features=arrays["encoding_features"], thresholds=arrays["encoding_thresholds"])


def _modules(
    design: Design, bits: np.ndarray, targets: np.ndarray, progress: Progress | None
) -> tuple[tuple[Module, ...], float]:
    """(a module for each neuron, seconds of their training); each is kept as soon as it is finished."""
    packed = pack(bits)
    settings = (design.tree_inputs, design.rinc_levels, design.top_modules, design.node_entropy)
    content = hashlib.sha256(packed.astype("<u8").tobytes() + targets.tobytes()).hexdigest()
    key = _key("modules", content, packed.shape, targets.shape, settings, _sources(*_MODULE_SOURCES))
    with _folder(f"modules-{key}") as folder:
        done, seconds = _finished(folder, len(targets))
        last = time.perf_counter()

        def keep(neuron: int, module: Module) -> None:
            nonlocal last, seconds
            now = time.perf_counter()
            _save(folder / f"neuron_{neuron}.npz", {**to_arrays(module), "seconds": np.array(now - last)})
            seconds += now - last
            last = now

        modules = train_modules(
            packed,
            len(bits),
            targets,
            tree_inputs=design.tree_inputs,
            levels=design.rinc_levels,
            top_modules=design.top_modules,
            node_entropy=design.node_entropy,
            progress=_stage(progress, "modules"),
            done=done,
            keep=keep,
        )
    return modules, seconds


def _finished(folder: Path, n_neurons: int) -> tuple[dict[int, Module], float]:
    done: dict[int, Module] = {}
    seconds = 0.0
    for neuron in range(n_neurons):
        arrays = _load(folder / f"neuron_{neuron}.npz")
        if arrays is not None:
            done[neuron] = from_arrays(arrays)
            seconds += float(arrays["seconds"])
    return done, seconds


def _accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(scores.argmax(axis=1) == labels))


def _stage(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    told = progress
    return lambda n_done, n_all: told(name, n_done, n_all)


def _key(*parts: object) -> str:
    return hashlib.sha256(repr((np.__version__, *parts)).encode()).hexdigest()[:32]


@cache
def _sources(*names: str) -> str:
    """A hash of these sources of this folder, or of all that a circuit depends on."""
    here = Path(__file__).parent
    above = ("arithmetic.py", "netlist.py", "netlist_builder.py", "truth_tables.py")
    paths = [here / name for name in names] or [*sorted(here.glob("*.py")), *(here.parent / name for name in above)]
    found = hashlib.sha256()
    for path in paths:
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    """A folder of the cache, this process's alone until the block ends."""
    folder = cache_dir() / "classifiers" / name
    with locked(folder / "lock"):
        mark_used(folder)
        yield folder


def _save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with whole_file(path) as part, part.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _load(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a file that `_save` wrote, None where it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except UNREADABLE:
        return None
