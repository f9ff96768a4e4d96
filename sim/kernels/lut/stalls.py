"""When samples enter and leave a pipeline whose source pauses and whose reader is not always ready (docs/lut.md)."""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import entry


@entry
def run_with_stalls(
    n_samples: int, n_stages: int, gaps: np.ndarray, ready_pattern: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(accept_cycles, answer_cycles), each (n_samples,) int64, of one copy.

    The source offers sample i `gaps[i]` cycles later than it could; the reader is ready in the cycles in which
    `ready_pattern`, at the cycle modulo its length, is not 0. A pattern of zeros only would never end.
    """
    accept = np.zeros(n_samples, dtype=np.int64)
    answer = np.zeros(n_samples, dtype=np.int64)
    # When the sample before moved into each bank; bank n_stages + 1 is the reader.
    entered = np.full(n_stages + 2, -1, dtype=np.int64)
    offered = np.int64(-1)
    for sample in range(n_samples):
        offered = offered + 1 + gaps[sample]
        entered[0] = max(offered, entered[1])
        offered = entered[0]
        for bank in range(1, n_stages + 1):
            entered[bank] = max(entered[bank - 1] + 1, entered[bank + 1])
        taken = entered[n_stages] + 1
        while not ready_pattern[taken % len(ready_pattern)]:
            taken += 1
        entered[n_stages + 1] = taken
        accept[sample], answer[sample] = entered[0], taken
    return accept, answer
