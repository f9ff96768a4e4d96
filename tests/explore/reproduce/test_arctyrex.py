"""Devices of the published ratio, and the table on small circuits."""

from __future__ import annotations

import pytest

from explore.reproduce import arctyrex
from explore.reproduce.arctyrex import Setting, cpu, gpu, measure
from workloads.circuits.named import named_circuit
from workloads.circuits.random_circuits import random_circuit


def test_a_device_does_six_times_what_the_threads_do() -> None:
    (threads,) = cpu().devices
    for workers in (arctyrex.WORKERS, *arctyrex.OTHER_WORKERS):
        assert gpu("a", workers).bootstraps_per_s / threads.bootstraps_per_s == pytest.approx(6)


def test_wide_circuits_scale_and_narrow_ones_do_not() -> None:
    narrow, wide = (random_circuit(1, 3 * width, width=width, not_share=0) for width in (200, 20_000))
    for circuit, least, most in ((narrow, 0.9, 1.1), (wide, 6.5, 8)):
        one, eight = (measure(circuit, Setting().system(n), Setting()).seconds for n in (1, 8))
        assert least < one / eight < most


def test_the_table_of_small_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arctyrex, "PROGRAMS", ("adder", "multiplier"))
    monkeypatch.setattr(arctyrex, "CHOSEN", "multiplier")
    monkeypatch.setattr(arctyrex, "WIDTHS", (64,))
    monkeypatch.setattr(arctyrex, "MANY", 400)
    monkeypatch.setattr(arctyrex, "_program", lambda name: named_circuit(f"{name}:6"))
    steps: list[tuple[str, int, int]] = []
    table = arctyrex.reproduce(lambda *step: steps.append(step))
    rows = {row.quantity: row for row in table.rows}
    assert len(rows) == len(table.rows)
    scaling = rows["multiplier: 8 devices over one"]
    assert scaling.published == pytest.approx(40 / 6) and scaling.differs_because
    assert all(row.differs_because for row in table.rows if row.error is not None and abs(row.error) > 0.1)
    copies = -(-400 // named_circuit("adder:6").n_bootstraps)
    one, many = (rows[f"{name}: 8 devices over 256 threads"].ours for name in ("adder", f"adder, {copies} at a time"))
    assert one is not None and many == pytest.approx(one, rel=0.01)  # still narrower than a round
    assert rows["multiplier: gates where their operands are: moved"].ours <= rows["multiplier: moved, 8 devices, even cuts"].ours
    assert steps[0] == ("adder", 0, 3) and steps[-1] == ("devices", 3, 3)
