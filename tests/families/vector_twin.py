"""The vector unit, stepped cycle by cycle, words and bytes included: what simulator and programs are held to.

Written from docs/vector.md alone: beats, words, items and cycles are met one at a time, and the results come from the
registers of the program and the bytes in DRAM, not from the layer. Slow on purpose.

    python -m tests.families.vector_twin --cases 10000 --seed 0

runs random designs and layers through both and stops at the first difference, which it prints.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace

import numpy as np

from designs.errors import DesignError, InputError
from designs.families.tensor import Design
from sim.families import tensor
from sim.vector_layers import run_vector_program
from tests.families.tensor_twin import Gearbox, Line, Memory, TwinRun, word_bytes
from tests.families.twins import compare, count_differences
from workloads.functions.ibert import (
    GELU_SHIFT,
    GeluNumbers,
    LayerNormNumbers,
    SoftmaxNumbers,
    gelu_ibert,
    layer_norm_ibert,
    softmax_ibert,
)
from workloads.functions.ita import ItaNumbers, softmax_ita
from workloads.functions.output import OutputNumbers, requantize_wide
from workloads.functions.range_norm import RangeNormNumbers, range_norm
from workloads.functions.tables import TableNumbers, gelu_table, softmax_table
from workloads.layer import Layer
from workloads.mapping.memory import pack_words, unpack_words
from workloads.mapping.tensor import Tiling
from workloads.mapping.vector import build_vector_program
from workloads.mapping.vector_memory import vector_image
from workloads.mapping.vector_program import VectorField as F
from workloads.mapping.vector_program import VectorOperation as Op
from workloads.mapping.vector_program import VectorProgram
from workloads.random_vector_layers import random_product, random_vector_layer
from workloads.requantize import requantize
from workloads.vector_layer import VectorLayer

NORMS = (Op.LAYER_NORM, Op.RANGE_NORM)


class VectorMachine:
    """Runs a program on the bytes of a DRAM, which it changes."""

    def __init__(self, design: Design, program: VectorProgram, image: np.ndarray) -> None:
        self.design, self.program, self.config, self.image = design, program, program.config, image
        self.operation = Op(program.config.operation)
        self.cycle = 0
        self.phases: Counter[str] = Counter()
        self.activity: Counter[str] = Counter()
        self.lanes, self.rows = design.vector_lanes, design.array_rows

    def run(self) -> TwinRun:
        if len(self.program.steps):
            self.tick("start")
        for step in self.program.steps:
            self.step(step)
        return TwinRun(self.cycle, dict(self.phases), dict(self.activity))

    def tick(self, phase: str, times: int = 1) -> None:
        self.cycle += times
        self.phases[phase] += times

    def step(self, step: np.ndarray) -> None:
        config = self.config
        self.pixels, self.blocks = int(step[F.LINES]) * config.in_w, int(step[F.BLOCKS])
        x, z = self.load(step)
        y = self.compute(step, x, z)
        self.store(step, y)

    # Formats

    def bits(self, wide: int) -> int:
        return self.design.wide_bits if wide else self.design.act_bits

    def walk(self, step: np.ndarray, which: str) -> list[int]:
        """Addresses of the lines of x, z or y, block outer."""
        base, config = int(step[F[f"{which.upper()}_ADDR"]]), vars(self.config)
        return [
            base + block * config[f"{which}_block_bytes"] + line * config[f"{which}_line_bytes"]
            for block in range(self.blocks)
            for line in range(step[F.LINES])
        ]

    # Loading

    def load(self, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x and z as values (pixel, channel); parameters and tables stay in the machine."""
        config, n_words = self.config, self.config.in_w
        if self.operation == Op.GATHER:
            return self.gather(step), np.zeros(0)
        sources = [(address, n_words, self.rows, self.bits(config.x_wide)) for address in self.walk(step, "x")]
        n_x = len(sources)
        if self.operation == Op.ADD:
            sources += [(address, n_words, self.rows, self.bits(config.z_wide)) for address in self.walk(step, "z")]
        n_z = len(sources) - n_x
        if step[F.PARAM_WORDS]:
            lane = 40 + self.design.requant_multiplier_bits + 1 + 6
            sources.append((int(step[F.PARAM_ADDR]), int(step[F.PARAM_WORDS]), self.lanes, lane))
        if step[F.LOAD_TABLE]:
            sources.append((int(step[F.TABLE_ADDR]), 256, 1, 16))
        found = self.read_lines(sources)
        if step[F.PARAM_WORDS]:
            self.set_params(found[n_x + n_z])
        if step[F.LOAD_TABLE]:
            entries = unpack_words(found[-1], 1, 16, signed=True)[:, 0]
            self.table = tuple(int(entry) for entry in entries)
        x = self.matrix(found[:n_x], self.bits(config.x_wide), config.x_signed)
        return x, self.matrix(found[n_x : n_x + n_z], self.bits(config.z_wide), config.z_signed)

    def gather(self, step: np.ndarray) -> np.ndarray:
        config, blocks = self.config, self.blocks
        line = -(-config.in_w * 4 // self.design.dram_burst_bytes) * self.design.dram_burst_bytes
        ids_at = [int(step[F.X_ADDR]) + index * line for index in range(step[F.LINES])]
        found = self.read_lines([(address, config.in_w, 1, 32) for address in ids_at])
        ids = [int(value) for words in found for value in unpack_words(words, 1, 32, signed=False)[:, 0]]
        bits = self.bits(config.x_wide)
        rows_at = [config.table_base + index * config.x_line_bytes for index in ids]
        rows = self.read_lines([(address, blocks, self.rows, bits) for address in rows_at])
        return np.stack([unpack_words(row, self.rows, bits, bool(config.x_signed)).reshape(-1) for row in rows])

    def read_lines(self, sources: list[tuple[int, int, int, int]]) -> list[np.ndarray]:
        """Bytes of the words of each line (address, words, lanes, bits of a lane): one request a cycle, then in order."""
        design, memory = self.design, Memory(self.design.dram_latency_cycles)
        boxes = [
            Gearbox(Line(n, word_bytes(lanes * bits), ""), design.dram_bytes_per_cycle, design.dram_burst_bytes)
            for _, n, lanes, bits in sources
        ]
        requested, at = 0, 0
        while at < len(boxes):
            if requested < len(boxes):
                memory.request(self.cycle, boxes[requested].beats)
                self.activity["dram_requests"] += 1
                requested += 1
            if self.read_cycle(boxes[at], memory):
                at += 1
            self.tick("vector_load")
        found = []
        for address, n, lanes, bits in sources:
            n_bytes = word_bytes(lanes * bits)
            found.append(self.image[address : address + n * n_bytes].reshape(n, n_bytes))
        return found

    def read_cycle(self, box: Gearbox, memory: Memory) -> bool:
        """One cycle of the gearbox; True in the line's last cycle. A beat comes in only while no whole word is held."""
        full = box.words and box.held >= box.line.bytes_a_word
        if box.beats and not full:
            if not memory.has_beat(self.cycle):
                return False
            memory.take_beat()
            self.activity["dram_read_bytes"] += box.beat_bytes
            box.beats -= 1
            useful = min(box.beat_bytes, box.useful_bytes)
            box.useful_bytes -= useful
            box.held += useful
        if box.words and box.held >= box.line.bytes_a_word:
            box.held -= box.line.bytes_a_word
            box.words -= 1
            self.activity["vector_loads"] += 1
        return not box.beats and not box.words

    def matrix(self, lines: list[np.ndarray], bits: int, signed: int) -> np.ndarray:
        """(pixel, channel) of lines, block outer."""
        if not lines:
            return np.zeros(0)
        values = unpack_words(np.concatenate(lines), self.rows, bits, bool(signed))
        return values.reshape(self.blocks, self.pixels, self.rows).transpose(1, 0, 2).reshape(self.pixels, -1)

    def set_params(self, words: np.ndarray) -> None:
        bits = self.design.requant_multiplier_bits + 1
        fields = np.unpackbits(words, axis=1, bitorder="little")[:, : self.lanes * (40 + bits + 6)]
        fields = fields.reshape(-1, 40 + bits + 6).astype(np.int64)

        def number(first: int, n_bits: int, signed: bool) -> tuple[int, ...]:
            values = (fields[:, first : first + n_bits] << np.arange(n_bits)).sum(axis=1)
            return tuple(int(v) - (1 << n_bits) if signed and v >> (n_bits - 1) else int(v) for v in values)

        self.params = number(0, 40, True), number(40, bits, True), number(40 + bits, 6, False)

    # Computing

    def compute(self, step: np.ndarray, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Words of y, (word, lane)."""
        operation, design = self.operation, self.design
        if operation == Op.TO_WEIGHTS:
            return self.to_weights(step, x)
        n_cols, ita = int(step[F.N_COLS]), design.vector_softmax == "ita"
        uses_table = design.vector_functions == "table"
        if operation == Op.SOFTMAX:
            self.item_pass()
            if not ita:
                self.item_pass(table=uses_table)
            self.row_pass(17 if ita else 33)
            self.item_pass(writes=True, table=uses_table and not ita)
        elif operation == Op.LAYER_NORM:
            self.item_pass()
            self.row_pass(33)
            self.item_pass()
            self.row_pass(16, 32)
            self.item_pass(writes=True, params=True)
        elif operation == Op.RANGE_NORM:
            self.item_pass()
            self.row_pass(33)
            self.row_pass(32)
            self.item_pass(writes=True, params=True)
        else:
            self.item_pass(writes=True, sources=2 if operation == Op.ADD else 1, table=uses_table and operation == Op.GELU)
        y = np.full((self.pixels, self.blocks * self.rows), self.config.out_zero, dtype=np.int64)
        y[:, :n_cols] = self.values(step, x[:, :n_cols], z[:, :n_cols] if z.ndim == 2 else z)
        return y.reshape(self.pixels, self.blocks, self.rows).transpose(1, 0, 2).reshape(-1, self.rows)

    def item_pass(self, *, writes: bool = False, sources: int = 1, table: bool = False, params: bool = False) -> None:
        for _row in range(self.pixels):
            for _block in range(self.blocks):
                for _slice in range(self.rows // self.lanes):
                    self.tick("vector_compute")
                    self.activity["vector_ops"] += self.lanes
                    self.activity["vector_reads"] += sources
                    self.activity["vector_writes"] += writes
                    self.activity["vector_param_reads"] += params
                    self.activity["vector_table_reads"] += self.lanes * table
        self.tick("vector_compute", self.design.vector_stages + 2)

    def row_pass(self, *quotients: int) -> None:
        for _row in range(self.pixels):
            for q in quotients:
                self.tick("vector_compute", -(-q // self.design.vector_divider_bits) + 2)
                self.activity["vector_row_ops"] += 1

    def values(self, step: np.ndarray, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Stored results (pixel, channel), from the registers alone."""
        r, operation, design = self.config, self.operation, self.design
        v = x - r.x_zero
        if operation == Op.ADD:
            total = v * r.multiplier + (z - r.z_zero) * r.z_multiplier
            return requantize(total, 1, r.shift, r.out_zero, r.out_low, r.out_high)
        if operation == Op.SOFTMAX:
            valid = np.full(self.pixels, x.shape[1], dtype=np.int64)
            if r.causal:
                limit = step[F.FIRST_TOKEN] + np.arange(self.pixels) + 1 + r.causal_offset
                valid = np.maximum(np.minimum(valid, limit), 0)
            if design.vector_softmax == "ita":
                ita = ItaNumbers(multiplier=r.function_multiplier, shift=r.function_shift)
                return softmax_ita(v, ita, valid, r.out_bits, self.lanes)
            if design.vector_functions == "table":
                return softmax_table(v, self.table_numbers(), valid, r.out_bits)
            return softmax_ibert(v, self.exp_numbers(), valid, r.out_bits)
        output = (r.out_zero, r.out_low, r.out_high)
        if operation in NORMS:
            if operation == Op.LAYER_NORM:
                norm = LayerNormNumbers(n=r.n, left_shift=r.left_shift, shift=r.pre_shift, variance_bits=32)
                v = layer_norm_ibert(v, norm)
            else:
                v = range_norm(v, RangeNormNumbers(n=r.n, left_shift=r.left_shift))
            bias, multiplier, shift = (values[: x.shape[1]] for values in self.params)
            return requantize_wide(v, _output(bias, multiplier, shift, output))
        if operation == Op.GELU:
            if design.vector_functions == "table":
                v = gelu_table(v, self.table_numbers())
            else:
                v = gelu_ibert(
                    v, GeluNumbers(left_shift=r.left_shift, b=r.b, c=r.c, shift=GELU_SHIFT, one=r.one)
                )
        return requantize_wide(v, _output((0,), (r.multiplier,), (r.shift,), output))

    def exp_numbers(self) -> SoftmaxNumbers:
        r = self.config
        return SoftmaxNumbers(
            left_shift=r.left_shift, ln2=r.ln2, clip=r.clip, reciprocal=r.reciprocal,
            reciprocal_shift=r.reciprocal_shift, b=r.b, c=r.c, multiplier=r.function_multiplier,
            shift=r.function_shift,
        )  # fmt: skip

    def table_numbers(self) -> TableNumbers:
        r = self.config
        return TableNumbers(
            multiplier=r.function_multiplier, shift=r.function_shift, entries=self.table, left_shift=r.left_shift
        )

    def to_weights(self, step: np.ndarray, x: np.ndarray) -> np.ndarray:
        r, rows = self.config, self.rows
        limit = 1 << (self.design.weight_bits - 1)
        y = np.zeros((int(step[F.Y_WORDS]), rows), dtype=np.int64)
        n_tokens = int(step[F.N_TOKENS])
        for block in range(self.blocks):
            for group in range(step[F.GROUPS]):
                words = np.zeros((rows, rows), dtype=np.int64)
                for at in range(rows):
                    token = group * rows + at
                    if token < n_tokens:
                        self.activity["vector_reads"] += 1
                        values = x[int(step[F.SKIP]) + token, block * rows : (block + 1) * rows]
                        words[at] = np.clip(values - r.x_zero, -limit, limit - 1)
                if r.transposed:
                    words = words.T
                for at in range(rows):
                    self.tick("vector_compute")
                    self.activity["vector_moves"] += 1
                    if r.drop and group * rows + at >= n_tokens:
                        continue
                    self.activity["vector_writes"] += 1
                    y[block * int(step[F.BLOCK_STRIDE]) + group * int(step[F.GROUP_STRIDE]) + at] = words[at]
        self.tick("vector_compute", rows + 2 if r.transposed else 2)
        return y

    # Storing

    def store(self, step: np.ndarray, y: np.ndarray) -> None:
        self.tick("vector_store")
        if self.operation == Op.TO_WEIGHTS:
            self.write_line(int(step[F.Y_ADDR]), y, self.design.weight_bits)
            return
        for index, address in enumerate(self.walk(step, "y")):
            words = y[index * self.config.in_w : (index + 1) * self.config.in_w]
            self.write_line(address, words, self.bits(self.config.y_wide))

    def write_line(self, address: int, words: np.ndarray, bits: int) -> None:
        design = self.design
        line = Line(len(words), word_bytes(self.rows * bits), "")
        box = Gearbox(line, design.dram_bytes_per_cycle, design.dram_burst_bytes)
        self.activity["dram_requests"] += 1
        data = pack_words(words, bits).reshape(-1)
        padded = np.zeros(box.beats * box.beat_bytes, dtype=np.uint8)
        padded[: len(data)] = data
        self.image[address : address + len(padded)] = padded
        while box.beats:
            if box.words and box.held < box.beat_bytes:
                self.activity["vector_stores"] += 1
                box.words -= 1
                box.held += line.bytes_a_word
            if box.held >= box.beat_bytes or not box.words:
                box.held = max(0, box.held - box.beat_bytes)
                self.activity["dram_write_bytes"] += box.beat_bytes
                box.beats -= 1
            self.tick("vector_store")


def _output(bias: tuple[int, ...], multiplier: tuple[int, ...], shift: tuple[int, ...], bounds: tuple[int, int, int]):  # type: ignore[no-untyped-def]
    zero, low, high = bounds
    return OutputNumbers(bias=bias, multiplier=multiplier, shift=shift, zero=zero, low=low, high=high)


def random_design(rng: np.random.Generator) -> Design:
    """Small vector units of all sorts."""
    while True:
        rows = int(rng.choice([2, 4, 8]))
        act_bits, beat = int(rng.integers(2, 10)), int(rng.choice([1, 2, 4, 8, 16]))
        design = Design(
            array_rows=rows,
            array_cols=rows if rng.integers(4) else int(rng.choice([2, 4, 8])),
            dataflow=str(rng.choice(["weight_stationary", "input_stationary", "output_stationary"])),  # type: ignore[arg-type]
            act_bits=act_bits,
            weight_bits=int(rng.integers(2, 10)),
            requant_multiplier_bits=int(rng.integers(8, 20)),
            act_scratchpad_bytes=4096,
            weight_scratchpad_bytes=4096,
            acc_scratchpad_bytes=4096,
            double_buffered=bool(rng.integers(2)),
            dram_bytes_per_cycle=beat,
            dram_burst_bytes=beat * int(rng.choice([1, 2, 4])),
            dram_latency_cycles=int(rng.integers(1, 30)),
            wide_bits=int(rng.choice([0, act_bits + 1, 12, 16, 20])),
            vector_lanes=int(rng.choice([1, 2, 4, 8])),
            vector_stages=int(rng.integers(1, 9)),
            vector_divider_bits=int(rng.integers(1, 17)),
            vector_words=int(rng.choice([8, 16, 40, 100, 1000])),
            vector_rows=int(rng.choice([4, 16, 64])),
            vector_param_words=int(rng.choice([4, 64])),
            vector_functions=str(rng.choice(["polynomial", "table"])),  # type: ignore[arg-type]
            vector_softmax=str(rng.choice(["i_bert", "ita"])),  # type: ignore[arg-type]
        )
        try:
            design.check()
        except DesignError:
            continue
        return design


def random_case(
    seed: int,
) -> tuple[Design, VectorLayer, np.ndarray, np.ndarray | None, Layer | None, Tiling | None]:
    """(design, layer, x, z, product, tiling) of a seed; the last two are of to_weights."""
    rng = np.random.default_rng(seed)
    while True:
        design = random_design(rng)
        try:
            layer, x, z = random_vector_layer(rng, design, max_values=600)
            if layer.kind != "to_weights":
                return design, layer, x, z, None, None
            layer = replace(layer, first_token=int(rng.choice([0, int(rng.integers(0, layer.n_tokens + 1))])))
            return design, layer, x, z, *random_product(rng, design, layer)
        except InputError:  # this machine is too small for what was drawn
            continue


def difference(seed: int) -> str | None:
    """What the simulator and the twin disagree on in the case of `seed`; None where they agree in everything."""
    design, layer, x, z, product, tiling = random_case(seed)
    program = build_vector_program(design, layer, product=product, tiling=tiling)
    twin = VectorMachine(design, program, vector_image(design, layer, program, x, z)).run()
    jobs: list[VectorLayer | Layer] = [layer] if product is None else [layer, product]
    (batch,) = tensor.simulate_layers([design], jobs, [None, tiling][: len(jobs)])
    if batch.failure is not None:
        return f"seed {seed}: {batch.failure}\n{design}\n{layer}\n{tiling}"
    found = []
    for name, run in (("program", run_vector_program(design, program, layer)), ("layer", batch.layers[0])):
        phases = {key: count for key, count in run.phases.items() if count}
        if (run.cycles, phases) != (twin.cycles, twin.phases):
            found.append(f"{name}: {run.cycles} {phases}, twin: {twin.cycles} {twin.phases}")
        found += count_differences(name, run.activity, twin.activity)
    if not found:
        return None
    return f"seed {seed}: " + "; ".join(found) + f"\n{design}\n{layer}\n{tiling}"


if __name__ == "__main__":
    sys.exit(compare(difference, n_cases=10_000))
