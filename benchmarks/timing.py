"""CPU time of a piece of work, as benchmarks take it."""

from __future__ import annotations

import time
from collections.abc import Callable


def best_seconds(work: Callable[[], object]) -> float:
    """CPU seconds, the best of seven: other work on the machine shows in the others. The first one compiles."""
    work()
    found = []
    for _ in range(7):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)
