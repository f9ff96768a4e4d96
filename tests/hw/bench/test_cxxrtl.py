"""The compiled model drives the memory port in the cycles that docs/tensor.md says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from hw.bench.cxxrtl import Machine
from hw.bench.simulator import BenchError
from hw.verilog import emit_verilog
from tests.hw.circuits import LineSummer

pytestmark = pytest.mark.rtl

LINES = np.array([[0, 3], [32, 1], [16, 4]])  # byte address, beats of 4 bytes
BIAS = 1000
LATENCY_CYCLES = 7


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    verilog = emit_verilog(LineSummer(), top="line_summer")
    with Machine(verilog, top="line_summer", constants=("bias", "n_rows"), sources=("rows",)) as machine:
        yield machine


def run(machine: Machine, image: np.ndarray, lines: np.ndarray = LINES, **options: object):
    packed = [int(address) | int(beats) << 32 for address, beats in lines]
    rows = np.frombuffer(b"".join(row.to_bytes(8, "little") for row in packed), dtype=np.uint8).reshape(-1, 8)
    constants = {
        "bias": np.frombuffer(BIAS.to_bytes(4, "little"), dtype=np.uint8),
        "n_rows": np.frombuffer(len(lines).to_bytes(2, "little"), dtype=np.uint8),
    }
    return machine.run(
        constants=constants, sources={"rows": rows}, image=image, beat_bytes=4, latency_cycles=LATENCY_CYCLES, **options
    )


def expected(image: np.ndarray) -> np.ndarray:
    words = image.view("<u4").copy()
    for address, beats in LINES:
        words[address // 4] = BIAS + words[address // 4 : address // 4 + beats].sum()
    return words


def fresh_image() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, 64, dtype=np.uint8)


def test_cycles_memory_counters_and_progress_are_exact(machine: Machine) -> None:
    for _ in range(2):  # `clear` makes it ready again
        image = fresh_image()
        words = expected(image)
        result = run(machine, image, trace=True)
        ends = np.cumsum(LATENCY_CYCLES + LINES[:, 1] + 2)
        assert result.n_cycles == ends[-1]
        assert (image.view("<u4") == words).all()
        assert result.counters == int(LINES[:, 1].sum()) | len(LINES) << 32
        assert result.progress == [(0, 0)] + [(end, n | n << 64) for n, end in enumerate(ends.tolist(), start=1)]


def test_a_lazy_memory_delays_and_changes_nothing_else(machine: Machine) -> None:
    image = fresh_image()
    words = expected(image)
    result = run(machine, image, lazy_seed=1)
    assert (image.view("<u4") == words).all()
    assert result.n_cycles > (LATENCY_CYCLES + LINES[:, 1] + 2).sum()


def test_faults_are_raised(machine: Machine) -> None:
    with pytest.raises(BenchError, match="not done after 20 cycles"):
        run(machine, fresh_image(), most_cycles=20)


def test_reading_outside_the_memory_is_refused(machine: Machine) -> None:
    with Machine(
        emit_verilog(LineSummer(), top="line_summer"),
        top="line_summer",
        constants=("bias", "n_rows"),
        sources=("rows",),
    ) as other:
        with pytest.raises(BenchError, match="cycle 1: address 60 is outside the 64 bytes"):
            run(other, fresh_image(), np.array([[60, 2]]))


def test_arguments_of_the_wrong_size_are_refused(machine: Machine) -> None:
    with pytest.raises(ValueError, match="wanted contiguous uint8"):
        run(machine, fresh_image().astype(np.int64))
