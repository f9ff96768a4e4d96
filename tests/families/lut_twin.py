"""The LUT machine, stepped cycle by cycle: what the simulator's closed forms are held to (docs/lut.md).

Written from the definition alone: flags of the banks by their equations, data of the banks and values of the LUTs one
sample and one LUT at a time, changes counted where they happen. Slow on purpose.

    python -m tests.families.lut_twin --cases 2000 --seed 0

runs random circuits, samples, gaps and readers through both and stops at the first difference, which it prints.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from designs.families.lut import Design
from sim.families import lut
from tests.families.twins import compare
from workloads.classifiers.classifier import Classifier
from workloads.mapping.lut import Circuit, circuit_of
from workloads.netlist import CONSTANT_1, ROLES
from workloads.random_netlists import random_netlist


class Copy:
    """One pipeline. `step` is one cycle; banks hold their data as {signal: value}."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit, self.netlist = circuit, circuit.netlist
        self.n_banks = circuit.n_stages + 1
        self.valid = [False] * self.n_banks
        self.banks = [dict.fromkeys(self.signals_of_bank(bank), 0) for bank in range(self.n_banks)]
        self.values = self.luts()
        self.counted: Counter[str] = Counter()

    def stage(self, signal: int) -> int:
        is_input = signal < self.netlist.n_inputs
        return 0 if is_input else int(self.circuit.stages[signal - self.netlist.n_inputs])

    def signals_of_bank(self, bank: int) -> list[int]:
        """What stands in this stage or earlier and is read by a LUT of a later stage, or as an output."""
        read = {int(signal) for signal in self.netlist.outputs if signal >= 0}
        for index in range(self.netlist.n_luts):
            if self.circuit.stages[index] > bank:
                read |= {int(signal) for signal in self.netlist.inputs_of(index)}
        return sorted(signal for signal in read if self.stage(signal) <= bank)

    def luts(self) -> dict[int, int]:
        """The settled value of every LUT, from the banks as they are."""
        values: dict[int, int] = {}
        for index in range(self.netlist.n_luts):
            stage = int(self.circuit.stages[index])
            entry = 0
            for place, signal in enumerate(self.netlist.inputs_of(index)):
                inside = self.stage(int(signal)) == stage
                value = values[int(signal)] if inside else self.banks[stage - 1][int(signal)]
                entry += value << place
            values[self.netlist.n_inputs + index] = int(self.netlist.table_of(index)[entry])
        return values

    def step(self, sample: np.ndarray | None, ready: bool) -> tuple[bool, list[int] | None]:
        """(the offered sample was taken, the answer that was taken)."""
        offered = sample is not None
        room = [False] * self.n_banks + [ready]
        for bank in reversed(range(self.n_banks)):
            room[bank] = not self.valid[bank] or room[bank + 1]
        before = [offered, *self.valid]  # valid[b - 1] of each bank b
        answer = self.answer() if self.valid[-1] and ready else None
        load = [room[bank] and before[bank] for bank in range(self.n_banks)]
        loaded = [self.loaded(bank, sample) if load[bank] else self.banks[bank] for bank in range(self.n_banks)]
        for bank in range(self.n_banks):
            if load[bank]:
                self.counted["register_loads"] += len(loaded[bank])
                self.counted["register_toggles"] += sum(loaded[bank][s] != v for s, v in self.banks[bank].items())
        self.valid = [before[bank] if room[bank] else self.valid[bank] for bank in range(self.n_banks)]
        self.banks = loaded
        values = self.luts()
        for signal, value in values.items():
            if value != self.values[signal]:
                role = ROLES[self.netlist.roles[signal - self.netlist.n_inputs]]
                self.counted.update(["lut_toggles", f"lut_toggles_{role}"])
        self.values = values
        return offered and room[0], answer

    def loaded(self, bank: int, sample: np.ndarray | None) -> dict[int, int]:
        """What the bank takes over: inputs, LUTs of its stage, and what the bank before it hands on."""
        found = {}
        for signal in self.banks[bank]:
            if bank == 0:
                assert sample is not None
                found[signal] = int(sample[signal])
            elif self.stage(signal) == bank:
                found[signal] = self.values[signal]
            else:
                found[signal] = self.banks[bank - 1][signal]
        return found

    def answer(self) -> list[int]:
        outputs = self.netlist.outputs.tolist()
        return [self.banks[-1][signal] if signal >= 0 else int(signal == CONSTANT_1) for signal in outputs]


@dataclass
class TwinRun:
    outputs: np.ndarray
    accept_cycles: np.ndarray
    answer_cycles: np.ndarray
    activity: dict[str, int] = field(default_factory=dict)


def run_twin(circuit: Circuit, copies: int, samples: np.ndarray, gaps: np.ndarray, ready: np.ndarray) -> TwinRun:
    """Step all copies until every answer was taken."""
    n_samples = len(samples)
    run = TwinRun(
        np.zeros((n_samples, circuit.netlist.n_outputs), dtype=np.uint8),
        np.zeros(n_samples, dtype=np.int64),
        np.zeros(n_samples, dtype=np.int64),
    )
    counted: Counter[str] = Counter(inferences=n_samples)
    for first in range(copies):
        copy = Copy(circuit)
        waiting = list(range(first, n_samples, copies))
        running: list[int] = []  # samples inside, oldest first
        cycle = -1
        offered_from = int(gaps[first]) if waiting else 0
        while waiting or running:
            cycle += 1
            is_offered = bool(waiting) and cycle >= offered_from
            taken, answer = copy.step(samples[waiting[0]] if is_offered else None, bool(ready[cycle % len(ready)]))
            if answer is not None:
                index = running.pop(0)
                run.outputs[index], run.answer_cycles[index] = answer, cycle
            if taken:
                run.accept_cycles[waiting[0]] = cycle
                running.append(waiting.pop(0))
                offered_from = cycle + 1 + int(gaps[waiting[0]]) if waiting else 0
        counted.update(copy.counted)
    names = ("lut_toggles", *(f"lut_toggles_{role}" for role in ROLES), "register_toggles", "register_loads")
    run.activity = {name: counted[name] for name in (*names, "inferences")}
    return run


# Random cases


def random_case(seed: int) -> tuple[Design, Classifier, np.ndarray, np.ndarray]:
    """(machine, circuit with samples, gaps, pattern of the reader)."""
    rng = np.random.default_rng(seed)
    design = Design(
        lut_inputs=int(rng.integers(3, 7)),
        fracturable=bool(rng.random() < 0.3),
        levels_per_stage=int(rng.choice([0, 1, 1, 2, 3])),
        copies=int(rng.choice([1, 1, 2, 3, 16])),
    )
    n_inputs = int(rng.integers(1, 12))
    netlist = random_netlist(rng, n_inputs, int(rng.integers(0, 25)), int(rng.integers(1, 8)))
    n_samples = int(rng.choice([1, 2, 7, 20, 63, 64, 65, 130], p=[0.1, 0.1, 0.3, 0.3, 0.05, 0.05, 0.05, 0.05]))
    samples = (rng.random((n_samples, n_inputs)) < rng.random()).astype(np.uint8)
    often = rng.random()
    gaps = np.where(rng.random(n_samples) < rng.random(), rng.integers(0, 4, n_samples), 0)
    ready = (rng.random(int(rng.integers(1, 9))) < often).astype(np.uint8)
    ready[rng.integers(len(ready))] = 1
    return design, Classifier(netlist=netlist, samples=samples, labels=None, answer="bits"), gaps, ready


def difference(seed: int) -> str | None:
    """What differs between simulator and twin on the case of a seed; None where nothing does."""
    design, classifier, gaps, ready = random_case(seed)
    circuit = circuit_of(design, classifier.netlist)
    if [bank.tolist() for bank in circuit.banks] != [
        Copy(circuit).signals_of_bank(bank) for bank in range(circuit.n_stages + 1)
    ]:
        return f"seed {seed}: banks differ on {design}"
    twin = run_twin(circuit, design.copies, classifier.samples, gaps, ready)
    run = lut.run_with_numbers(design, classifier, gaps, ready)
    for name in ("outputs", "accept_cycles", "answer_cycles"):
        if not np.array_equal(getattr(run, name), getattr(twin, name)):
            return f"seed {seed}: {name} differ on {design}: {getattr(run, name)} and {getattr(twin, name)} (twin)"
    if run.activity != twin.activity:
        return f"seed {seed}: activity differs on {design}: {run.activity} and {twin.activity} (twin)"
    return None


if __name__ == "__main__":
    sys.exit(compare(difference, n_cases=2000))
