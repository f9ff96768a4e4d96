"""What a space is judged by: objectives to minimize and constraints to keep; read as text, never run as code."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from designs.errors import InputError
from designs.spelling import nearest, shown

# Of networks that run in stages (docs/families.md); rows of others lack them.
STAGE_METRICS = (
    "encode_ns", "encode_pj", "prefill_ns", "prefill_pj", "decode_ns_per_token", "decode_pj_per_token", "tokens_per_s",
)  # fmt: skip

METRICS = (  # of all families
    "latency_ns",
    "area_um2",
    "energy_pj",
    "cycles",
    "edp_pj_ns",
    "utilization",
    "roofline_cycles",
    "accuracy",
    "overflows",
    *STAGE_METRICS,
)

# Metrics of which more is better: a space names them under `maximize`, all others under `minimize`.
MAXIMIZED = frozenset(
    {
        "utilization",
        "multiply_utilization",
        "accuracy",
        "throughput_per_s",
        "tokens_per_s",
        "bootstraps_per_s",
    }
)

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_CONSTRAINT = re.compile(r"\s*([A-Za-z_0-9]+)\s*(<=|>=|<|>)\s*([-+0-9.eE]+)\s*")


@dataclass(frozen=True)
class Constraint:
    """`metric` compared with `bound`; rows that fail it are kept, but not on the front."""

    metric: str
    comparison: str
    bound: float

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether a result row keeps the constraint; a row that lacks the metric, as a failed one, does not."""
        value = row.get(self.metric)
        return value is not None and _COMPARE[self.comparison](value, self.bound)

    def __str__(self) -> str:
        return f"{self.metric} {self.comparison} {self.bound:g}"


def parse_objective(text: str, own_metrics: Sequence[str] = (), *, maximize: bool = False) -> str:
    """The name of a metric of a result row; InputError with the nearest right spelling otherwise.

    `own_metrics` are those that the rows of a family have beside METRICS. A metric of which more is better stands under
    `maximize` only, any other under `minimize` only.
    """
    _expect_metric(text, own_metrics)
    if (text in MAXIMIZED) != maximize:
        right = "maximize" if text in MAXIMIZED else "minimize"
        raise InputError(f"wanted {text} under '{right}', got it under '{'maximize' if maximize else 'minimize'}'")
    return text


def _expect_metric(text: str, own_metrics: Sequence[str]) -> None:
    known = (*METRICS, *own_metrics)
    if text not in known:
        raise InputError(f"wanted a metric ({', '.join(known)}), got {shown(text)}{nearest(text, known)}")


def parse_constraint(text: str, own_metrics: Sequence[str] = ()) -> Constraint:
    """`area_um2 <= 8e6` and the like: a metric (of all families or `own_metrics`), <= >= < or >, a number."""
    match = _CONSTRAINT.fullmatch(text)
    if match is None:
        raise InputError(f"wanted a constraint such as 'area_um2 <= 8e6', got {shown(text)}")
    try:
        bound = float(match[3])
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise InputError(f"wanted a finite number after {match[2]!r}, got {shown(match[3])}")
    _expect_metric(match[1], own_metrics)
    return Constraint(match[1], match[2], bound)
