"""What `tests/test_families.py` runs the LUT family on: finished circuits, so that nothing is trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from designs.families.lut import Design
from tests.families.lut_twin import random_case as random_circuit
from workloads.classifiers.classifier import Classifier
from workloads.kinds.classification import Classification, classification_of
from workloads.netlist_builder import NetlistBuilder

SMALLEST = Design(lut_inputs=3)


COUNTED_ONLY = ("lut_toggles", "inferences")  # the sum of what roles toggle, which have prices; and samples


def _small() -> Classification:
    """A chain of majorities of three, so that every LUT size leaves several levels."""
    n_inputs = 21
    builder = NetlistBuilder(tuple(f"x{i}" for i in range(n_inputs)))
    majority = [int(index.bit_count() >= 2) for index in range(8)]
    signal = 0
    for first in range(1, n_inputs, 2):
        signal = builder.lut((signal, first, first + 1), majority, "logic")
    samples = np.random.default_rng(0).integers(0, 2, (70, n_inputs), dtype=np.uint8)
    netlist = builder.finish((("y", signal),))
    return classification_of(Classifier(netlist=netlist, samples=samples, labels=None, answer="bits"), "small")


WORKLOAD = _small()
VERIFIED = "lut", {"copies": 1}  # a space and what is pinned for a quick verification


def more_hardware() -> dict[str, tuple[Design, Design]]:
    """What was added -> (design, the same with more of it)."""
    designs = {f"lut_inputs {n}": Design(lut_inputs=n) for n in (3, 4, 6)}
    more = {"copies": 2, "levels_per_stage": 1}
    return {
        f"{field}, {name}": (design, replace(design, **{field: value}))
        for name, design in designs.items()
        for field, value in more.items()
    }


def random_case(seed: int) -> tuple[Design, Classification, dict[str, Any]]:
    """(design, workload that fits it, further arguments of `simulate`)."""
    design, classifier, _, _ = random_circuit(seed)
    return design, classification_of(classifier, "random"), {}
