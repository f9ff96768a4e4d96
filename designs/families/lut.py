"""LUT machines: a classifier that is a pipeline of look-up tables, without multipliers or memories (docs/lut.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from designs.errors import DesignError
from designs.ranges import check_ranges


@dataclass(frozen=True, kw_only=True)
class Design:
    """One LUT machine. Every field is a YAML key of `family: lut`.

    The first group says which classifier is trained where the workload is a data set; where it is a finished circuit,
    those fields say nothing.
    """

    classifier: Literal["rinc", "boosted"] = "rinc"  # PoET-BiN's mimicry of a teacher, or trees boosted on the labels
    tree_inputs: int = 6  # binary features of a tree (P): a tree is one LUT of as many inputs
    rinc_levels: int = 1  # nesting of boosting in a module (L) of `rinc`; 0 is a lone tree
    top_modules: int = 0  # modules of the outermost boosting of `rinc`; 0: tree_inputs of them
    neurons_per_class: int = 6  # intermediate neurons that a class's score reads, `rinc` only
    trees_per_class: int = 12  # trees that vote for a class, `boosted` only
    score_bits: int = 4  # bits of a score table (`rinc`) or of a tree's vote (`boosted`, 1: yes or no, counted)
    thresholds: int = 3  # comparators of a feature that is not binary
    node_entropy: Literal["per_node", "by_mass"] = "per_node"  # `rinc`: released code, or nodes weighted by their mass
    training_seed: int = 0

    output: Literal["class", "scores"] = "class"  # argmax inside the circuit, or the scores of all classes
    lut_inputs: int = 6  # inputs of a LUT of the fabric, 3-6
    fracturable: bool = False  # a LUT also holds two functions of lut_inputs - 1 inputs in all
    levels_per_stage: int = 0  # LUT levels between pipeline registers; 0: none inside
    copies: int = 1  # equal pipelines side by side, each with streams of its own
    clock_mhz: int = 100
    node_nm: int = 45  # technology node, see designs/technology

    def check(self) -> None:
        """Raise DesignError, naming the field and the remedy, where the machine cannot be built."""
        check_ranges(self, _RANGES)
        if self.classifier == "rinc" and self.top_modules > self.tree_inputs:
            raise DesignError(
                "top_modules", f"wanted at most tree_inputs ({self.tree_inputs}), 0 means all, got {self.top_modules}"
            )
        if self.classifier == "rinc" and self.neurons_per_class > self.tree_inputs:
            raise DesignError(
                "neurons_per_class",
                f"wanted at most tree_inputs ({self.tree_inputs}), as a score bit is one LUT, "
                f"got {self.neurons_per_class}",
            )

    @property
    def trained(self) -> tuple[object, ...]:
        """Everything that a training depends on: machines that agree in it share one."""
        return tuple(getattr(self, field) for field in TRAINING_FIELDS)


TRAINING_FIELDS = (
    "classifier",
    "tree_inputs",
    "rinc_levels",
    "top_modules",
    "neurons_per_class",
    "trees_per_class",
    "score_bits",
    "thresholds",
    "node_entropy",
    "training_seed",
)

# Columns of a result row beside those of all families.
METRICS = ("luts", "flip_flops", "lut_levels", "throughput_per_s")

_RANGES = (
    ("tree_inputs", 2, 8),
    ("rinc_levels", 0, 3),
    ("top_modules", 0, 8),
    ("neurons_per_class", 1, 8),
    ("trees_per_class", 1, 100),
    ("score_bits", 1, 8),
    ("thresholds", 1, 15),
    ("training_seed", 0, 2**31 - 1),
    ("lut_inputs", 3, 6),
    ("levels_per_stage", 0, 64),
    ("copies", 1, 16),
    ("clock_mhz", 1, 2000),
)
