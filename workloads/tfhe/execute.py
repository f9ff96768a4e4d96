"""A circuit executed on ciphertexts, without the secret key: threads share a list of gates that can be done."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np

from designs.errors import InputError, Interrupted
from workloads.circuits.circuit import CONSTANT_1, Circuit
from workloads.circuits.negations import output_sources
from workloads.tfhe.checkpoint import Checkpoint, load_checkpoint, run_id, save_checkpoint
from workloads.tfhe.gates import EIGHTH
from workloads.tfhe.keys import Ciphertexts, EvaluationKey
from workloads.tfhe.pool import Pool
from workloads.tfhe.scheme import Engine, evaluate_gates
from workloads.tfhe.work_list import WorkList

MOST_THREADS = 1024
BATCH = 32  # bootstraps that share one pass over the bootstrapping key
CHECKPOINT_SECONDS = 60.0  # from one checkpoint to the next ...
_CHECKPOINT_PAUSE = 20  # ... and at least so many times what it took to write it
_TICK_SECONDS = 0.2  # how often progress is told


@dataclass(frozen=True, kw_only=True, eq=False)
class Execution:
    """What came out, and what it took."""

    outputs: Ciphertexts  # words (n_output_bits, n + 1)
    n_gates: int  # done by this call, NOTs left out
    n_resumed: int  # done before, as the checkpoint says
    n_threads: int
    seconds: float
    peak_ciphertexts: int  # most in memory at once
    peak_bytes: int


class ExecutionInterrupted(Interrupted):
    """Ctrl-C while gates were left; what was done is in the checkpoint, where there is one."""


def execute(
    circuit: Circuit,
    inputs: Ciphertexts,
    key: EvaluationKey,
    engine: Engine,
    *,
    n_threads: int | None = None,
    batch: int = BATCH,
    progress: Callable[[int, int], None] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Execution:
    """The circuit's outputs for encrypted inputs: bits (n_inputs, n + 1) in the order of its ports.

    `engine` is one for `key`. Threads (one a core unless given) each take up to `batch` bootstraps at a time, of the
    gates whose operands are there those with the longest path after them. A NOT costs nothing: its reader turns the
    sign. A ciphertext is dropped after its last use. The same bits come out whatever the order.

    `progress` is told (gates done, gates in all), NOTs left out. `checkpoint` names a file that is written whole from
    time to time, at an interrupt and at the end; where it is there already, its gates are not done again. It stays: the
    caller removes it when the outputs are safe. ExecutionInterrupted for Ctrl-C. InputError for inputs that are not
    this circuit's or this key's, and for the checkpoint of another circuit, key or inputs.
    """
    check_inputs(circuit, inputs, key)
    if engine.parameters != key.parameters:
        raise InputError("engine: wanted one for the parameters of the key, got another; make it from the key")
    if batch < 1 or (n_threads is not None and not 1 <= n_threads <= MOST_THREADS):
        wanted = f"wanted a batch of 1 or more and 1 to {MOST_THREADS} threads"
        raise InputError(f"execute: {wanted}, got {batch} and {n_threads}; change them")
    began = time.monotonic()
    run = _Run(circuit, inputs, key, engine, n_threads or len(os.sched_getaffinity(0)), batch)
    if checkpoint is not None and Path(checkpoint).exists():
        run.resume(load_checkpoint(checkpoint, run.id, circuit, key.parameters), checkpoint)
    run.drive(progress, None if checkpoint is None else Path(checkpoint), checkpoint_seconds)
    return Execution(
        outputs=Ciphertexts(key_id=inputs.key_id, n_messages=0, words=run.outputs()),
        n_gates=run.work.n_done - run.n_resumed,
        n_resumed=run.n_resumed,
        n_threads=run.n_threads,
        seconds=time.monotonic() - began,
        peak_ciphertexts=run.pool.peak,
        peak_bytes=run.pool.peak * 4 * (key.parameters.lwe_dimension + 1),
    )


def check_inputs(circuit: Circuit, inputs: Ciphertexts, key: EvaluationKey) -> None:
    """Raise InputError for ciphertexts of another key, or that are not the input bits of this circuit."""
    if inputs.key_id != key.key_id:
        raise InputError(
            f"ciphertexts: wanted those of key {key.key_id.hex()}, got those of {inputs.key_id.hex()}; take their own "
            "evaluation key"
        )
    wanted = (circuit.n_inputs, key.parameters.lwe_dimension + 1)
    if inputs.n_messages or inputs.words.shape != wanted or inputs.words.dtype != np.uint32:
        what = f"integers below {inputs.n_messages}" if inputs.n_messages else "bits"
        raise InputError(
            f"ciphertexts: wanted bits of shape {wanted} for the inputs of {circuit.name}, got {what} of shape "
            f"{inputs.words.shape}; encrypt for this circuit"
        )


class _Run:
    """One execution: what threads share is touched with the lock held."""

    def __init__(
        self, circuit: Circuit, inputs: Ciphertexts, key: EvaluationKey, engine: Engine, n_threads: int, batch: int
    ) -> None:
        self.circuit, self.engine, self.n_threads, self.batch = circuit, engine, n_threads, batch
        self.id = run_id(circuit, inputs)
        self.work = WorkList(circuit)
        self.pool = Pool(circuit.n_inputs + circuit.n_gates, key.parameters.lwe_dimension + 1)
        self.pool.store(np.arange(circuit.n_inputs), inputs.words)
        self.pool.drop(self.work.unread_inputs())
        self.changed = threading.Condition()
        self.n_resumed = 0  # gates done before, as a checkpoint says
        self.stopping = False
        self.failure: BaseException | None = None

    def resume(self, saved: Checkpoint, path: str | Path) -> None:
        """Go on where a checkpoint stood. InputError where it cannot be one of this circuit's."""
        try:
            needed = self.work.resume(saved.done)
        except ValueError as error:
            wanted = f"{path}: wanted a checkpoint of {self.circuit.name}"
            raise InputError(f"{wanted}, got one in which {error}; remove it") from error
        if not np.array_equal(needed, saved.signals):
            raise InputError(f"{path}: wanted the ciphertexts that are still needed, got others; remove it")
        self.pool.drop(self.pool.signals())
        self.pool.store(saved.signals, saved.words)
        self.n_resumed = self.work.n_done

    def drive(
        self, progress: Callable[[int, int], None] | None, checkpoint: Path | None, checkpoint_seconds: float
    ) -> None:
        """Run the threads to the end. What they raise is raised here."""
        # Daemons: whoever interrupts a second time does not wait for the batches under way.
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.n_threads)]
        with _noted_interrupts() as noted:
            try:
                for thread in threads:
                    thread.start()
                self._watch(progress, checkpoint, checkpoint_seconds, noted)
                if noted:
                    raise KeyboardInterrupt
            except KeyboardInterrupt as error:
                raise self._interrupted(threads, checkpoint) from error
            finally:
                self._stop()
        for thread in threads:
            thread.join()
        if self.failure is not None:
            raise self.failure
        if checkpoint is not None:
            self._save(checkpoint)

    def outputs(self) -> np.ndarray:
        """Words of the output bits, (n_output_bits, n + 1): NOTs negated, constants without noise."""
        sources, negated = output_sources(self.circuit)
        words = np.zeros((len(sources), self.pool.width), np.uint32)
        read = sources >= 0
        words[read] = self.pool.load(sources[read])
        words[negated] = -words[negated]
        words[~read, -1] = np.where(sources[~read] == CONSTANT_1, np.uint32(EIGHTH), np.uint32(2**32 - EIGHTH))
        return words

    def _watch(
        self, progress: Callable[[int, int], None] | None, checkpoint: Path | None, checkpoint_seconds: float,
        noted: Sequence[int],
    ) -> None:  # fmt: skip
        """Tell progress and save checkpoints until nothing is left, a thread failed or an interrupt was noted."""
        told, due = self.n_resumed, time.monotonic() + checkpoint_seconds
        if progress is not None:
            progress(told, self.work.n_all)
        while True:
            with self.changed:
                if not self._over():
                    self.changed.wait(_TICK_SECONDS)
                n_done, over = self.work.n_done, self._over()
            if progress is not None and n_done != told:
                progress(n_done, self.work.n_all)
            told = n_done
            if over or noted:
                return
            if checkpoint is not None and time.monotonic() >= due:
                began = time.monotonic()
                self._save(checkpoint)
                now = time.monotonic()
                due = now + max(checkpoint_seconds, _CHECKPOINT_PAUSE * (now - began))

    def _over(self) -> bool:
        return self.failure is not None or self.work.n_done == self.work.n_all

    def _work(self) -> None:
        """What a thread does: batches, until there are none left."""
        try:
            while (gates := self._next()) is not None:
                a, b, c = self._operands(gates)
                made = evaluate_gates(self.engine, self.circuit.ops[gates], a, b, c)
                with self.changed:
                    self.pool.store(self.circuit.n_inputs + gates, made)
                    self.pool.drop(self.work.finish(gates))
                    self.changed.notify_all()
        except BaseException as error:  # handed to the thread that waits
            with self.changed:
                self.failure = self.failure or error
                self.changed.notify_all()

    def _next(self) -> np.ndarray | None:
        """The next batch, this thread's share of what is ready; None at the end."""
        with self.changed:
            while not (self.stopping or self._over()):
                if n_ready := self.work.n_ready:
                    return self.work.take(min(self.batch, -(-n_ready // self.n_threads)))
                self.changed.wait()
            return None

    def _operands(self, gates: np.ndarray) -> list[np.ndarray]:
        """Operands of gates, (n_gates, n + 1) each, NOTs done; where an op has none, what the first reads."""
        signals = self.circuit.operands[gates]
        signals = np.where(signals >= 0, signals, signals[:, :1])
        sources, negated = self.work.sources[signals], self.work.negated[signals]
        with self.changed:
            operands = [self.pool.load(sources[:, place]) for place in range(3)]
        for place, words in enumerate(operands):
            words[negated[:, place]] = -words[negated[:, place]]
        return operands

    def _stop(self) -> None:
        with self.changed:
            self.stopping = True
            self.changed.notify_all()

    def _interrupted(self, threads: list[threading.Thread], checkpoint: Path | None) -> ExecutionInterrupted:
        """Save what the threads still finish; the exception to raise."""
        self._stop()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        if self.failure is not None:
            raise self.failure
        left = f"interrupted: {self.work.n_done} of {self.work.n_all} gates done"
        if checkpoint is None:
            return ExecutionInterrupted(left)
        self._save(checkpoint)
        return ExecutionInterrupted(f"{left}, kept in {checkpoint}; the same command goes on from there")

    def _save(self, path: Path) -> None:
        with self.changed:
            signals = self.pool.signals()
            saved = Checkpoint(id=self.id, done=self.work.done(), signals=signals, words=self.pool.load(signals))
        save_checkpoint(saved, path)


@contextmanager
def _noted_interrupts() -> Iterator[list[int]]:
    """A list that a first Ctrl-C is noted in; a second one raises KeyboardInterrupt.

    An exception may strike between taking a lock and the block that gives it back, and the threads that are waited for
    would wait for that lock for ever. So it is asked for where no lock is held. Where Ctrl-C means something else
    (ignored, another's handler, no main thread), it keeps its meaning.
    """
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if noted:
            raise KeyboardInterrupt
        noted.append(number)

    is_plain = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not is_plain or threading.current_thread() is not threading.main_thread():
        yield noted
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
