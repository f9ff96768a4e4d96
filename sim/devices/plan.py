"""Which ciphertexts move between places, given where and when each gate runs: messages, and who waits for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from sim.devices.system import HOST
from workloads.circuits.circuit import N_BOOTSTRAPS, Circuit
from workloads.circuits.levels import levels_of
from workloads.circuits.negations import sources_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A circuit on places: steps are 1..n_steps, inputs are there from step 0 on, outputs are read in n_steps + 1.

    A message is everything that one share (what a place does in a step) made and another place reads, sent once: the
    reader keeps it until its last use. NOTs are done by whoever reads, so that they are nobody's.
    """

    n_steps: int
    depth: int  # bootstraps on the longest path
    bootstraps: np.ndarray  # (n_steps + 2, n_places) int64: the shares
    messages: np.ndarray  # (n_messages, 4) int64: step in which it is made, source, destination, ciphertexts; sorted
    waits: np.ndarray  # (n_waits, 3) int64: step, place, message without which the place cannot begin; sorted
    peak_ciphertexts: np.ndarray  # (n_places,) int64: most that a place holds at once, steps one after the other


@dataclass(frozen=True, kw_only=True, eq=False)
class Reads:
    """Who reads whose result, NOTs passed through: the gate `reader[i]` reads the ciphertext of `signal[i]`."""

    reader: np.ndarray  # int32 numbers of signals
    signal: np.ndarray  # int32
    outputs: np.ndarray  # int32: signals whose ciphertexts are the circuit's outputs, each once


def reads_of(circuit: Circuit) -> Reads:
    """Reads of all gates that bootstrap, and of the outputs that are no constants."""
    sources, _ = sources_of(circuit)
    bootstrapped = N_BOOTSTRAPS[circuit.ops] > 0
    gate, place = np.nonzero((circuit.operands >= 0) & bootstrapped[:, None])
    outputs = np.unique(sources[circuit.outputs[circuit.outputs >= 0]])
    reader = (circuit.n_inputs + gate).astype(np.int32)
    return Reads(reader=reader, signal=sources[circuit.operands[gate, place]], outputs=outputs)


def plan(circuit: Circuit, steps: np.ndarray, places: np.ndarray, n_places: int) -> Plan:
    """The plan of a circuit whose gate i runs in step steps[i] (from 1 on) at place places[i] (a device, from 1 on).

    Both are (n_gates,); what stands at NOTs does not matter. InputError where a gate would read what is not made yet.
    """
    reads = reads_of(circuit)
    step, place, n_steps = _of_signals(circuit, steps, places)
    if late := int((step[reads.signal] >= step[reads.reader]).sum()):
        raise InputError(f"{circuit.name}: wanted steps that rise from gate to reader, got {late} reads too early")
    reader_step = np.concatenate([step[reads.reader], np.full(len(reads.outputs), n_steps + 1)])
    reader_place = np.concatenate([place[reads.reader], np.full(len(reads.outputs), HOST)])
    signal = np.concatenate([reads.signal, reads.outputs])
    made = step[signal] * n_places + place[signal]  # the share that makes it
    away = place[signal] != reader_place
    bootstraps = np.zeros((n_steps + 2, n_places), np.int64)
    counted = N_BOOTSTRAPS[circuit.ops].astype(np.int64)
    np.add.at(bootstraps, (step[circuit.n_inputs :], place[circuit.n_inputs :]), counted)
    messages, of_message = _messages(made[away], reader_place[away], signal[away], n_places)
    return Plan(
        n_steps=n_steps,
        depth=int(levels_of(circuit).max(initial=0)),
        bootstraps=bootstraps,
        messages=messages,
        waits=_waits(reader_step[away], reader_place[away], messages, of_message, n_places),
        peak_ciphertexts=_peaks(signal, step[signal], place[signal], reader_step, reader_place, n_steps, n_places),
    )


def _of_signals(circuit: Circuit, steps: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Step and place of each signal, and the number of steps; NOTs in step 0 at the host, where they count nothing."""
    step = np.zeros(circuit.n_inputs + circuit.n_gates, np.int64)
    place = np.full(len(step), HOST, np.int64)
    bootstrapped = np.flatnonzero(N_BOOTSTRAPS[circuit.ops])
    step[circuit.n_inputs + bootstrapped] = steps[bootstrapped]
    place[circuit.n_inputs + bootstrapped] = places[bootstrapped]
    return step, place, int(step.max(initial=0))


def _messages(
    made: np.ndarray, reader_place: np.ndarray, signal: np.ndarray, n_places: int
) -> tuple[np.ndarray, np.ndarray]:
    """Messages, and the message that carries each read; a ciphertext that a place reads often is in one only."""
    keys, of_message = np.unique(made * n_places + reader_place, return_inverse=True)
    first = np.unique(signal.astype(np.int64) * n_places + reader_place, return_index=True)[1]
    counts = np.bincount(of_message[first], minlength=len(keys))
    step, source, destination = keys // n_places**2, keys // n_places % n_places, keys % n_places
    return np.stack([step, source, destination, counts], axis=1), of_message


def _waits(
    reader_step: np.ndarray, reader_place: np.ndarray, messages: np.ndarray, of_message: np.ndarray, n_places: int
) -> np.ndarray:
    """The last message from each source that a share needs: earlier ones on the same way arrived before it."""
    source = messages[of_message, 1]
    key = (reader_step * n_places + reader_place) * n_places + source
    order = np.lexsort((of_message, key))  # messages rise with the step in which they are made
    last = np.flatnonzero(np.diff(key[order], append=-1))
    kept = order[last]
    return np.stack([reader_step[kept], reader_place[kept], of_message[kept]], axis=1)


def _peaks(
    signal: np.ndarray,
    made_step: np.ndarray,
    made_place: np.ndarray,
    reader_step: np.ndarray,
    reader_place: np.ndarray,
    n_steps: int,
    n_places: int,
) -> np.ndarray:
    """Most ciphertexts at a place: own ones from their step, others from the step after, until the last read there.

    Where it was made a ciphertext stays until everybody has it: at least to the step after its own.
    """
    away = made_place != reader_place
    at = np.concatenate([reader_place, made_place[away]])
    until = np.concatenate([reader_step, made_step[away] + 1])
    since = np.concatenate([made_step + away, made_step[away]])
    key = at * (int(signal.max(initial=0)) + 1) + np.concatenate([signal, signal[away]])
    order = np.lexsort((until, key))
    last = order[np.flatnonzero(np.diff(key[order], append=-1))]
    changes = np.zeros((n_steps + 3, n_places), np.int64)
    np.add.at(changes, (since[last], at[last]), 1)
    np.add.at(changes, (until[last] + 1, at[last]), -1)
    return np.cumsum(changes, axis=0).max(axis=0)
