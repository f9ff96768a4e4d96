"""The bootstrapping machine, stepped cycle by cycle: what the simulator's recurrences are held to (docs/fhe.md).

Written from the definition alone: every station asks in every cycle whether it may start, beats are taken one at a time,
ends are remembered when they happen. Slow on purpose.

    python -m tests.families.fhe_twin --cases 3000 --seed 0

runs random machines, programs, arrivals and receivers through both and stops at the first difference, which it prints.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from designs.errors import DesignError
from designs.families.fhe import Design
from sim.families import fhe
from tests.families.twins import compare, count_differences
from workloads.circuits.random_circuits import random_circuit
from workloads.mapping.fhe import Program, program_of

LIMIT_CYCLES = 20_000_000  # of a machine that never ends
NEVER = 1 << 60


@dataclass
class Station:
    """One station of a rotation: `T`, `Rd`, `Lo`, `So` of the definition, and when its jobs started."""

    name: str
    busy: int
    reads: int
    low: int
    gap: int
    starts: list[int] = field(default_factory=list)


class Rotation:
    """One batch from INIT's first cycle on. `row_there(i)`: the cycle of the last beat of row i, NEVER before it is known."""

    def __init__(self, machine: Machine, slots: int, first: int) -> None:
        self.machine, self.slots, self.first = machine, slots, first
        design = machine.design
        self.words = design.parameters.ring_degree // design.coefficients_per_cycle
        self.n_steps, self.columns = design.parameters.lwe_dimension, design.parameters.glwe_dimension + 1
        self.groups = self.columns // design.rotators * (design.parameters.decomposition_levels // design.decomposers)
        self.inverses = self.columns // design.inverse_ntts
        words, stages = self.words, design.parameters.ring_degree.bit_length() - 1
        a, ranks = design.multiplier_stages, design.ntt_ranks
        again = max(words, words // 2 + 1 + a + 2)
        self.passes = [(y + 1) * stages // ranks - y * stages // ranks for y in range(ranks)]

        def transforms(letter: str) -> list[Station]:
            return [
                Station(f"{letter}{y}", (x - 1) * again + words, words, (x - 1) * again + a + 2, words // 2 + 1)
                for y, x in enumerate(self.passes)
            ]

        self.rot = Station("ROT", words, 0, 4, words // 2 + 1)
        self.forward, self.inverse = transforms("F"), transforms("I")
        self.forward[-1].gap = 1
        multiply = words * self.columns // design.key_columns
        self.mac = Station("MAC", multiply, multiply, a + 2, 0)
        self.wb = Station("WB", words, words, 2, 0)

    @property
    def end(self) -> int:
        """rot_end, NEVER while it is not known."""
        n_jobs = self.n_steps * self.slots * self.inverses
        return self.wb.starts[-1] + 2 + self.words - 1 if len(self.wb.starts) == n_jobs else NEVER

    def step(self, cycle: int) -> None:
        front = [self.rot, *self.forward, self.mac]
        back = [*self.inverse, self.wb]
        started = [station for station in front if self.may_start_front(station, front, cycle)]
        started += [station for station in back if self.may_start_back(station, back, cycle)]
        for station in started:
            self.count(station)
            station.starts.append(cycle)

    def may_start(self, station: Station, before: Station | None, after: Station | None, cycle: int) -> bool:
        job = len(station.starts)
        if job and cycle < station.starts[-1] + station.busy:
            return False
        if before is not None:
            if len(before.starts) <= job or cycle < before.starts[job] + before.low + before.gap:
                return False
        if after is not None and job >= 2:
            if len(after.starts) <= job - 2:
                return False
            return cycle >= after.starts[job - 2] + max(1, after.reads - station.low)
        return True

    def may_start_front(self, station: Station, front: list[Station], cycle: int) -> bool:
        job, place = len(station.starts), front.index(station)
        if job == self.n_steps * self.slots * self.groups:
            return False
        ciphertext, group = divmod(job, self.groups)
        step, slot = divmod(ciphertext, self.slots)
        if station is self.rot:
            if step == 0:
                ready = self.first + self.slots * self.words
            else:
                last = ((step - 1) * self.slots + slot + 1) * self.inverses - 1
                if len(self.wb.starts) <= last:
                    return False
                ready = self.wb.starts[last] + 2 + self.words - 1
            return cycle >= ready and self.may_start(station, None, front[1], cycle)
        if station is self.mac:
            if cycle < self.machine.row_there(step) + 1:
                return False
            if group == 0 and ciphertext >= 2:
                last = (ciphertext - 1) * self.inverses - 1
                started = self.inverse[0].starts
                if len(started) <= last:
                    return False
                if cycle < started[last] + max(1, self.words - (self.machine.design.multiplier_stages + 2)):
                    return False
            return self.may_start(station, front[place - 1], None, cycle)
        return self.may_start(station, front[place - 1], front[place + 1], cycle)

    def may_start_back(self, station: Station, back: list[Station], cycle: int) -> bool:
        job, place = len(station.starts), back.index(station)
        if job == self.n_steps * self.slots * self.inverses:
            return False
        if place:
            after = back[place + 1] if place + 1 < len(back) else None
            return self.may_start(station, back[place - 1], after, cycle)
        design = self.machine.design
        ciphertext, columns = divmod(job, self.inverses)
        last = (ciphertext + 1) * self.groups - 1
        if len(self.mac.starts) <= last:
            return False
        last_pass = ((columns + 1) * design.inverse_ntts - 1) // design.key_columns
        if cycle < self.mac.starts[last] + design.multiplier_stages + 2 + self.words * last_pass + 1:
            return False
        return self.may_start(station, None, back[1], cycle)

    def count(self, station: Station) -> None:
        """What a job does, for each cell of its slot that has a command."""
        design, counted = self.machine.design, self.machine.counted
        degree, job = design.parameters.ring_degree, len(station.starts)
        per_ciphertext = self.inverses if station in self.inverse or station is self.wb else self.groups
        cells = self.machine.n_commands(job // per_ciphertext % self.slots)
        together = design.rotators * design.decomposers
        if station is self.rot:
            counted["rotated"] += cells * design.rotators * degree
            counted["digits"] += cells * together * degree
        elif station in self.forward:
            counted["butterflies"] += cells * together * degree // 2 * self.passes[self.forward.index(station)]
        elif station is self.mac:
            counted["key_macs"] += cells * self.mac.busy * together * design.key_columns * design.coefficients_per_cycle
            counted["transform_updates"] += cells * self.mac.busy * design.key_columns * design.coefficients_per_cycle
        elif station in self.inverse:
            passes = self.passes[self.inverse.index(station)]
            counted["inverse_butterflies"] += cells * design.inverse_ntts * degree // 2 * passes
        else:
            counted["accumulated"] += cells * design.inverse_ntts * degree


class Machine:
    """`step` is one cycle of the whole machine; ends of LOAD .. STORE are kept by batch."""

    def __init__(self, design: Design, program: Program, stalls: dict[str, Any], endless: bool = False) -> None:
        self.design, self.program, self.endless = design, program, endless
        self.stalls = stalls
        self.cycle = 0
        self.counted: Counter[str] = Counter()
        self.n_batches = len(program.slots)
        self.first: dict[str, list[int]] = {name: [] for name in ("load", "init", "extract", "switch", "store")}
        self.end: dict[str, list[int]] = {name: [] for name in ("load", "rotation", "extract", "switch", "store")}
        # Streams: beats to be requested (cycle, beat), cycle of the last beat of each row, ...
        self.requests: list[int] = []  # cycle of each
        self.to_request = 0
        self.n_reads_taken = 0
        self.rows_taken: list[int] = []
        self.row_beats_taken = 0
        self.freed: list[int] = []  # first cycle in which the row may be overwritten
        self.rotation: Rotation | None = None
        self.batch_rotating = 0
        self.switch_beats_left = 0
        self.next_switch_beat = 0
        self.switch_interval = 0
        self.n_switch_beats = 0
        self.to_write = 0
        p = design.parameters
        self.row_beats = (
            (p.glwe_dimension + 1) ** 2 * p.decomposition_levels * p.ring_degree // design.key_residues_per_cycle
        )
        self.c_d = -(-(p.lwe_dimension + 1) // design.ciphertext_words_per_cycle)
        c_v = -(-(p.lwe_dimension + 1) // design.key_switch_lanes)
        self.switch_beats = p.glwe_dimension * p.ring_degree * p.key_switch_levels * c_v

    # Programs

    def cells(self, batch: int) -> range:
        return range(int(self.program.first_cell[batch]), int(self.program.first_cell[batch + 1]))

    def n_operands(self, batch: int) -> int:
        return sum(int((self.program.factors[cell] != 0).sum()) for cell in self.cells(batch))

    def results(self, batch: int) -> list[int]:
        """Of each core."""
        found = [0] * self.design.cores
        for place, cell in enumerate(self.cells(batch)):
            if self.program.valid[cell] and not self.program.holds[cell]:
                found[place % self.design.cores] += 1
        return found

    def n_commands(self, slot: int) -> int:
        """Of a slot of the batch that rotates."""
        first = self.cells(self.batch_rotating).start + slot * self.design.cores
        return int(self.program.valid[first : first + self.design.cores].sum())

    # Keys

    def row_there(self, step: int) -> int:
        if self.endless:
            return -1
        n_steps = self.design.parameters.lwe_dimension
        row = step if self.design.key_rows >= n_steps else self.batch_rotating * n_steps + step
        return self.rows_taken[row] if row < len(self.rows_taken) else NEVER

    def step_keys(self) -> None:
        n_steps, rows = self.design.parameters.lwe_dimension, self.design.key_rows
        resident = rows >= n_steps
        row = len(self.rows_taken)
        if row == n_steps * (1 if resident else self.n_batches):
            return
        beat = self.counted["key_beats"]
        if self.cycle < self.offered("key_arrivals", beat):
            return
        if not resident and row >= rows:
            if len(self.freed) <= row - rows or self.cycle < self.freed[row - rows]:
                return
        self.counted["key_beats"] += 1
        self.row_beats_taken += 1
        if self.row_beats_taken == self.row_beats:
            self.row_beats_taken = 0
            self.rows_taken.append(self.cycle)

    def offered(self, stream: str, beat: int) -> int:
        arrivals = self.stalls.get(stream)
        return self.design.memory_latency_cycles + beat if arrivals is None else int(arrivals[beat])

    # Batches

    def ended(self, what: str, batch: int) -> bool:
        """Before this cycle; what was before the first batch has."""
        return batch < 0 or (len(self.end[what]) > batch and self.end[what][batch] < self.cycle)

    def step(self) -> None:
        self.step_keys()
        self.step_load()
        self.step_rotation()
        self.step_extract()
        self.step_switch()
        self.step_store()
        self.cycle += 1

    def step_load(self) -> None:
        batch = len(self.first["load"])
        if batch < self.n_batches and self.cycle >= 1:
            after = int(self.program.after[batch]) - 1
            if self.ended("load", batch - 1) and self.ended("rotation", batch - 2) and self.ended("store", after):
                self.first["load"].append(self.cycle)
                self.to_request = self.n_operands(batch)
        if self.to_request:
            self.requests.append(self.cycle)
            self.to_request -= 1
        operand = self.n_reads_taken // self.c_d
        if operand >= len(self.requests):
            return
        offered = self.requests[operand] + self.design.memory_latency_cycles
        if self.stalls.get("read_arrivals") is not None:
            offered = max(offered, int(self.stalls["read_arrivals"][self.n_reads_taken]))
        if self.cycle < offered:
            return
        self.n_reads_taken += 1
        self.counted["read_beats"] += 1
        self.counted["linear_words"] += self.design.ciphertext_words_per_cycle
        if not self.to_request and self.n_reads_taken == len(self.requests) * self.c_d:
            self.end["load"].append(self.cycle + 2)

    def step_rotation(self) -> None:
        if self.rotation is None:
            batch = len(self.first["init"])
            if batch == self.n_batches or not self.ended("load", batch) or not self.ended("extract", batch - 1):
                return
            n_steps, rows = self.design.parameters.lwe_dimension, self.design.key_rows
            row = batch * n_steps + rows - 1 if rows < n_steps else n_steps - 1
            if not self.endless and (len(self.rows_taken) <= row or self.rows_taken[row] >= self.cycle):
                return
            self.first["init"].append(self.cycle)
            self.batch_rotating = batch
            self.rotation = Rotation(self, int(self.program.slots[batch]), self.cycle)
            commands = sum(self.n_commands(slot) for slot in range(self.rotation.slots))
            columns, degree = self.rotation.columns, self.design.parameters.ring_degree
            self.counted["started"] += commands * columns * degree
            self.counted["bootstraps"] += commands
        rotation = self.rotation
        n_multiplied = len(rotation.mac.starts)
        rotation.step(self.cycle)
        per_row = rotation.slots * rotation.groups
        if len(rotation.mac.starts) > n_multiplied and len(rotation.mac.starts) % per_row == 0:
            self.freed.append(self.cycle + rotation.mac.busy)
        if rotation.end < NEVER:
            self.end["rotation"].append(rotation.end)
            self.rotation = None

    def step_extract(self) -> None:
        batch = len(self.first["extract"])
        if batch < self.n_batches and self.ended("rotation", batch) and self.ended("store", batch - 1):
            self.first["extract"].append(self.cycle)
            slots = int(self.program.slots[batch])
            words = self.design.parameters.ring_degree // self.design.coefficients_per_cycle
            self.end["extract"].append(self.cycle + slots * words + 1)
            commands = sum(bool(self.program.valid[cell]) for cell in self.cells(batch))
            p = self.design.parameters
            self.counted["extracted"] += commands * (p.glwe_dimension * p.ring_degree + 1)

    def step_switch(self) -> None:
        batch = len(self.first["switch"])
        if batch < self.n_batches and self.ended("extract", batch):
            self.first["switch"].append(self.cycle)
            self.switch_beats_left = self.switch_beats
            self.switch_interval = -(-max(self.results(batch)) // self.design.key_switchers)
            self.next_switch_beat = self.cycle
        if not self.switch_beats_left:
            return
        if self.cycle < max(self.next_switch_beat, self.offered("key_switch_arrivals", self.n_switch_beats)):
            return
        self.n_switch_beats += 1
        self.counted["key_switch_beats"] += 1
        n_results = sum(self.results(len(self.first["switch"]) - 1))
        self.counted["key_switch_macs"] += n_results * self.design.key_switch_lanes
        self.next_switch_beat = self.cycle + self.switch_interval
        self.switch_beats_left -= 1
        if not self.switch_beats_left:
            self.end["switch"].append(self.cycle + self.switch_interval + 2)

    def step_store(self) -> None:
        batch = len(self.first["store"])
        if batch < self.n_batches and self.ended("switch", batch):
            self.first["store"].append(self.cycle)
            self.to_write = sum(self.results(batch)) * self.c_d
        if not self.to_write or self.cycle < self.first["store"][-1] + 2:
            return
        ready = self.stalls.get("write_ready")
        if ready is not None and self.cycle < len(ready) and not ready[self.cycle]:
            return
        self.counted["write_beats"] += 1
        self.to_write -= 1
        if not self.to_write:
            self.end["store"].append(self.cycle)


def run_twin(design: Design, program: Program, stalls: dict[str, Any], endless: bool = False) -> Machine:
    """Step the machine until its last result was taken."""
    machine = Machine(design, program, stalls, endless)
    while len(machine.end["store"]) < machine.n_batches:
        if machine.cycle > LIMIT_CYCLES:
            raise RuntimeError(f"no end after {LIMIT_CYCLES} cycles")
        machine.step()
    return machine


def phases_of(machine: Machine) -> Counter[str]:
    """What each cycle of the run was spent on, from the ends that the machine remembers."""
    design, found = machine.design, Counter[str]()
    words = design.parameters.ring_degree // design.coefficients_per_cycle
    ended = -1
    for batch in range(machine.n_batches):
        slots, load_end = int(machine.program.slots[batch]), machine.end["load"][batch]
        first, rotated = machine.first["init"][batch], machine.end["rotation"][batch]
        after = int(machine.program.after[batch]) - 1
        needed = [machine.end["load"][batch - 1]] if batch else [0]
        needed += [machine.end["rotation"][batch - 2]] if batch > 1 else []
        late = max(0, machine.end["store"][after] - max(needed)) if after >= 0 else 0
        waiting = list(range(ended + 1, first))
        loading = [cycle for cycle in waiting if cycle <= load_end]
        found["stall_operands"] += min(late, len(loading))
        found["load"] += len(loading) - min(late, len(loading))
        found["key_fill"] += len(waiting) - len(loading)
        cycles = rotated - first + 1
        unstalled = _endless_cycles(design, slots)
        busiest = _busiest_cycles(design)
        found["init"] += slots * words
        found["compute"] += slots * busiest
        found["pipeline_latency"] += unstalled - slots * words - slots * busiest
        found["stall_key"] += cycles - unstalled
        found["stall_key_switch"] += machine.first["extract"][batch] - rotated - 1
        ended = machine.end["extract"][batch]
        found["extract"] += ended - machine.first["extract"][batch] + 1
    found["drain"] += machine.cycle - 1 - ended
    return found


def _endless_cycles(design: Design, slots: int) -> int:
    """INIT and rotation of so many slots where key rows are always there."""
    machine = run_twin(design, one_batch(slots, design.cores), {}, endless=True)
    return machine.end["rotation"][0] - machine.first["init"][0] + 1


def _busiest_cycles(design: Design) -> int:
    """Of all steps of one ciphertext."""
    machine = Machine(design, one_batch(1, design.cores), {})
    rotation = Rotation(machine, 1, 0)
    front = max(station.busy for station in (rotation.rot, *rotation.forward, rotation.mac)) * rotation.groups
    back = max(station.busy for station in (*rotation.inverse, rotation.wb)) * rotation.inverses
    return max(front, back) * rotation.n_steps


# Random cases


def one_batch(slots: int, cores: int) -> Program:
    """A batch of gates of two operands in every cell."""
    return program_of_cells(np.array([slots]), np.array([0]), np.ones(slots * cores, bool), cores)


def program_of_cells(
    slots: np.ndarray, after: np.ndarray, valid: np.ndarray, cores: int, holds: np.ndarray | None = None,
    factors: np.ndarray | None = None,
) -> Program:  # fmt: skip
    """A program whose numbers do not matter: operands are ciphertext 0, results are numbered from 2 on."""
    first_cell = np.concatenate([[0], np.cumsum(slots * cores)])
    n_cells = int(first_cell[-1])
    holds = np.zeros(n_cells, bool) if holds is None else holds
    factors = np.ones((n_cells, 2), np.int8) * valid[:, None] if factors is None else factors
    words = np.zeros(n_cells, np.uint32)
    result = np.where(valid & ~holds, np.arange(2, n_cells + 2), 0).astype(np.int32)
    return Program(
        slots=slots.astype(np.int64), after=after.astype(np.int64), first_cell=first_cell.astype(np.int64), valid=valid,
        holds=holds, factors=factors.astype(np.int8), constant=words, value=words, post=words,
        operands=np.zeros((n_cells, 2), np.int32), result=result,
    )  # fmt: skip


def random_program(rng: np.random.Generator, design: Design, n_batches: int) -> Program:
    """With empty cells, single operands and cells that hold."""
    slots = rng.integers(1, design.batch + 1, n_batches)
    after = np.array([int(rng.integers(0, batch + 1)) if rng.random() < 0.5 else 0 for batch in range(n_batches)])
    valid, holds, factors = [], [], []
    for a in slots.tolist():
        there = rng.random((a, design.cores)) < 0.8
        there[int(rng.integers(a)), int(rng.integers(design.cores))] = True
        held = np.zeros((a, design.cores), bool)
        for slot in range(a - 1):
            held[slot] = (
                there[slot] & there[slot + 1] & (rng.random(design.cores) < 0.3) & ~(held[slot - 1] & (slot > 0))
            )
        of_cells = rng.choice([-2, -1, 1, 2], (a, design.cores, 2)) * there[:, :, None]
        of_cells[:, :, 1] *= rng.random((a, design.cores)) < 0.8
        valid.append(there.ravel())
        holds.append(held.ravel())
        factors.append(of_cells.reshape(-1, 2))
    return program_of_cells(
        slots, after, np.concatenate(valid), design.cores, np.concatenate(holds), np.concatenate(factors)
    )


def random_design(rng: np.random.Generator) -> Design:
    """A small machine, maybe one that cannot be built."""
    choose = rng.choice
    k = int(choose([1, 1, 2, 3]))
    levels, n = int(choose([1, 2, 3])), int(rng.integers(2, 10))
    rotators = int(choose([x for x in range(1, k + 2) if (k + 1) % x == 0]))
    decomposers = int(choose([x for x in range(1, levels + 1) if levels % x == 0]))
    columns = int(choose([x for x in range(1, k + 2) if (k + 1) % x == 0]))
    coefficients = int(choose([2, 4, 8]))
    lanes = int(rng.integers(1, n + 1))
    multiplied = rotators * decomposers * columns * coefficients
    return Design(
        parameter_set="custom",
        lwe_dimension=n,
        glwe_dimension=k,
        ring_degree=int(choose([16, 32, 64])),
        decomposition_levels=levels,
        decomposition_base_bits=int(choose([4, 7])),
        key_switch_levels=int(choose([1, 2])),
        key_switch_base_bits=2,
        lwe_noise=2.0**-20,
        glwe_noise=2.0**-30,
        coefficients_per_cycle=coefficients,
        rotators=rotators,
        decomposers=decomposers,
        key_columns=columns,
        inverse_ntts=int(choose([x for x in range(1, k + 2) if (k + 1) % x == 0])),
        ntt_ranks=int(rng.integers(1, 5)),
        multiplier_stages=int(rng.integers(1, 9)),
        cores=int(rng.integers(1, 4)),
        batch=int(choose([1, 2, 3, 6])),
        key_rows=int(rng.integers(2, n + 2)),
        key_residues_per_cycle=int(choose([x for x in range(1, multiplied + 1) if multiplied % x == 0])),
        key_switch_lanes=lanes,
        key_switchers=int(choose([1, 2, 3])),
        ciphertext_words_per_cycle=int(choose([x for x in range(1, lanes + 1) if lanes % x == 0])),
        memory_latency_cycles=int(choose([1, 5, 40])),
        schedule=str(choose(["critical_path", "wide_first"])),  # type: ignore[arg-type]
    )


def random_design_that_fits(rng: np.random.Generator) -> Design:
    """A small machine that can be built."""
    while True:
        design = random_design(rng)
        try:
            design.check()
        except DesignError:
            continue
        return design


def random_case(seed: int, n_batches: int = 4) -> tuple[Design, Program]:
    """(machine, program of up to so many batches, or of a small circuit)."""
    rng = np.random.default_rng(seed)
    design = random_design_that_fits(rng)
    if rng.random() < 0.3:
        share = 0.2 if design.batch > 1 else 0.0
        circuit = random_circuit(seed, int(rng.integers(3, 12)), n_inputs=4, mux_share=share, not_share=0.0)
        return design, program_of(design, circuit)
    return design, random_program(rng, design, int(rng.integers(1, n_batches + 1)))


def random_stalls(rng: np.random.Generator, beats: dict[str, int]) -> dict[str, Any]:
    """Arrivals of some of the streams, and a receiver that is not always ready."""

    def arrivals(n_beats: int) -> np.ndarray:
        share = rng.choice([0.05, 0.5])
        return 1 + np.cumsum(1 + rng.geometric(1 - share, n_beats) * (rng.random(n_beats) < share))

    found = {
        "key_arrivals": arrivals(beats["key_beats"]),
        "key_switch_arrivals": arrivals(beats["key_switch_beats"]),
        "read_arrivals": arrivals(beats["read_beats"]),
        "write_ready": rng.random(int(rng.integers(1, 20000))) < rng.choice([0.2, 0.9]),
    }
    return {name: value for name, value in found.items() if rng.random() < 0.8}


def difference(seed: int) -> str | None:
    """What differs between simulator and twin in the case of a seed, without and with stalls; None where nothing does."""
    design, program = random_case(seed)
    rng = np.random.default_rng([seed, 1])
    beats = fhe.stream_beats(design, fhe.batches_of(program, design.cores))
    all_stalls: tuple[dict[str, Any], ...] = ({}, random_stalls(rng, beats))
    for stalls in all_stalls:
        run, machine = fhe.run_program(design, program, **stalls), run_twin(design, program, stalls)
        where = f"seed {seed}, {', '.join(stalls) or 'no stalls'}"
        found = count_differences(where, {"cycles": run.cycles}, {"cycles": machine.cycle})
        found += count_differences(where, run.phases, phases_of(machine))
        found += count_differences(where, run.activity, machine.counted)
        if found:
            return f"{'; '.join(found)} on {design}, slots {program.slots.tolist()}, after {program.after.tolist()}"
    return None


if __name__ == "__main__":
    sys.exit(compare(difference, n_cases=1000))
