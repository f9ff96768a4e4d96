"""Kernels of LUT circuits against the definition of a netlist, sample by sample, over words and blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels.lut.evaluate import (
    BLOCK_WORDS,
    N_PAIR,
    evaluate,
    evaluate_and_count,
    expand,
    pack_samples,
    settle_on_zeros,
    unpack_samples,
)
from workloads.netlist import CONSTANT_1, Netlist, run_netlist, signals_of
from workloads.random_netlists import random_netlist


def arrays(netlist: Netlist) -> tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return netlist.n_inputs, netlist.fanin_start, netlist.fanin, netlist.table_start, netlist.tables


def rows_of(netlist: Netlist) -> np.ndarray:
    constants = np.where(netlist.outputs == CONSTANT_1, N_PAIR - 1, 0)
    return np.where(netlist.outputs >= 0, N_PAIR + netlist.outputs.astype(np.int64), constants)


def plain_counts(signals: np.ndarray, copies: int) -> tuple[np.ndarray, np.ndarray]:
    """(changes from zeros on, ones in first samples) of each signal, pipeline by pipeline."""
    values = signals.astype(np.int64)
    changes, first_ones = np.zeros(values.shape[1], dtype=np.int64), np.zeros(values.shape[1], dtype=np.int64)
    for copy in range(min(copies, len(values))):
        sequence = np.vstack((np.zeros((1, values.shape[1]), dtype=np.int64), values[copy::copies]))
        changes += np.abs(np.diff(sequence, axis=0)).sum(axis=0)
        first_ones += sequence[1]
    return changes, first_ones


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_samples=st.sampled_from([1, 2, 63, 64, 65, 200, 64 * BLOCK_WORDS, 64 * BLOCK_WORDS + 1, 9000]),
    copies=st.integers(1, 16),
)
def test_values_and_changes_equal_the_definition(seed: int, n_samples: int, copies: int) -> None:
    rng = np.random.default_rng(seed)
    netlist = random_netlist(rng, int(rng.integers(1, 12)), int(rng.integers(0, 30)), 6)
    bits = rng.integers(0, 2, (n_samples, netlist.n_inputs)).astype(np.uint8)
    packed = pack_samples(bits)
    tables = expand(*arrays(netlist))
    counted, plain = (np.zeros((netlist.n_outputs, packed.shape[1]), dtype=np.uint64) for _ in range(2))
    changes, first_ones = evaluate_and_count(*tables, rows_of(netlist), packed, counted, n_samples, np.array([copies, 1, 63]))
    evaluate(*tables, rows_of(netlist), packed, plain)
    wanted = run_netlist(netlist, bits)
    assert np.array_equal(unpack_samples(counted, n_samples), wanted)
    assert np.array_equal(unpack_samples(plain, n_samples), wanted)
    for number, n_copies in enumerate((copies, 1, 63)):
        wanted_changes, wanted_ones = plain_counts(signals_of(netlist, bits), n_copies)
        assert np.array_equal(changes[number], wanted_changes)
        assert np.array_equal(first_ones[number], wanted_ones)


@pytest.mark.parametrize("n_inputs", [1, 2, 3, 4, 5, 6])
def test_every_entry_of_a_table_is_read(n_inputs: int) -> None:
    for entry in range(1 << n_inputs):
        table = np.zeros(1 << n_inputs, dtype=np.uint8)
        table[entry] = 1
        netlist = Netlist(
            input_names=tuple("abcdef"[:n_inputs]),
            output_names=("y",),
            fanin_start=np.array([0, n_inputs]),
            fanin=np.arange(n_inputs, dtype=np.int32),
            table_start=np.array([0, 1 << n_inputs]),
            tables=table,
            roles=np.zeros(1, dtype=np.uint8),
            outputs=np.array([n_inputs], dtype=np.int32),
        )
        bits = (np.arange(1 << n_inputs)[:, None] >> np.arange(n_inputs)) & 1
        answers = np.zeros((1, 1), dtype=np.uint64)
        evaluate(*expand(*arrays(netlist)), rows_of(netlist), pack_samples(bits), answers)
        assert int(answers[0, 0]) & ((1 << (1 << n_inputs)) - 1) == 1 << entry


def test_words_hold_sample_0_lowest() -> None:
    bits = np.zeros((65, 2), dtype=np.uint8)
    bits[1, 0] = bits[64, 1] = 1
    packed = pack_samples(bits)
    assert packed.tolist() == [[2, 0], [0, 1]]
    assert np.array_equal(unpack_samples(packed, 65), bits)


def test_luts_settle_on_zeros_of_the_bank_before_their_stage() -> None:
    # not a; not (not a): 0 in the same stage, 1 where a bank of zeros lies between.
    netlist = Netlist(
        input_names=("a",),
        output_names=(),
        fanin_start=np.array([0, 1, 2]),
        fanin=np.array([0, 1], dtype=np.int32),
        table_start=np.array([0, 2, 4]),
        tables=np.array([1, 0, 1, 0], dtype=np.uint8),
        roles=np.zeros(2, dtype=np.uint8),
        outputs=np.zeros(0, dtype=np.int32),
    )
    assert settle_on_zeros(*arrays(netlist), np.array([1, 1], dtype=np.int32)).tolist() == [1, 0]
    assert settle_on_zeros(*arrays(netlist), np.array([1, 2], dtype=np.int32)).tolist() == [1, 1]
