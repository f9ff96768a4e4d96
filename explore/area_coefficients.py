"""From measured slices to coefficients of the area model, and how far the model is off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import nnls

from designs.families.tensor import Design
from designs.technology import Technology, load_technology
from explore.families.tensor.slices import by_slice
from sim.cost import logic_features, nand2_equivalents
from sim.inventory import OFF_CHIP, Inventory
from sim.parts.tensor import tensor_inventory

Measurement = Mapping[str, Any]  # as explore.area_fit stores them
Coefficients = dict[str, dict[str, float]]

# What each kind of part is fitted to. "gates" are NAND2 equivalents by definition and have nothing to fit.
FITTED_FEATURES: dict[str, tuple[str, ...]] = {
    "multiplier": ("rows", "product", "square"),
    "adder": ("constant", "bits"),
    "incrementer": ("bits",),
    "register": ("bits",),
    "cleared_register": ("bits",),
    "enabled_register": ("bits",),
    "counter": ("bits",),
    "mux": ("ways",),
    "shifter": ("levels",),
    "comparator": ("bits",),
    "gate": ("bits",),
}


@dataclass(frozen=True)
class Errors:
    """|model / synthesized - 1| over `n_points` points."""

    n_points: int
    median: float
    percentile_90: float
    worst: float


def synthesized_slices(measurement: Measurement) -> dict[str, float]:
    """NAND2 equivalents of each slice that has logic."""
    return by_slice({module: count * each for module, (count, each) in measurement["modules"].items()})


def model_slices(design: Design, technology: Technology) -> dict[str, float]:
    """NAND2 equivalents of each slice of the inventory that has logic."""
    logic = _logic(tensor_inventory(design))
    return {
        name: sum(part.count * nand2_equivalents(part, technology) for part in parts)
        for name, parts in logic.items()
        if parts
    }


def fit(measurements: Sequence[Measurement]) -> Coefficients:
    """Non-negative least squares over all slices of all points.

    The residual of a slice is weighed by 1 / sqrt(slice x whole design): between its relative error, which would make
    small slices as important as large ones, and its share in the error of the whole, which would not see them.
    """
    columns = [(kind, feature) for kind, features in FITTED_FEATURES.items() for feature in features]
    technology = _all_features()
    rows, goals = [], []
    for measurement in measurements:
        inventory, whole = tensor_inventory(Design(**measurement["design"])), measurement["nand2"]
        for name, nand2 in synthesized_slices(measurement).items():
            found = logic_features({name: inventory.get(name, ())}, technology)
            weight = (nand2 * whole) ** -0.5
            rows.append([weight * found.get(column, 0.0) for column in columns])
            goals.append(weight * nand2)
    solution, _ = nnls(np.array(rows), np.array(goals))
    answer: Coefficients = {kind: {} for kind in FITTED_FEATURES}
    for (kind, feature), value in zip(columns, solution, strict=True):
        answer[kind][feature] = float(f"{value:.4g}")
    return answer


def error(measurement: Measurement, technology: Technology) -> float:
    """model / synthesized - 1 of a whole design's logic."""
    model = sum(model_slices(Design(**measurement["design"]), technology).values())
    return float(model / measurement["nand2"] - 1)


def summary(errors: Iterable[float]) -> Errors:
    """Median, 90th percentile and worst of the magnitudes."""
    sizes = np.abs(np.fromiter(errors, float))
    return Errors(len(sizes), float(np.median(sizes)), float(np.percentile(sizes, 90)), float(sizes.max()))


def memory_bits(design: Design) -> int:
    """Bits of all memories of the inventory."""
    parts = [part for parts in tensor_inventory(design).values() for part in parts if part.kind == "sram"]
    return sum(part.count * part.bits * part.words for part in parts)


def _logic(inventory: Inventory) -> dict[str, tuple[Any, ...]]:
    return {name: tuple(p for p in parts if p.kind not in ("sram", *OFF_CHIP)) for name, parts in inventory.items()}


def _all_features() -> Technology:
    """A technology in which each kind has the features that are fitted; their prices do not matter here."""
    return replace(
        load_technology(45, logic="literature"),
        nand2={kind: dict.fromkeys(features, 1.0) for kind, features in FITTED_FEATURES.items()},
    )
