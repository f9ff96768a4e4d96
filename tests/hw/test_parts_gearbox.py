"""Gearboxes: every byte in its place, and the cycles of docs/tensor.md section 3."""

from __future__ import annotations

import random
from math import ceil

import pytest
from amaranth.sim import Simulator

from hw.parts.gearbox import ReadGearbox, WriteGearbox

BURST = 16
# (beat bytes, word bytes): equal, wider, narrower, coprime either way
SHAPES = [(4, 4), (4, 1), (16, 2), (2, 8), (1, 5), (4, 5), (8, 3), (16, 27), (4, 54), (2, 3)]


def line_of(n_words: int, word: int, beat: int) -> tuple[int, int]:
    """Useful beats and beats of a line."""
    return ceil(n_words * word / beat), ceil(n_words * word / BURST) * BURST // beat


def simulate(dut, bench) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("always", [True, False], ids=["ideal", "stalls"])
@pytest.mark.parametrize(("beat", "word"), SHAPES)
def test_read_gearbox(beat: int, word: int, always: bool) -> None:
    sizes = (word, word + 2, 1)
    dut = ReadGearbox(beat_bytes=beat, word_bytes=sizes, n_words_bits=8)
    rng = random.Random(beat * 100 + word)

    async def bench(ctx) -> None:
        ctx.set(dut.active, 1)
        for n_words in (1, 2, 3, 7, 20):
            size = rng.randrange(3)
            wb = sizes[size]
            useful, n_beats = line_of(n_words, wb, beat)
            raw = rng.randbytes(n_beats * beat)  # padding is not zero: it must not leak into the next line
            ctx.set(dut.size, size)
            ctx.set(dut.n_words, n_words)
            ctx.set(dut.n_beats, n_beats)
            words, taken, cycles, done = [], 0, 0, False
            while not done:
                valid = always or rng.random() < 0.5
                ctx.set(dut.beats.valid, valid)
                ctx.set(dut.beats.payload, int.from_bytes(raw[taken * beat : (taken + 1) * beat], "little"))
                taken += bool(valid and ctx.get(dut.beats.ready))
                if ctx.get(dut.word_valid):
                    words.append(ctx.get(dut.word).to_bytes(max(sizes), "little")[:wb])
                done = bool(ctx.get(dut.line_done))
                cycles += 1
                assert cycles < 2000
                await ctx.tick()
            assert b"".join(words) == raw[: n_words * wb]
            assert taken == n_beats
            if always:
                assert cycles == max(n_words, useful) + n_beats - useful

    simulate(dut, bench)


@pytest.mark.parametrize("always", [True, False], ids=["ideal", "stalls"])
@pytest.mark.parametrize(("beat", "word"), SHAPES)
def test_write_gearbox(beat: int, word: int, always: bool) -> None:
    sizes = (word, word + 2, 1)
    duts = [WriteGearbox(beat_bytes=beat, word_bytes=word_bytes, n_words_bits=8) for word_bytes in (word, sizes)]
    for dut in duts:
        simulate(dut, write_bench(dut, beat, sizes, always))


def write_bench(dut: WriteGearbox, beat: int, sizes: tuple[int, ...], always: bool):
    rng = random.Random(beat * 100 + sizes[0])

    async def bench(ctx) -> None:
        ctx.set(dut.active, 1)
        for n_words in (1, 2, 3, 7, 20):
            word = sizes[0]
            if hasattr(dut, "size"):
                word = sizes[size := rng.randrange(3)]
                ctx.set(dut.size, size)
            useful, n_beats = line_of(n_words, word, beat)
            raw = rng.randbytes(n_words * word)
            ctx.set(dut.n_words, n_words)
            ctx.set(dut.n_beats, n_beats)
            beats, taken, cycles, done = [], 0, 0, False
            while not done:
                ready = always or rng.random() < 0.5
                ctx.set(dut.beats.ready, ready)
                # After the last word the port shows what nobody asked for; it must not get into the padding.
                here = raw[taken * word : (taken + 1) * word] or b"\xff" * word
                ctx.set(dut.word, int.from_bytes(here, "little"))
                if ctx.get(dut.word_take):
                    taken += 1
                    assert ctx.get(dut.word_last) == (taken == n_words)
                if ready and ctx.get(dut.beats.valid):
                    beats.append(ctx.get(dut.beats.payload).to_bytes(beat, "little"))
                done = bool(ctx.get(dut.line_done))
                cycles += 1
                assert cycles < 2000
                await ctx.tick()
            assert b"".join(beats) == raw.ljust(n_beats * beat, b"\0")
            assert taken == n_words
            if always:
                late = useful > (n_words - 1) * word // beat + 1
                assert cycles == max(useful, n_words + late) + n_beats - useful

    return bench
