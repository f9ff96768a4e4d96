"""Descriptor ring, scratchpad, buffers, counters: what their docstrings promise."""

from __future__ import annotations

import random

import pytest
from amaranth.lib import data
from amaranth.sim import Simulator

from hw.parts.activity import ActivityCounters, CycleCounter
from hw.parts.descriptor_ring import DEPTH, DescriptorRing
from hw.parts.scratchpad import Buffers, Scratchpad

LAYOUT = data.StructLayout({"value": 16})


def run(dut, bench) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_ring_first_descriptor_is_seen_in_cycle_2_and_one_a_cycle_after() -> None:
    dut, seen = DescriptorRing(LAYOUT, n_readers=1), {}

    async def bench(ctx) -> None:
        reader = dut.readers[0]
        ctx.set(reader.take, 0)
        for cycle in range(14):
            ctx.set(dut.write.valid, cycle < 10)
            ctx.set(dut.write.payload, {"value": 100 + cycle})
            assert ctx.get(dut.write.ready)
            valid = ctx.get(reader.valid)
            ctx.set(reader.take, valid)
            if valid:
                seen[cycle] = ctx.get(reader.payload.value)
            await ctx.tick()

    run(dut, bench)
    assert seen == {2 + i: 100 + i for i in range(10)}


def test_ring_readers_go_their_own_pace_and_the_slowest_holds_the_writer() -> None:
    dut, rng = DescriptorRing(LAYOUT, n_readers=2), random.Random(1)
    got: list[list[int]] = [[], []]
    was_full = []

    async def bench(ctx) -> None:
        sent = 0
        for _cycle in range(400):
            ctx.set(dut.write.valid, sent < 60)
            ctx.set(dut.write.payload, {"value": sent})
            for index, reader in enumerate(dut.readers):
                take = ctx.get(reader.valid) and rng.random() < (0.9, 0.3)[index]
                ctx.set(reader.take, take)
                if take:
                    got[index].append(ctx.get(reader.payload.value))
            ready = ctx.get(dut.write.ready)
            assert ready == (sent - min(map(len, _taken_before)) < DEPTH)
            was_full.append(not ready)
            for index in range(2):
                _taken_before[index] = list(got[index])
            sent += ready and sent < 60
            await ctx.tick()

    _taken_before: list[list[int]] = [[], []]
    run(dut, bench)
    assert got == [list(range(60))] * 2
    assert any(was_full)


@pytest.mark.parametrize(
    ("n_words", "n_banks", "n_buffers"), [(24, 8, 2), (10, 2, 2), (21, 1, 1), (12, 4, 1), (8, 16, 2)]
)
def test_scratchpad_reads_a_cycle_later_what_was_written(n_words: int, n_banks: int, n_buffers: int) -> None:
    dut = Scratchpad(n_words=n_words, word_bits=20, n_banks=n_banks, n_buffers=n_buffers)
    rng = random.Random(2)

    async def bench(ctx) -> None:
        image = {}
        for buffer in range(n_buffers):
            for address in range(n_words):
                image[buffer, address] = rng.getrandbits(20)
                for name, value in (("en", 1), ("buf", buffer), ("addr", address), ("data", image[buffer, address])):
                    ctx.set(getattr(dut.write, name), value)
                await ctx.tick()
        ctx.set(dut.write.en, 0)
        expected = None
        for _ in range(200):
            key = rng.choice(list(image))
            en = rng.random() < 0.7
            ctx.set(dut.read.en, en)
            ctx.set(dut.read.buf, key[0])
            ctx.set(dut.read.addr, key[1])
            await ctx.tick()
            expected = image[key] if en else expected  # stays until the next read
            assert expected is None or ctx.get(dut.read.data) == expected

    run(dut, bench)


def test_scratchpad_is_built_of_its_banks_and_halves_work_at_the_same_time() -> None:
    dut = Scratchpad(n_words=6, word_bits=8, n_banks=4, n_buffers=2)

    async def bench(ctx) -> None:
        for address in range(6):
            ctx.set(dut.write.en, 1)
            ctx.set(dut.write.addr, address)
            ctx.set(dut.write.data, address + 1)
            await ctx.tick()
        ctx.set(dut.write.buf, 1)
        ctx.set(dut.read.en, 1)
        for address in range(6):  # reads half 0 while half 1 is written
            ctx.set(dut.write.addr, address)
            ctx.set(dut.write.data, 100 + address)
            ctx.set(dut.read.addr, 5 - address)
            await ctx.tick()
            assert ctx.get(dut.read.data) == 6 - address

    run(dut, bench)


def test_buffers_serve_two_readers_and_two_writers_on_different_buffers() -> None:
    dut = Buffers(n_words=5, word_bits=9, n_buffers=2, n_readers=2, n_writers=2)
    rng = random.Random(3)

    async def bench(ctx) -> None:
        image = {(b, a): 0 for b in range(2) for a in range(5)}
        for _ in range(200):
            expected = [None, None]
            for ports in (dut.reads, dut.writes):
                first = rng.randrange(2)
                for number, port in enumerate(ports):
                    buffer, address = first ^ number, rng.randrange(5)
                    ctx.set(port.en, 1)
                    ctx.set(port.buf, buffer)
                    ctx.set(port.addr, address)
                    if ports is dut.reads:
                        expected[number] = image[buffer, address]
                    else:
                        value = rng.getrandbits(9)
                        ctx.set(port.data, value)
                        image[buffer, address] = value
            await ctx.tick()
            assert [ctx.get(port.data) for port in dut.reads] == expected

    run(dut, bench)


def test_activity_counts_strobes_times_steps() -> None:
    dut = ActivityCounters({"macs": (1, 64), "reads": (2, 1)})

    async def bench(ctx) -> None:
        totals = [0, 0]
        for macs, reads in [(1, 3), (0, 2), (1, 0), (1, 1)]:
            assert [ctx.get(dut.counters.macs), ctx.get(dut.counters.reads)] == totals
            ctx.set(dut.strobes.macs, macs)
            ctx.set(dut.strobes.reads, reads)
            totals = [totals[0] + 64 * macs, totals[1] + reads]
            await ctx.tick()
        assert [ctx.get(dut.counters.macs), ctx.get(dut.counters.reads)] == totals

    run(dut, bench)


def test_cycle_counter_runs_from_the_first_tile_to_the_last_store() -> None:
    dut, rows = CycleCounter(), []

    async def bench(ctx) -> None:
        for cycle in range(-2, 9):
            ctx.set(dut.start, cycle in (0, 3))
            ctx.set(dut.stop, cycle == 5)
            rows.append((cycle, ctx.get(dut.cycles), ctx.get(dut.busy), ctx.get(dut.done)))
            await ctx.tick()

    run(dut, bench)
    assert rows[:3] == [(-2, 0, 0, 0), (-1, 0, 0, 0), (0, 0, 0, 0)]
    assert rows[3:8] == [(x, x, 1, 0) for x in range(1, 6)]
    assert rows[8:] == [(x, 6, 0, 1) for x in range(6, 9)]
