"""A classifier that is finished: its circuit, and the samples to run it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from workloads.netlist import Netlist

Answer = Literal["class", "scores", "bits"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Classifier:
    """A circuit with what it reads and how its outputs are to be read.

    `answer` says what the outputs are: "class", the index of a class, least significant bit first; "scores", for each
    class in turn a two's complement number of `score_bits` bits, least significant first, and the largest (the first of
    equals) is the answer; "bits", nothing that is known here.
    """

    netlist: Netlist
    samples: np.ndarray  # (n_samples, n_inputs) uint8 of 0 and 1: the test samples, bit by bit as the circuit reads
    labels: np.ndarray | None  # (n_samples,) int64, None where nobody knows
    answer: Answer
    n_classes: int = 0
    score_bits: int = 0  # of each class's output where `answer` is "scores"
    facts: Mapping[str, float] = field(default_factory=dict)  # what training measured: train_seconds, teacher_accuracy

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Class of each sample: (n_samples, n_outputs) of 0 and 1 -> (n_samples,) int64. Not for answer "bits"."""
        bits = np.asarray(outputs, dtype=np.int64)
        if self.answer == "class":
            return bits @ (1 << np.arange(bits.shape[1]))
        weights = 1 << np.arange(self.score_bits)
        weights[-1] = -weights[-1]
        return (bits.reshape(len(bits), self.n_classes, self.score_bits) @ weights).argmax(axis=1)
