"""Published bootstrapping accelerators beside ours: rates by hand, and every row's reason."""

from __future__ import annotations

import pytest

from explore.reproduce import tfhe_accelerators as table


def by_name(machine: str, what: str) -> table.Published:
    return next(p for p in table.PUBLISHED if p.machine == machine and p.what.startswith(what))


@pytest.mark.parametrize(
    ("machine", "what", "cycles_a_step", "n_steps", "cores", "clock_mhz"),
    [
        ("Strix", "set I ", 2 * 128, 500, 8, 1200),  # two groups of 1024 / 8 words
        ("Strix", "set II ", 3 * 128, 630, 8, 1200),
        ("Morphling", "set I", 2 * 32, 500, 4, 1200),
        ("FPT", "its own set", 3 * 4, 586, 1, 200),
        ("HPU", "batch 12", 2 * 16, 879, 1, 400),
    ],
)
def test_steady_rate_is_that_of_the_busiest_station(machine, what, cycles_a_step, n_steps, cores, clock_mhz) -> None:
    peak = cores * clock_mhz * 1e6 / (n_steps * cycles_a_step)
    assert 0.97 * peak < table.steady_per_s(table.design_of(by_name(machine, what))) <= peak


def test_a_small_batch_does_not_fill_the_pipeline() -> None:
    rates = [table.steady_per_s(table.design_of(by_name("HPU", f"batch {n}"))) for n in (2, 9, 12)]
    assert rates == sorted(rates) and rates[0] < rates[2] / 5


def test_every_row_that_differs_says_why() -> None:
    found = table.reproduce(None)
    assert len(found.rows) == len(table.PUBLISHED) + sum(p.latency_us is not None for p in table.PUBLISHED)
    assert all(row.differs_because and row.certainty and row.source for row in found.rows)
    far = [row for row in found.rows if row.unit == "1/s" and row.error is not None and abs(row.error) > 0.1]
    assert far and all(row.differs_because != table._SAME for row in far)  # what is said of a few percent does not do
