"""cocotb bench of the sparse machine: runs layers one after the other on one machine (called by hw/bench/sparse.py).

Everything is sampled and driven at the falling edge: no output of the machine that is read here depends on an input of
the same cycle, so what is seen then is what moves at the rising edge that ends the cycle.
"""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from hw.bench.exchange import read_arguments, work_dir, write_result


@cocotb.test()
async def layers(dut: Any) -> None:
    """Every job of the arguments; words and cycles as `run_<i>.npz`, counters in the result."""
    Clock(dut.clk, 10, "ns").start()
    for name in ("clear", "start", "beats__valid", "beats__payload", "results__ready", "layer"):
        getattr(dut, name).value = 0
    falling = FallingEdge(dut.clk)
    dut.rst.value = 1
    await falling
    await falling
    dut.rst.value = 0
    runs = []
    for index, job in enumerate(read_arguments()["jobs"]):
        with np.load(job["file"]) as arrays:
            early, beats = _integers(arrays["early"]), _integers(arrays["beats"])
            arrivals, ready = arrays["arrivals"].tolist(), arrays["ready"].tolist()
        dut.clear.value = 1
        dut.layer.value = int(job["config"], 16)
        await falling
        dut.clear.value = 0
        await _load(dut, early)
        run = _Run(dut, beats, arrivals, ready, job["n_words"])
        await run.to_the_end(job["most_idle_cycles"])
        rows = b"".join(word.to_bytes(run.word_bytes, "little") for word in run.words)
        np.savez(
            work_dir() / f"run_{index}.npz",
            words=np.frombuffer(rows, np.uint8).reshape(-1, run.word_bytes),
            beat_cycles=np.array(run.beat_cycles, np.int64), word_cycles=np.array(run.word_cycles, np.int64),
        )  # fmt: skip
        runs.append({"counters": hex(int(dut.counters.value))})
    write_result({"runs": runs})


def _integers(rows: np.ndarray) -> list[int]:
    """Each row of bytes as one little-endian integer."""
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


async def _load(dut: Any, beats: list[int]) -> None:
    """The slice of a resident machine, before `start`: a beat a cycle."""
    falling = FallingEdge(dut.clk)
    for number, beat in enumerate(beats):
        await falling
        dut.beats__valid.value, dut.beats__payload.value = 1, beat
        if dut.beats__ready.value != 1:
            raise AssertionError(f"beat {number} of {len(beats)} of a resident slice was not taken at once")
    if beats:
        await falling
        dut.beats__valid.value = 0


class _Run:
    """One layer from `start` to `done`."""

    def __init__(self, dut: Any, beats: list[int], arrivals: list[int], ready: list[int], n_words: int) -> None:
        self._dut, self._beats, self._arrivals, self._ready, self._n_words = dut, beats, arrivals, ready, n_words
        self.word_bytes = -(-len(dut.results__payload) // 8)
        self.words: list[int] = []
        self.beat_cycles: list[int] = []
        self.word_cycles: list[int] = []

    async def to_the_end(self, most_idle_cycles: int) -> None:
        """Raises AssertionError where nothing moves for so many cycles, or something moves that should not."""
        dut, falling = self._dut, FallingEdge(self._dut.clk)
        cycle = moved = 0
        while len(self.words) < self._n_words:
            await falling
            if cycle < 2:
                dut.start.value = int(cycle == 0)
            if self._step(cycle):
                moved = cycle
            elif cycle - moved > most_idle_cycles:
                raise AssertionError(
                    f"nothing moved from cycle {moved} to {cycle}: "
                    f"{len(self.beat_cycles)} of {len(self._beats)} beats, {len(self.words)} of {self._n_words} words"
                )
            cycle += 1
        await falling
        dut.beats__valid.value = dut.results__ready.value = 0
        if dut.done.value != 1 or dut.results__valid.value == 1:
            raise AssertionError(f"cycle {cycle}: not done after the last of {self._n_words} words")
        if len(self.beat_cycles) != len(self._beats):
            raise AssertionError(f"done after {len(self.beat_cycles)} of {len(self._beats)} beats")

    def _step(self, cycle: int) -> bool:
        """Offer, take and note what moves at the end of the cycle; whether anything does."""
        dut = self._dut
        n_taken, moves = len(self.beat_cycles), False
        offering = n_taken < len(self._beats) and self._arrivals[n_taken] <= cycle
        dut.beats__valid.value = offering
        if offering:
            dut.beats__payload.value = self._beats[n_taken]
            if cycle > 0 and dut.beats__ready.value == 1:
                self.beat_cycles.append(cycle)
                moves = True
        willing = cycle >= len(self._ready) or self._ready[cycle] != 0
        dut.results__ready.value = willing
        if willing and dut.results__valid.value == 1:
            self.words.append(int(dut.results__payload.value))
            self.word_cycles.append(cycle)
            moves = True
        return moves
