"""Metrics in other units: one canonical name, bounds in the units of rows."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designs.errors import InputError
from designs.objectives import Constraint, canonical, parse_constraint, parse_objective


@pytest.mark.parametrize(
    ("text", "metric", "power"),
    [
        ("latency_ns", "latency_ns", 0),
        ("latency_us", "latency_ns", 3),
        ("latency_ms", "latency_ns", 6),
        ("latency_s", "latency_ns", 9),
        ("energy_nj", "energy_pj", 3),
        ("energy_uj", "energy_pj", 6),
        ("energy_mj", "energy_pj", 9),
        ("energy_j", "energy_pj", 12),
        ("area_mm2", "area_um2", 6),
        ("edp_mj_ms", "edp_pj_ns", 15),
        ("edp_pj_ms", "edp_pj_ns", 6),
        ("decode_us_per_token", "decode_ns_per_token", 3),
        ("bootstrap_energy_uj", "bootstrap_energy_pj", 6),
        ("bootstraps_per_s", "bootstraps_per_s", 0),
    ],
)
def test_units(text: str, metric: str, power: int) -> None:
    assert canonical(text, ("bootstrap_energy_pj", "bootstraps_per_s")) == (metric, power)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("latency_mss", "latency_ms"),
        ("area_m2", "area_um2"),
        ("tokens_per_ms", "tokens_per_s"),
        ("tokens_per_ns", "tokens_per_s"),
        ("decode_ns_per_tokens", "decode_ns_per_token"),
        ("energy_mJ", "energy_mj"),
        ("cycles_ms", None),
    ],
)
def test_what_is_no_metric_in_any_unit(text: str, hint: str | None) -> None:
    with pytest.raises(InputError, match=r"wanted a metric \(") as caught:
        parse_objective(text)
    assert (hint is None) or str(caught.value).endswith(f"(did you mean {hint!r}?)")


def test_objectives_are_canonical_and_keep_their_direction() -> None:
    assert parse_objective("energy_mj") == "energy_pj"
    with pytest.raises(InputError, match="wanted area_mm2 under 'minimize', got it under 'maximize'"):
        parse_objective("area_mm2", maximize=True)


@pytest.mark.parametrize(
    ("text", "bound", "shown"),
    [
        ("area_mm2 <= 8", 8e6, "area_mm2 <= 8"),
        ("area_mm2<=8.1e-1", 810_000.0, "area_mm2 <= 0.81"),
        ("latency_ms < 16.1", 16_100_000.0, "latency_ms < 16.1"),
        ("energy_j > .000000000007", 7.0, "energy_j > 7e-12"),
        ("area_um2 <= 8e6", 8e6, "area_um2 <= 8e+06"),
    ],
)
def test_bounds_are_exact_in_units_of_rows(text: str, bound: float, shown: str) -> None:
    found = parse_constraint(text)
    assert found.bound == bound and str(found) == shown
    assert found == Constraint(found.metric, found.comparison, bound)


def test_a_bound_that_is_finite_in_one_unit_only_is_refused() -> None:
    with pytest.raises(InputError, match="wanted a bound that is finite in the units of energy_pj, got '1e300'"):
        parse_constraint("energy_j <= 1e300")


@given(st.integers(1, 10**15), st.sampled_from(((0, "ns"), (3, "us"), (6, "ms"), (9, "s"))))
def test_a_row_on_the_bound_keeps_it_in_every_unit(latency_ns: int, unit: tuple[int, str]) -> None:
    power, name = unit
    bound = str(Decimal(latency_ns).scaleb(-power)).replace("+", "")
    assert parse_constraint(f"latency_{name} <= {bound}").holds({"latency_ns": float(latency_ns)})
    assert not parse_constraint(f"latency_{name} < {bound}").holds({"latency_ns": float(latency_ns)})
