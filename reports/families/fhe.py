"""Pages of bootstrapping machines: throughput, the memory wall, one bootstrap over time, the circuit's wavefronts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from designs.families.fhe import Design
from designs.tfhe_parameters import SETS
from reports import generic
from reports.figures import memory_wall, stalls, stations, wavefronts
from reports.plan import Plan
from reports.study import DETAILS, Chosen, Row, Study, primary
from reports.tables import metric_column
from reports.units import digits, quantity

COLUMNS = tuple(
    map(
        metric_column,
        ("latency_ns", "area_um2", "energy_pj", "bootstraps_per_s", "bootstrap_latency_ns", "bootstrap_energy_pj"),
    )
)
PRICES = ("hbm", "logic", "scaling", "sram")
FIGURES = (*generic.FIGURES, "front_area_bootstraps", "memory_wall", "stations", "wavefronts", "stalls")


def plans(study: Study, chosen: Sequence[Chosen]) -> Iterator[Plan]:
    """Fronts, the memory wall, where the shown point's time goes, parts, axes."""
    shown = primary(chosen)
    of_shown = f"point {shown.letter}, {shown.role}" if shown else ""
    yield generic.front(study, chosen, "area_um2", "bootstraps_per_s")
    yield from (plan for plan in generic.fronts(study, chosen) if plan.name != "front_area_bootstraps")
    yield Plan(
        "memory_wall", "The memory wall", memory_wall.wall_data(study.ran, chosen),
        memory_wall.takeaway, memory_wall.draw, "fewer than two points stream the key",
    )  # fmt: skip
    yield Plan(
        "stations", f"One bootstrap: {of_shown}", _of_details(shown, "bootstrap", stations.stations_data),
        stations.takeaway, stations.draw, _missing(shown),
    )  # fmt: skip
    yield Plan(
        "wavefronts", f"The circuit: {of_shown}", _of_details(shown, "circuit", wavefronts.wavefronts_data),
        wavefronts.takeaway, wavefronts.draw, _missing(shown),
    )  # fmt: skip
    yield from generic.divided(chosen)
    yield Plan(
        "stalls", "Where cycles go, over all points", stalls.stalls_data(study.ran),
        stalls.takeaway, stalls.draw, "fewer than three points ran",
    )  # fmt: skip
    yield generic.decided(study)


def _of_details(shown: Chosen | None, key: str, data: Any) -> Any:
    found: Mapping[str, Any] = (shown.row.get(DETAILS) or {}) if shown else {}
    return data(shown.letter, found[key], shown.row["point"]["clock_mhz"]) if shown and key in found else None


def _missing(shown: Chosen | None) -> str:
    if shown is None:
        return "no point that ran"
    return str((shown.row.get(DETAILS) or {}).get("missing", "rows alone do not tell"))


def only_point(row: Row) -> str:
    """A study of one point in a sentence."""
    return (
        f"The point makes {digits(row['bootstraps_per_s'])} bootstraps a second on this circuit, which takes "
        f"{quantity(row['latency_ns'], 'ns')} ({row['cycles']:,} cycles), with {quantity(row['area_um2'], 'um2')} and "
        f"{quantity(row['bootstrap_energy_pj'], 'pj')} a bootstrap."
    )


def notes(study: Study) -> list[str]:
    """As of all families, and which parameters these are."""
    return [*_parameter_notes(study), *generic.notes(study)]


def _parameter_notes(study: Study) -> list[str]:
    found = []
    for name in sorted({Design(**row["point"]).parameter_set for row in study.done}):
        worst = max(row["failure_log2"] for row in study.done if Design(**row["point"]).parameter_set == name)
        about = f"{name}: {SETS[name].about}" if name in SETS else "Custom parameters; their security is not rated"
        found.append(f"{about}. A gate fails with a probability of 2^{worst:.0f}, by the formula of docs/tfhe.md.")
    return found


def explanations(nodes: Sequence[int]) -> list[Markup]:
    """How the numbers of the family's rows come about."""
    return [
        *generic.explanations(nodes),
        Markup(
            "<b>Phases</b>: <i>compute</i>, blind rotation at the rate of its busiest station; <i>pipeline latency</i>,"
            " a batch is too small to fill the stations; <i>stall key</i>, a row of the bootstrapping key is waited "
            "for; <i>stall operands</i>, they are not stored yet; <i>stall key switch</i>, that of the batch before is "
            "not done; <i>key fill</i>, the first rows; <i>load</i>, <i>init</i>, <i>extract</i>, where nothing hides "
            "them; <i>drain</i>, the last key switch and its store."
        ),
        Markup(
            "<b>Bootstraps a second</b> are those of this circuit, dependencies and filling included; <b>bootstrap "
            "latency</b> is that of a full batch alone, from the first operand read to the last result written."
        ),
        Markup(
            "<b>Transforms</b> are exact ones modulo a prime, not the floating or fixed-point ones of some published "
            "machines; keys stream from stacked memory, which is outside the chip and has no area here."
        ),
    ]
