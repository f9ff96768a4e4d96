"""Runs programs on the Core alone: Python holds the scratchpads and DRAM, loads and stores when the program's waits allow.

`run` answers what is in DRAM afterwards and in which cycle everything happened, beside when docs/tensor.md says it
should.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import ResetInserter, Signal
from amaranth.lib import data
from amaranth.sim import Simulator

from designs.families.tensor import Design
from hw.parts.core import Core
from workloads.mapping.program import OutputField, Program, TileField

COUNTED = ("step", "acc_read", "acc_write", "post", "overflow", "act_read_en", "weight_read_en", "param_read_en",
           "residual_read_en", "out_write_en")  # fmt: skip
EVENTS = ("tile_take", "released", "completed_strobe", "output_take", "output_done")
READS = ("act", "weight", "param", "residual")


def cd(a: int, b: int) -> int:
    return -(-a // b)


@dataclass
class Result:
    memory: np.ndarray
    events: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in EVENTS})
    wanted: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in EVENTS})
    counted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))


def tile_rows(program: Program) -> list[dict[str, int]]:
    return [{f.name.lower(): int(row[f]) for f in TileField} for row in program.tiles]


def output_rows(program: Program) -> list[dict[str, int]]:
    return [{f.name.lower(): int(row[f]) for f in OutputField} for row in program.outputs]


def issue_cycles(design: Design, program: Program, tile: dict[str, int]) -> tuple[int, int, int]:
    """(F * Q, rho, delta) of docs/tensor.md, section 6."""
    rows, cols, config = design.array_rows, design.array_cols, program.config
    n_pixels = tile["rows"] * config.out_w
    taps = config.kernel_h * config.kernel_w
    k_blocks, n_folds = tile["blocks"] * taps * config.passes, cd(tile["n_valid"], cols)
    if config.pooling:
        return k_blocks * n_pixels, 0, 2
    if design.dataflow == "weight_stationary":
        return k_blocks * n_folds * max(n_pixels, rows), 0, rows + cols + 2
    if design.dataflow == "input_stationary":
        return k_blocks * cd(n_pixels, cols) * max(tile["n_valid"], cols), 0, rows + cols + 3
    return cd(n_pixels, rows) * n_folds * k_blocks * rows, rows + 1, 2 * rows + cols + 2


def output_cycles(design: Design, program: Program, output: dict[str, int]) -> tuple[int, int]:
    """(S, cycles from the last issue cycle to `outputs`) of docs/tensor.md, section 7."""
    rows, cols, g = design.array_rows, design.array_cols, design.post_lanes
    n_pixels = output["rows"] * program.config.out_w
    if program.config.pooling:
        return 1, 0
    if design.dataflow == "input_stationary":
        return cd(n_pixels, cols) * output["blocks"] * (max(rows, cols) + cols), 6
    return output["blocks"] * n_pixels * design.act_lanes // g, 6


class Memories:
    """Scratchpads as lists of integers, and the DRAM they are filled from."""

    def __init__(self, design: Design, program: Program, image: np.ndarray) -> None:
        self.design, self.program, self.dram = design, program, image.copy()
        self.out_bits = design.wide_bits if program.config.out_wide else design.act_bits
        sizes = {"act": design.act_words, "weight": design.weight_words, "param": design.param_words,
                 "out": design.out_words}  # fmt: skip
        rng = random.Random(1)  # what no tile loaded must not matter
        self.words = {name: [[rng.getrandbits(8) for _ in range(n)] for _ in range(2)] for name, n in sizes.items()}

    def _line(self, address: int, n_words: int, word_bits: int) -> list[int]:
        size = cd(word_bits, 8)
        return [int.from_bytes(self.dram[address + i * size :][:size].tobytes(), "little") for i in range(n_words)]

    def _lines(self, tile: dict[str, int], what: str) -> list[int]:
        design, config = self.design, self.program.config
        if what == "act":
            n_blocks, n_rows, n_words = tile["blocks"], tile["act_rows"], config.in_w
            beats, step, address = config.act_line_beats, config.act_block_bytes, tile["act_addr"]
            word_bits = design.act_word_bits
        else:
            n_blocks, n_rows, n_words = tile["residual_blocks"], tile["rows"], config.out_w
            beats, step, address = config.out_line_beats, config.out_block_bytes, tile["residual_addr"]
            word_bits = design.act_lanes * self.out_bits
        line = beats * design.dram_bytes_per_cycle
        return [
            word
            for block in range(n_blocks)
            for row in range(n_rows)
            for word in self._line(address + block * step + row * line, n_words, word_bits)
        ]

    def _lanes_moved(self, word: int, stored_bits: int, to: str) -> int:
        """A stored word in the lanes of the output buffer (`edge`, values with their sign), or back (`stored`)."""
        edge_bits, signed = self.design.edge_bits, self.program.config.residual_signed
        source, target = (stored_bits, edge_bits) if to == "edge" else (edge_bits, stored_bits)
        moved = 0
        for lane in range(self.design.act_lanes):
            value = word >> lane * source & (1 << source) - 1
            if to == "edge" and signed and value >> source - 1:
                value -= 1 << source
            moved |= (value & (1 << target) - 1) << lane * target
        return moved

    def load(self, tile: dict[str, int]) -> None:
        design = self.design
        if tile["load_act"]:
            self._put("act", tile["act_buf"], self._lines(tile, "act"))
        if tile["load_weights"]:
            words = self._line(tile["weight_addr"], tile["weight_words"], design.weight_word_bits)
            self._put("weight", tile["weight_buf"], words)
        if tile["load_params"]:
            words = self._line(tile["param_addr"], tile["param_words"], design.param_word_bits)
            self._put("param", tile["param_buf"], words)
        if tile["load_residual"]:
            words = self._lines(tile, "residual")
            self._put("out", tile["out_buf"], [self._lanes_moved(word, self.out_bits, "edge") for word in words])

    def _put(self, name: str, buf: int, words: list[int]) -> None:
        self.words[name][buf][: len(words)] = words

    def store(self, output: dict[str, int]) -> None:
        config, size = self.program.config, cd(self.design.act_lanes * self.out_bits, 8)
        words = iter(self.words["out"][output["out_buf"]])
        for block in range(output["blocks"]):
            for row in range(output["rows"]):
                address = output["store_addr"] + block * config.out_block_bytes
                address += row * config.out_line_beats * self.design.dram_bytes_per_cycle
                for i in range(config.out_w):
                    raw = self._lanes_moved(next(words), self.out_bits, "stored").to_bytes(size, "little")
                    self.dram[address + i * size :][:size] = np.frombuffer(raw, np.uint8)


class _Engine:
    """When docs/tensor.md says that an engine starts and ends."""

    def __init__(self) -> None:
        self.index, self.left = 0, 0


def run(
    design: Design, programs: list[tuple[Program, np.ndarray]], *, seed: int = 0, eager: bool = True
) -> list[Result]:
    """Run (program, DRAM before it) one after the other, the core cleared between them.

    With `eager` loads and stores take no time, so that tiles follow each other without a gap.
    """
    core, clear = Core(design), Signal()
    simulator = Simulator(ResetInserter(clear)(core))
    simulator.add_clock(1e-9)
    results = [Result(memory=image) for _, image in programs]

    async def testbench(ctx: object) -> None:
        for (program, image), result in zip(programs, results, strict=True):
            memories = Memories(design, program, image)
            await _Bench(design, program, memories, result, random.Random(seed), eager).run(ctx, core)
            result.memory = memories.dram
            ctx.set(clear, 1)
            await ctx.tick()
            ctx.set(clear, 0)

    simulator.add_testbench(testbench)
    simulator.run()
    return results


class _Bench:
    def __init__(self, design: Design, program: Program, memories: Memories, result: Result, rng: random.Random,
                 eager: bool) -> None:  # fmt: skip
        self.design, self.program, self.memories, self.result = design, program, memories, result
        self.rng, self.eager = rng, eager
        self.tiles, self.outputs = tile_rows(program), output_rows(program)
        self.counters = dict.fromkeys(("loaded", "released", "completed", "outputs", "stores"), 0)
        self.compute, self.output = _Engine(), _Engine()

    def _set(self, ctx: object, port: data.View, row: dict[str, int]) -> None:
        for name in port.shape().members:
            ctx.set(port[name], row[name])

    def _show(self, ctx: object, valid: object, port: data.View, rows: list[dict[str, int]]) -> None:
        """The first of `rows`, which is at once valid, or nothing."""
        ctx.set(valid, bool(rows))
        if rows:
            self._set(ctx, port, rows[0])

    def _move(self) -> dict[str, int]:
        """Loads and stores that end in this cycle; what they advance is seen in the next."""
        counters, moved = self.counters, {"loaded": 0, "stores": 0}
        lazy = not self.eager and self.rng.random() < 0.9
        if counters["loaded"] < len(self.tiles) and not lazy:
            tile = self.tiles[counters["loaded"]]
            if all(counters[name] >= tile[f"wait_{name}"] for name in ("released", "outputs", "stores")):
                self.memories.load(tile)
                moved["loaded"] = 1
        if counters["outputs"] > counters["stores"] and (self.eager or self.rng.random() < 0.1):
            self.memories.store(self.outputs[counters["stores"]])
            moved["stores"] = 1
        return moved

    def _predict(self, cycle: int) -> None:
        """Engines that start in this cycle."""
        counters, wanted = self.counters, self.result.wanted
        if self.compute.left == 0 and self.compute.index < len(self.tiles):
            tile = self.tiles[self.compute.index]
            if (
                counters["loaded"] >= self.compute.index + 1
                and counters["outputs"] >= tile["compute_wait_outputs"]
                and counters["stores"] >= tile["compute_wait_stores"]
            ):
                n_cycles, rho, delta = issue_cycles(self.design, self.program, tile)
                self.compute.index += 1
                self.compute.left = n_cycles
                end = cycle + n_cycles - 1
                wanted["tile_take"].append(end)
                wanted["released"].append(end + rho)
                wanted["completed_strobe"].append(end + delta)
        if self.output.left == 0 and self.output.index < len(self.outputs):
            output = self.outputs[self.output.index]
            if counters["completed"] >= output["wait_tiles"] and counters["stores"] >= output["wait_stores"]:
                n_cycles, delay = output_cycles(self.design, self.program, output)
                self.output.index += 1
                self.output.left = n_cycles
                wanted["output_take"].append(cycle + n_cycles - 1)
                wanted["output_done"].append(cycle + n_cycles - 1 + delay)
        self.compute.left = max(self.compute.left - 1, 0)
        self.output.left = max(self.output.left - 1, 0)

    async def run(self, ctx: object, core: Core) -> None:
        config = vars(self.program.config)
        self._set(ctx, core.config, config)
        tile_index = output_index = 0
        self._show(ctx, core.tile_valid, core.tile, self.tiles)
        self._show(ctx, core.output_valid, core.output, self.outputs)
        for cycle in range(200_000):
            if self.counters["stores"] == len(self.outputs):
                return
            for name in ("loaded", "outputs", "stores", "completed"):
                ctx.set(getattr(core, name), self.counters[name])
            self._predict(cycle)
            seen = {name: ctx.get(getattr(core, name)) for name in (*EVENTS, *COUNTED)}
            for name in EVENTS:
                self.result.events[name] += [cycle] * seen[name]
            for name in COUNTED:
                self.result.counted[name] += seen[name]
            tile_index += seen["tile_take"]
            output_index += seen["output_take"]
            read = self._read(ctx, core, seen)
            moved = self._move()
            if seen["out_write_en"]:
                buf, addr = ctx.get(core.out_write_buf), ctx.get(core.out_write_addr)
                self.memories.words["out"][buf][addr] = ctx.get(core.out_write_data)
            await ctx.tick()
            if seen["tile_take"]:
                self._show(ctx, core.tile_valid, core.tile, self.tiles[tile_index:])
            if seen["output_take"]:
                self._show(ctx, core.output_valid, core.output, self.outputs[output_index:])
            for port, word in read:
                ctx.set(port, word)
            for name, strobe in (
                ("released", "released"),
                ("completed", "completed_strobe"),
                ("outputs", "output_done"),
            ):
                self.counters[name] += seen[strobe]
            for name, n in moved.items():
                self.counters[name] += n
        raise AssertionError(
            f"the program hangs: {self.counters} of {len(self.tiles)} tiles, {len(self.outputs)} outputs"
        )

    def _read(self, ctx: object, core: Core, seen: dict[str, int]) -> list[tuple[object, int]]:
        """Words that appear in the next cycle; a port that does not read keeps its word."""
        found = []
        for name in READS:
            if seen[f"{name}_read_en"]:
                buf, addr = ctx.get(getattr(core, f"{name}_read_buf")), ctx.get(getattr(core, f"{name}_read_addr"))
                words = self.memories.words["out" if name == "residual" else name][buf]
                assert addr < len(words), f"{name}: address {addr} of {len(words)} words"
                found.append((getattr(core, f"{name}_read_data"), words[addr]))
        return found
