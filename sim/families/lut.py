"""LUT machines, exactly: answers, cycles, switching, what a machine is made of (docs/lut.md).

Work is shared: a circuit is trained and mapped once for all designs that agree in what that depends on, and evaluated
once for each number of copies; what is left for a design point is arithmetic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from operator import attrgetter

import numpy as np

from designs.errors import InputError
from designs.families.lut import Design
from sim.accuracy import Accuracy
from sim.columns import grouped
from sim.inventory import Inventory
from sim.kernels.lut.evaluate import (
    N_PAIR,
    evaluate_and_count,
    expand,
    pack_samples,
    settle_on_zeros,
    unpack_samples,
)
from sim.kernels.lut.stalls import run_with_stalls
from sim.parts.lut import lut_inventory, n_data_bits
from sim.run import LayerRun, Run, made
from workloads.classifiers.classifier import Classifier
from workloads.kinds.classification import Classification
from workloads.mapping.lut import Circuit, circuit_of
from workloads.mapping.lut_classifier import classifier_of
from workloads.netlist import CONSTANT_1, ROLES, Netlist

RUNS = Classification
MODEL_VERSION = "1"  # bump by hand when the meaning of a row changes; explore adds a hash of the sources

_KEPT = 256  # circuits, evaluations and runs that are kept; up to some MB each


@dataclass(frozen=True, kw_only=True, eq=False)
class NumbersRun:
    """One run of all samples, with what came out when."""

    outputs: np.ndarray  # (n_samples, n_outputs) uint8
    accept_cycles: np.ndarray  # (n_samples,) int64: when each sample was taken
    answer_cycles: np.ndarray  # (n_samples,) int64: when its answer was
    activity: dict[str, int]


def simulate(designs: Sequence[Design], workload: Classification) -> list[Run]:
    """One Run a design, in order: all test samples, back to back. What cannot be trained or mapped is a failed Run.

    Samples are evaluated once for all designs of a circuit, whatever their copies (docs/batched.md).
    """
    if len(designs) == 1:
        return [simulate_one(designs[0], workload)]
    firsts, of_circuit = grouped(map(_CIRCUIT, designs))
    circuits = [_prepared_or_refusal(designs[first], workload) for first in firsts]
    copies: list[set[int]] = [set() for _ in circuits]
    for design, circuit in zip(designs, of_circuit.tolist(), strict=True):
        copies[circuit].add(design.copies)
    runs = [
        dict.fromkeys(wanted, Run(failure=found)) if isinstance(found, str) else _runs_of(found, wanted)
        for found, wanted in zip(circuits, copies, strict=True)
    ]
    return [_clocked(runs[i][d.copies], d) for d, i in zip(designs, of_circuit.tolist(), strict=True)]


def simulate_one(design: Design, workload: Classification) -> Run:
    """The Run of one design, by itself: the scalar simulator that `simulate` equals."""
    found = _prepared_or_refusal(design, workload)
    return Run(failure=found) if isinstance(found, str) else _clocked(_run(found, design.copies), design)


def misfits(designs: Sequence[Design], workload: Classification) -> list[str | None]:
    """For each design, why it does not fit the workload; None where it does.

    A circuit that is finished is not trained again, so fields that would say how say nothing; its outputs are what they
    are, so scores cannot be had from a circuit that answers with a class.
    """
    return [_misfit(design, workload) for design in designs]


def inventory(design: Design, workload: Classification) -> Inventory:
    """What the machine is made of, part by part; nothing where the workload has no circuit for it."""
    try:
        return _inventory(_prepared(design, workload), design.lut_inputs, design.copies)
    except InputError:  # `simulate` has made this a failed Run, with the reason
        return {}


def accuracy(design: Design, run: Run, workload: Classification) -> Accuracy | None:
    """How often the circuit is right on the test samples; None where nobody knows what is right."""
    return _accuracy(_prepared(design, workload))


def run_with_numbers(
    design: Design, classifier: Classifier, gaps: np.ndarray | None = None, ready: np.ndarray | None = None
) -> NumbersRun:
    """All samples of a finished classifier, one by one.

    `gaps` (n_samples,) are the cycles by which each sample is offered later than it could be (None: none), `ready` is
    the pattern, repeated for ever, of the cycles in which the readers of all copies are ready (None: always). Cycle 0
    is the first one in which a sample can be offered.
    """
    n_samples = len(classifier.samples)
    gaps = np.zeros(n_samples, dtype=np.int64) if gaps is None else np.asarray(gaps, dtype=np.int64)
    ready = np.ones(1, dtype=np.uint8) if ready is None else np.asarray(ready, dtype=np.uint8)
    if gaps.shape != (n_samples,) or (gaps < 0).any():
        raise InputError(f"gaps: wanted {n_samples} numbers of 0 or more, one a sample, got shape {gaps.shape}")
    if not ready.any():
        raise InputError("ready: wanted a pattern with a cycle in which the reader is ready, got none")
    prepared = _prepare(design, classifier)
    accept, answer = np.zeros(n_samples, dtype=np.int64), np.zeros(n_samples, dtype=np.int64)
    for copy in range(min(design.copies, n_samples)):
        of_copy = slice(copy, None, design.copies)
        n_of_copy = len(range(n_samples)[of_copy])
        times = run_with_stalls(n_of_copy, prepared.circuit.n_stages, np.ascontiguousarray(gaps[of_copy]), ready)
        accept[of_copy], answer[of_copy] = times
    return NumbersRun(
        outputs=_outputs(prepared, design.copies),
        accept_cycles=accept,
        answer_cycles=answer,
        activity=_activity(prepared, design.copies, _values(prepared.samples, design.copies)),
    )


def roofline_cycles(n_samples: int, copies: int) -> int:
    """Cycles that nothing goes below: every copy takes a sample a cycle."""
    return -(-n_samples // copies)


# Shared work.


@dataclass(frozen=True)
class _Work:
    """A workload that is equal to another of the same content, so that what is made of it can be kept."""

    digest: str
    workload: Classification = field(compare=False)


@dataclass(frozen=True)
class _Samples:
    """A mapped netlist and what it is run on; equal where both have the same content."""

    digest: bytes
    netlist: Netlist = field(compare=False)
    packed: np.ndarray = field(compare=False)  # (n_inputs, n_words) uint64
    n_samples: int = field(compare=False)


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A circuit in stages, with its samples."""

    classifier: Classifier
    circuit: Circuit
    samples: _Samples
    settled: np.ndarray  # (n_luts,) bool: value of each LUT before its bank holds a sample
    n_readings: np.ndarray  # (n_signals,) int64: banks that hold each signal
    runs: dict[int, Run] = field(default_factory=dict)  # by copies, without what depends on the clock


@dataclass(frozen=True, eq=False)
class _Values:
    """What a mapped netlist answers, and how often each signal changes."""

    answers: np.ndarray  # (n_outputs, n_words) uint64
    changes: np.ndarray  # (n_signals,) int64, from zeros on
    first_ones: np.ndarray  # (n_signals,) int64: copies whose first sample sets the signal


# All that a circuit depends on.
_CIRCUIT = attrgetter(*(field.name for field in fields(Design) if field.name not in ("copies", "clock_mhz", "node_nm")))


def _prepared_or_refusal(design: Design, workload: Classification) -> _Prepared | str:
    try:
        return _prepared(design, workload)
    except InputError as error:
        return str(error)


def _prepared(design: Design, workload: Classification) -> _Prepared:
    return _prepared_of(_circuit_fields(design), _Work(workload.digest, workload))


@lru_cache(maxsize=_KEPT)
def _prepared_of(design: Design, work: _Work) -> _Prepared:
    return _prepare(design, classifier_of(design, work.workload))


@lru_cache(maxsize=_KEPT)
def _circuit_fields(design: Design) -> Design:
    """The design with everything at its default that the circuit does not depend on."""
    return replace(design, copies=Design.copies, clock_mhz=Design.clock_mhz, node_nm=Design.node_nm)


def _prepare(design: Design, classifier: Classifier) -> _Prepared:
    circuit = circuit_of(design, classifier.netlist)
    netlist = circuit.netlist
    if not len(classifier.samples):
        raise InputError("samples: wanted at least one to run the circuit on, got none")
    n_readings = np.zeros(netlist.n_inputs + netlist.n_luts, dtype=np.int64)
    for bank in circuit.banks:
        n_readings[bank] += 1
    settled = settle_on_zeros(
        netlist.n_inputs,
        netlist.fanin_start,
        netlist.fanin,
        netlist.table_start,
        netlist.tables,
        circuit.stages,
    )
    return _Prepared(
        classifier=classifier,
        circuit=circuit,
        samples=_first_of_equals(_samples(netlist, classifier.samples)),
        settled=settled.astype(bool),
        n_readings=n_readings,
    )


def _samples(netlist: Netlist, bits: np.ndarray) -> _Samples:
    packed = pack_samples(bits)
    found = hashlib.sha256(f"{netlist.n_inputs} {netlist.n_luts} {netlist.n_outputs} {len(bits)} ".encode())
    for array in (netlist.fanin_start, netlist.fanin, netlist.table_start, netlist.tables, netlist.outputs, packed):
        found.update(np.ascontiguousarray(array).data)
    return _Samples(found.digest(), netlist, packed, len(bits))


@lru_cache(maxsize=_KEPT)
def _first_of_equals(samples: _Samples) -> _Samples:
    """So that designs that differ in their pipelining only do not each hold the samples."""
    return samples


@lru_cache(maxsize=_KEPT)
def _values(samples: _Samples, copies: int) -> _Values:
    return _values_of(samples, [copies])[0]


def _values_of(samples: _Samples, copies: Sequence[int]) -> list[_Values]:
    """For each number of copies; samples are evaluated once."""
    netlist = samples.netlist
    tables = expand(netlist.n_inputs, netlist.fanin_start, netlist.fanin, netlist.table_start, netlist.tables)
    outputs = netlist.outputs.astype(np.int64)
    constants = np.where(outputs == CONSTANT_1, N_PAIR - 1, 0)
    rows = np.where(outputs >= 0, N_PAIR + outputs, constants)
    answers = np.zeros((netlist.n_outputs, samples.packed.shape[1]), dtype=np.uint64)
    counts = np.array(copies, dtype=np.int64)
    counted = evaluate_and_count(*tables, rows, samples.packed, answers, samples.n_samples, counts)
    return [_Values(answers, changes, first_ones) for changes, first_ones in zip(*counted, strict=True)]


def _outputs(prepared: _Prepared, copies: int) -> np.ndarray:
    """(n_samples, n_outputs) uint8."""
    return unpack_samples(_values(prepared.samples, copies).answers, prepared.samples.n_samples)


@lru_cache(maxsize=_KEPT)
def _inventory(prepared: _Prepared, lut_inputs: int, copies: int) -> Inventory:
    return lut_inventory(prepared.circuit, lut_inputs=lut_inputs, copies=copies)


@lru_cache(maxsize=_KEPT)
def _accuracy(prepared: _Prepared) -> Accuracy | None:
    """What is answered does not depend on how many copies share the samples."""
    labels = prepared.classifier.labels
    if labels is None or prepared.classifier.answer == "bits":
        return None
    found = prepared.classifier.decode(_outputs(prepared, 1))
    return Accuracy(accuracy=float(np.mean(found == labels)), overflows=None, n_images=len(labels))


# One design point.


def _clocked(run: Run, design: Design) -> Run:
    """The run of a design's circuit at its clock; a failed one as it is."""
    if run.failure is not None:
        return run
    throughput_per_s = design.copies * design.clock_mhz * 1e6
    return made(Run, **{**vars(run), "figures": {**run.figures, "throughput_per_s": throughput_per_s}})


@lru_cache(maxsize=_KEPT)
def _run(prepared: _Prepared, copies: int) -> Run:
    return _run_of(prepared, copies, _values(prepared.samples, copies))


def _runs_of(prepared: _Prepared, copies: Iterable[int]) -> dict[int, Run]:
    """By copies; they go when the circuit goes."""
    if new := [n for n in copies if n not in prepared.runs]:
        for n, values in zip(new, _values_of(prepared.samples, new), strict=True):
            prepared.runs[n] = _run_of(prepared, n, values)
    return prepared.runs


def _run_of(prepared: _Prepared, copies: int, values: _Values) -> Run:
    """The run of a circuit, without what depends on the clock."""
    circuit, n_samples = prepared.circuit, prepared.samples.n_samples
    busy = roofline_cycles(n_samples, copies)
    cycles = busy + circuit.latency_cycles
    phases = {"fill": circuit.latency_cycles, "compute": busy}
    activity = _activity(prepared, copies, values)
    layer = LayerRun(
        name="classifier",
        cycles=cycles,
        phases=phases,
        activity=activity,
        roofline_cycles=busy,
        n_macs=0,
        utilization=n_samples / (copies * cycles),
    )
    return Run(
        cycles=cycles,
        phases=phases,
        activity=activity,
        roofline_cycles=busy,
        layers=(layer,),
        n_inferences=n_samples,
        latency_cycles=circuit.latency_cycles,
        initiation_interval=1 / copies,
        figures={
            "luts": circuit.n_luts_physical * copies,
            "flip_flops": (n_data_bits(circuit) + circuit.n_stages + 1) * copies,
            "lut_levels": circuit.n_levels,
        },
    )


def _activity(prepared: _Prepared, copies: int, values: _Values) -> dict[str, int]:
    """What docs/lut.md counts, over all samples and copies."""
    netlist = prepared.circuit.netlist
    n_samples = prepared.samples.n_samples
    n_busy = min(copies, n_samples)
    # A LUT that is 1 on zeros changes with a first sample that makes it 0, not with one that leaves it 1.
    begins = np.where(prepared.settled, n_busy - 2 * values.first_ones[netlist.n_inputs :], 0)
    toggles = values.changes[netlist.n_inputs :] + begins
    of_role = np.bincount(netlist.roles, weights=toggles, minlength=len(ROLES)).astype(np.int64)
    return {
        "lut_toggles": int(toggles.sum()),
        **{f"lut_toggles_{role}": int(count) for role, count in zip(ROLES, of_role, strict=True)},
        "register_toggles": int(prepared.n_readings @ values.changes),
        "register_loads": int(prepared.n_readings.sum()) * n_samples,
        "inferences": n_samples,
    }


# What does not fit.


def _misfit(design: Design, workload: Classification) -> str | None:
    if workload.classifier is not None:
        if design.output not in (Design.output, workload.classifier.answer):
            return f"output: wanted the default ({Design.output}) on a circuit that is finished, got {design.output}"
        return None
    assert workload.data is not None
    if workload.data.n_classes < 2:
        return f"{workload.name}: wanted 2 or more classes, got {workload.data.n_classes}"
    if not len(workload.data.labels_test):
        return f"{workload.name}: wanted at least one test sample, got none"
    return None
