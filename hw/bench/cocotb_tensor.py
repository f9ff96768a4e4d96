"""cocotb bench of the tensor machine: runs programs one after the other on one machine (called by hw/bench/tensor.py).

Everything is sampled and driven at the falling edge: no output of the machine that is read here depends on an input of
the same cycle, so what is seen then is what moves at the rising edge that ends the cycle.
"""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from hw.bench.exchange import read_arguments, work_dir, write_result
from hw.bench.tensor_memory import TensorMemory


@cocotb.test()
async def programs(dut: Any) -> None:
    """Every program of the arguments; memories as `memory_<i>.npy`, counters in the result."""
    arguments = read_arguments()
    lazy_seed = arguments["lazy_seed"]
    memory = TensorMemory(
        beat_bytes=arguments["beat_bytes"],
        latency_cycles=arguments["latency_cycles"],
        lazy=None if lazy_seed is None else random.Random(lazy_seed),
    )
    Clock(dut.clk, 10, "ns").start()
    sources = arguments["programs"][0]["sources"]
    for name in ("clear", "read_data__valid", *(f"{source}__valid" for source in sources)):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    await FallingEdge(dut.clk)
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    runs = []
    for index, job in enumerate(arguments["programs"]):
        if job["image"] is not None:
            memory.image = bytearray(np.load(job["image"]).tobytes())
        with np.load(job["program"]) as arrays:
            constants = {name: _integers(arrays[name])[0] for name in job["constants"]}
            rows = {name: _integers(arrays[name]) for name in job["sources"]}
        runs.append(await _run(dut, constants, rows, memory, job["most_cycles"], arguments["trace"]))
        np.save(work_dir() / f"memory_{index}.npy", np.frombuffer(memory.image, dtype=np.uint8))
    write_result({"runs": runs})


def _integers(rows: np.ndarray) -> list[int]:
    """Each row of bytes as one little-endian integer."""
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


async def _run(
    dut: Any,
    constants: dict[str, int],
    rows: dict[str, list[int]],
    memory: TensorMemory,
    most_cycles: int,
    trace: bool,
) -> dict[str, Any]:
    """One program from `clear` to `done`: its counters, and where asked the cycle of every step of the progress."""
    falling = FallingEdge(dut.clk)
    dut.clear.value = 1
    for name, value in constants.items():
        getattr(dut, name).value = value
    dut.read_request__ready.value = dut.write__ready.value = 1
    await falling
    dut.clear.value = 0
    sources = [
        _Source(getattr(dut, f"{name}__valid"), getattr(dut, f"{name}__payload"), getattr(dut, f"{name}__ready"), left)
        for name, left in rows.items()
    ]
    request_valid, request_payload = dut.read_request__valid, dut.read_request__payload
    data_valid, data_payload, data_ready = dut.read_data__valid, dut.read_data__payload, dut.read_data__ready
    write_valid, write_payload = dut.write__valid, dut.write__payload
    lazy = memory.lazy
    steps: list[tuple[int, int]] = []
    showing = wrote = False
    for cycle in range(most_cycles):
        await falling
        if trace:
            progress = int(dut.progress.value)
            if not steps or steps[-1][1] != progress:
                steps.append((cycle, progress))
        if wrote and dut.done.value == 1:  # the last thing that a program does is a write
            break
        wrote = False
        for source in sources:
            if source.left:
                source.drive()
        may_request, may_write = (memory.willing(), memory.willing()) if lazy else (True, True)
        if lazy:
            dut.read_request__ready.value, dut.write__ready.value = may_request, may_write
        if may_request and request_valid.value == 1:
            memory.request(cycle, int(request_payload.value))
        beat = None if memory.idle else memory.beat(cycle)
        if beat is not None:
            data_payload.value = beat
            if not showing:
                data_valid.value = showing = True
            if data_ready.value == 1:
                memory.taken()
        elif showing:
            data_valid.value = showing = False
        if may_write and write_valid.value == 1:
            memory.write(int(write_payload.value))
            wrote = True
    else:
        raise AssertionError(f"not done after {most_cycles} cycles; progress {int(dut.progress.value):#x}")
    if not memory.idle or any(source.left for source in sources):
        raise AssertionError("done with beats, tiles or outputs left over")
    return {"counters": hex(int(dut.counters.value)), "progress": [(c, hex(p)) for c, p in steps]}


class _Source:
    """Feeds a stream, one descriptor a cycle where the machine is ready."""

    def __init__(self, valid: Any, payload: Any, ready: Any, rows: list[int]) -> None:
        self._valid, self._payload, self._ready = valid, payload, ready
        self._rows, self._at, self._taken = rows, -1, True
        self.left = True  # something to drive, or to stop driving

    def drive(self) -> None:
        """Show the next descriptor where the one shown was taken at the last rising edge."""
        if self._taken:
            self._at += 1
            if self._at == len(self._rows):
                self._valid.value = 0
                self.left = False
                return
            self._payload.value = self._rows[self._at]
            if self._at == 0:
                self._valid.value = 1
        self._taken = self._ready.value == 1
