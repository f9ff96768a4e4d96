"""Numbers for people: a unit that fits, three significant digits, no digit that means nothing."""

from __future__ import annotations

import math
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
    "bytes": (Unit(1, "B"), Unit(1024, "KiB"), Unit(1024**2, "MiB"), Unit(1024**3, "GiB")),
}
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
