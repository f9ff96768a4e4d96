"""One sweep whose workers are killed at random: every point once, rows as without Dask.

python -m tests.explore.kill_workers --kills 20
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from designs.space import load_space
from explore.store import Store
from explore.sweep import SweepResult, sweep
from tests.explore.clusters import Cluster, cluster
from workloads.load import load_workload

SPACE, WORKLOAD = "tensor", "digits_cnn"


class Killer(threading.Thread):
    """Kills a worker chosen at random each time that the store has come to one of the numbers of rows."""

    def __init__(self, on: Cluster, at_rows: list[int], draw: random.Random, store: Path) -> None:
        super().__init__(daemon=True)
        self._on, self._at_rows, self._draw, self._store = on, at_rows, draw, store
        self.ended = threading.Event()
        self.rows_at_kills: list[int] = []

    def run(self) -> None:
        while len(self.rows_at_kills) < len(self._at_rows) and not self.ended.wait(0.02):
            n_rows = _n_rows(self._store)
            if n_rows > self._at_rows[len(self.rows_at_kills)] and (alive := self._on.worker_processes()):
                time.sleep(self._draw.uniform(0.0, 0.2))
                if _killed(self._draw.choice(alive)):
                    self.rows_at_kills.append(n_rows)


def _killed(process: psutil.Process) -> bool:
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    return True


def _n_rows(file: Path) -> int:
    if not file.exists():
        return 0
    with Store(file) as store:
        return len(store)


def swept_while_killing(n_points: int, n_workers: int, n_kills: int, seed: int) -> tuple[SweepResult, int, list[int]]:
    """(what the sweep answered, rows in its store, rows that were there at each kill)."""
    space, workload = load_space(SPACE), load_workload(WORKLOAD)
    with tempfile.TemporaryDirectory() as folder, cluster() as on:
        file = Path(folder) / "killed.sqlite"
        on.start_workers(n_workers)
        draw = random.Random(seed)
        killer = Killer(on, sorted(draw.randrange(n_points * 9 // 10) for _ in range(n_kills)), draw, file)
        with Store(file) as store:
            killer.start()
            found = sweep(space, workload, store, limit=n_points, cluster=on.address, progress=True)
            killer.ended.set()
            killer.join()
            return found, len(store), killer.rows_at_kills


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--points", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    local = sweep(load_space(SPACE), load_workload(WORKLOAD), limit=options.points)
    began = time.monotonic()
    found, n_stored, kills = swept_while_killing(options.points, options.workers, options.kills, options.seed)
    once = len({str(row["point"]) for row in found.rows}) == len(found.rows) == n_stored == found.computed
    print(f"{SPACE} on {WORKLOAD}: {found.points} points on {options.workers} Dask workers")
    print(f"workers killed: {len(kills)} of {options.kills}, when the store had {' '.join(map(str, kills))} rows")
    print(f"every point computed and stored once: {once}")
    print(
        f"rows equal to the local sweep's: {found.rows == local.rows}; front: {found.pareto_front == local.pareto_front}"
    )
    print(f"seconds: {time.monotonic() - began:.1f}; local: {local.seconds:.1f}")
    return 0 if once and found.rows == local.rows and len(kills) == options.kills else 1


if __name__ == "__main__":
    sys.exit(main())
