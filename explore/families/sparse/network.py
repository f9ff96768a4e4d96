"""The matrices of a workload on the RTL of one sparse machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from designs.errors import InputError
from designs.families.sparse import Design
from explore.families.sparse.cases import Case, differences, expected_of, free, stalled
from explore.verify import Difference, NetworkResult
from hw.bench.simulator import SimulatorName
from hw.bench.sparse import run_layers, sparse_verilog
from workloads.kinds.matrices import Matrices
from workloads.mapping.sparse import refusal
from workloads.sparse.layer import SparseLayer


def verify_network(
    design: Design,
    workload: Matrices,
    n_images: int,
    *,
    simulator: SimulatorName | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NetworkResult:
    """Run each matrix on `n_images` vectors back to back, and again with stalls; bits, cycles and activity compared.

    A layer with vectors of its own is run on the first `n_images` of them, the others on random ones. Each layer is
    run once, however often the workload repeats it. Raises InputError where n_images is below 1 or a matrix does not
    fit the machine.
    """
    if n_images < 1:
        raise InputError(f"images: wanted at least 1, got {n_images}")
    layers = [_with_vectors(layer, n_images) for layer in workload.layers]
    for layer in layers:
        if reason := refusal(design, layer):
            raise InputError(f"{workload.name}: {layer.name}: {reason}")
    verilog, rng = sparse_verilog(design), np.random.default_rng(0)
    found: list[Difference] = []
    simulated_cycles = rtl_cycles = n_overflows = n_shown = 0
    for number, layer in enumerate(layers):
        cases = [free(layer), stalled(design, layer, rng)]
        with tempfile.TemporaryDirectory(prefix="lockstep-network-") as folder:
            stimuli = [case.stimulus for case in cases]
            runs = run_layers(design, stimuli, work_dir=Path(folder), simulator=simulator, verilog=verilog)
        for case, run in zip(cases, runs, strict=True):
            expected = expected_of(design, case)
            found += [_placed(case, one) for one in differences(expected, run)]
            simulated_cycles += expected.cycles
            rtl_cycles += run.cycles
            n_overflows += run.activity["overflows"]
        if progress:
            n_done = n_images * (number + 1) // len(layers)
            progress(n_done - n_shown, n_images)
            n_shown = n_done
    n_vectors = sum(layer.n_vectors for layer in layers)
    return NetworkResult(
        workload=workload.name,
        n_samples=n_vectors,
        n_cases=2 * n_vectors,
        labels=None,
        expected_labels=None,
        true_labels=None,
        n_overflows=n_overflows,
        simulated_cycles=simulated_cycles,
        rtl_cycles=rtl_cycles,
        differences=tuple(found),
    )


def _with_vectors(layer: SparseLayer, n_vectors: int) -> SparseLayer:
    if layer.vectors is None:
        return replace(layer, n_vectors=n_vectors)
    n_kept = min(n_vectors, layer.n_vectors)
    return replace(layer, n_vectors=n_kept, vectors=layer.vectors[:n_kept])


def _placed(case: Case, difference: Difference) -> Difference:
    return replace(difference, where=f"{case.layer.name}, {case.traffic}: {difference.where}")
