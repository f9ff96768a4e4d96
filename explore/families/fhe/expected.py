"""What a program of a bootstrapping machine gives, by definition and by the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from designs.families.fhe import Design
from explore.verify import MISSING, Difference
from hw.bench.fhe import ProgramRun, Stimulus
from sim.families.fhe import run_program
from workloads.mapping.fhe import Program
from workloads.tfhe.reference import blind_rotate, extract, key_switch


@dataclass(frozen=True, kw_only=True, eq=False)
class Expected:
    """What a run should give."""

    ciphertexts: Mapping[int, np.ndarray]  # number of each result -> (n + 1,) uint32, by definition
    cycles: int
    activity: Mapping[str, int]  # of the simulator


def expected_of(design: Design, stimulus: Stimulus) -> Expected:
    """Ciphertexts by docs/fhe.md section 1 (workloads/tfhe/reference.py), cycles and activity by the simulator."""
    simulated = run_program(
        design,
        stimulus.program,
        key_arrivals=stimulus.bootstrap_key_arrivals,
        key_switch_arrivals=stimulus.key_switch_key_arrivals,
        read_arrivals=stimulus.read_arrivals,
        write_ready=stimulus.write_ready,
    )
    return Expected(
        ciphertexts=results_of(design, stimulus), cycles=simulated.cycles, activity=dict(simulated.activity)
    )


def results_of(design: Design, stimulus: Stimulus) -> dict[int, np.ndarray]:
    """Each result of the program, batch by batch: linear parts, blind rotations, held sums, key switches."""
    program, key, p = stimulus.program, stimulus.key, design.parameters
    known = dict(enumerate(stimulus.inputs))
    found: dict[int, np.ndarray] = {}
    for batch in range(len(program.slots)):
        cells = np.arange(program.first_cell[batch], program.first_cell[batch + 1])
        cells = cells[program.valid[cells]]
        values = np.repeat(program.value[cells, None], p.ring_degree, axis=1)
        words = _linear(program, cells, known)
        extracted = extract(blind_rotate(words, values, key.bootstrap_key, p))
        sums = dict(zip(cells.tolist(), extracted, strict=True))
        for cell in cells[program.holds[cells]].tolist():  # the next slot of the same core
            sums[cell + design.cores] = sums[cell + design.cores] + sums.pop(cell)
        rows = np.array(list(sums.values()))
        rows[:, -1] += program.post[list(sums)]
        switched = key_switch(rows, key.key_switch_key, p)
        results = {int(program.result[cell]): row for cell, row in zip(sums, switched, strict=True)}
        found |= results
        known |= results
    return found


def _linear(program: Program, cells: np.ndarray, known: Mapping[int, np.ndarray]) -> np.ndarray:
    """c = s1 A + s2 B + (0, .., 0, constant) of each cell."""
    factors = program.factors[cells].astype(np.int64).astype(np.uint32)
    rows = np.array([[known[number] for number in pair] for pair in program.operands[cells].tolist()])
    words = (rows * factors[..., None]).sum(axis=1, dtype=np.uint32)
    words[:, -1] += program.constant[cells]
    return words


def differences(design: Design, program: Program, expected: Expected, run: ProgramRun) -> tuple[Difference, ...]:
    """Ciphertexts (the first word, by batch and cell), cycles and each counter of activity that differ."""
    found = list(_of_ciphertexts(design, program, expected, run))
    if expected.cycles != run.cycles:
        found.append(Difference(what="cycles", expected=expected.cycles, rtl=run.cycles, where="the last beat written"))
    for name in sorted(set(expected.activity) | set(run.activity)):
        wanted, counted = expected.activity.get(name, MISSING), run.activity.get(name, MISSING)
        if wanted != counted:
            found.append(Difference(what=name, expected=wanted, rtl=counted, where="the whole run"))
    return tuple(found)


def _of_ciphertexts(
    design: Design, program: Program, expected: Expected, run: ProgramRun
) -> tuple[Difference, ...]:
    makers = np.flatnonzero(program.valid & ~program.holds)
    wrong: list[tuple[int, int]] = []  # cell, word
    for cell in makers.tolist():
        wanted, got = expected.ciphertexts[int(program.result[cell])], run.ciphertexts.get(int(program.result[cell]))
        words = range(len(wanted)) if got is None else np.flatnonzero(wanted != got).tolist()
        wrong += [(cell, word) for word in words]
    if not wrong:
        return ()
    cell, word = wrong[0]
    batch = int(np.searchsorted(program.first_cell, cell, side="right")) - 1
    slot, core = divmod(cell - int(program.first_cell[batch]), design.cores)
    number = int(program.result[cell])
    got = run.ciphertexts.get(number)
    return (
        Difference(
            what="outputs",
            expected=int(expected.ciphertexts[number][word]),
            rtl=MISSING if got is None else int(got[word]),
            where=f"batch {batch}, slot {slot}, core {core}, ciphertext {number}, word {word}; {len(wrong)} differ",
        ),
    )
