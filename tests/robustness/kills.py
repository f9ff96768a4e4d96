"""Sweeps of the shipped space, killed at random instants and resumed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from designs.space import load_space
from explore.store import Row, Store
from explore.sweep import sweep
from workloads.load import load_workload

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 120.0  # to a sweep's first new row, the simulator's compilation included
PINS = {"act_bits": "8", "weight_bits": "8"}  # the digits network has 8-bit numbers


def try_kills(folder: Path, n_kills: int, n_points: int, seed: int) -> tuple[list[str], list[str]]:
    """(lines of a summary, failures). Three of four kills come just after a row was kept, the fourth at any instant."""
    began = time.monotonic()
    assert _start(folder / "undisturbed.sqlite", n_points).wait() == 0
    seconds = time.monotonic() - began
    undisturbed = _rows(folder / "undisturbed.sqlite", n_points)
    draw = random.Random(seed)
    killed_store, failures = folder / "killed.sqlite", []
    n_running, kept, counts = 0, 0, []
    for attempt in range(n_kills):
        if kept == n_points:  # done too early: begin again, so that every kill has something to lose
            failures += _differences(_rows(killed_store, n_points), undisturbed, f"before kill {attempt}")
            _remove(killed_store)
            kept = 0
        running = _start(killed_store, n_points)
        if attempt % 4 < 3:  # while rows are computed; else anywhere, also while Python starts and the file is made
            _wait_for_a_row(killed_store, kept, running)
        time.sleep(draw.uniform(0.0, 0.8 if attempt % 4 < 3 else 4.0))
        os.kill(running.pid, signal.SIGKILL)
        n_running += running.wait() == -signal.SIGKILL
        now = _count(killed_store)
        if now < kept:
            failures.append(f"kill {attempt}: {kept} rows were kept, {now} are left")
        kept = now
        counts.append(kept)
    if _start(killed_store, n_points).wait() != 0:
        failures.append("the resumed sweep failed")
    resumed = _rows(killed_store, n_points)
    failures += _differences(resumed, undisturbed, "resumed")
    if 2 * n_running < n_kills:
        failures.append(f"only {n_running} of {n_kills} kills met a running sweep")
    return [
        f"undisturbed sweep: {len(undisturbed)} rows in {seconds:.1f} s",
        f"kills: {n_kills}, of a running sweep: {n_running}",
        f"rows in the store after each kill: {' '.join(map(str, counts))}",
        f"rows after the resumed sweep: {len(resumed)}, equal to the undisturbed ones: {resumed == undisturbed}",
    ], failures


def _start(store: Path, n_points: int) -> subprocess.Popen[bytes]:
    pins = [word for name, value in PINS.items() for word in ("--set", f"{name}={value}")]
    return subprocess.Popen(
        [sys.executable, "-c", "import sys; from lockstep.cli import main; sys.exit(main())", "sweep",
         "designs/tensor.yaml", "--workload", "digits_cnn", "--limit", str(n_points), "--store", str(store),
         "--workers", "2", "--json", *pins],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _rows(store: Path, n_points: int) -> list[Row]:
    """The rows of a finished store, with their layers, in the order of the sweep; nothing is computed here."""
    space = load_space("tensor").pin(PINS)
    with Store(store, must_exist=True) as opened:
        found = sweep(space, load_workload("digits_cnn"), opened, workers=1, limit=n_points)
        assert found.computed == 0, f"{found.computed} rows were missing (were sources edited meanwhile?)"
        detailed = {str(row["point"]): row for row in opened.rows(layers=True)}
    return [detailed[str(row["point"])] for row in found.rows]


def _count(store: Path) -> int:
    if not store.exists():
        return 0
    with Store(store) as opened:
        return len(opened)


def _wait_for_a_row(store: Path, kept: int, running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while running.poll() is None and _count(store) <= kept and time.monotonic() < deadline:
        time.sleep(0.02)


def _remove(store: Path) -> None:
    for path in store.parent.glob(store.name + "*"):
        path.unlink()


def _differences(rows: list[Row], undisturbed: list[Row], when: str) -> list[str]:
    if len(rows) != len(undisturbed):
        return [f"{when}: {len(rows)} rows, undisturbed {len(undisturbed)}"]
    pairs = enumerate(zip(rows, undisturbed, strict=True))
    return [f"{when}: row {index} differs: {row['point']}" for index, (row, good) in pairs if row != good]
