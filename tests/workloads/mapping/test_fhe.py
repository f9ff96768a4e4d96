"""Programs of bootstrapping machines compute their circuit, keep their promises, and are what plain Python schedules."""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import DesignError, InputError
from designs.families.fhe import Design
from workloads.circuits.checks import circuit_of
from workloads.circuits.circuit import AND, MUX, N_BOOTSTRAPS, NAND, NOT, Circuit, Port
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.levels import levels_of
from workloads.circuits.negations import output_sources, sources_of
from workloads.circuits.random_circuits import random_circuit
from workloads.mapping.fhe import Program, operand_counts, program_of, result_counts
from workloads.mapping.fhe_clear import run_program_clear
from workloads.mapping.fhe_schedule import MOST_SKIPPED, estimates
from workloads.tfhe.gates import EIGHTH

POLICIES = get_args(get_type_hints(Design)["schedule"])
# Estimates that make waiting cheap, dear, and about as long as a rotation.
FAST = {"coefficients_per_cycle": 256, "key_residues_per_cycle": 512, "rotators": 2, "decomposers": 3, "inverse_ntts": 2}
MACHINES: tuple[dict, ...] = ({}, {"key_switchers": 8}, FAST)


def circuit_by_hand(gates: list[tuple[int, list[int]]], n_inputs: int, outputs: list[int]) -> Circuit:
    ops = [op for op, _ in gates]
    operands = [[*read, *[-1] * (3 - len(read))] for _, read in gates]
    ports = (Port(name="x", bits=n_inputs),), (Port(name="y", bits=len(outputs)),)
    return circuit_of("hand", *ports, ops, operands, outputs)


def batches(program: Program) -> list[slice]:
    edges = program.first_cell.tolist()
    return [slice(first, end) for first, end in zip(edges[:-1], edges[1:], strict=True)]


cases: st.SearchStrategy[dict] = st.builds(
    dict,
    seed=st.integers(0, 10**6),
    n_gates=st.integers(1, 200),
    width=st.sampled_from([None, 1, 4, 20, 300]),
    mux_share=st.sampled_from([0.0, 0.1, 0.8]),
    not_share=st.sampled_from([0.0, 0.1, 0.6]),
)
machines = st.builds(
    lambda machine, cores, batch, schedule: Design(**machine, cores=cores, batch=batch, schedule=schedule),
    st.sampled_from(MACHINES), st.integers(1, 5), st.integers(2, 7), st.sampled_from(POLICIES),
)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(cases, machines)
def test_a_program_computes_its_circuit_and_keeps_its_promises(case: dict, design: Design) -> None:
    circuit = random_circuit(**case)
    if circuit.n_bootstraps == 0:
        return
    program = program_of(design, circuit)
    inputs = np.random.default_rng(case["seed"]).integers(0, 2, (70, circuit.n_inputs))
    assert np.array_equal(run_program_clear(program, circuit, inputs), run_circuit(circuit, inputs))

    stored = program.result[program.valid & ~program.holds]
    wanted = circuit.n_inputs + np.flatnonzero(circuit.ops != NOT)
    assert np.array_equal(np.sort(stored), wanted), "every gate once"
    assert program.valid.sum() == circuit.n_bootstraps
    assert (program.slots >= 1).all() and (program.slots <= design.batch).all()
    assert np.array_equal(np.diff(program.first_cell), program.slots * design.cores)
    made = np.full(circuit.n_inputs + circuit.n_gates, -1)
    for batch, cells in enumerate(batches(program)):
        valid, holds = (array[cells].reshape(-1, design.cores) for array in (program.valid, program.holds))
        assert valid.any(axis=1).all(), "no empty slot"
        assert not holds[-1].any() and (valid[1:] & ~holds[1:])[holds[:-1]].all(), "the other half of a MUX is next"
        read = program.operands[cells][program.factors[cells] != 0]
        assert program.after[batch] == (made[read] + 1).max() <= batch, "after is the least that operands allow"
        made[program.result[cells][program.valid[cells] & ~program.holds[cells]]] = batch
    idle = ~program.valid
    assert not program.holds[idle].any()
    for array in (program.factors, program.constant, program.value, program.post, program.operands, program.result):
        assert not array[idle].any(), "an empty cell is all zeros"
    assert np.abs(program.factors).max() <= 2


@settings(max_examples=30, deadline=None)
@given(cases, machines)
def test_counts_are_those_of_the_cells(case: dict, design: Design) -> None:
    circuit = random_circuit(**case)
    if circuit.n_bootstraps == 0:
        return
    program = program_of(design, circuit)
    results = result_counts(program, design.cores)
    for batch, cells in enumerate(batches(program)):
        assert operand_counts(program)[batch] == np.count_nonzero(program.factors[cells])
        stores = (program.valid & ~program.holds)[cells].reshape(-1, design.cores)
        assert results[batch].tolist() == stores.sum(axis=0).tolist()


def plain_batches(design: Design, circuit: Circuit) -> list[set[int]]:
    """What `schedule_gates` must choose, with Python's lists and heaps: the signals of each batch."""
    source, _ = sources_of(circuit)
    gates = [circuit.n_inputs + int(gate) for gate in np.flatnonzero(circuit.ops != NOT)]
    number = {gate: index for index, gate in enumerate(gates)}
    ops = circuit.ops[[gate - circuit.n_inputs for gate in gates]]
    reads = [
        [number[int(source[s])] for s in circuit.operands[gate - circuit.n_inputs] if s >= 0 and int(source[s]) in number]
        for gate in gates
    ]
    weights = N_BOOTSTRAPS[ops].tolist()
    plan = _plain_wide if design.schedule == "wide_first" else _plain_critical
    return [{gates[gate] for gate in batch} for batch in plan(design, reads, weights)]


def _fits(design: Design, batch: list[int], gate: int, weights: list[int]) -> bool:
    now = [weights[each] for each in [*batch, gate]]
    return sum(now) <= design.cores * design.batch and now.count(2) <= design.cores * (design.batch // 2)


def _plain_wide(design: Design, reads: list[list[int]], weights: list[int]) -> list[list[int]]:
    levels: list[int] = []
    for read in reads:
        levels.append(max((levels[gate] + 1 for gate in read), default=0))
    found: list[list[int]] = []
    made: dict[int, int] = {}
    for level in range(max(levels) + 1):
        here = [gate for gate in range(len(reads)) if levels[gate] == level]
        here.sort(key=lambda gate: max((made[read] for read in reads[gate]), default=-1))
        found.append([])
        for gate in here:
            if not _fits(design, found[-1], gate, weights):
                found.append([])
            found[-1].append(gate)
            made[gate] = len(found) - 1
    return found


def _plain_critical(design: Design, reads: list[list[int]], weights: list[int]) -> list[list[int]]:
    heights = [1] * len(reads)
    for gate in reversed(range(len(reads))):
        for read in reads[gate]:
            heights[read] = max(heights[read], heights[gate] + 1)
    key_switch, switchers, store, load, fixed, *rotation = estimates(design).tolist()
    most = design.cores * design.batch
    found: list[list[int]] = []
    done: set[int] = set()
    while len(done) < len(reads):
        ready = {gate for gate in range(len(reads)) if gate not in done and done.issuperset(reads[gate])}
        fresh = {gate for gate in ready if found and not set(found[-1]).isdisjoint(reads[gate])}
        free = ready - fresh
        rest = sum(weights[gate] for gate in range(len(reads)) if gate not in done)
        n_free, n_fresh = (sum(weights[gate] for gate in some) for some in (free, fresh))
        waits = bool(fresh) and n_free < most
        if waits and free:
            together = min(most, n_free + n_fresh)
            slots = -(-together // design.cores)
            wait = fixed + -(-slots // switchers) * key_switch + together * (store + load)
            top_free, top_fresh = (max(heights[gate] for gate in some) for some in (free, fresh))
            long = top_fresh >= top_free and top_fresh * (rotation[1] + wait) * most >= rest * rotation[-1]
            alone = rotation[-(-n_free // design.cores)]
            waits = long or n_free * (wait + rotation[slots]) < together * alone
        limit = most
        if waits:
            slots = -(-min(most, n_free + n_fresh) // design.cores)

            def time(piece: int, slots: int = slots) -> int:
                turn, switch = rotation[piece], -(-piece // switchers) * key_switch
                wait = fixed + switch + piece * design.cores * (store + load)
                return turn + (-(-slots // piece) - 1) * max(turn, switch) + wait

            limit = design.cores * min(range(slots, 0, -1), key=time)
        heap = [(-heights[gate], gate) for gate in (ready if waits else free)]
        heapq.heapify(heap)
        batch: list[int] = []
        n_skipped = 0
        while heap and sum(weights[gate] for gate in batch) < limit and n_skipped < MOST_SKIPPED:
            gate = heapq.heappop(heap)[1]
            if _fits(design, batch, gate, weights):
                batch.append(gate)
            else:
                n_skipped += 1
        done |= set(batch)
        found.append(batch)
    return found


@settings(max_examples=40, deadline=None)
@given(cases, machines)
def test_schedules_are_those_of_plain_python(case: dict, design: Design) -> None:
    circuit = random_circuit(**case)
    if circuit.n_bootstraps == 0:
        return
    program = program_of(design, circuit)
    stores = program.valid & ~program.holds
    found = [set(program.result[cells][stores[cells]].tolist()) for cells in batches(program)]
    assert found == plain_batches(design, circuit)


def test_commands_of_a_circuit_by_hand() -> None:
    # inputs a b; 2 = not a; 3 = nand(2, b); 4 = mux(2, 3, b); 5 = not 4
    circuit = circuit_by_hand([(NOT, [0]), (NAND, [2, 1]), (MUX, [2, 3, 1]), (NOT, [4])], 2, [5, 0])
    program = program_of(Design(cores=1, batch=4), circuit)
    assert program.slots.tolist() == [1, 2]
    assert program.after.tolist() == [0, 1]
    assert program.operands.tolist() == [[0, 1], [0, 3], [0, 1]]
    assert program.factors.tolist() == [[1, -1], [-1, 1], [1, 1]]  # a NOT turned the sign of each reader
    assert program.constant.tolist() == [EIGHTH, 2**32 - EIGHTH, 2**32 - EIGHTH]
    assert program.post.tolist() == [0, 0, EIGHTH]
    assert program.holds.tolist() == [False, True, False]
    assert program.result.tolist() == [3, 0, 4]
    source, negated = output_sources(circuit)
    assert (source.tolist(), negated.tolist()) == ([4, 0], [True, False])


def test_singles_take_the_places_that_muxes_leave() -> None:
    gates = [(MUX, [0, 1, 2])] * 2 + [(AND, [0, 1])] * 5
    program = program_of(Design(cores=3, batch=4), circuit_by_hand(gates, 3, [9]))
    assert program.slots.tolist() == [3]
    assert program.holds.reshape(3, 3).tolist() == [[True, True, False], [False] * 3, [False] * 3]
    assert program.result.reshape(3, 3).tolist() == [[0, 0, 5], [3, 4, 6], [7, 8, 9]]


def test_a_chain_waits_for_every_batch() -> None:
    chain = circuit_by_hand([(AND, [0, 1]), *[(AND, [signal, 1]) for signal in range(2, 9)]], 2, [9])
    assert program_of(Design(), chain).after.tolist() == list(range(8))


@pytest.mark.parametrize("seed", range(3))
def test_a_wide_circuit_fills_its_batches_and_never_waits(seed: int) -> None:
    design = Design(cores=2, batch=8)
    circuit = random_circuit(seed, 3000, width=200, n_inputs=64)
    program = program_of(design, circuit)
    assert len(program.slots) <= -(-circuit.n_bootstraps // 16) + 3
    assert (program.after[1:] < np.arange(1, len(program.after))).mean() > 0.98


def test_wide_first_goes_level_by_level() -> None:
    circuit = random_circuit(4, 500, width=50)
    program = program_of(Design(schedule="wide_first", cores=3, batch=5), circuit)
    levels = levels_of(circuit)
    stores = program.valid & ~program.holds
    of_batch = [set(levels[program.result[cells][stores[cells]]].tolist()) for cells in batches(program)]
    assert all(len(found) == 1 for found in of_batch)
    assert [min(found) for found in of_batch] == sorted(min(found) for found in of_batch)


def test_what_no_machine_can_run_is_refused_in_one_line() -> None:
    with pytest.raises(DesignError, match="batch: wanted at least 2, as hand has MUXes"):
        program_of(Design(batch=1), circuit_by_hand([(MUX, [0, 1, 2])], 3, [3]))
    with pytest.raises(InputError, match="hand: wanted a gate besides NOT, got none"):
        program_of(Design(), circuit_by_hand([(NOT, [0])], 1, [1]))
    chain = circuit_by_hand([(AND, [0, 1]), *[(AND, [signal, 1]) for signal in range(2, 1202)]], 2, [9])
    program_of(Design(cores=1, batch=1), chain)
    with pytest.raises(DesignError, match="cores: wanted hand in at most"):
        program_of(Design(cores=1 << 20), chain)


def test_the_clear_interpreter_sees_a_program_that_reads_too_early() -> None:
    circuit = circuit_by_hand([(AND, [0, 1]), (AND, [2, 1])], 2, [3])
    program = program_of(Design(), circuit)
    program.after[1] = 0
    with pytest.raises(ValueError, match="batch 1: wanted operands of batches before 0"):
        run_program_clear(program, circuit, np.zeros((1, 2)))


def test_the_clear_interpreter_sees_phases_near_a_boundary_and_odd_results() -> None:
    circuit = circuit_by_hand([(AND, [0, 1])], 2, [2])
    program = program_of(Design(), circuit)
    program.post[0] = 5
    with pytest.raises(ValueError, match="a result"):
        run_program_clear(program, circuit, np.zeros((1, 2)))
    program.constant[0] += 5
    with pytest.raises(ValueError, match="a linear part"):
        run_program_clear(program, circuit, np.array([[1, 0]]))


def test_chains_take_turns_where_rotations_of_half_of_them_are_as_long_as_a_key_switch() -> None:
    gates = [(AND, [chain, 8]) for chain in range(8)]
    for _ in range(19):
        gates += [(AND, [len(gates) + 9 - 8 + chain, 8]) for chain in range(8)]
    circuit = circuit_by_hand(gates, 9, [len(gates) + 8])
    slow_key_switch = Design(coefficients_per_cycle=64, key_residues_per_cycle=128, key_switchers=2, batch=16)
    program = program_of(slow_key_switch, circuit)
    assert program.slots.tolist() == [8] + [4] * 38
    assert (program.after[1:] < np.arange(1, len(program.after))).mean() > 0.9, "so that hardly a batch waits"
    at_once = program_of(replace(slow_key_switch, schedule="wide_first"), circuit)
    assert at_once.slots.tolist() == [8] * 20
