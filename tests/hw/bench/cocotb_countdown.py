"""Bench of the Countdown circuit; `arguments["lengths"]` are run one after another."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from hw.bench.exchange import read_arguments, work_dir, write_result


@cocotb.test()
async def countdown(dut) -> None:
    arguments = read_arguments()
    Clock(dut.clk, 10, "ns").start()
    dut.rst.value = 1
    dut.start.value = 0
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    totals, cycles = [], []
    for length in arguments["lengths"]:
        await RisingEdge(dut.clk)
        dut.length.value = length
        dut.start.value = 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        n_busy_cycles = 0
        for _ in range(40):
            await RisingEdge(dut.clk)
            n_busy_cycles += int(dut.busy.value)
            if n_busy_cycles and dut.done.value == 1:
                break
        else:
            raise AssertionError("done never rose")
        totals.append(int(dut.total.value))
        cycles.append(n_busy_cycles)
    assert not arguments.get("fail"), "told to fail"
    np.savez(work_dir() / "totals.npz", totals=np.array(totals))
    write_result({"cycles": cycles})
