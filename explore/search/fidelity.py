"""Whether parts of a workload tell which designs are good on the whole: rank correlations, while a search goes on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, spearmanr

LEAST = 0.5  # rank correlation below which a part says too little
FEWEST = 8  # trials that were simulated on both, before anything is said
CONFIDENCE = 0.95  # one-sided, of all objectives together
RANK_VARIANCE = 1.06  # of Spearman's over that of Pearson's, both transformed (Fieller, Hartley and Pearson 1957)


@dataclass(frozen=True)
class Fidelity:
    """What a share of a workload tells of all of it, by the trials that were simulated on both."""

    share: float
    n_trials: int
    correlations: tuple[float, ...]  # Spearman's, one an objective; NaN where all trials are equal in it

    @property
    def least(self) -> float:
        """The smallest; NaN where none is known."""
        return min((value for value in self.correlations if not math.isnan(value)), default=math.nan)

    @property
    def is_doubtful(self) -> bool:
        """Whether one is below LEAST, of FEWEST trials or more."""
        return self.n_trials >= FEWEST and self.least < LEAST

    @property
    def is_refuted(self) -> bool:
        """Whether one is below LEAST even at the upper end of its confidence interval (Fisher's transformation).

        The least of several is looked at, so each has its share of the error (Bonferroni).
        Trials that got to the whole are the best ones, which lie close together: a low correlation of few of them says
        little, so doubt alone ends nothing.
        """
        if not self.is_doubtful:
            return False
        n_known = sum(not math.isnan(value) for value in self.correlations)
        quantile = float(norm.ppf(1 - (1 - CONFIDENCE) / n_known))
        widest = quantile * math.sqrt(RANK_VARIANCE / (self.n_trials - 3))
        return math.atanh(max(self.least, -1 + 1e-12)) + widest < math.atanh(LEAST)


def fidelity_of(share: float, part: Sequence[Sequence[float]], whole: Sequence[Sequence[float]]) -> Fidelity:
    """From the costs of the same trials on a part and on the whole, (n_trials, n_objectives) each."""
    of_part, of_whole = np.array(part, dtype=float), np.array(whole, dtype=float)
    if len(of_part) < 2:
        return Fidelity(share, len(of_part), ())
    pairs = zip(of_part.T, of_whole.T, strict=True)
    return Fidelity(share, len(of_part), tuple(_correlation(one, other) for one, other in pairs))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return math.nan
    return float(spearmanr(one, other).statistic)
