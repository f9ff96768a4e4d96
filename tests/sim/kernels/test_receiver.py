"""Words to a receiver that is not always ready, by hand."""

from __future__ import annotations

import numpy as np

from sim.kernels.receiver import next_ready
from sim.kernels.sparse.times import run_times


def test_next_ready_looks_from_each_cycle_on() -> None:
    assert next_ready(np.array([0, 1, 0, 0, 1, 0], bool)).tolist() == [1, 1, 4, 4, 4, 6]
    assert next_ready(np.zeros(0, bool)).tolist() == []


def test_a_receiver_takes_words_where_it_is_ready_and_always_after_its_pattern() -> None:
    none = np.zeros(0, np.int64)
    # One beat of a slice and one of a vector in 4 and 5, 1 cycle of work: words are there from 5 + 1 + 2 + 1 + 2 + 3 = 14 on.
    for ready, last in (([], 16), ([14, 15, 16], 16), ([15], 21), ([14, 18, 19], 19)):
        pattern = np.zeros(20, bool)
        pattern[ready] = True
        taken = run_times(
            np.ones((1, 1), np.int64), np.ones(1, np.int64), 1, np.full(1, 3), 1, 4, none,
            next_ready(pattern) if ready else none, np.zeros((0, 8), np.int64),
        )  # fmt: skip
        assert taken[0] == last + 1
