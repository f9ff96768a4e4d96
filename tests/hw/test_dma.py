"""Request and data engine against a model of docs/tensor.md section 5: cycles of every strobe, and every byte."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from math import ceil

import pytest
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator

from designs.families.tensor import Design
from hw.parts.descriptor_ring import DescriptorRing
from hw.parts.dma import DataEngine, RequestEngine
from hw.parts.scratchpad import Buffers
from hw.parts.tensor_types import output_layout, tile_layout

N_CYCLES_MOST = 6000
DESIGNS = {
    "same_width": Design(
        array_rows=4, array_cols=4, dram_bytes_per_cycle=4, dram_burst_bytes=16, dram_latency_cycles=7
    ),
    "odd_words": Design(array_rows=3, array_cols=6, dram_bytes_per_cycle=8, dram_burst_bytes=8, dram_latency_cycles=1),
    "wide_words": Design(
        array_rows=8, array_cols=4, act_bits=5, weight_bits=3, dram_bytes_per_cycle=2, dram_burst_bytes=32,
        dram_latency_cycles=23, requant_granularity="per_tensor",
    ),
    "wide_beats": Design(array_rows=2, array_cols=2, act_bits=3, dram_bytes_per_cycle=16, dram_burst_bytes=64),
}  # fmt: skip


@dataclass
class Case:
    """A random program for the DMA alone, and when the other engines advance their counters."""

    design: Design
    config: dict[str, int]
    tiles: list[dict[str, int]]
    outputs: list[dict[str, int]]
    released_at: list[int]  # cycle in which each release strobe comes
    outputs_at: list[int]
    image: bytes
    out_base: int
    lines: list[list[tuple[str, int, int]]] = field(default_factory=list)  # a tile's (section, address, words)


def wb(bits: int) -> int:
    return -(-bits // 8)


def random_case(design: Design, rng: random.Random) -> Case:
    burst, rows_of = design.dram_burst_bytes, lambda: rng.randint(1, 3)
    word_bytes = wb(design.act_word_bits)
    in_w, out_w = rng.randint(1, 9), rng.randint(1, 9)
    line = [ceil(n * word_bytes / burst) * burst for n in (in_w, out_w)]
    config = {
        "in_w": in_w, "out_w": out_w,
        "act_line_beats": line[0] // design.dram_bytes_per_cycle, "act_block_bytes": 5 * line[0],
        "out_line_beats": line[1] // design.dram_bytes_per_cycle, "out_block_bytes": 7 * line[1],
    }  # fmt: skip
    region = 4 * 7 * max(line) + 4096 * burst // 8
    where = lambda: rng.randrange(region // burst) * burst  # noqa: E731
    case = Case(design, config, [], [], [], [], b"", 2 * region)
    n_tiles = rng.randint(1, 6)
    n_stores_left = n_outputs = rng.randint(1, n_tiles)
    for index in range(n_tiles):
        n_stores = min(rng.randint(0, 2), n_stores_left) if index < n_tiles - 1 else n_stores_left
        if n_stores > 3:
            n_stores = 3
        n_stores_left -= n_stores
        tile = {
            "load_act": rng.randint(0, 1), "act_addr": where(), "act_rows": rows_of(), "blocks": rows_of(),
            "load_weights": rng.randint(0, 1), "weight_addr": where(), "weight_words": rng.randint(1, 40),
            "load_params": rng.randint(0, 1), "param_addr": where(), "param_words": rng.randint(1, 5),
            "load_residual": rng.randint(0, 1), "residual_addr": where(), "residual_blocks": rows_of(),
            "rows": rows_of(), "n_stores": n_stores,
            "wait_released": rng.randint(0, index), "wait_outputs": rng.randint(0, min(index, n_outputs)),
            "wait_stores": n_outputs - n_stores_left - n_stores if rng.random() < 0.3 else 0,
        }  # fmt: skip
        tile |= {name: rng.randint(0, 1) for name in ("act_buf", "weight_buf", "param_buf")} | {"out_buf": 0}
        case.tiles.append(tile)
    n_outputs -= n_stores_left
    tiles_waiting = [min(t["wait_outputs"], n_outputs) for t in case.tiles]
    for tile, value in zip(case.tiles, tiles_waiting, strict=True):
        tile["wait_outputs"] = value
    address = case.out_base
    for _ in range(n_outputs):
        rows, blocks = rows_of(), rows_of()
        case.outputs.append({"out_buf": 1, "rows": rows, "blocks": blocks, "store_addr": address})
        address += (blocks - 1) * 7 * line[1] + rows * line[1]
    case.released_at = sorted(rng.randrange(2, 400) for _ in case.tiles)
    case.outputs_at = sorted(rng.randrange(2, 600) for _ in case.outputs)
    case.image = rng.randbytes(case.out_base)
    case.lines = [lines_of(case, tile) for tile in case.tiles]
    return case


def lines_of(case: Case, tile: dict[str, int]) -> list[tuple[str, int, int]]:
    design, config, lines = case.design, case.config, []
    beat = design.dram_bytes_per_cycle
    for section, rows, blocks, words, line, block in (
        ("act", "act_rows", "blocks", "in_w", "act_line_beats", "act_block_bytes"),
        ("weights", None, None, "weight_words", None, None),
        ("params", None, None, "param_words", None, None),
        ("residual", "rows", "residual_blocks", "out_w", "out_line_beats", "out_block_bytes"),
    ):
        if not tile[f"load_{section}"]:
            continue
        base = tile[{"act": "act_addr", "weights": "weight_addr", "params": "param_addr"}.get(section, "residual_addr")]
        if rows is None:
            lines.append((section, base, tile[words]))
            continue
        for b in range(tile[blocks]):
            for r in range(tile[rows]):
                lines.append((section, base + b * config[block] + r * config[line] * beat, config[words]))
    return lines


def line_cycles(case: Case, section: str, n_words: int) -> tuple[int, int]:
    """(cycles, beats) of reading a line: docs/tensor.md section 3."""
    design = case.design
    bits = {"weights": design.weight_word_bits, "params": design.param_word_bits}.get(section, design.act_word_bits)
    n_bytes, beat, burst = n_words * wb(bits), design.dram_bytes_per_cycle, design.dram_burst_bytes
    useful, beats = ceil(n_bytes / beat), ceil(n_bytes / burst) * burst // beat
    return max(n_words, useful) + beats - useful, beats


def store_cycles(case: Case, output: dict[str, int]) -> int:
    design, n = case.design, case.config["out_w"]
    word, beat = wb(design.act_word_bits), design.dram_bytes_per_cycle
    useful = ceil(n * word / beat)
    late = useful > (n - 1) * word // beat + 1
    a_line = max(useful, n + late) + case.config["out_line_beats"] - useful
    return 1 + output["rows"] * output["blocks"] * a_line


def expected_times(case: Case) -> dict[str, list[int]]:
    """Cycles of each request, `loaded` and `stored`, from the definition: a recurrence over tiles."""
    times: dict[str, list[int]] = {"requests": [], "loaded": [], "stored": []}
    engine, data, stores = 2, 2, 0

    def reached(strobes: list[int], count: int) -> int:
        """First cycle in which the counter of these strobes shows `count`."""
        return strobes[count - 1] + 1 if count else 0

    # Requests wait for stores of earlier tiles only, so one walk in tile order serves both engines.
    for tile, lines in zip(case.tiles, case.lines, strict=True):
        start = max(
            engine,
            reached(case.released_at, tile["wait_released"]),
            reached(case.outputs_at, tile["wait_outputs"]),
            reached(times["stored"], tile["wait_stores"]),
        )
        times["requests"] += range(start, start + len(lines))
        engine = start + max(len(lines), 1)
        if lines:
            first = max(data, start + case.design.dram_latency_cycles)
            data = first + sum(line_cycles(case, section, n)[0] for section, _, n in lines)
        else:
            data += 1
        times["loaded"].append(data - 1)
        for _ in range(tile["n_stores"]):
            data = max(data, case.outputs_at[stores] + 1) + store_cycles(case, case.outputs[stores])
            times["stored"].append(data - 1)
            stores += 1
    return times


class Dma(Elaboratable):
    """Both engines with their rings and an output buffer."""

    def __init__(self, design: Design) -> None:
        self.request, self.data = RequestEngine(design), DataEngine(design)
        self.tiles = DescriptorRing(tile_layout(), n_readers=2)
        self.outputs = DescriptorRing(output_layout(), n_readers=1)
        self.buffer = Buffers(n_words=design.out_words, word_bits=design.act_word_bits, n_buffers=2, n_writers=2)
        self.n_stores = Signal(16)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.request, m.submodules.data = self.request, self.data
        m.submodules.tiles, m.submodules.outputs, m.submodules.buffer = self.tiles, self.outputs, self.buffer
        connect(m, self.tiles.readers[0], self.request.tile)
        connect(m, self.tiles.readers[1], self.data.tile)
        connect(m, self.outputs.readers[0], self.data.output)
        connect(m, self.data.residual, self.buffer.writes[0])
        connect(m, self.data.out, self.buffer.reads[0])
        m.d.sync += self.n_stores.eq(self.n_stores + self.data.stored)
        m.d.comb += [self.request.stores.eq(self.n_stores), self.data.stores.eq(self.n_stores)]
        return m


@dataclass
class Trace:
    times: dict[str, list[int]]
    requests: list[tuple[int, int]]
    words: list[tuple[str, int, int, int]]  # section, buffer, address, data
    written: dict[int, int]
    image: list[int]  # of the output buffer that is stored


def run(case: Case, *, lazy: random.Random | None = None) -> Trace:
    """Runs the case with the memory of section 3, or, with `lazy`, with one that is often not ready."""
    design, dut = case.design, Dma(case.design)
    beat, latency = design.dram_bytes_per_cycle, design.dram_latency_cycles
    fill = random.Random(5)
    image = [fill.getrandbits(design.act_word_bits) for _ in range(design.out_words)]
    trace = Trace({"requests": [], "loaded": [], "stored": []}, [], [], {}, image)

    async def bench(ctx) -> None:
        for engine in (dut.request, dut.data):
            ctx.set(engine.config, case.config)
        preload = dut.buffer.writes[1]
        needed = max((o["rows"] * o["blocks"] * case.config["out_w"] for o in case.outputs), default=0)
        for address in range(needed):
            for name, value in (("en", 1), ("buf", 1), ("addr", address), ("data", image[address])):
                ctx.set(getattr(preload, name), value)
            await ctx.tick()
        ctx.set(preload.en, 0)
        queue: list[tuple[int, int]] = []  # (first cycle, address) of beats
        tiles, outputs = list(case.tiles), list(case.outputs)
        maybe = lambda: lazy is None or lazy.random() < 0.6  # noqa: E731
        for cycle in range(N_CYCLES_MOST):
            for ring, rest in ((dut.tiles, tiles), (dut.outputs, outputs)):
                ctx.set(ring.write.valid, bool(rest))
                if rest:
                    ctx.set(ring.write.payload, rest[0])
                    if ctx.get(ring.write.ready):
                        rest.pop(0)
            n_outputs = sum(at < cycle for at in case.outputs_at)
            ctx.set(dut.request.released, sum(at < cycle for at in case.released_at))
            ctx.set(dut.request.outputs, n_outputs)
            ctx.set(dut.data.outputs, n_outputs)
            ctx.set(dut.request.request.ready, maybe())
            ctx.set(dut.data.write.ready, maybe())
            available = bool(queue) and queue[0][0] <= cycle and maybe()
            ctx.set(dut.data.beats.valid, available)
            if available:
                address = queue[0][1]
                ctx.set(dut.data.beats.payload, int.from_bytes(case.image[address : address + beat], "little"))
                if ctx.get(dut.data.beats.ready):
                    queue.pop(0)
            if ctx.get(dut.request.request.valid) and ctx.get(dut.request.request.ready):
                payload = dut.request.request.payload
                address, beats = ctx.get(payload.address), ctx.get(payload.beats)
                trace.times["requests"].append(cycle)
                trace.requests.append((address, beats))
                queue += [(cycle + latency, address + i * beat) for i in range(beats)]
            for section in ("act", "weights", "params", "residual"):
                port = getattr(dut.data, section)
                if ctx.get(port.en):
                    trace.words.append((section, *(ctx.get(getattr(port, name)) for name in ("buf", "addr", "data"))))
            if ctx.get(dut.data.write.valid) and ctx.get(dut.data.write.ready):
                assert not (available and ctx.get(dut.data.beats.ready)), "reads and writes never move in one cycle"
                address = ctx.get(dut.data.write.payload.address)
                assert address not in trace.written
                trace.written[address] = ctx.get(dut.data.write.payload.data)
            for name in ("loaded", "stored"):
                if ctx.get(getattr(dut.data, name)):
                    trace.times[name].append(cycle)
            await ctx.tick()
            if len(trace.times["loaded"]) == len(case.tiles) and len(trace.times["stored"]) == len(case.outputs):
                return
        raise AssertionError(f"not done: {trace.times}")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return trace


def check_function(case: Case, trace: Trace) -> None:
    design, beat = case.design, case.design.dram_bytes_per_cycle
    lines = [line for tile in case.lines for line in tile]
    assert trace.requests == [(address, line_cycles(case, section, n)[1]) for section, address, n in lines]
    words, at = [], 0
    bits_of = {"weights": design.weight_word_bits, "params": design.param_word_bits}
    for tile, tile_lines in zip(case.tiles, case.lines, strict=True):
        word: dict[str, int] = {}
        for section, address, n in tile_lines:
            bits = bits_of.get(section, design.act_word_bits)
            buffer = tile[{"weights": "weight_buf", "params": "param_buf", "act": "act_buf"}.get(section, "out_buf")]
            for i in range(n):
                raw = case.image[address + i * wb(bits) : address + (i + 1) * wb(bits)]
                value = int.from_bytes(raw, "little") & ((1 << bits) - 1)
                words.append((section, buffer, word.get(section, 0), value))
                word[section] = word.get(section, 0) + 1
    assert trace.words == words
    written = {}
    for output in case.outputs:
        at = 0
        for b in range(output["blocks"]):
            for r in range(output["rows"]):
                n, n_beats = case.config["out_w"], case.config["out_line_beats"]
                size = wb(design.act_word_bits)
                raw = b"".join(value.to_bytes(size, "little") for value in trace.image[at : at + n])
                raw = raw.ljust(n_beats * beat, b"\0")
                at += n
                base = output["store_addr"] + b * case.config["out_block_bytes"] + r * n_beats * beat
                for i in range(n_beats):
                    written[base + i * beat] = int.from_bytes(raw[i * beat : (i + 1) * beat], "little")
    assert trace.written == written


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_dma_with_the_ideal_memory_moves_every_byte_in_the_cycles_of_the_definition(design: Design, seed: int) -> None:
    case = random_case(design, random.Random(seed))
    trace = run(case)
    check_function(case, trace)
    assert trace.times == expected_times(case)


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_dma_with_a_lazy_memory_moves_the_same_bytes(design: Design) -> None:
    case = random_case(design, random.Random(99))
    check_function(case, run(case, lazy=random.Random(7)))
