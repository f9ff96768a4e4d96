"""What a space is judged by: objectives to minimize and constraints to keep; read as text, never run as code."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
# Other units in which a metric may be named: the unit of result rows, and the power of ten of one in the other.
_UNITS = {
    "us": ("ns", 3), "ms": ("ns", 6), "s": ("ns", 9),
    "nj": ("pj", 3), "uj": ("pj", 6), "mj": ("pj", 9), "j": ("pj", 12),
    "mm2": ("um2", 6),
}  # fmt: skip

_CONSTRAINT = re.compile(r"\s*([A-Za-z_0-9]+)\s*(<=|>=|<|>)\s*([-+0-9.eE]+)\s*")


@dataclass(frozen=True)
class Constraint:
    """`metric` compared with `bound`, in units of result rows; rows that fail it are kept, but not on the front."""

    metric: str
    comparison: str
    bound: float
    written: str = field(default="", compare=False)  # as the user wrote it, where that was in another unit

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether a result row keeps the constraint; a row that lacks the metric, as a failed one, does not."""
        value = row.get(self.metric)
        return value is not None and _COMPARE[self.comparison](value, self.bound)

    def __str__(self) -> str:
        return self.written or f"{self.metric} {self.comparison} {self.bound:g}"


def parse_objective(text: str, own_metrics: Sequence[str] = (), *, maximize: bool = False) -> str:
    """The name of a metric as result rows have it; InputError with the nearest right spelling otherwise.

    `text` may name it in another unit (`canonical`). `own_metrics` are those that a family's rows have beside METRICS.
    A metric of which more is better stands under `maximize` only, any other under `minimize` only.
    """
    metric, _ = canonical(text, own_metrics)
    if (metric in MAXIMIZED) != maximize:
        right = "maximize" if metric in MAXIMIZED else "minimize"
        raise InputError(f"wanted {text} under '{right}', got it under '{'maximize' if maximize else 'minimize'}'")
    return metric


def canonical(text: str, own_metrics: Sequence[str] = ()) -> tuple[str, int]:
    """A metric's name in result rows, and the power of ten that takes values of `text` to those of the row.

    Wherever a name has ns, pj or um2, it may have a larger unit: latency_ms is ("latency_ns", 6), edp_mj_ms is
    ("edp_pj_ns", 15), decode_us_per_token is ("decode_ns_per_token", 3). InputError where there is no such metric.
    """
    known = (*METRICS, *own_metrics)
    if text in known:
        return text, 0
    counted, per, rest = text.partition("_per_")  # what is counted per second is of no such unit
    words = [_UNITS.get(word, (word, 0)) for word in counted.split("_")]
    name = "_".join(word for word, _ in words) + per + rest
    if name not in known:
        spelled = (*known, *(other for metric in known for other in _in_other_units(metric)))
        raise InputError(f"wanted a metric ({', '.join(known)}), got {shown(text)}{nearest(text, spelled)}")
    return name, sum(power for _, power in words)


def _in_other_units(metric: str) -> list[str]:
    """Other names of a metric, one unit changed; none of one that has no unit."""
    counted, per, rest = metric.partition("_per_")
    words = counted.split("_")
    return [
        "_".join((*words[:place], unit, *words[place + 1 :])) + per + rest
        for place, word in enumerate(words)
        for unit, (base, _) in _UNITS.items()
        if word == base
    ]


def parse_constraint(text: str, own_metrics: Sequence[str] = ()) -> Constraint:
    """`area_mm2 <= 8` and the like: a metric (as `canonical` takes it), <= >= < or >, a number."""
    match = _CONSTRAINT.fullmatch(text)
    if match is None:
        raise InputError(f"wanted a constraint such as 'area_um2 <= 8e6', got {shown(text)}")
    try:
        written = float(match[3])
    except ValueError:
        written = math.nan
    if not math.isfinite(written):
        raise InputError(f"wanted a finite number after {match[2]!r}, got {shown(match[3])}")
    metric, power = canonical(match[1], own_metrics)
    if not power:
        return Constraint(metric, match[2], written)
    mantissa, _, exponent = match[3].lower().partition("e")
    bound = float(f"{mantissa}e{int(exponent or 0) + power}")  # rounded once, unlike written * 10**power
    if not math.isfinite(bound):
        raise InputError(f"wanted a bound that is finite in the units of {metric}, got {shown(match[3])}")
    return Constraint(metric, match[2], bound, f"{match[1]} {match[2]} {written:g}")
