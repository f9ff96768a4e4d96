"""How fast circuits of LUTs are evaluated on one core, and how near that is to one logic operation per word and LUT.

    python -m benchmarks.bench_lut

The bound is measured in the same run: a kernel that xors two rows of words into a third, for data that stay in the
first-level cache. A LUT of 6 inputs costs at least one such operation a word; without a table known to the compiler it
costs 30 and 12 stores here (sim/kernels/lut/evaluate.py).
"""

from __future__ import annotations

import time

import numpy as np
from numba import njit

from benchmarks.timing import best_seconds
from designs.families.lut import Design
from sim.families import lut
from sim.kernels.lut.evaluate import N_PAIR, evaluate, evaluate_and_count, expand
from workloads.classifiers.classifier import Classifier
from workloads.kinds.classification import Classification
from workloads.load import load_workload
from workloads.mapping.lut import map_netlist
from workloads.mapping.lut_classifier import classifier_of
from workloads.netlist import Netlist

SEED = 0
N_SAMPLES = 2**18
CIRCUITS = ((300, 158), (944, 512), (2660, 512))  # LUTs of 6 inputs, inputs of the circuit
TRAINED = {
    "rinc, digits": Design(),
    "boosted, digits": Design(classifier="boosted", trees_per_class=30, score_bits=1),
}
BOUND_WORDS = 256  # three rows are 6 KB


def random_luts(n_luts: int, n_inputs: int) -> Netlist:
    """Random tables of 6 inputs, each reading any of the 600 signals before it; one output."""
    rng = np.random.default_rng(SEED)
    fanin = [
        rng.choice(np.arange(max(0, n_inputs + index - 600), n_inputs + index), 6, replace=False)
        for index in range(n_luts)
    ]
    return Netlist(
        input_names=tuple(f"x{index}" for index in range(n_inputs)),
        output_names=("y",),
        fanin_start=np.arange(n_luts + 1, dtype=np.int64) * 6,
        fanin=np.concatenate(fanin).astype(np.int32),
        table_start=np.arange(n_luts + 1, dtype=np.int64) * 64,
        tables=rng.integers(0, 2, n_luts * 64).astype(np.uint8),
        roles=np.zeros(n_luts, dtype=np.uint8),
        outputs=np.array([n_inputs + n_luts - 1], dtype=np.int32),
    )


def evaluation_rates(netlist: Netlist) -> tuple[float, float]:
    """Samples a CPU second on one core: (outputs only, with the changes of all signals counted)."""
    rng = np.random.default_rng(SEED)
    inputs = rng.integers(0, 2**64, (netlist.n_inputs, N_SAMPLES // 64), dtype=np.uint64)
    tables = expand(netlist.n_inputs, netlist.fanin_start, netlist.fanin, netlist.table_start, netlist.tables)
    rows = np.where(netlist.outputs >= 0, N_PAIR + netlist.outputs.astype(np.int64), 0)
    answers = np.zeros((netlist.n_outputs, N_SAMPLES // 64), dtype=np.uint64)
    outputs_only = best_seconds(lambda: evaluate(*tables, rows, inputs, answers))
    counted = best_seconds(lambda: evaluate_and_count(*tables, rows, inputs, answers, N_SAMPLES, np.ones(1, np.int64)))
    return N_SAMPLES / outputs_only, N_SAMPLES / counted


def ns_per_word_operation() -> float:
    """CPU time of one logic operation on one word, rows of words in the first-level cache."""
    rows = np.random.default_rng(SEED).integers(0, 2**64, (3, BOUND_WORDS), dtype=np.uint64)
    n_repeats = 10_000
    seconds = best_seconds(lambda: _xor_in_turn(rows[0], rows[1], rows[2], n_repeats))
    return seconds * 1e9 / (3 * n_repeats * BOUND_WORDS)


@njit(error_model="numpy")
def _xor_in_turn(a: np.ndarray, b: np.ndarray, c: np.ndarray, n_repeats: int) -> None:
    for _ in range(n_repeats):  # each result is read by the next, so that none can be left out
        _xor(a, b, c)
        _xor(b, c, a)
        _xor(c, a, b)


@njit(error_model="numpy")
def _xor(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    for word in range(len(out)):
        out[word] = a[word] ^ b[word]


def points_a_second() -> tuple[float, int]:
    """(design points a CPU second, how many) of a sweep over pipelining, copies and clock of one random circuit."""
    netlist = random_luts(944, 512)
    samples = np.random.default_rng(SEED).integers(0, 2, (450, 512)).astype(np.uint8)
    classifier = Classifier(netlist=netlist, samples=samples, labels=None, answer="bits")
    workload = Classification(name="random", digest="bench", data=None, classifier=classifier)
    designs = [
        Design(levels_per_stage=levels, copies=copies, clock_mhz=clock_mhz)
        for levels in range(9)
        for copies in (1, 2, 4, 8)
        for clock_mhz in range(100, 400, 10)
    ]
    map_netlist(netlist, 6)  # once for the whole sweep; seconds on a circuit of this size
    start = time.process_time()
    runs = lut.simulate(designs, workload)
    assert all(run.failure is None for run in runs)
    return len(designs) / (time.process_time() - start), len(designs)


def main() -> None:
    """Print all figures."""
    circuits = {f"{n_luts} random LUT6": random_luts(n_luts, n_inputs) for n_luts, n_inputs in CIRCUITS}
    digits = load_workload("digits")
    assert isinstance(digits, Classification)
    for name, design in TRAINED.items():
        circuits[name] = map_netlist(classifier_of(design, digits).netlist, design.lut_inputs)
    ns_per_word = ns_per_word_operation()
    print(f"[bench] bound: {ns_per_word:.4f} ns a logic operation on a word, so a LUT and 64 samples take as long")
    for name, netlist in circuits.items():
        rate, counted = evaluation_rates(netlist)
        bound = 64e9 / (netlist.n_luts * ns_per_word)
        print(
            f"[bench] {name}, {netlist.n_luts} LUTs: {rate / 1e6:.1f} M samples a second on one core "
            f"({rate * netlist.n_luts / 1e9:.1f} G LUTs a second, {rate / bound:.1%} of the bound), "
            f"{counted / 1e6:.1f} M with every change counted",
            flush=True,
        )
    rate, n_points = points_a_second()
    print(f"[bench] 944 random LUT6, 450 samples: {rate:,.0f} design points a second ({n_points} points)")


if __name__ == "__main__":
    main()
