"""Circuits on ciphertexts: right, whatever the order; interrupted, resumed, refused."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from tests.workloads.tfhe.small import TINY, WIDE
from workloads.circuits.checks import circuit_of
from workloads.circuits.circuit import AND, MUX, N_BOOTSTRAPS, NOT, XOR, Circuit, Port
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.random_circuits import random_circuit
from workloads.tfhe import execute as execution
from workloads.tfhe.checkpoint import load_checkpoint, run_id
from workloads.tfhe.execute import ExecutionInterrupted, execute
from workloads.tfhe.kernels.engine import Engine
from workloads.tfhe.keys import decrypt_bits, encrypt_bits, encrypt_integers, generate_keys
from workloads.tfhe.pool import Pool
from workloads.tfhe.scheme import ReferenceEngine
from workloads.tfhe.work_list import WorkList

ROOT = Path(__file__).parents[3]
SECRET, KEY = generate_keys(TINY, seed=1)
ENGINE = Engine(TINY, KEY.bootstrap_key, KEY.key_switch_key)


class Counting:
    """An engine that counts its bootstraps, and can stop after some."""

    def __init__(self, most: int = 1 << 60, error: BaseException | None = None) -> None:
        self.parameters, self.most, self.error = TINY, most, error
        self.n_bootstraps, self.largest = 0, 0
        self._lock = threading.Lock()

    def bootstrap(self, lwe: np.ndarray, test_polynomials: np.ndarray) -> np.ndarray:
        with self._lock:
            if self.error is not None and self.n_bootstraps >= self.most:
                raise self.error
            self.n_bootstraps += len(lwe)
            self.largest = max(self.largest, len(lwe))
        return ENGINE.bootstrap(lwe, test_polynomials)

    def key_switch(self, extracted: np.ndarray) -> np.ndarray:
        return ENGINE.key_switch(extracted)


def bits_for(circuit: Circuit, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, circuit.n_inputs)


def small(gates: list[tuple[int, ...]], n_inputs: int, outputs: list[int]) -> Circuit:
    operands = np.array([[*gate[1:], -1, -1][:3] for gate in gates]).reshape(-1, 3)
    ports = (Port(name="x", bits=n_inputs),), (Port(name="y", bits=len(outputs)),)
    return circuit_of("small", *ports, np.array([gate[0] for gate in gates]), operands, np.array(outputs))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.sampled_from([1, 2, 7, 32]))
def test_outputs_decrypt_to_what_the_circuit_means(seed: int, n_threads: int, batch: int) -> None:
    circuit = random_circuit(seed, seed % 200, not_share=0.2, mux_share=0.2)
    bits = bits_for(circuit, seed)
    engine = Counting()
    found = execute(circuit, encrypt_bits(SECRET, bits, seed), KEY, engine, n_threads=n_threads, batch=batch)
    assert decrypt_bits(SECRET, found.outputs).tolist() == run_circuit(circuit, bits[None])[0].tolist()
    assert engine.n_bootstraps == circuit.n_bootstraps and engine.largest <= max(batch, 2)
    assert found.n_gates == (circuit.ops != NOT).sum() and found.n_resumed == 0 and found.n_threads == n_threads
    assert found.peak_ciphertexts <= circuit.n_inputs + found.n_gates
    assert found.peak_bytes == found.peak_ciphertexts * 4 * 17


def test_the_same_words_whatever_the_order_and_the_engine() -> None:
    circuit = random_circuit(5, 150, width=9)
    inputs = encrypt_bits(SECRET, bits_for(circuit), 3)
    found = [
        execute(circuit, inputs, KEY, engine, n_threads=n_threads, batch=batch).outputs.words
        for engine, n_threads, batch in ((ENGINE, 1, 1), (ENGINE, 3, 4), (ReferenceEngine(KEY), 2, 50))
    ]
    assert (found[0] == found[1]).all() and (found[0] == found[2]).all()


def test_constants_nots_and_inputs_as_outputs() -> None:
    circuit = small([(NOT, 0), (AND, 2, 1), (NOT, 3), (NOT, 4)], 2, [0, 2, 3, 4, 5, -1, -2])
    for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        found = execute(circuit, encrypt_bits(SECRET, np.array([a, b]), 1), KEY, ENGINE)
        y = (1 - a) & b
        assert decrypt_bits(SECRET, found.outputs).tolist() == [a, 1 - a, y, 1 - y, y, 0, 1]
    none = small([(NOT, 0)], 1, [1, -2])
    found = execute(none, encrypt_bits(SECRET, np.array([1]), 1), KEY, ENGINE)
    assert decrypt_bits(SECRET, found.outputs).tolist() == [0, 1] and found.n_gates == 0


def test_a_chain_holds_few_ciphertexts() -> None:
    """Each is dropped after its last use: a chain of 50 keeps its two inputs and what it just made."""
    circuit = small([(XOR, 1 + gate, 0) for gate in range(50)], 2, [51])
    found = execute(circuit, encrypt_bits(SECRET, np.array([1, 0]), 1), KEY, ENGINE)
    assert found.peak_ciphertexts == 3 and decrypt_bits(SECRET, found.outputs).tolist() == [0]


def test_a_batch_is_a_share_of_what_is_ready() -> None:
    circuit = small([(AND, place, place + 1) for place in range(10)], 11, [*range(11, 21)])
    engine = Counting()
    execute(circuit, encrypt_bits(SECRET, bits_for(circuit), 1), KEY, engine, n_threads=2)
    assert engine.largest == 5


def test_progress_rises_to_the_end() -> None:
    circuit = random_circuit(2, 100)
    told: list[tuple[int, int]] = []
    found = execute(
        circuit, encrypt_bits(SECRET, bits_for(circuit), 1), KEY, ENGINE, progress=lambda *now: told.append(now)
    )
    assert told == sorted(told) and told[-1] == (found.n_gates, found.n_gates)


def test_what_a_thread_raises_is_raised() -> None:
    circuit = random_circuit(2, 100)
    engine = Counting(20, MemoryError("no room"))
    with pytest.raises(MemoryError, match="no room"):
        execute(circuit, encrypt_bits(SECRET, bits_for(circuit), 1), KEY, engine, n_threads=2)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_an_interrupted_run_goes_on_where_it_stood(seed: int, tmp_path: Path) -> None:
    circuit = random_circuit(seed, 200, width=12)
    inputs = encrypt_bits(SECRET, bits_for(circuit), seed)
    whole = execute(circuit, inputs, KEY, ENGINE)
    file = tmp_path / "run.checkpoint"
    first = Counting()

    def interrupt(n_done: int, n_all: int) -> None:
        if n_done > 60:
            raise KeyboardInterrupt

    slow = Slow(first)
    with pytest.raises(ExecutionInterrupted, match=r"of \d+ gates done, kept in .*goes on from there"):
        execute(circuit, inputs, KEY, slow, n_threads=2, batch=4, progress=interrupt, checkpoint=file)
    second = Counting()
    found = execute(circuit, inputs, KEY, second, n_threads=2, checkpoint=file)
    assert 60 < found.n_resumed < whole.n_gates and found.n_gates + found.n_resumed == whole.n_gates
    assert first.n_bootstraps + second.n_bootstraps == circuit.n_bootstraps  # no gate twice
    assert (found.outputs.words == whole.outputs.words).all()
    again = execute(circuit, inputs, KEY, Counting(0, AssertionError()), checkpoint=file)  # what is done stays done
    assert again.n_gates == 0 and (again.outputs.words == whole.outputs.words).all()


class Slow:
    """An engine that takes a millisecond a batch."""

    def __init__(self, engine: Counting) -> None:
        self.parameters, self._engine = engine.parameters, engine

    def bootstrap(self, lwe: np.ndarray, test_polynomials: np.ndarray) -> np.ndarray:
        time.sleep(0.001)
        return self._engine.bootstrap(lwe, test_polynomials)

    def key_switch(self, extracted: np.ndarray) -> np.ndarray:
        return self._engine.key_switch(extracted)


def test_checkpoints_are_written_along_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any of them resumes to the same outputs, as after a kill at that instant."""
    monkeypatch.setattr(execution, "_CHECKPOINT_PAUSE", 0)
    circuit = random_circuit(9, 150, width=10)
    inputs = encrypt_bits(SECRET, bits_for(circuit), 1)
    file = tmp_path / "run.checkpoint"
    seen: dict[int, bytes] = {}

    def keep(n_done: int, n_all: int) -> None:
        if file.exists():
            content = file.read_bytes()
            seen[int(load_checkpoint(file, run_id(circuit, inputs), circuit, TINY).done.sum())] = content

    whole = execute(circuit, inputs, KEY, Slow(Counting()), batch=3, progress=keep, checkpoint=file, checkpoint_seconds=0)
    assert len(seen) > 5
    for content in list(seen.values())[::4]:
        file.write_bytes(content)
        assert (execute(circuit, inputs, KEY, ENGINE, checkpoint=file).outputs.words == whole.outputs.words).all()


KILLED = """
import sys
from tests.workloads.tfhe.test_execute import ENGINE, KEY, SECRET, Counting, Slow, bits_for, encrypt_bits, execution
from workloads.circuits.random_circuits import random_circuit

execution._CHECKPOINT_PAUSE = 0
circuit = random_circuit(4, 1500, width=20)
inputs = encrypt_bits(SECRET, bits_for(circuit), 1)
found = execution.execute(
    circuit, inputs, KEY, Slow(Counting()), n_threads=2, batch=1, checkpoint=sys.argv[1], checkpoint_seconds=0.05,
    progress=lambda n_done, n_all: print(n_done, flush=True),
)
print("words", int(found.outputs.words.astype("u8").sum()), found.n_resumed)
"""


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """SIGKILL in the middle of writing checkpoints, then the same again: the same words, and no gate from the start."""
    file = tmp_path / "run.checkpoint"
    command = [sys.executable, "-c", KILLED, str(file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) > 300 and file.exists():
                process.kill()
                break
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    *_, said, words, n_resumed = done.stdout.split()
    circuit = random_circuit(4, 1500, width=20)
    whole = execute(circuit, encrypt_bits(SECRET, bits_for(circuit), 1), KEY, ENGINE)
    assert (said, int(words)) == ("words", int(whole.outputs.words.astype("u8").sum())) and int(n_resumed) > 0


@pytest.fixture
def half_done(tmp_path: Path) -> Iterator[tuple[Circuit, Path]]:
    """A circuit and the checkpoint of its finished run."""
    circuit = random_circuit(6, 40)
    file = tmp_path / "run.checkpoint"
    execute(circuit, encrypt_bits(SECRET, bits_for(circuit), 1), KEY, ENGINE, checkpoint=file)
    yield circuit, file


def test_a_checkpoint_of_something_else_is_refused(half_done: tuple[Circuit, Path]) -> None:
    circuit, file = half_done
    before = file.read_bytes()
    others = random_circuit(7, 40, n_inputs=circuit.n_inputs)
    for made, seed in ((circuit, 2), (others, 1)):
        with pytest.raises(InputError, match="wanted the checkpoint of this circuit, key and inputs, got that of others"):
            execute(made, encrypt_bits(SECRET, bits_for(made), seed), KEY, ENGINE, checkpoint=file)
    assert file.read_bytes() == before


def test_a_damaged_checkpoint_is_refused_in_one_line(half_done: tuple[Circuit, Path]) -> None:
    circuit, file = half_done
    inputs = encrypt_bits(SECRET, bits_for(circuit), 1)
    content = file.read_bytes()
    rng = np.random.default_rng(1)
    n_refused = 0
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(len(content), size=3):
            damaged[place] ^= int(rng.integers(1, 256))
        file.write_bytes(damaged[: rng.integers(1, len(damaged) + 1)] if rng.random() < 0.3 else damaged)
        try:
            execute(circuit, inputs, KEY, ENGINE, checkpoint=file)
        except InputError as error:
            assert "\n" not in str(error) and str(file) in str(error)
            n_refused += 1
        file.write_bytes(content)
    assert n_refused > 50  # what is left hit names of the archive that nobody reads


def test_a_checkpoint_that_contradicts_itself_is_refused(half_done: tuple[Circuit, Path]) -> None:
    circuit, file = half_done
    inputs = encrypt_bits(SECRET, bits_for(circuit), 1)
    with np.load(file) as archive:
        arrays = dict(archive)
    none_done = np.packbits(circuit.ops == NOT)
    last = int(np.flatnonzero((circuit.ops != NOT) & (circuit.operands.max(axis=1) >= circuit.n_inputs))[-1])
    only_last = np.packbits((circuit.ops == NOT) | (np.arange(circuit.n_gates) == last))
    for change, said in (
        ({"done": none_done}, "ciphertexts that are still needed"),
        ({"done": only_last}, "done before what it reads"),
        ({"signals": arrays["signals"][:-1], "words": arrays["words"][:-1]}, "still needed"),
        ({"signals": arrays["signals"][::-1]}, "do not rise"),
        ({"words": arrays["words"][:, :-1]}, "other sizes"),
        ({"version": np.array(9)}, "another version"),
    ):
        np.savez(file.open("wb"), **(arrays | change))
        with pytest.raises(InputError, match=said):
            execute(circuit, inputs, KEY, ENGINE, checkpoint=file)


def test_bad_input_is_refused_before_anything_runs() -> None:
    circuit = random_circuit(6, 40)
    engine = Counting(0, AssertionError())
    good = encrypt_bits(SECRET, bits_for(circuit), 1)
    other_secret, other_key = generate_keys(TINY, seed=2)
    with pytest.raises(InputError, match=f"those of key {KEY.key_id.hex()}, got those of {other_secret.key_id.hex()}"):
        execute(circuit, encrypt_bits(other_secret, bits_for(circuit), 1), KEY, engine)
    with pytest.raises(InputError, match="bits of shape .* got bits of shape"):
        execute(circuit, replace(good, words=good.words[:-1]), KEY, engine)
    integers = encrypt_integers(SECRET, bits_for(circuit), 4, 1)
    with pytest.raises(InputError, match="got integers below 4"):
        execute(circuit, integers, KEY, engine)
    wide_secret, wide_key = generate_keys(WIDE, seed=3)
    with pytest.raises(InputError, match="engine: wanted one for the parameters of the key"):
        execute(circuit, encrypt_bits(wide_secret, bits_for(circuit), 1), wide_key, engine)
    for wrong in ({"batch": 0}, {"n_threads": 0}):
        with pytest.raises(InputError, match="of 1 or more"):
            execute(circuit, good, KEY, engine, **wrong)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_a_work_list_hands_out_every_gate_once_after_what_it_reads(seed: int, most: int) -> None:
    circuit = random_circuit(seed, seed % 150, not_share=0.3, mux_share=0.3)
    work = WorkList(circuit)
    made = set(range(circuit.n_inputs))
    kept = made - set(work.unread_inputs().tolist())
    taken: list[np.ndarray] = []
    rng = np.random.default_rng(seed)
    while work.n_done < work.n_all:
        if work.n_ready and (not taken or rng.random() < 0.5):
            gates = work.take(most)
            assert 1 <= len(gates) and (N_BOOTSTRAPS[circuit.ops[gates]].sum() <= most or len(gates) == 1)
            taken.append(gates)
            continue
        gates = taken.pop(int(rng.integers(len(taken))))
        for gate in gates:
            reads = {work.sources[signal] for signal in circuit.operands[gate] if signal >= 0}
            assert reads <= kept and circuit.ops[gate] != NOT and circuit.n_inputs + gate not in made
            made.add(circuit.n_inputs + gate)
        kept |= {circuit.n_inputs + int(gate) for gate in gates}
        gone = work.finish(gates).tolist()
        assert len(gone) == len(set(gone)) and set(gone) <= kept
        kept -= set(gone)
    assert not taken and work.n_ready == 0 and len(work.take(1)) == 0
    assert kept == {int(signal) for signal in work.outputs if signal >= 0}


def test_the_longest_path_goes_first() -> None:
    circuit = small([(AND, 0, 1), (AND, 0, 2), (XOR, 4, 1), (MUX, 5, 0, 1), (AND, 1, 2)], 3, [3, 6, 7])
    work = WorkList(circuit)
    assert work.take(1).tolist() == [1] and work.take(9).tolist() == [0, 4]
    work.finish(np.array([1]))
    assert work.take(1).tolist() == [2]
    work.finish(np.array([2]))
    assert work.take(1).tolist() == [3]  # a MUX is two, but one gate is always handed out


def test_a_pool_reuses_its_rows() -> None:
    pool = Pool(5000, 3)
    words = np.arange(4500, dtype=np.uint32)[:, None] * np.array([1, 2, 3], np.uint32)
    for first in range(0, 4500, 900):
        pool.store(np.arange(first, first + 900), words[first : first + 900])
        pool.drop(np.arange(first, first + 850))
    assert pool.peak == 900 + 4 * 50
    left = pool.signals()
    assert len(left) == 250 and (pool.load(left[::-1]) == words[left[::-1]]).all()
    with pytest.raises(KeyError, match="no ciphertext of signal 0"):
        pool.load(np.array([850, 0]))


def test_a_first_interrupt_is_noted_and_a_second_one_raises() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with execution._noted_interrupts() as noted:
            signal.raise_signal(signal.SIGINT)
            assert noted == [signal.SIGINT]
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with execution._noted_interrupts() as noted:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # as in a job of the background
    finally:
        signal.signal(signal.SIGINT, before)
