"""The sparse machine, stepped cycle by cycle: what the simulator's recurrences are held to (docs/sparse.md).

Written from the definition alone: beats taken one at a time, each lane with its own place in its list, queues as lists,
the output pipeline as registers, and results added up entry by entry. Slow on purpose.

    python -m tests.families.sparse_twin --cases 3000 --seed 0

runs random machines, layers, arrivals and receivers through both and stops at the first difference, which it prints.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from designs.families.sparse import Design
from sim.families import sparse
from sim.run import LayerRun
from tests.families.twins import compare
from workloads.mapping.sparse import Slice, reference, refusal, slice_beats, slices_of, vector_beats
from workloads.sparse.layer import SparseLayer, activations
from workloads.sparse.random_layers import random_layer

COUNTERS = (
    "macs", "padding_macs", "window_stalls", "idle_lanes", "empty_columns", "queue_stalls", "entry_reads", "act_reads",
    "acc_updates", "outputs", "load_beats", "vector_beats", "overflows",
)  # fmt: skip
PHASES = (
    "latency", "load", "prime", "multiply", "stall_window", "stall_queue", "imbalance", "settle", "drain",
)  # fmt: skip
LIMIT_CYCLES = 10_000_000  # of a machine that never ends


@dataclass
class TwinRun:
    outputs: np.ndarray
    cycles: int
    phases: dict[str, int]
    activity: dict[str, int]


@dataclass
class Entry:
    value: int
    tag: int
    column: int
    is_padding: bool


class Lane:
    """A list, its place in it, and one accumulator a tag."""

    def __init__(self, machine: Machine, entries: list[Entry]) -> None:
        self.machine, self.entries = machine, entries
        self.place = 0
        self.word: int | None = None
        self.accumulators: Counter[int] = Counter()

    @property
    def column(self) -> float:
        return self.entries[self.place].column if self.place < len(self.entries) else float("inf")

    def multiply(self, x: int) -> None:
        entry, counted, design = self.entries[self.place], self.machine.counted, self.machine.design
        if self.word != self.place // design.entries_per_beat:
            self.word = self.place // design.entries_per_beat
            counted["entry_reads"] += 1
        self.place += 1
        counted["padding_macs" if entry.is_padding else "macs"] += 1
        counted["acc_updates"] += 1
        exact = self.accumulators[entry.tag] + entry.value * x
        low, high = -(1 << (design.acc_bits - 1)), (1 << (design.acc_bits - 1)) - 1
        if not low <= exact <= high:
            counted["overflows"] += 1
            if design.acc_overflow == "saturate":
                exact = max(low, min(high, exact))
            else:
                exact = (exact - low) % (1 << design.acc_bits) + low
        self.accumulators[entry.tag] = exact


class WindowPhase:
    """All lanes look into one window of activations."""

    def __init__(self, machine: Machine, lanes: list[Lane], x: list[int]) -> None:
        self.machine, self.lanes, self.x = machine, lanes, x
        self.n_read = 0
        n_entries = [len(lane.entries) for lane in lanes]
        self.work, self.longest, self.stall = sum(n_entries), max(n_entries), "stall_window"

    @property
    def done(self) -> bool:
        return all(lane.place == len(lane.entries) for lane in self.lanes)

    def step(self) -> None:
        counted, window = self.machine.counted, self.machine.design.window
        head = min(lane.column for lane in self.lanes)
        while self.n_read < min(len(self.x), head + window):
            self.n_read += 1
            counted["act_reads"] += 1
        for lane in self.lanes:
            if lane.column == float("inf"):
                counted["idle_lanes"] += 1
            elif lane.column < head + window:
                lane.multiply(self.x[int(lane.column)])
            else:
                counted["window_stalls"] += 1


class QueuePhase:
    """Activations are broadcast into queues; a place in a queue is free when the lane has worked it off."""

    def __init__(self, machine: Machine, lanes: list[Lane], x: list[int], pointers: np.ndarray) -> None:
        self.machine, self.lanes, self.x, self.pointers = machine, lanes, x, pointers
        design = machine.design
        self.to_broadcast = [column for column in range(len(x)) if x[column] != 0 or not design.skip_zeros]
        self.queues: list[list[int]] = [[] for _ in lanes]
        self.cycles_left = [0] * len(lanes)  # of what is at the head of the queue; 0: not begun
        works = [[self.n_entries(lane, column) for column in self.to_broadcast] for lane in range(len(lanes))]
        self.work, self.stall = sum(map(sum, works)), "stall_queue"
        self.longest = max(sum(max(1, n) for n in of_lane) for of_lane in works)

    def n_entries(self, lane: int, column: int) -> int:
        return int(self.pointers[lane][column + 1] - self.pointers[lane][column])

    @property
    def done(self) -> bool:
        return not self.to_broadcast and not any(self.queues)

    def step(self) -> None:
        counted = self.machine.counted
        has_room = all(len(queue) < self.machine.design.queue_depth for queue in self.queues)
        for index, queue in enumerate(self.queues):
            if not queue:
                counted["idle_lanes"] += 1
                continue
            n_entries = self.n_entries(index, queue[0])
            if self.cycles_left[index] == 0:
                self.cycles_left[index] = max(1, n_entries)
                self.lanes[index].place = int(self.pointers[index][queue[0]])
            if n_entries == 0:
                counted["empty_columns"] += 1
            else:
                assert self.lanes[index].column == queue[0]
                self.lanes[index].multiply(self.x[queue[0]])
            self.cycles_left[index] -= 1
            if self.cycles_left[index] == 0:
                queue.pop(0)
        if self.to_broadcast and has_room:
            counted["act_reads"] += 1
            column = self.to_broadcast.pop(0)
            for queue in self.queues:
                queue.append(column)
        elif self.to_broadcast:
            counted["queue_stalls"] += 1


@dataclass
class Job:
    """A run of one slice with one vector, with the numbers of both; steps through its four phases."""

    slice_number: int
    vector_number: int  # of all vectors that are loaded, over all slices
    slice_: Slice
    x: np.ndarray
    is_last_of_slice: bool
    phase: str = "prime"
    cycles_of_phase: int = 0


@dataclass
class Stream:
    """Beats still to come, as (what, number of its slice or vector, is it the last one)."""

    beats: Iterator[tuple[str, int, bool]]
    number: int = -1
    beat: tuple[str, int, bool] | None = None

    def advance(self) -> None:
        self.beat, self.number = next(self.beats, None), self.number + 1


@dataclass
class Buffers:
    """Which slice or vector each buffer holds or gets; a number lies in buffer number mod n."""

    n: int
    users: list[int | None] = field(default_factory=list)
    loaded: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.users = [None] * self.n

    def may_take(self, number: int) -> bool:
        return self.users[number % self.n] in (None, number)

    def take(self, number: int, is_last: bool) -> None:
        self.users[number % self.n] = number
        if is_last:
            self.loaded.add(number)

    def free(self, number: int) -> None:
        self.users[number % self.n] = None
        self.loaded.remove(number)


class Machine:
    """`step` is one cycle."""

    def __init__(
        self, design: Design, layer: SparseLayer, vectors: np.ndarray, arrivals: np.ndarray | None, ready: np.ndarray
    ) -> None:
        self.design, self.layer, self.vectors, self.ready = design, layer, vectors, ready
        self.slices = slices_of(design, layer)
        self.outputs = np.full((len(vectors), layer.height), np.iinfo(np.int64).min)
        self.counted: Counter[str] = Counter()
        self.phases: Counter[str] = Counter()
        self.cycle = 0
        self.buffers = {"slice": Buffers(design.n_buffers), "vector": Buffers(design.n_buffers)}
        if design.weights == "resident":
            self.buffers["slice"].take(0, True)
        beats = list(self.list_beats())
        self.arrivals = np.arange(len(beats)) + design.dram_latency_cycles if arrivals is None else arrivals
        assert len(self.arrivals) == len(beats)
        self.stream = Stream(iter(beats))
        self.stream.advance()
        self.waiting = list(self.list_jobs())
        self.job: Job | None = None

    def list_beats(self) -> Iterator[tuple[str, int, bool]]:
        for index, one in enumerate(self.slices):
            if self.design.weights == "streamed":
                n_beats = len(slice_beats(self.design, self.layer, one))
                yield from (("slice", index, beat == n_beats - 1) for beat in range(n_beats))
            for number, x in enumerate(self.vectors, start=index * len(self.vectors)):
                n_beats = len(vector_beats(self.design, x))
                yield from (("vector", number, beat == n_beats - 1) for beat in range(n_beats))

    def list_jobs(self) -> Iterator[Job]:
        n_vectors = len(self.vectors)
        for index, one in enumerate(self.slices):
            for vector, x in enumerate(self.vectors):
                yield Job(index, index * n_vectors + vector, one, x, vector == n_vectors - 1)

    def step(self) -> None:
        """What the machine does in this cycle follows from what happened before it."""
        if self.job is None and self.waiting and self.is_loaded(self.waiting[0]):
            self.begin(self.waiting.pop(0))
        taken = self.beat_to_take()
        if self.job is None:
            self.phases["latency" if self.cycle < self.arrivals[0] else "load"] += 1
        else:
            self.run(self.job)
        if taken is not None:
            what, number, is_last = taken
            self.buffers[what].take(number, is_last)
            self.counted["load_beats" if what == "slice" else "vector_beats"] += 1
            self.stream.advance()
        self.cycle += 1

    def is_loaded(self, job: Job) -> bool:
        vector_is = job.vector_number in self.buffers["vector"].loaded
        return vector_is and job.slice_number in self.buffers["slice"].loaded

    def beat_to_take(self) -> tuple[str, int, bool] | None:
        beat = self.stream.beat
        if beat is None or self.cycle < max(1, self.arrivals[self.stream.number]):
            return None
        return beat if self.buffers[beat[0]].may_take(beat[1]) else None

    def begin(self, job: Job) -> None:
        self.job = job
        entries: list[list[Entry]] = []
        place = 0
        for length in job.slice_.lengths.tolist():
            numbers = range(place, place + length)
            entries.append([
                Entry(
                    int(job.slice_.values[i]),
                    int(job.slice_.accumulators_of_entries[i]),
                    int(job.slice_.columns[i]),
                    bool(job.slice_.is_padding[i]),
                )
                for i in numbers
            ])  # fmt: skip
            place += length
        self.lanes = [Lane(self, of_lane) for of_lane in entries]
        centred = [int(value) - self.layer.numbers.in_zero for value in job.x]
        if self.design.feed == "window":
            self.multiply: WindowPhase | QueuePhase = WindowPhase(self, self.lanes, centred)
        else:
            assert job.slice_.pointers is not None
            self.multiply = QueuePhase(self, self.lanes, centred, job.slice_.pointers)
        self.words = list(self.list_words(job))
        self.pipeline: list[list[int] | None] = [None, None, None]  # what the first register gets, the second, the third

    def list_words(self, job: Job) -> Iterator[list[int]]:
        """Positions of the results of each output word."""
        per_word = self.design.n_sets if self.design.output_order == "folded" else 1
        positions = list(range(job.slice_.n_rows))
        while positions:
            yield positions[:per_word]
            positions = positions[per_word:]

    def run(self, job: Job) -> None:
        if job.phase == "prime":
            self.phases["prime"] += 1
            self.count_down(job, 2, "multiply")
            if job.phase == "multiply" and self.multiply.done:
                self.end_multiply(job)
        elif job.phase == "multiply":
            self.multiply.step()
            job.cycles_of_phase += 1
            if self.multiply.done:
                self.end_multiply(job)
        elif job.phase == "settle":
            self.phases["settle"] += 1
            self.count_down(job, 2, "drain")
        else:
            self.phases["drain"] += 1
            self.drain(job)

    def count_down(self, job: Job, cycles: int, following: str) -> None:
        job.cycles_of_phase += 1
        if job.cycles_of_phase == cycles:
            job.phase, job.cycles_of_phase = following, 0

    def end_multiply(self, job: Job) -> None:
        share = -(-self.multiply.work // self.design.n_macs)
        self.phases["multiply"] += share
        self.phases["imbalance"] += self.multiply.longest - share
        self.phases[self.multiply.stall] += job.cycles_of_phase - self.multiply.longest
        self.buffers["vector"].free(job.vector_number)
        job.phase, job.cycles_of_phase = "settle", 0

    def drain(self, job: Job) -> None:
        """Three registers between reading sums and the receiver, which all move or all wait."""
        leaving = self.pipeline[-1]
        is_ready = self.cycle >= len(self.ready) or bool(self.ready[self.cycle])
        if leaving is not None and not is_ready:
            return
        self.pipeline = [self.words.pop(0) if self.words else None, *self.pipeline[:-1]]
        if leaving is None:
            return
        for position in leaving:
            row = int(job.slice_.permutation[position])
            vector = job.vector_number % len(self.vectors)
            self.outputs[vector, job.slice_.first_row + row] = self.result(job, position, row)
            self.counted["outputs"] += 1
        if not self.words and not any(self.pipeline):
            if job.is_last_of_slice:
                self.buffers["slice"].free(job.slice_number)
            self.job = None

    def result(self, job: Job, position: int, row: int) -> int:
        design, numbers = self.design, self.layer.numbers
        tag, of_set = divmod(position, design.n_sets)
        ways = design.n_macs // design.n_sets
        total = sum(lane.accumulators[tag] for lane in self.lanes[of_set * ways : (of_set + 1) * ways])
        total += int(numbers.bias[job.slice_.first_row + row])
        scaled = ((total * numbers.multiplier + (1 << numbers.shift >> 1)) >> numbers.shift) + numbers.out_zero
        return max(numbers.out_low, min(numbers.out_high, scaled))


def run_twin(
    design: Design,
    layer: SparseLayer,
    vectors: np.ndarray,
    beat_arrivals: np.ndarray | None = None,
    ready: np.ndarray | None = None,
) -> TwinRun:
    """Step the machine until its last result was taken."""
    always = np.zeros(0, bool)
    machine = Machine(design, layer, vectors, beat_arrivals, always if ready is None else ready)
    while machine.waiting or machine.job is not None:
        if machine.cycle > LIMIT_CYCLES:
            raise RuntimeError(f"no end after {LIMIT_CYCLES} cycles")
        machine.step()
    return TwinRun(
        machine.outputs,
        machine.cycle,
        {name: machine.phases[name] for name in PHASES},
        {name: machine.counted[name] for name in COUNTERS},
    )


# Random cases


def random_design(rng: np.random.Generator) -> Design:
    """A small machine, maybe too small for a layer."""
    ways, n_sets = int(rng.choice([1, 1, 2, 3, 4])), int(rng.choice([1, 2, 3, 4, 8]))
    return Design(
        n_macs=ways * n_sets,
        n_sets=n_sets,
        sort_rows=bool(rng.random() < 0.6),
        feed=str(rng.choice(["window", "queue"])),  # type: ignore[arg-type]
        window=int(rng.choice([1, 2, 4, 8, 16, 64])),
        queue_depth=int(rng.choice([1, 2, 3, 8])),
        skip_zeros=bool(rng.random() < 0.7),
        relative_bits=int(rng.choice([0, 1, 2, 4])),
        value_bits=int(rng.choice([2, 5, 8, 12])),
        act_bits=int(rng.choice([2, 5, 8, 12])),
        acc_bits=int(rng.choice([8, 12, 20, 32])),
        acc_overflow=str(rng.choice(["wrap", "saturate"])),  # type: ignore[arg-type]
        accumulators=int(rng.choice([1, 3, 8, 64])),
        lane_entries=int(rng.choice([24, 60, 300])),
        act_words=64,
        output_order=str(rng.choice(["folded", "restored"])),  # type: ignore[arg-type]
        weights=str(rng.choice(["streamed", "streamed", "resident"])),  # type: ignore[arg-type]
        double_buffered=bool(rng.random() < 0.5),
        dram_bytes_per_cycle=int(rng.choice([4, 8, 16, 64])),
        dram_latency_cycles=int(rng.choice([1, 7, 40])),
    )


def random_case(seed: int) -> tuple[Design, SparseLayer]:
    """(machine, layer that fits it)."""
    rng = np.random.default_rng(seed)
    while True:
        design = random_design(rng)
        layer = random_layer(rng, value_bits=design.value_bits, act_bits=design.act_bits)
        if refusal(design, layer) is None:
            return design, layer


def random_stalls(seed: int, n_beats: int) -> tuple[np.ndarray, np.ndarray]:
    """(first cycle in which each beat is offered, cycles in which the receiver is ready)."""
    rng = np.random.default_rng(seed)
    gaps = np.where(rng.random(n_beats) < rng.random(), rng.integers(0, 9, n_beats), 0)
    arrivals = int(rng.integers(0, 30)) + np.cumsum(1 + gaps)
    ready = rng.random(int(rng.integers(1, 2000))) < rng.uniform(0.2, 1.0)
    return arrivals.astype(np.int64), ready


def difference(seed: int) -> str | None:
    """What differs between simulator and twin on the case of a seed, without stalls and with; None if nothing does."""
    design, layer = random_case(seed)
    vectors = activations(layer, design.act_bits)
    arrivals, ready = random_stalls(seed, sparse.n_beats(design, layer))
    outputs, _ = reference(design, layer, vectors)
    kinds = ({"beat_arrivals": arrivals}, {"ready": ready}, {"beat_arrivals": arrivals, "ready": ready})
    for stalls in ({}, kinds[seed % 3]):
        twin = run_twin(design, layer, vectors, **stalls)
        if not np.array_equal(twin.outputs, outputs):
            return f"seed {seed}: results of reference and twin differ on {design}"
        for given in (None, vectors):
            if found := _unlike(sparse.run_layer(design, layer, given, **stalls), twin):
                return f"seed {seed}, {', '.join(stalls) or 'no stalls'}: {found} on {design}, {layer.name}"
    return None


def _unlike(run: LayerRun, twin: TwinRun) -> str | None:
    for name in ("cycles", "phases", "activity"):
        simulated, stepped = getattr(run, name), getattr(twin, name)
        if simulated != stepped:
            return f"{name} {simulated} and {stepped} (twin)"
    return None


if __name__ == "__main__":
    sys.exit(compare(difference, n_cases=3000))
