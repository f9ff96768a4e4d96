"""cocotb bench of the bootstrapping machine: programs one after the other on one machine (called by hw/bench/fhe.py).

Everything is sampled and driven at the falling edge: no output of the machine that is read here depends on an input of
the same cycle, so what is seen then is what moves at the rising edge that ends the cycle.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from hw.bench.exchange import read_arguments, work_dir, write_result

_SOURCES = ("batches", "commands", "bootstrap_key", "key_switch_key", "read_data")


@cocotb.test()
async def programs(dut: Any) -> None:
    """Every job of the arguments; results as `run_<i>.npz`, counters in the result."""
    Clock(dut.clk, 10, "ns").start()
    for name in ("clear", "start", "n_batches", "reads__ready", "writes__ready"):
        getattr(dut, name).value = 0
    for name in _SOURCES:
        getattr(dut, f"{name}__valid").value = getattr(dut, f"{name}__payload").value = 0
    falling = FallingEdge(dut.clk)
    dut.rst.value = 1
    await falling
    await falling
    dut.rst.value = 0
    runs = []
    for index, job in enumerate(read_arguments()["jobs"]):
        with np.load(job["file"]) as arrays:
            run = _Run(dut, job, dict(arrays))
        dut.clear.value = 1
        dut.n_batches.value = len(job["batches"])
        await falling
        dut.clear.value = 0
        await run.prepare()
        await run.to_the_end(job["most_idle_cycles"])
        numbers = sorted(run.written)
        rows = b"".join(b"".join(run.written[number]) for number in numbers)
        np.savez(
            work_dir() / f"run_{index}.npz",
            numbers=np.array(numbers, np.int64), beats=np.frombuffer(rows, np.uint8),
        )  # fmt: skip
        runs.append({"counters": hex(int(dut.counters.value))})
    write_result({"runs": runs})


def _integers(rows: np.ndarray) -> list[int]:
    """Each row of bytes as one little-endian integer."""
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


class _Source:
    """Offers the beats of a stream, each from its arrival on; the beats repeat batch by batch."""

    def __init__(self, dut: Any, name: str, beats: list[int], arrivals: list[int]) -> None:
        self._valid, self._ready = getattr(dut, f"{name}__valid"), getattr(dut, f"{name}__ready")
        self._payload = getattr(dut, f"{name}__payload")
        self._beats, self._arrivals, self._n_taken = beats, arrivals, 0
        self._shown = -1

    @property
    def n_left(self) -> int:
        return len(self._arrivals) - self._n_taken

    def step(self, cycle: int) -> bool:
        """Offer what has come, and whether it is taken at the end of the cycle."""
        offering = self._n_taken < len(self._arrivals) and self._arrivals[self._n_taken] <= cycle
        if offering and self._shown != self._n_taken:
            self._payload.value, self._shown = self._beats[self._n_taken % len(self._beats)], self._n_taken
        self._valid.value = offering
        taken = offering and self._ready.value == 1
        self._n_taken += taken
        return taken


class _Memory:
    """Answers requests in order: beats of a ciphertext `latency` cycles after its request, one a cycle."""

    def __init__(self, dut: Any, latency: int, arrivals: list[int], ciphertexts: dict[int, list[int]]) -> None:
        self._dut, self._latency, self._arrivals, self.ciphertexts = dut, latency, arrivals, ciphertexts
        self._coming: deque[tuple[int, int]] = deque()  # first cycle, beat
        self._n_taken = 0

    @property
    def n_left(self) -> int:
        return len(self._arrivals) - self._n_taken

    def step(self, cycle: int) -> bool:
        """Take a request, offer the next beat; whether it is taken."""
        dut = self._dut
        dut.reads__ready.value = 1
        if dut.reads__valid.value == 1:
            number = int(dut.reads__payload.value)
            if number not in self.ciphertexts:
                raise AssertionError(f"cycle {cycle}: ciphertext {number} is asked for and is not in memory")
            self._coming.extend((cycle + self._latency, beat) for beat in self.ciphertexts[number])
        offering = bool(self._coming) and max(self._coming[0][0], self._arrivals[self._n_taken]) <= cycle
        dut.read_data__valid.value = offering
        if not offering:
            return False
        dut.read_data__payload.value = self._coming[0][1]
        if dut.read_data__ready.value != 1:
            return False
        self._coming.popleft()
        self._n_taken += 1
        return True


class _Run:
    """One program from its first batch to `done`."""

    def __init__(self, dut: Any, job: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self._dut = dut
        commands = {name: [int(word, 16) for word in job[name]] for name in ("batches", "commands")}
        self._hosts = [_Source(dut, name, words, [0] * len(words)) for name, words in commands.items()]
        self._keys = [
            _Source(dut, name, _integers(arrays[name]), arrays[f"{name}_arrivals"].tolist())
            for name in ("bootstrap_key", "key_switch_key")
        ]
        inputs = dict(enumerate(_integers(beats) for beats in arrays["inputs"]))
        self._memory = _Memory(dut, job["latency_cycles"], arrays["read_arrivals"].tolist(), inputs)
        self._streams: tuple[_Source | _Memory, ...] = (*self._hosts, *self._keys, self._memory)
        self._ready = arrays["write_ready"].tolist()
        self._results = set(arrays["results"].tolist())
        self._n_beats, self._beat_bytes = arrays["inputs"].shape[1:]
        self.written: dict[int, list[bytes]] = {}

    async def prepare(self) -> None:
        """Hand over batches and commands until the machine takes no more."""
        falling = FallingEdge(self._dut.clk)
        while True:
            await falling
            moved = [source.step(0) for source in self._hosts]
            if not any(moved):
                return

    async def to_the_end(self, most_idle_cycles: int) -> None:
        """Raises AssertionError where nothing moves for so many cycles, or something moves that should not."""
        dut, falling = self._dut, FallingEdge(self._dut.clk)
        cycle = moved = 0
        while dut.done.value != 1:
            if cycle:
                await falling
            dut.start.value = int(cycle == 0)
            if dut.done.value == 1:
                break
            if self._step(cycle):
                moved = cycle
            elif cycle - moved > most_idle_cycles:
                raise AssertionError(f"nothing moved from cycle {moved} to {cycle}: {self._left()}")
            cycle += 1
        dut.writes__ready.value = 0
        left = any(source.n_left for source in self._streams) or set(self.written) != self._results
        if left or dut.writes__valid.value == 1:
            raise AssertionError(f"cycle {cycle}: done with {self._left()}")

    def _left(self) -> str:
        names = ("batches", "commands", "bootstrap_key", "key_switch_key", "reads")
        left = ", ".join(f"{name}: {source.n_left}" for name, source in zip(names, self._streams, strict=True))
        return f"{left} left, {len(self.written)} of {len(self._results)} results written"

    def _step(self, cycle: int) -> bool:
        """Offer, take and note what moves at the end of the cycle; whether anything does."""
        moves = [source.step(cycle) for source in self._streams]
        return any([*moves, self._write(cycle)])

    def _write(self, cycle: int) -> bool:
        willing = cycle >= len(self._ready) or self._ready[cycle] != 0
        self._dut.writes__ready.value = willing
        if not willing or self._dut.writes__valid.value != 1:
            return False
        word, chunk_bits = int(self._dut.writes__payload.value), max((self._n_beats - 1).bit_length(), 1)
        number, chunk = word & 0xFFFFFFFF, word >> 32 & ((1 << chunk_bits) - 1)
        beats = self.written.setdefault(number, [])
        if number not in self._results or len(beats) != chunk or chunk >= self._n_beats:
            raise AssertionError(f"cycle {cycle}: beat {chunk} of ciphertext {number} after {len(beats)} beats of it")
        beats.append((word >> (32 + chunk_bits)).to_bytes(self._beat_bytes, "little"))
        if len(beats) == self._n_beats:
            self._memory.ciphertexts[number] = [int.from_bytes(beat, "little") for beat in beats]
        return True
