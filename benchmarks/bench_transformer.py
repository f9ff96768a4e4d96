"""Transformers on the tensor machine: design points a second, and SCALE-Sim 3 on one of their products in the same run.

    python -m benchmarks.bench_transformer
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

from benchmarks.bench_simulator import PEER_SIDE, install_peer, run_peer
from designs.families.tensor import Design
from sim.families import tensor
from workloads.builders.shapes import matrix_product
from workloads.load import load_workload

WORKLOADS = ("minilm", "bert_base", "gpt2_small:decode=128", "gpt2_small", "transformer_base")
MACHINE = Design(
    array_rows=32, array_cols=32, vector_lanes=16, wide_bits=16, vector_words=4096, act_scratchpad_bytes=1 << 18,
    weight_scratchpad_bytes=1 << 18, acc_scratchpad_bytes=1 << 18,
)  # fmt: skip
N_POINTS = 48
# The query projection of BERT-base at 128 tokens: what SCALE-Sim can simulate of a transformer are its products.
PRODUCT = matrix_product("query", 128, 768, 768)


def points_a_second(workload: str) -> float:
    """Design points a CPU second on one core, search of tilings included: machines that differ in latency of DRAM.

    The median of three runs.
    """
    network = load_workload(workload)
    designs = [replace(MACHINE, dram_latency_cycles=20 + point) for point in range(N_POINTS)]
    failures = [run.failure for run in tensor.simulate(designs, network) if run.failure is not None]
    if failures:
        raise RuntimeError(failures[0])
    seconds = []
    for _ in range(3):
        start = time.process_time()
        tensor.simulate(designs, network)
        seconds.append(time.process_time() - start)
    return N_POINTS / statistics.median(seconds)


def compare_with_peer() -> None:
    """Print both times for the product, weight stationary, and the whole of BERT here beside it."""
    python = install_peer()
    if python is None:
        return
    (cycles,), peer_seconds = run_peer(python, "ws", [PRODUCT])
    repeats = 2000
    start = time.process_time()
    run = tensor.simulate_layers([MACHINE] * repeats, [PRODUCT])[0]
    seconds = (time.process_time() - start) / repeats
    print(
        f"[bench] {PRODUCT.name} of BERT-base, 128 x 768 x 768, {PEER_SIDE} x {PEER_SIDE} weight stationary: SCALE-Sim "
        f"{peer_seconds:.1f} CPU s ({cycles:,} compute cycles), here {seconds:.6f} ({run.phases['compute']:,}; whole "
        f"machine {run.cycles:,}): {peer_seconds / seconds:,.0f} times faster; folds follow without a gap here, see "
        "bench_simulator"
    )


def main() -> None:
    """Print all figures."""
    for workload in WORKLOADS:
        n_jobs = len(load_workload(workload).layers)
        print(
            f"[bench] {workload}: {points_a_second(workload):,.0f} design points a second on one core, vector unit "
            f"included ({n_jobs} jobs of unlike shape)",
            flush=True,
        )
    compare_with_peer()


if __name__ == "__main__":
    main()
