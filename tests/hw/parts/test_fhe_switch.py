"""Key rows, EXTRACT, key switch and STORE of the bootstrapping machine: bits by the reference, cycles as promised."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.families.fhe import Design
from hw.bench.fhe_streams import key_switch_key_beats
from hw.parts.fhe_batches import Batches
from hw.parts.fhe_extract import Extract, Results
from hw.parts.fhe_key_rows import KeyRows
from hw.parts.fhe_key_switch import KeySwitch
from hw.parts.fhe_store import Store
from hw.parts.fhe_types import key_row_words
from tests.hw.parts.test_fhe_load import DESIGN, simulate
from workloads.tfhe.reference import extract, key_switch

pytestmark = pytest.mark.rtl


def _number(words: np.ndarray) -> int:
    return int.from_bytes(np.ascontiguousarray(words.astype("<u4")).tobytes(), "little")


def test_a_row_is_read_while_the_next_one_comes() -> None:
    """K = 2: beats are taken until two rows are there, and again in the cycle after a release; words in stream order."""
    design = replace(DESIGN, key_rows=2, key_residues_per_cycle=2, key_columns=2)
    rows, bits, n_words = KeyRows(design), design.modulus_bits, key_row_words(design)
    parts = design.key_columns * design.coefficients_per_cycle // 2  # beats of a word
    beat_of = [[i << bits | i + 1000 for i in range(first, first + n_words * parts)] for first in (0, 100, 200)]
    mask = (1 << 2 * bits) - 1

    async def bench(ctx: Any) -> None:
        async def take(row: int) -> None:
            ctx.set(rows.beats.valid, 1)
            for number, beat in enumerate(beat_of[row]):
                assert ctx.get(rows.beats.ready) and ctx.get(rows.n_rows) == row
                ctx.set(rows.beats.payload, beat)
                assert ctx.get(rows.taken) and ctx.get(rows.row_taken) == (number == len(beat_of[row]) - 1)
                await ctx.tick()
            ctx.set(rows.beats.valid, 0)
            assert ctx.get(rows.n_rows) == row + 1

        async def read(row: int) -> None:
            ctx.set(rows.key.en, 1)
            ctx.set(rows.key.place, row % 2)
            for word in range(n_words):
                ctx.set(rows.key.address, word)
                await ctx.tick()
                found = ctx.get(rows.key.data.as_value())
                got = [found >> 2 * bits * part & mask for part in range(parts)]
                assert got == beat_of[row][word * parts : (word + 1) * parts]

        await take(0)
        await read(0)
        await take(1)
        ctx.set(rows.beats.valid, 1)
        assert not ctx.get(rows.beats.ready) and not ctx.get(rows.taken)
        await read(0)
        ctx.set(rows.row_release, 1)
        assert not ctx.get(rows.beats.ready)
        await ctx.tick()
        ctx.set(rows.row_release, 0)
        await take(2)
        await read(1)
        await read(2)

    simulate(rows, bench)


def test_a_resident_key_is_taken_once() -> None:
    design = replace(DESIGN, key_rows=20)
    rows = KeyRows(design)

    async def bench(ctx: Any) -> None:
        ctx.set(rows.beats.valid, 1)
        n_taken = 0
        while ctx.get(rows.beats.ready):
            n_taken += 1
            await ctx.tick()
        assert n_taken == design.row_beats * design.lwe_dimension and ctx.get(rows.n_rows) == design.lwe_dimension

    simulate(rows, bench)


def _results(design: Design, rng: np.random.Generator) -> tuple[list[dict[str, int]], np.ndarray, list[np.ndarray]]:
    """Cells of one core, their accumulators (slots, k+1, N), and the extracted results of them."""
    p = design.parameters
    cells, wanted = [], []
    words = rng.integers(2**32, size=(design.batch, p.glwe_dimension + 1, p.ring_degree), dtype=np.uint32)
    held = np.zeros(p.glwe_dimension * p.ring_degree + 1, np.uint32)
    for slot in range(design.batch):
        last = slot == design.batch - 1
        valid = bool(held.any() or last or rng.random() < 0.7)
        holds = bool(valid and not last and rng.random() < 0.4)
        cell = {"valid": int(valid), "holds": int(holds), "value": 0, "post": int(rng.integers(2**32)), "result": 50 + slot}
        cells.append(cell)
        one = extract(words[slot][None])[0] + held
        held = one if holds else np.zeros_like(held)
        if valid and not holds:
            one[-1:] += np.uint32(cell["post"])
            wanted.append(one)
    return cells, words, wanted


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_results_of_a_batch(seed: int) -> None:
    """EXTRACT asks a word a cycle and is done after `slots` W + 1; held slots are added to the next one of the core."""
    rng = np.random.default_rng(seed)
    design = replace(DESIGN, glwe_dimension=2, batch=int(rng.integers(1, 6)), key_switchers=int(rng.integers(1, 4)))
    station, results = Extract(design), Results(design)
    p, words = design.parameters, design.poly_words
    cells, accumulators, wanted = _results(design, rng)
    asked: list[tuple[int, int]] = []

    async def steps(ctx: Any) -> None:
        ctx.set(station.slots, design.batch)
        ctx.set(station.start, 1)
        for cycle in range(design.batch * words + 2):
            assert ctx.get(station.reading) == (cycle < design.batch * words)
            assert ctx.get(station.done) == (cycle == design.batch * words + 1)
            assert ctx.get(station.there) == (1 <= cycle <= design.batch * words)
            if ctx.get(station.reading):
                asked.append((ctx.get(station.slot), ctx.get(station.word)))
                assert ctx.get(station.first_word) == (asked[-1][1] == 0)
            if ctx.get(station.there):
                assert ctx.get(station.there_word) == asked[cycle - 1][1]
                assert ctx.get(station.there_last) == (asked[cycle - 1][1] == words - 1)
            await ctx.tick()
            ctx.set(station.start, 0)

    simulate(station, steps)
    assert asked == [(slot, word) for slot in range(design.batch) for word in range(words)]

    async def bench(ctx: Any) -> None:
        ctx.set(results.clear, 1)
        for cycle in range(len(asked) + 1):
            reading = cycle < len(asked)
            ctx.set(results.reading, int(reading))
            ctx.set(results.word, asked[cycle][1] if reading else 0)
            ctx.set(results.there, int(cycle > 0))
            if cycle:
                slot, word = asked[cycle - 1]
                ctx.set(results.there_word, word)
                ctx.set(results.there_last, int(word == words - 1))
                ctx.set(results.cell, cells[slot])
                cut = accumulators[slot].reshape(p.glwe_dimension + 1, words, -1)[:, word]
                for column, lanes in enumerate(cut.tolist()):
                    for lane, value in enumerate(lanes):
                        ctx.set(results.words[column][lane], value)
            await ctx.tick()
            ctx.set(results.clear, 0)
        ctx.set(results.there, 0)
        assert ctx.get(results.n_results) == len(wanted)
        counts = [len(wanted[unit :: design.key_switchers]) for unit in range(design.key_switchers)]
        assert [ctx.get(results.n_of_unit[unit]) for unit in range(design.key_switchers)] == counts
        numbers = [cell["result"] for cell in cells if cell["valid"] and not cell["holds"]]
        ctx.set(results.read_number, 1)
        for number, one in enumerate(wanted):
            place, unit = divmod(number, design.key_switchers)
            found = []
            ctx.set(results.read_place, place)
            ctx.set(results.number_place, place)
            ctx.set(results.number_unit, unit)
            for word in range(words):
                ctx.set(results.read_word, word)
                await ctx.tick()
                found.append([
                    [ctx.get(results.masks[unit][column][lane]) for lane in range(design.coefficients_per_cycle)]
                    for column in range(p.glwe_dimension)
                ])
            mask = np.array(found, np.uint32).transpose(1, 0, 2).reshape(1, p.glwe_dimension, p.ring_degree)
            body = np.full((1, 1, p.ring_degree), ctx.get(results.bodies[unit]), np.uint32)
            assert (extract(np.concatenate([mask, body], axis=1))[0] == one).all()
            assert ctx.get(results.number) == numbers[number]

    simulate(results, bench)


def switch_and_store(design: Design, extracted: list[list[np.ndarray]], key: np.ndarray, rng: np.random.Generator) -> None:
    """Results of each core through key switchers and STORE: every word, and the cycles of both."""
    p, units = design.parameters, design.key_switchers
    switch, beats = KeySwitch(design), key_switch_key_beats(design, key)
    u = max(-(-len(results) // units) for results in extracted)
    stalls = rng.random(len(beats)) < 0.1
    words_found: list[np.ndarray] = []
    n_of_unit = [[len(results[unit::units]) for unit in range(units)] for results in extracted]
    # What Results has, as the accumulators have it: column, coefficient.
    masks = {
        (core, f): extract(np.concatenate([one[:-1].reshape(1, -1, p.ring_degree), np.zeros((1, 1, p.ring_degree), np.uint32)], axis=1))[0, :-1].reshape(-1, p.ring_degree)
        for core, results in enumerate(extracted) for f, one in enumerate(results)
    }  # fmt: skip

    async def bench(ctx: Any) -> None:
        for core, counts in enumerate(n_of_unit):
            for unit, count in enumerate(counts):
                ctx.set(switch.n_of_unit[core * units + unit], count)
        ctx.set(switch.n_phases, u)
        assert not ctx.get(switch.beats.ready)
        ctx.set(switch.start, 1)
        await ctx.tick()
        ctx.set(switch.start, 0)
        n_taken, free, last = 0, 0, 0
        for cycle in range(10**6):
            offers = n_taken < len(beats) and not (stalls[n_taken] and rng.random() < 0.5)
            assert ctx.get(switch.beats.ready) == (cycle >= free and n_taken < len(beats))
            ctx.set(switch.beats.valid, int(offers))
            if offers:
                ctx.set(switch.beats.payload, int.from_bytes(beats[n_taken].tobytes(), "little"))
            taken = ctx.get(switch.taken)
            asked = ctx.get(switch.read_place), ctx.get(switch.read_word)
            done = ctx.get(switch.done)
            await ctx.tick()
            if done:
                assert cycle == last + u + 2 and n_taken == len(beats)
                break
            if taken:
                n_taken, free, last = n_taken + 1, cycle + u, cycle
            for core in range(design.cores):
                for unit in range(units):
                    mask = masks.get((core, asked[0] * units + unit))
                    if mask is None:
                        continue
                    cut = mask.reshape(p.glwe_dimension, design.poly_words, -1)[:, asked[1]]
                    ctx.set(switch.masks[core * units + unit].as_value(), _number(cut))
                    ctx.set(switch.bodies[core * units + unit], int(extracted[core][asked[0] * units + unit][-1]))
        ctx.set(switch.read, 1)
        for place in range(u):
            for chunk in range(design.key_switch_chunks):
                ctx.set(switch.place, place)
                ctx.set(switch.chunk, chunk)
                await ctx.tick()
                words_found.append(np.array([
                    [ctx.get(switch.words[i].as_value()) >> 32 * lane & 0xFFFFFFFF for lane in range(design.key_switch_lanes)]
                    for i in range(design.cores * units)
                ], np.uint32))  # fmt: skip

    simulate(switch, bench)
    stored = np.array(words_found).reshape(u, design.key_switch_chunks, design.cores, units, -1)
    wanted: list[tuple[int, np.ndarray]] = []  # in the order of STORE
    for f in range(max(len(results) for results in extracted)):
        for core, results in enumerate(extracted):
            if f < len(results):
                switched = key_switch(results[f][None], key, p)[0]
                found = stored[f // units, :, core, f % units].reshape(-1)
                assert (found[: len(switched)] == switched).all() and not found[len(switched) :].any()
                wanted.append((1000 * core + f, switched))
    _store(design, [len(results) for results in extracted], stored, wanted, rng)


def _store(
    design: Design, n_results: list[int], stored: np.ndarray, wanted: list[tuple[int, np.ndarray]], rng: np.random.Generator
) -> None:
    store, ready = Store(design), rng.random(1000) < 0.6
    lanes, units = design.ciphertext_words_per_cycle, design.key_switchers
    got: list[tuple[int, int, list[int]]] = []
    for stalled in (False, True):
        got.clear()

        async def bench(ctx: Any, stalled: bool = stalled) -> None:
            for core, count in enumerate(n_results):
                ctx.set(store.n_results[core], count)
            ctx.set(store.start, 1)
            await ctx.tick()
            ctx.set(store.start, 0)
            for cycle in range(10**5):
                willing = not stalled or bool(ready[cycle % 1000])
                ctx.set(store.writes.ready, int(willing))
                assert ctx.get(store.writes.valid) == (cycle >= 2)
                if ctx.get(store.writes.valid) and willing:
                    payload = store.writes.payload
                    got.append((ctx.get(payload.number), ctx.get(payload.chunk), [ctx.get(payload.data[i]) for i in range(lanes)]))
                done = ctx.get(store.done)
                reads = ctx.get(store.read), ctx.get(store.place), ctx.get(store.unit), ctx.get(store.chunk)
                await ctx.tick()
                if done:
                    assert not ctx.get(store.writes.valid) and (stalled or cycle == 2 + len(got) - 1)
                    break
                if reads[0]:
                    _, place, unit, chunk = reads
                    for core in range(design.cores):
                        for i in range(units):
                            ctx.set(store.words[core * units + i].as_value(), _number(stored[place, chunk, core, i]))
                        ctx.set(store.numbers[core], 1000 * core + place * units + unit)

        simulate(store, bench)
        expected = []
        for number, words in wanted:
            padded = np.zeros(design.ciphertext_beats * lanes, np.uint32)
            padded[: len(words)] = words
            expected += [(number, chunk, row) for chunk, row in enumerate(padded.reshape(-1, lanes).tolist())]
        assert got == expected


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_key_switch_and_store(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lanes = int(rng.choice([2, 4, 6]))
    design = replace(
        DESIGN, glwe_dimension=int(rng.integers(1, 3)), key_columns=1, cores=int(rng.integers(1, 4)), batch=4,
        key_switchers=int(rng.integers(1, 4)), key_switch_lanes=lanes, ciphertext_words_per_cycle=int(rng.choice([1, 2])),
        key_switch_levels=int(rng.choice([1, 2, 4])), key_switch_base_bits=int(rng.choice([1, 3, 8])),
    )  # fmt: skip
    design.check()
    p = design.parameters
    size = p.glwe_dimension * p.ring_degree
    extracted = [
        list(rng.integers(2**32, size=(int(rng.integers(core == 0, 5)), size + 1), dtype=np.uint32))
        for core in range(design.cores)
    ]
    key = rng.integers(2**32, size=(size, p.key_switch_levels, p.lwe_dimension + 1), dtype=np.uint32)
    switch_and_store(design, extracted, key, rng)


def test_key_switch_at_the_real_degree() -> None:
    """N = 1024, t = 8, h = 2 of the TFHE library, with few words a ciphertext."""
    design = replace(
        DESIGN, lwe_dimension=3, ring_degree=1024, key_switch_levels=8, key_switch_base_bits=2, key_switch_lanes=2,
        ciphertext_words_per_cycle=1, coefficients_per_cycle=64, batch=1, cores=1, key_residues_per_cycle=64,
    )  # fmt: skip
    design.check()
    rng = np.random.default_rng(8)
    extracted = [[rng.integers(2**32, size=1025, dtype=np.uint32)]]
    switch_and_store(design, extracted, rng.integers(2**32, size=(1024, 8, 4), dtype=np.uint32), rng)


def test_stations_start_when_their_conditions_are_met() -> None:
    """Three batches: each start in the very cycle after the last of what it waits for."""
    design = replace(DESIGN, key_rows=2)
    control, n = Batches(design), design.lwe_dimension
    log: list[tuple[int, str]] = []

    async def bench(ctx: Any) -> None:
        ctx.set(control.n_batches, 3)
        ctx.set(control.n_taken, 3)
        ctx.set(control.after[2], 1)
        ctx.set(control.running, 1)
        # cycle -> what ends in it; n_rows is seen from the cycle on.
        ends = {3: "loaded", 6: "loaded", 20: "rotated", 22: "extracted", 25: "stored", 31: "loaded", 40: "rotated",
                42: "extracted", 50: "stored", 60: "rotated", 62: "extracted", 70: "stored"}  # fmt: skip
        rows = {9: 2, 28: n + 1, 33: n + 2, 48: 2 * n + 2}
        for cycle in range(75):
            if cycle in rows:
                ctx.set(control.n_rows, rows[cycle])
            for name in ("loaded", "rotated", "extracted", "stored"):
                ctx.set(getattr(control, name), int(ends.get(cycle) == name))
            log.extend((cycle, name) for name in ("load", "init", "extract") if ctx.get(getattr(control, name)))
            assert ctx.get(control.last) == (50 < cycle <= 70)
            await ctx.tick()

    simulate(control, bench)
    assert log == [
        (0, "load"), (4, "load"),  # batch 1 after load_end(0)
        (9, "init"),  # batch 0: loaded in 3, two rows from 9 on
        (21, "extract"), (26, "load"),  # batch 2: rot_end(0) in 20, batch 0 stored in 25
        (33, "init"), (41, "extract"),
        (48, "init"), (61, "extract"),
    ]  # fmt: skip
