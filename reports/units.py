"""Numbers for people: a unit that fits, three significant digits, no digit that means nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Unit(NamedTuple):
    """`shown = stored / factor`, with `label` behind it."""

    factor: float
    label: str


# What a result row's key is stored in, and the larger units it may be shown in, smallest first.
_LADDERS: dict[str, tuple[Unit, ...]] = {
    "ns": (Unit(1, "ns"), Unit(1e3, "µs"), Unit(1e6, "ms"), Unit(1e9, "s")),
    "um2": (Unit(1, "µm²"), Unit(1e6, "mm²")),
    "pj": (Unit(1, "pJ"), Unit(1e3, "nJ"), Unit(1e6, "µJ"), Unit(1e9, "mJ"), Unit(1e12, "J")),
    "per_s": (Unit(1, "/s"), Unit(1e3, "k/s"), Unit(1e6, "M/s"), Unit(1e9, "G/s")),
    "bytes": (Unit(1, "B"), Unit(1024, "KiB"), Unit(1024**2, "MiB"), Unit(1024**3, "GiB")),
}
_FULL_NAMES = {
    "luts": "LUTs", "lut_levels": "LUT levels", "edp_pj_ns": "energy × delay", "roofline_cycles": "bound",
    "encode_ns": "encode latency", "encode_pj": "encode energy",
    "prefill_ns": "prefill latency", "prefill_pj": "prefill energy",
    "decode_ns_per_token": "decode latency per token", "decode_pj_per_token": "decode energy per token",
    "tokens_per_s": "decoded tokens",
}  # fmt: skip
_OF_A_METRIC = re.compile(r"_(ns|um2|pj|per_s)$")
_SMALLEST_SHOWN = {"um2": 0.01}  # 12 000 µm² reads better as 0.012 mm²; elsewhere a unit starts at 1


def unit_for(values: Iterable[float], stored: str) -> Unit:
    """The unit (of the ladder of `stored`: ns, um2, pj, bytes) in which the geometric middle of `values` reads best."""
    ladder = _LADDERS[stored]
    positive = [v for v in values if v > 0]
    if not positive:
        return ladder[0]
    middle = math.sqrt(min(positive) * max(positive))
    fitting = [unit for unit in ladder if middle / unit.factor >= _SMALLEST_SHOWN.get(stored, 1)]
    return fitting[-1] if fitting else ladder[0]


def digits(value: float) -> str:
    """Three significant digits, never an exponent; whole numbers from 100 up, with thousands separated by commas."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    rounded = round(value, decimals)
    decimals = max(0, 2 - math.floor(math.log10(abs(rounded))))  # 9.996 becomes 10.0, not 10.00
    return f"{rounded:,.{decimals}f}"


def plain(value: float) -> str:
    """A tick label: three significant digits with no trailing zeros."""
    text = digits(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity(value: float, stored: str) -> str:
    """`value` with the unit that fits it: quantity(12_345, "ns") == "12.3 µs"."""
    unit = unit_for([value], stored)
    return f"{digits(value / unit.factor)} {unit.label}"


def percent(share: float) -> str:
    """A share of one as whole per cent; what would round to 0 or 100 without being it is told apart."""
    if 0 < share < 0.005:
        return "< 1 %"
    if 0.995 <= share < 1:
        return "> 99 %"
    return f"{100 * share:.0f} %"


def ratio(larger: float, smaller: float) -> str:
    """How many times `larger` is `smaller`: "3.40×"; "inf" where `smaller` is 0."""
    return f"{digits(larger / smaller)}×" if smaller else "inf"


def parameter(value: object) -> str:
    """A design parameter as the user wrote it, with thousands separated."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def metric_name(metric: str) -> str:
    """A metric of result rows in words, without its unit: metric_name("area_um2") == "area"."""
    return _FULL_NAMES.get(metric) or _OF_A_METRIC.sub("", metric).replace("_", " ")


def part_name(part: str) -> str:
    """A part or phase of a breakdown in words: part_name("weight_scratchpad") == "weight scratchpad"."""
    return {"dram": "DRAM", "pe": "PEs"}.get(part, part.replace("_", " "))


def capital(text: str) -> str:
    """The first letter large, the others as they are."""
    return text[:1].upper() + text[1:]


def metric_unit(metric: str, values: Iterable[float]) -> Unit:
    """The unit to show some values of a metric in; without a label where it counts something."""
    if metric in ("accuracy", "utilization", "multiply_utilization"):
        return Unit(0.01, "%")
    stored = "per_s" if metric.endswith("_per_s") else metric.removesuffix("_per_token").rsplit("_", 1)[-1]
    return unit_for(values, stored) if stored in _LADDERS and metric != "edp_pj_ns" else Unit(1, "")


def readable_unit(metric: str, values: Iterable[float]) -> Unit:
    """As `metric_unit`; of numbers of a million and more without a unit that fits, a power of ten: "10¹⁵ pJ·ns"."""
    values = list(values)
    unit = metric_unit(metric, values)
    largest = max(map(abs, values), default=0.0)
    if unit.label or largest < 1e6:
        return unit
    exponent = 3 * (math.floor(math.log10(largest)) // 3)
    return Unit(10.0**exponent, f"10{superscript(exponent)}{' pJ·ns' if metric == 'edp_pj_ns' else ''}")


def superscript(number: int) -> str:
    """Digits of an exponent."""
    return str(number).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))


def metric_text(value: float, metric: str) -> str:
    """A value of a metric with its unit; of accuracy to a tenth of a per cent."""
    if metric == "accuracy":
        return f"{100 * value:.1f} %"
    unit = metric_unit(metric, [value])
    whole = unit.label == "" and float(value).is_integer()
    return f"{value:,.0f}" if whole else f"{digits(value / unit.factor)} {unit.label}".strip()


def more(larger: float, smaller: float, what: str) -> str:
    """By how much `larger` exceeds `smaller`: "3.40× the area", or "4 % more area" where they are close."""
    return (
        f"{percent(larger / smaller - 1)} more {what}"
        if larger < 1.1 * smaller
        else f"{ratio(larger, smaller)} the {what}"
    )


def settings(parameters: Mapping[str, object]) -> str:
    """Parameters on one line: "array_rows 16, dataflow weight_stationary"."""
    return ", ".join(f"{name} {parameter(value)}" for name, value in parameters.items())


def listing(items: Iterable[str], last: str = "and") -> str:
    """ "a, b and c"."""
    words = list(items)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else ""
