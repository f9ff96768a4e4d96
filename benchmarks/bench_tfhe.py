"""How fast gates are bootstrapped on one core, and how near that is to the core's peak of vector operations.

    python -m benchmarks.bench_tfhe [--openfhe PYTHON] [SET ...]

Keys are random words: the arithmetic does not ask what they mean. Times are CPU time, the least of many runs. The bound
counts the additions, multiplications and fused multiply-adds on doubles that transforms and products cannot do without,
a vector of them an operation, at the rate that this core reaches, measured in the same run, when it does independent
fused multiply-adds and nothing else. What converts, rotates and rounds is not in the bound. A core that adds beside
its multipliers could go beyond it; no core without such adders can.

`--openfhe` names a Python in which `import openfhe` works (the wheel 1.6.1 holds an extension for Python 3.10 only);
that peer runs STD128, GINX, one thread, parameters of its own: n = 554, N = 1024.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from designs.tfhe_parameters import SETS, Parameters
from workloads.tfhe.kernels.engine import Arithmetic, Engine
from workloads.tfhe.kernels.precision import UNCUT, Cut, proven_cut
from workloads.tfhe.kernels.transform import transform_of
from workloads.tfhe.kernels.vectors import lanes_of, widest_lanes

SEED = 0
DEFAULT_SETS = ("tfhe_lib_128", "tfhe_lib_80")
BATCHES = (1, 8, 32)
SECONDS_A_FIGURE = 2.0
MOST_REPEATS = 50
CHAINS = 12  # of dependent operations: more than latency times pipes of today's cores, fewer than 16 registers
OPENFHE = """
import time, openfhe
context = openfhe.BinFHEContext()
context.GenerateBinFHEContext(openfhe.BINFHE_PARAMSET.STD128, openfhe.BINFHE_METHOD.GINX)
key = context.KeyGen()
context.BTKeyGen(key)
a, b = context.Encrypt(key, 1), context.Encrypt(key, 0)
best = float("inf")
for _ in range(40):
    start = time.process_time()
    answer = context.EvalBinGate(openfhe.BINGATE.NAND, a, b)
    best = min(best, time.process_time() - start)
assert context.Decrypt(key, answer) == 1
print(best, context.Getn())
"""


@intrinsic
def _fused_chains(typing: Any, lanes: Any, n_rounds: Any) -> Any:
    """CHAINS independent chains of `n_rounds` fused multiply-adds each."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        write = lanes_of(builder, signature)
        chains = [cgutils.alloca_once_value(builder, write.constant(float(number))) for number in range(CHAINS)]
        with cgutils.for_range(builder, arguments[1]):
            for chain in chains:
                builder.store(write.fma(builder.load(chain), write.constant(0.5), write.constant(0.25)), chain)
        total = builder.load(chains[0])
        for chain in chains[1:]:
            total = builder.fadd(total, builder.load(chain))
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return types.float64(lanes, n_rounds), codegen


@njit(error_model="numpy")
def _run_chains(lanes: tuple[int, ...], n_rounds: int) -> float:
    return _fused_chains(lanes, n_rounds)


def least_seconds(work: Callable[[], object], clock: Callable[[], float] = time.thread_time) -> float:
    """Least time of `work` by `clock`, of runs for SECONDS_A_FIGURE, or of MOST_REPEATS; one more before compiles."""
    work()
    found: list[float] = []
    end = time.monotonic() + SECONDS_A_FIGURE
    while len(found) < 3 or (time.monotonic() < end and len(found) < MOST_REPEATS):
        start = clock()
        work()
        found.append(clock() - start)
    return min(found)


def vector_operations_a_second(lanes: tuple[int, ...]) -> float:
    """Fused multiply-adds on vectors that one core does a second, all data in registers."""
    n_rounds = 1_000_000
    return CHAINS * n_rounds / least_seconds(lambda: _run_chains(lanes, n_rounds))


def operations_a_gate(p: Parameters, cut: Cut) -> float:
    """Vector operations on doubles of one blind rotation: transforms as they are split in passes, and products."""
    transform = transform_of(p.ring_degree)
    polynomials = p.glwe_dimension + 1
    n_forward = polynomials * p.decomposition_levels * cut.digit_parts
    n_columns = polynomials * cut.key_pieces
    a_point = sum(_operations_a_point(int(levels)) for levels, _, _ in transform.passes)
    transforms = (n_forward + n_columns) * transform.n_points * a_point
    products = n_forward * n_columns * transform.n_points * 4
    return p.lwe_dimension * (transforms + products) / len(transform.lanes)


def _operations_a_point(n_levels: int) -> float:
    """Of a node of 2^levels legs: 4 a factor, 4 a butterfly, 2 more a butterfly with sqrt(i), for each of the legs."""
    n_legs = 1 << n_levels
    with_root = sum((n_legs >> (level + 1)) * max(0, (1 << level) - 2) for level in range(n_levels))
    return (4 * (n_legs - 1) + 4 * n_levels * n_legs / 2 + 2 * with_root) / n_legs


def random_engine(p: Parameters, arithmetic: Arithmetic) -> Engine:
    """An engine for random words as keys."""
    rng = np.random.default_rng(SEED)
    k1 = p.glwe_dimension + 1
    bootstrap = (p.lwe_dimension, k1, p.decomposition_levels, k1, p.ring_degree)
    switch = (p.glwe_dimension * p.ring_degree, p.key_switch_levels, p.lwe_dimension + 1)
    keys = [rng.integers(0, 2**32, shape, dtype=np.uint32) for shape in (bootstrap, switch)]
    return Engine(p, *keys, arithmetic)


def measure(name: str, arithmetic: Arithmetic, peak: float) -> None:
    """Print the figures of one parameter set and arithmetic."""
    p = SETS[name].parameters
    start = time.process_time()
    engine = random_engine(p, arithmetic)
    print(f"[bench] {name}, {arithmetic}: keys made and transformed in {time.process_time() - start:.1f} s")
    rng = np.random.default_rng(SEED)
    lwe = rng.integers(0, 2**32, (max(BATCHES), p.lwe_dimension + 1), dtype=np.uint32)
    test = np.full(p.ring_degree, 1 << 29, dtype=np.uint32)
    bound_ms = operations_a_gate(p, UNCUT if arithmetic == "fast" else proven_cut(p)) / peak * 1e3
    for batch in BATCHES:
        gates = lwe[:batch]
        extracted = engine.bootstrap(gates, test)
        rotation_ms = least_seconds(lambda gates=gates: engine.bootstrap(gates, test)) / batch * 1e3  # type: ignore[misc]
        switch_ms = least_seconds(lambda words=extracted: engine.key_switch(words)) / batch * 1e3  # type: ignore[misc]
        print(
            f"[bench] {name}, {arithmetic}, batch {batch}: {rotation_ms + switch_ms:.2f} ms a gate on one core "
            f"(bootstrap {rotation_ms:.2f}, {bound_ms / rotation_ms:.0%} of the peak; key switch {switch_ms:.2f})",
            flush=True,
        )
    alone, both = (
        least_seconds(lambda n=n_threads: engine.run(lwe, test, n), time.monotonic)  # type: ignore[misc]
        for n_threads in (1, 2)
    )
    print(
        f"[bench] {name}, {arithmetic}, batch {len(lwe)}, wall time: {alone / len(lwe) * 1e3:.2f} ms a gate with one "
        f"thread, {both / len(lwe) * 1e3:.2f} with two ({alone / both:.2f} times as fast); "
        f"{engine.n_repeated} batches repeated exactly",
        flush=True,
    )


def measure_openfhe(python: str) -> None:
    """Print the peer's time of a gate, one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    answer = subprocess.run([python, "-c", OPENFHE], env=environment, check=True, capture_output=True, text=True)
    seconds, n = answer.stdout.split()
    print(f"[bench] OpenFHE, STD128, GINX, n = {n}, one thread: {float(seconds) * 1e3:.2f} ms a gate", flush=True)


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description="Time of a bootstrapped gate on one core.")
    parser.add_argument("sets", nargs="*", default=DEFAULT_SETS, metavar="SET", help=f"of {', '.join(SETS)}")
    parser.add_argument("--openfhe", metavar="PYTHON", help="an interpreter that can import openfhe")
    arguments = parser.parse_args()
    for name in arguments.sets:
        if name not in SETS:
            parser.error(f"{name}: wanted one of {', '.join(SETS)}")
    lanes = widest_lanes(1 << 13)
    peak = vector_operations_a_second(lanes)
    print(f"[bench] peak: {peak / 1e9:.2f} G fused multiply-adds a second, each on {len(lanes)} doubles")
    for name in arguments.sets:
        for arithmetic in ("fast", "exact"):
            measure(name, arithmetic, peak)
    if arguments.openfhe:
        measure_openfhe(arguments.openfhe)


if __name__ == "__main__":
    main()
