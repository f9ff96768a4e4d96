"""What a page tells of named LUT machines beside their rows: how the circuit came about, and perceptrons to compare."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from designs.errors import InputError
from designs.families.lut import Design
from designs.technology import load_technology
from explore.evaluate import model_version
from explore.kept import kept
from sim.baselines import binary_mlp_pj, float_mlp_pj
from workloads.classifiers.baselines import Baseline, binary_perceptron, float_perceptron
from workloads.classifiers.data import DataSet
from workloads.classifiers.encode import thermometer
from workloads.kinds.classification import Classification
from workloads.load import load_workload
from workloads.mapping.lut import circuit_of
from workloads.mapping.lut_classifier import classifier_of
from workloads.netlist import ROLES, Netlist

Row = Mapping[str, Any]


def details(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For each row `circuit`, `training` and `baselines`, or `missing`: why they cannot be told any more.

    `circuit`: LUTs by role, of one copy, as the formula of the classifier has them (None for a finished circuit), as
    `built`, and as `mapped` to the fabric; and n_physical, where two may share one. `training`: what it measured.
    `baselines`: perceptrons on the same data, in as many thresholds, with their accuracy and energy in pJ by slice.
    Classifiers and perceptrons come from the user's cache, or are trained again.
    """
    return [_details(row) for row in rows]


def _details(row: Row) -> dict[str, Any]:
    if row["model_version"] != model_version("lut"):
        return {"missing": "the rows were made by another version"}
    try:
        workload = load_workload(row["workload"])
    except InputError as error:
        return {"missing": f"the workload is not at hand: {error}"}
    if not isinstance(workload, Classification) or workload.digest != row["workload_digest"]:
        return {"missing": f"{row['workload']} is another workload now"}
    design = Design(**row["point"])
    classifier = classifier_of(design, workload)
    circuit = circuit_of(design, classifier.netlist)
    return {
        "circuit": {
            "formula": None if workload.data is None else formula_luts(design, workload.data.n_classes),
            "built": _by_role(classifier.netlist),
            "mapped": _by_role(circuit.netlist),
            "n_physical": circuit.n_luts_physical,
        },
        "training": dict(classifier.facts),
        "baselines": [] if workload.data is None else _baselines(design, row["scaling"], workload.data),
    }


def formula_luts(design: Design, n_classes: int) -> dict[str, int]:
    """LUTs by role of a classifier in which nothing is repeated, constant or overruled, tables of any width being one.

    A RINC module of L levels has P^L trees and (P^L - 1) / (P - 1) MATs, with top_modules on top as many as these.
    """
    if design.classifier == "boosted":
        return {"tree": n_classes * design.trees_per_class * design.score_bits}
    n_trees, n_mats = 1, 0
    for level in range(1, design.rinc_levels + 1):
        is_top = level == design.rinc_levels
        n_members = (design.top_modules or design.tree_inputs) if is_top else design.tree_inputs
        n_trees, n_mats = n_members * n_trees, n_members * n_mats + 1
    n_neurons = n_classes * design.neurons_per_class
    return {"tree": n_neurons * n_trees, "mat": n_neurons * n_mats, "score": n_classes * design.score_bits}


def _by_role(netlist: Netlist) -> dict[str, int]:
    return {role: n for index, role in enumerate(ROLES) if (n := int((netlist.roles == index).sum()))}


def _baselines(design: Design, scaling: Any, data: DataSet) -> list[dict[str, Any]]:
    technology = load_technology(design.node_nm, scaling=scaling)
    found = []
    for baseline in _perceptrons(data, design.thresholds):
        energy = float_mlp_pj if baseline.weight_bits > 1 else binary_mlp_pj
        for weights in ("sram", "dram"):
            parts = energy(baseline.layer_sizes, technology, weights=weights, clock_mhz=design.clock_mhz)
            found.append(
                {
                    "name": baseline.name,
                    "weights": weights,
                    "layer_sizes": list(baseline.layer_sizes),
                    "accuracy": baseline.accuracy,
                    "energy_breakdown_pj": parts,
                }
            )
    return found


def _perceptrons(data: DataSet, n_thresholds: int) -> list[Baseline]:
    """A float and a binary perceptron, from the user's cache or trained."""

    def train() -> list[dict[str, Any]]:
        print(f"page: training two perceptrons on {data.name} to compare with", file=sys.stderr, flush=True)
        encoding = thermometer(data, n_thresholds)
        return [vars(of(data, encoding)) for of in (float_perceptron, binary_perceptron)]

    stored = kept("perceptrons", (data.digest, n_thresholds), ["workloads.classifiers.baselines"], train)
    return [Baseline(**{**one, "layer_sizes": tuple(one["layer_sizes"])}) for one in stored]
