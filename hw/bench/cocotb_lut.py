"""cocotb bench of the LUT machine: runs stimuli one after the other, a reset before each (called by hw/bench/lut.py).

Inputs change right after the rising edge that starts a cycle; everything is read at its falling edge, when all has
settled, `ready` of the samples included, which follows that of the answers within the cycle.
"""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from hw.bench.exchange import read_arguments, work_dir, write_result

_ROWS = 512  # cycles that a meter keeps before it counts them


@cocotb.test()
async def stimuli(dut: Any) -> None:
    """Every stimulus of the arguments; samples and toggles as `run_<i>.npz`, counters in the result."""
    arguments = read_arguments()
    Clock(dut.clk, 10, "ns").start()
    runs = []
    for index, job in enumerate(arguments["jobs"]):
        with np.load(job["file"]) as arrays:
            samples, gaps, ready = arrays["samples"], arrays["gaps"].tolist(), arrays["ready"].tolist()
        copies = [_Copy(dut, copy, samples, gaps, arguments) for copy in range(arguments["copies"])]
        await _reset(dut, copies)
        n_cycles = max(1, sum(1 + gap for gap in gaps) + arguments["latency_cycles"]) * len(ready) + len(ready)
        await _run(dut, copies, ready, n_cycles)
        _save(index, copies, len(samples))
        totals = ("register_toggles", "register_loads", "inferences")
        runs.append({name: sum(getattr(copy, name) for copy in copies) for name in totals})
    write_result({"runs": runs})


async def _reset(dut: Any, copies: list[_Copy]) -> None:
    dut.rst.value = 1
    for copy in copies:
        copy.rest()
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    dut.rst.value = 0


async def _run(dut: Any, copies: list[_Copy], ready: list[int], most_cycles: int) -> None:
    rising, falling = RisingEdge(dut.clk), FallingEdge(dut.clk)
    left = list(copies)
    for cycle in range(most_cycles):
        willing = ready[cycle % len(ready)]
        for copy in copies:
            copy.drive(willing)
        await falling
        for copy in copies:
            copy.see(cycle, willing)
        left = [copy for copy in left if copy.inferences < copy.n_samples]
        if not left:
            break
        await rising
    else:
        counts = ", ".join(f"{copy.inferences} of {copy.n_samples}" for copy in copies)
        raise AssertionError(f"not done after {most_cycles} cycles; answers: {counts}")
    for copy in copies:
        copy.finish()
    await rising


def _save(index: int, copies: list[_Copy], n_samples: int) -> None:
    accept, answer = np.zeros(n_samples, np.int64), np.zeros(n_samples, np.int64)
    n_bytes = -(-len(copies[0].answers.payload) // 8)
    answers = np.zeros((n_samples, n_bytes), np.uint8)
    for number, copy in enumerate(copies):
        if not copy.n_samples:
            continue
        mine = slice(number, None, len(copies))
        accept[mine], answer[mine] = copy.accept_cycles, copy.answer_cycles
        rows = b"".join(value.to_bytes(n_bytes, "little") for value in copy.values)
        answers[mine] = np.frombuffer(rows, np.uint8).reshape(-1, n_bytes)
    toggles = sum(copy.lut_toggles for copy in copies)
    np.savez(
        work_dir() / f"run_{index}.npz",
        accept_cycles=accept, answer_cycles=answer, answers=answers, lut_toggles=toggles,
    )  # fmt: skip


class _Stream:
    """The three signals of a stream."""

    def __init__(self, dut: Any, name: str) -> None:
        self.valid, self.ready = getattr(dut, f"{name}__valid"), getattr(dut, f"{name}__ready")
        self.payload = getattr(dut, f"{name}__payload")


class _Copy:
    """One copy: offers its samples, takes its answers, and watches its LUTs and banks."""

    def __init__(self, dut: Any, number: int, samples: np.ndarray, gaps: list[int], arguments: dict[str, Any]) -> None:
        copies = arguments["copies"]
        self.samples, self.answers = _Stream(dut, f"samples_{number}"), _Stream(dut, f"answers_{number}")
        self._rows = [int.from_bytes(row.tobytes(), "little") for row in samples[number::copies]]
        self._gaps = gaps[number::copies]
        self.n_samples = len(self._rows)
        self._wait = self._gaps[0] if self._gaps else 0
        self._offering, self._willing = False, 0
        self.accept_cycles: list[int] = []
        self.answer_cycles: list[int] = []
        self.values: list[int] = []
        pipeline = getattr(dut, f"copy_{number}")
        banks = [getattr(pipeline, f"bank_{bank}") for bank in range(len(arguments["n_bits"]))]
        self._levels = [
            _Meter(getattr(pipeline, f"level_{level}").values, n_luts)
            for level, n_luts in enumerate(arguments["n_luts"], 1)
        ]
        self._banks = [
            _Meter(bank.data if n_bits else None, n_bits, from_zeros=True)
            for bank, n_bits in zip(banks, arguments["n_bits"], strict=True)
        ]
        self._loads = [(bank.load, n_bits) for bank, n_bits in zip(banks, arguments["n_bits"], strict=True) if n_bits]
        self.register_loads = 0

    @property
    def inferences(self) -> int:
        return len(self.values)

    @property
    def lut_toggles(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, np.int64), *(meter.toggles for meter in self._levels)])

    @property
    def register_toggles(self) -> int:
        return int(sum(meter.toggles.sum() for meter in self._banks))

    def rest(self) -> None:
        """Offer nothing, take nothing."""
        self.samples.valid.value = self.samples.payload.value = self.answers.ready.value = 0

    def drive(self, willing: int) -> None:
        """Set the inputs of a cycle that begins."""
        if willing != self._willing:
            self.answers.ready.value = self._willing = willing
        n_taken = len(self.accept_cycles)
        offering = n_taken < self.n_samples and self._wait == 0
        if offering != self._offering:
            self.samples.valid.value = self._offering = offering
        if offering:
            self.samples.payload.value = self._rows[n_taken]
        elif self._wait:
            self._wait -= 1

    def see(self, cycle: int, willing: int) -> None:
        """Note what moves at the end of the cycle, and what everything has settled to."""
        if self._offering and self.samples.ready.value == 1:
            self.accept_cycles.append(cycle)
            n_taken = len(self.accept_cycles)
            self._wait = self._gaps[n_taken] if n_taken < self.n_samples else 0
        if self.answers.valid.value == 1 and willing:
            if self.inferences == self.n_samples:
                raise AssertionError(f"cycle {cycle}: an answer more than the {self.n_samples} samples")
            self.answer_cycles.append(cycle)
            self.values.append(int(self.answers.payload.value))
        for meter in self._levels:
            meter.see()
        for meter in self._banks:
            meter.see()
        self.register_loads += sum(n_bits for load, n_bits in self._loads if load.value == 1)

    def finish(self) -> None:
        for meter in (*self._levels, *self._banks):
            meter.count()


class _Meter:
    """Counts the changes of each bit of a signal from cycle to cycle."""

    def __init__(self, signal: Any, n_bits: int, *, from_zeros: bool = False) -> None:
        self._signal, self._n_bits = signal, n_bits
        self.toggles = np.zeros(n_bits, np.int64)  # bit 0 first
        self._rows = ["0" * n_bits] if from_zeros else []

    def see(self) -> None:
        if self._signal is None:
            return
        self._rows.append(str(self._signal.value))
        if len(self._rows) > _ROWS:
            self.count()

    def count(self) -> None:
        """Count the rows so far; the last one stays to compare the next with."""
        if self._signal is None:
            return
        characters = np.frombuffer("".join(self._rows).encode(), np.uint8).reshape(-1, self._n_bits)
        if not np.isin(characters, (ord("0"), ord("1"))).all():
            raise AssertionError(f"{self._signal._path}: a bit is neither 0 nor 1")
        self.toggles += (characters[1:] != characters[:-1]).sum(axis=0)[::-1]
        del self._rows[:-1]
