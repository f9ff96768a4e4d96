"""The memory of docs/tensor.md section 3: when its beats are there, in which order, and what it refuses."""

from __future__ import annotations

import random

import pytest

from hw.bench.tensor_memory import ADDRESS_BITS, TensorMemory


def memory_of(n_bytes: int, *, latency_cycles: int = 5, lazy: random.Random | None = None) -> TensorMemory:
    memory = TensorMemory(beat_bytes=4, latency_cycles=latency_cycles, lazy=lazy)
    memory.image = bytearray(range(n_bytes))
    return memory


def request(address: int, beats: int) -> int:
    return address | beats << ADDRESS_BITS


def word(address: int) -> int:
    return int.from_bytes(bytes(range(address, address + 4)), "little")


def test_first_beat_is_there_latency_cycles_after_the_request_and_not_before() -> None:
    memory = memory_of(64)
    memory.request(10, request(8, 2))
    assert [memory.beat(cycle) for cycle in (10, 14)] == [None, None]
    assert memory.beat(15) == word(8)
    assert memory.beat(16) == word(8)  # stays until it is taken
    memory.taken()
    assert memory.beat(17) == word(12)
    memory.taken()
    assert memory.idle and memory.beat(18) is None


def test_beats_come_in_the_order_of_the_requests_without_a_gap() -> None:
    memory, got = memory_of(64, latency_cycles=3), {}
    lines = {0: request(0, 3), 1: request(32, 1), 2: request(16, 2)}
    for cycle in range(12):
        if cycle in lines:
            memory.request(cycle, lines[cycle])
        beat = memory.beat(cycle)
        if beat is not None:
            got[cycle] = beat
            memory.taken()
    assert got == {3 + i: word(address) for i, address in enumerate((0, 4, 8, 32, 16, 20))}


def test_a_lazy_memory_is_late_and_keeps_what_it_shows() -> None:
    memory = memory_of(64, latency_cycles=1, lazy=random.Random(0))
    memory.request(0, request(0, 16))
    shown = [memory.beat(cycle) for cycle in range(1, 30)]
    first = next(i for i, beat in enumerate(shown) if beat is not None)
    assert shown[first:] == [word(0)] * (29 - first)
    got, misses = [], 0
    for cycle in range(30, 100):
        beat = memory.beat(cycle)
        misses += beat is None
        if beat is not None:
            got.append(beat)
            memory.taken()
            if memory.idle:
                break
    assert got == [word(4 * i) for i in range(16)] and misses > 0


def test_writes_land_little_endian() -> None:
    memory = memory_of(16)
    memory.write(request(8, 0x04030201))
    assert bytes(memory.image) == bytes(range(8)) + bytes([1, 2, 3, 4]) + bytes(range(12, 16))


@pytest.mark.parametrize("payload", [request(60, 2), request(2, 1), request(64, 1), request(0, 0)])
def test_reads_outside_or_across_beats_are_refused(payload: int) -> None:
    with pytest.raises(AssertionError, match="^read of .*: wanted whole beats inside the 64 bytes of DRAM$"):
        memory_of(64).request(0, payload)


@pytest.mark.parametrize("address", [64, 3])
def test_writes_outside_or_across_beats_are_refused(address: int) -> None:
    with pytest.raises(AssertionError, match="^write of 4 bytes"):
        memory_of(64).write(request(address, 0))
