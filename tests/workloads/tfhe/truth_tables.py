"""Every gate's truth table on many random encryptions, with the noise of the results beside the formula's.

    python -m tests.workloads.tfhe.truth_tables --set tfhe_lib_128 --encryptions 10000

Operands are random bits, freshly encrypted under a fresh random key. One line a gate as soon as it is done; exit code 1
where a result was wrong. An interrupted run is continued with `--gates` and the names of those that are left. Failures
are those of gates whose operands are results of two-input gates, and of the worst: MUXes of MUXes.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from designs.tfhe_parameters import SETS
from explore.progress import progress_for
from tests.workloads.tfhe.test_reference import TRUTH
from workloads.circuits import circuit as c
from workloads.tfhe.keys import SecretKey, encrypt_bits, generate_keys, phases
from workloads.tfhe.noise import failure_log2, gate_failure_log2, noise_of_key, output_variance
from workloads.tfhe.scheme import Engine, Evaluator, evaluate_gates

BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Of one gate's results."""

    n: int
    n_wrong: int
    mean: float  # of the phase less +-1/8, as a share of the torus
    deviation: float  # root of its mean square


def measure(
    secret: SecretKey, engine: Engine, op: int, n: int, n_threads: int, advance: Callable[[int], None]
) -> Measured:
    """One gate on n random encryptions; `advance` hears of each batch that is done."""
    sizes = [min(BATCH, n - low) for low in range(0, n, BATCH)]

    def errors(size: int) -> tuple[int, np.ndarray]:
        bits = np.random.default_rng().integers(0, 2, (3, size))
        words = [encrypt_bits(secret, row).words for row in bits]
        found = phases(secret, evaluate_gates(engine, np.full(size, op), *words)) / 2.0**32
        wanted = np.array([TRUTH[op](*map(int, row[: c.N_OPERANDS[op]])) for row in bits.T])
        return int(np.count_nonzero((found > 0) != wanted)), found - np.where(wanted, 0.125, -0.125)

    n_wrong, found = 0, []
    pool = ThreadPoolExecutor(n_threads)
    try:
        for wrong, part in pool.map(errors, sizes):
            n_wrong += wrong
            found.append(part)
            advance(len(part))
    finally:
        pool.shutdown(cancel_futures=True)
    values = np.concatenate(found)
    return Measured(n=n, n_wrong=n_wrong, mean=float(values.mean()), deviation=float(np.sqrt(np.mean(values**2))))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="truth tables of all gates on random encryptions")
    parser.add_argument("--set", choices=SETS, default="tfhe_lib_128")
    parser.add_argument("--encryptions", type=int, default=10_000, help="of operands, for each gate")
    parser.add_argument("--gates", nargs="+", choices=c.OPS, default=c.OPS)
    parser.add_argument("--arithmetic", choices=("fast", "exact"), default="fast")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args(arguments)
    p = SETS[options.set].parameters
    secret, key = generate_keys(p)
    engine = Evaluator(key, options.arithmetic).engine
    print(f"{options.set}, {options.arithmetic} arithmetic; log2 of failures: worst gate {failure_log2(p):.1f}")
    print("gate    encryptions  wrong  mean measured/of key  deviation measured/of key/over keys  log2 of failure")
    n_wrong = 0
    for name in options.gates:
        op = c.OPS.index(name)
        with progress_for(name, options.encryptions, 0, wanted=True) as progress:
            found = measure(secret, engine, op, options.encryptions, options.threads, progress.advance)
        n_wrong += found.n_wrong
        if op == c.NOT:  # its operand is fresh
            mean, of_key, over_keys, failure = 0.0, p.lwe_noise, p.lwe_noise, -math.inf
        else:
            noise = noise_of_key(secret, key, op)
            mean, of_key, over_keys = noise.mean, noise.deviation, math.sqrt(output_variance(p, op))
            failure = gate_failure_log2(p, op)
        print(
            f"{name:7} {found.n:11} {found.n_wrong:6}  {found.mean:+.2e} {mean:+.2e}   "
            f"{found.deviation:.3e} {of_key:.3e} {over_keys:.3e}           {failure:.1f}",
            flush=True,
        )
    return 1 if n_wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted: --gates and the names of those that are left go on")
