"""Scenarios without chance: single stream, multi-stream, offline. Service times are constant: one query tells all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from explore.scenarios.outcome import PS_PER_NS, MultiStream, Offline, SingleStream
from explore.scenarios.query_count import n_queries
from explore.scenarios.queue import Served, serve
from explore.scenarios.service import PS_PER_S, Service

SINGLE_STREAM_PERCENTILE = 90.0
SINGLE_STREAM_QUERIES = 1024  # the load generator's own least number (mlperf.conf), not the rule's for 90 %
OFFLINE_PERCENTILE = 90.0  # whose number of queries is the number of samples
MOST_STREAMS = 1 << 20


def single_stream(accelerators: Sequence[Service]) -> SingleStream:
    """The 90th percentile of the latency, which is that of every query: each finds all accelerators idle."""
    return SingleStream(
        percentile=SINGLE_STREAM_PERCENTILE,
        latency_ns=accelerators[0].answer_ps[0] / PS_PER_NS,
        n_queries=SINGLE_STREAM_QUERIES,
    )


def multi_stream(accelerators: Sequence[Service], max_batch: int, interval_ps: int, percentile: float) -> MultiStream:
    """The most samples a query may have, one query every interval, when each is to be answered within the interval.

    A number holds where a query that finds all accelerators idle is answered in time: then so does the next one, and
    each takes as long as the first, whatever the percentile. It is found by doubling and bisection, which take more
    samples to need no less time; where batches or unequal accelerators break that, a number that holds is told.
    """
    holding, run, failing = 0, None, None
    n = 1
    while failing is None and n <= MOST_STREAMS:
        if (found := _within(accelerators, max_batch, interval_ps, n)) is not None:
            holding, run, n = n, found, 2 * n
        else:
            failing = n
    while failing is not None and failing - holding > 1:
        middle = (holding + failing) // 2
        if (found := _within(accelerators, max_batch, interval_ps, middle)) is not None:
            holding, run = middle, found
        else:
            failing = middle
    return MultiStream(
        interval_ns=interval_ps / PS_PER_NS,
        percentile=percentile,
        n_streams=holding,
        latency_ns=None if run is None else run.end_ps / PS_PER_NS,
        n_queries=n_queries(percentile),
        is_largest=failing is not None,
    )


def _within(accelerators: Sequence[Service], max_batch: int, interval_ps: int, n: int) -> Served | None:
    """The run of one query of n samples, all there at once, where all are answered within the interval."""
    run = serve(np.zeros(n, np.int64), accelerators, max_batch=max_batch, bound_ps=interval_ps, most_late=0)
    return None if run.gave_up else run


def offline(accelerators: Sequence[Service], max_batch: int, n_samples: int) -> Offline:
    """Samples a second when all are there from the beginning: until the last of them is answered."""
    run = serve(np.zeros(n_samples, np.int64), accelerators, max_batch=max_batch)
    return Offline(
        n_samples=n_samples, seconds=run.end_ps / PS_PER_S, throughput_per_s=n_samples * PS_PER_S / run.end_ps
    )
