"""The figure of tail latency against rate: its data and its sentence."""

from __future__ import annotations

from dataclasses import replace

from explore.scenarios.outcome import SystemOutcome
from explore.scenarios.run import Settings, run_system
from explore.scenarios.service import Service
from reports.figures import tail_latency
from reports.style import house_style

MS = 10**9
SETTINGS = Settings(queries=400, bound_ms=5)


def system(name: str, busy_ms: int) -> SystemOutcome:
    service = Service(name=name, busy_ps=(busy_ms * MS,), answer_ps=(busy_ms * MS,))
    return run_system(name, "w", [service], ("server",), SETTINGS, curve=True)


def test_data_sentence_and_drawing() -> None:
    fast, slow, late = system("fast", 1), system("slow", 2), system("late", 6)
    data = tail_latency.tail_latency_data([fast, slow, late], 99)
    assert data is not None and [curve.name for curve in data.curves] == ["fast", "slow", "late"]
    first = data.curves[0]
    assert first.rates_per_s == sorted(first.rates_per_s) and first.largest_per_s in first.rates_per_s
    assert data.bound_ns == 5e6 and first.largest_tail_ns is not None and first.largest_tail_ns <= 5e6
    assert data.curves[2].largest_per_s is None  # takes longer than the bound even alone
    said = tail_latency.takeaway(data)
    assert said.startswith("With 99 % of the queries answered within 5.00 ms: fast ") and "late" not in said
    with house_style():
        figure = tail_latency.draw(data)
    assert len(figure.axes[0].lines) == 3 + 2 + 1  # systems, dots, the bound


def test_no_curves_no_figure() -> None:
    assert tail_latency.tail_latency_data([replace(system("a", 1), curve=())], 99) is None


def test_where_no_rate_keeps_the_bound_the_sentence_says_so() -> None:
    data = tail_latency.tail_latency_data([system("late", 6)], 99)
    assert data is not None
    assert tail_latency.takeaway(data) == "No system answers 99 % of its queries within 5.00 ms at any rate."
