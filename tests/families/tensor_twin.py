"""The tensor machine, stepped cycle by cycle: what the simulator's recurrences are held to (docs/tensor.md).

Written from the definition alone, engine by engine, and without a closed form for anything that takes time or is counted:
beats, bytes, words, taps and cycles are met one at a time. Slow on purpose.

    python -m tests.families.tensor_twin --cases 10000 --seed 0

runs random designs, layers and tilings through both and stops at the first difference, which it prints.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from designs.errors import DesignError
from designs.families.tensor import Design
from sim.families import tensor
from tests.families.twins import compare, count_differences
from workloads.layer import Layer
from workloads.mapping.program import OutputField as Out
from workloads.mapping.program import Program
from workloads.mapping.program import TileField as Tile
from workloads.mapping.tensor import Tiling, build_program, refusal


@dataclass
class TwinRun:
    cycles: int
    phases: dict[str, int]
    activity: dict[str, int]


def run_twin(design: Design, program: Program, limit_cycles: int = 10_000_000) -> TwinRun:
    """Step the machine until its last store has ended."""
    machine = Machine(design, program)
    while not machine.done:
        if machine.cycle > limit_cycles:
            raise RuntimeError(f"no end after {limit_cycles} cycles")
        machine.step()
    phases = {
        name: machine.phases[name] for name in ("start", "fill", "compute", "stall_load", "stall_output", "drain")
    }
    return TwinRun(machine.cycle, phases, dict(machine.activity))


def word_bytes(bits: int) -> int:
    return -(-bits // 8)


@dataclass
class Line:
    """One line of DRAM: how many words it has, and the counter that a word written on chip (None: read) advances."""

    n_words: int
    bytes_a_word: int
    counter: str


@dataclass
class Gearbox:
    """A line on its way: bytes held, words and beats still to come."""

    line: Line
    beat_bytes: int
    burst_bytes: int
    held: int = 0
    words: int = 0
    useful_bytes: int = 0
    beats: int = 0

    def __post_init__(self) -> None:
        self.words = self.line.n_words
        self.useful_bytes = self.words * self.line.bytes_a_word
        while self.beats * self.beat_bytes < self.useful_bytes or self.beats * self.beat_bytes % self.burst_bytes:
            self.beats += 1


@dataclass
class Memory:
    """The DRAM: read requests in order, each ready `latency` cycles after it was taken."""

    latency: int
    requests: deque[list[int]] = field(default_factory=deque)  # [cycle taken, beats left]

    def request(self, cycle: int, beats: int) -> None:
        self.requests.append([cycle, beats])

    def has_beat(self, cycle: int) -> bool:
        return bool(self.requests) and self.requests[0][0] + self.latency <= cycle

    def take_beat(self) -> None:
        self.requests[0][1] -= 1
        if self.requests[0][1] == 0:
            self.requests.popleft()


class Machine:
    """All engines. `step` runs one cycle on the counters as they were at its start."""

    def __init__(self, design: Design, program: Program) -> None:
        self.design, self.program, self.config = design, program, program.config
        self.kind = "pooling" if program.config.pooling else design.dataflow
        self.cycle = 0
        self.counters = dict.fromkeys(("requested", "loaded", "released", "completed", "outputs", "stores"), 0)
        self.advances: defaultdict[int, list[str]] = defaultdict(list)  # cycle -> counters that advance in it
        self.activity: Counter[str] = Counter()
        self.phases: Counter[str] = Counter()
        self.memory = Memory(design.dram_latency_cycles)
        self.engines = [self.request_engine(), self.data_engine(), self.compute_engine(), self.output_engine()]
        self.done = False
        self.issuing = False  # the compute engine issued in this cycle
        self.waits: list[str] = []  # causes that kept the compute engine from starting in this cycle
        self.gap: list[list[str]] = []

    def step(self) -> None:
        self.issuing, self.waits = False, []
        for engine in self.engines:
            next(engine, None)
        self.count_phase()
        for name in self.advances.pop(self.cycle, ()):
            self.counters[name] += 1
        self.done = self.counters["stores"] == len(self.program.outputs)
        self.cycle += 1

    def count_phase(self) -> None:
        """Sort cycles by what they were for. A gap between tiles belongs to the wait that was satisfied last."""
        n_issued = self.phases["compute"]
        if self.cycle < 2:
            self.phases["start"] += 1
        elif self.issuing:
            if self.gap:
                self.phases["stall_load" if "load" in self.gap[-1] else "stall_output"] += len(self.gap)
                self.gap = []
            self.phases["compute"] += 1
        elif n_issued == 0:
            self.phases["fill"] += 1
        elif self.waits:
            self.gap.append(self.waits)
        else:
            self.phases["drain"] += 1

    def sees(self, index: int) -> bool:
        """Descriptors arrive one a cycle; the first is seen in cycle 2."""
        return self.cycle >= 2 + index

    def advance(self, name: str, later: int = 0) -> None:
        self.advances[self.cycle + later].append(name)

    def reached(self, **least: int) -> bool:
        return all(self.counters[name] >= count for name, count in least.items())

    # Lines

    def lines_of(self, tile: np.ndarray) -> list[Line]:
        """The lines that a tile loads, in the order of the requests."""
        design, lines = self.design, []
        act = word_bytes(self.block_channels() * design.act_bits)
        if tile[Tile.LOAD_ACT]:
            for _block in range(tile[Tile.BLOCKS]):
                for _row in range(tile[Tile.ACT_ROWS]):
                    lines.append(Line(self.config.in_w, act, "act_writes"))
        if tile[Tile.LOAD_WEIGHTS]:
            n_words = int(tile[Tile.WEIGHT_WORDS])
            lines.append(Line(n_words, word_bytes(design.weight_word_bits), "weight_writes"))
        if tile[Tile.LOAD_PARAMS]:
            lines.append(Line(int(tile[Tile.PARAM_WORDS]), word_bytes(design.param_word_bits), "param_writes"))
        if tile[Tile.LOAD_RESIDUAL]:
            for _block in range(tile[Tile.RESIDUAL_BLOCKS]):
                for _row in range(tile[Tile.ROWS]):
                    lines.append(Line(self.config.out_w, self.out_word_bytes(), "out_writes"))
        return lines

    def block_channels(self) -> int:
        """Channels of a word: of the n lanes of each group there are m in an n:m machine."""
        n, m = (int(text) for text in self.design.n_of_m.split(":"))
        return self.design.array_rows // n * m

    def out_word_bytes(self) -> int:
        bits = self.design.wide_bits if self.config.out_wide else self.design.act_bits
        return word_bytes(self.block_channels() * bits)

    def gearbox(self, line: Line) -> Gearbox:
        return Gearbox(line, self.design.dram_bytes_per_cycle, self.design.dram_burst_bytes)

    # Engines: generators that run up to the next `yield` in each cycle.

    def request_engine(self) -> Iterator[None]:
        for index, tile in enumerate(self.program.tiles):
            while not (
                self.sees(index)
                and self.reached(
                    released=tile[Tile.WAIT_RELEASED], outputs=tile[Tile.WAIT_OUTPUTS], stores=tile[Tile.WAIT_STORES]
                )
            ):
                yield
            lines = self.lines_of(tile)
            for line in lines:
                self.memory.request(self.cycle, self.gearbox(line).beats)
                self.activity["dram_requests"] += 1
                if line is lines[-1]:
                    self.advance("requested")
                yield
            if not lines:
                self.advance("requested")
                yield

    def data_engine(self) -> Iterator[None]:
        n_stored = 0
        for index, tile in enumerate(self.program.tiles):
            while not self.sees(index):
                yield
            lines = self.lines_of(tile)
            for line in lines:
                for last_cycle in self.read_line(line):
                    if last_cycle and line is lines[-1]:
                        self.advance("loaded")
                    yield
            if not lines:
                self.advance("loaded")
                yield
            for _ in range(tile[Tile.N_STORES]):
                while not self.reached(outputs=n_stored + 1):
                    yield
                yield from self.store(self.program.outputs[n_stored])
                n_stored += 1

    def read_line(self, line: Line) -> Iterator[bool]:
        """One item a cycle; True in the line's last cycle."""
        box = self.gearbox(line)
        while box.beats:
            if box.words and box.held >= line.bytes_a_word:
                takes = False  # the gearbox holds a whole word
            else:
                takes = self.memory.has_beat(self.cycle)
            if takes:
                self.memory.take_beat()
                self.activity["dram_read_bytes"] += box.beat_bytes
                box.beats -= 1
                useful = min(box.beat_bytes, box.useful_bytes)
                box.useful_bytes -= useful
                box.held += useful
            self._write_word(box)
            yield not box.beats and not box.words
        while box.words:
            self._write_word(box)
            yield not box.words

    def _write_word(self, box: Gearbox) -> None:
        if box.words and box.held >= box.line.bytes_a_word:
            box.held -= box.line.bytes_a_word
            box.words -= 1
            self.activity[box.line.counter] += 1

    def store(self, output: np.ndarray) -> Iterator[None]:
        yield  # the first read of the output buffer
        n_lines = 0
        for _block in range(output[Out.BLOCKS]):
            for _row in range(output[Out.ROWS]):
                n_lines += 1
                self.activity["dram_requests"] += 1
                last_line = n_lines == output[Out.BLOCKS] * output[Out.ROWS]
                for last_cycle in self.write_line(Line(self.config.out_w, self.out_word_bytes(), "")):
                    if last_cycle and last_line:
                        self.advance("stores")
                    yield

    def write_line(self, line: Line) -> Iterator[bool]:
        box = self.gearbox(line)
        while box.beats:
            if box.words and box.held < box.beat_bytes:
                self.activity["out_reads"] += 1
                box.words -= 1
                box.held += line.bytes_a_word
            if box.held >= box.beat_bytes or not box.words:
                box.held = max(0, box.held - box.beat_bytes)
                self.activity["dram_write_bytes"] += box.beat_bytes
                box.beats -= 1
            yield not box.beats

    def compute_engine(self) -> Iterator[None]:
        rows, cols = self.design.array_rows, self.design.array_cols
        rho, delta = {
            "weight_stationary": (0, rows + cols + 2),
            "input_stationary": (0, rows + cols + 3),
            "output_stationary": (rows + 1, 2 * rows + cols + 2),
            "pooling": (0, 2),
        }[self.kind]
        slots = getattr(self, f"{self.kind}_slots")
        for index, tile in enumerate(self.program.tiles):
            while True:
                if not self.sees(index) or not self.reached(loaded=index + 1):
                    self.waits.append("load")
                if not self.reached(outputs=tile[Tile.COMPUTE_WAIT_OUTPUTS], stores=tile[Tile.COMPUTE_WAIT_STORES]):
                    self.waits.append("output")
                if not self.waits:
                    break
                yield
            counters: Counter[str] | None = None
            for following in slots(tile):
                if counters is not None:
                    self.issue(counters)
                    yield
                counters = following
            assert counters is not None
            self.issue(counters)
            self.advance("released", rho)
            self.advance("completed", delta)
            yield

    def issue(self, counters: Counter[str]) -> None:
        self.issuing = True
        self.activity.update(counters)

    def output_engine(self) -> Iterator[None]:
        for index, output in enumerate(self.program.outputs):
            while not (
                self.sees(index) and self.reached(completed=output[Out.WAIT_TILES], stores=output[Out.WAIT_STORES])
            ):
                yield
            slots = self.output_slots(output)
            for last, counters in slots:
                self.activity.update(counters)
                if last:
                    self.advance("outputs", 0 if self.kind == "pooling" else 6)
                yield

    # Issue slots: what one cycle of the compute engine sets off (section 6), in order.

    def pixels_of(self, tile: np.ndarray) -> list[tuple[int, int]]:
        return [(y, x) for y in range(tile[Tile.ROWS]) for x in range(self.config.out_w)]

    def k_blocks_of(self, tile: np.ndarray) -> list[tuple[int, int, int]]:
        config = self.config
        return [
            (block, ky, kx)
            for block in range(tile[Tile.BLOCKS])
            for ky in range(config.kernel_h)
            for kx in range(config.kernel_w)
            for _pass in range(config.passes)
        ]

    def reads_act(self, tile: np.ndarray, pixel: tuple[int, int], tap: tuple[int, int]) -> int:
        """1 where the tap lies in the image and a word is read, 0 where it is padding."""
        config = self.config
        row = tile[Tile.ROW_OFFSET] + pixel[0] * config.stride_h + tap[0]
        column = pixel[1] * config.stride_w + tap[1] - config.pad_left
        return int(0 <= row < tile[Tile.ACT_ROWS] and 0 <= column < config.in_w)

    def weight_stationary_slots(self, tile: np.ndarray) -> Iterator[Counter[str]]:
        rows, cols = self.design.array_rows, self.design.array_cols
        pixels = self.pixels_of(tile)
        for k, (_block, ky, kx) in enumerate(self.k_blocks_of(tile)):
            for _fold in range(0, tile[Tile.N_VALID], cols):
                for q in range(max(len(pixels), rows)):
                    slot: Counter[str] = Counter()
                    if q < rows:
                        slot["weight_reads"] += 1
                    if q < len(pixels):
                        slot["act_reads"] += self.reads_act(tile, pixels[q], (ky, kx))
                        slot["macs"] += rows * cols
                        slot["acc_reads"] += 0 if tile[Tile.FIRST] and k == 0 else 1
                        slot["acc_writes"] += 1
                    yield slot

    def input_stationary_slots(self, tile: np.ndarray) -> Iterator[Counter[str]]:
        rows, cols = self.design.array_rows, self.design.array_cols
        pixels, n_valid = self.pixels_of(tile), int(tile[Tile.N_VALID])
        for k, (_block, ky, kx) in enumerate(self.k_blocks_of(tile)):
            for fold in range(0, len(pixels), cols):
                for q in range(max(n_valid, cols)):
                    slot: Counter[str] = Counter()
                    if q < cols and fold + q < len(pixels):
                        slot["act_reads"] += self.reads_act(tile, pixels[fold + q], (ky, kx))
                    if q < n_valid:
                        slot["weight_reads"] += 1
                        slot["macs"] += rows * cols
                        slot["acc_reads"] += 0 if tile[Tile.FIRST] and k == 0 else 1
                        slot["acc_writes"] += 1
                    yield slot

    def output_stationary_slots(self, tile: np.ndarray) -> Iterator[Counter[str]]:
        rows, cols = self.design.array_rows, self.design.array_cols
        pixels, k_blocks = self.pixels_of(tile), self.k_blocks_of(tile)
        for fold in range(0, len(pixels), rows):
            in_fold = pixels[fold : fold + rows]
            for _channel_fold in range(0, tile[Tile.N_VALID], cols):
                for k, (_block, ky, kx) in enumerate(k_blocks):
                    for q in range(rows):
                        slot: Counter[str] = Counter()
                        slot["weight_reads"] += 1
                        slot["macs"] += rows * cols
                        if q < len(in_fold):
                            slot["act_reads"] += self.reads_act(tile, in_fold[q], (ky, kx))
                            if k == len(k_blocks) - 1:  # one sum leaves for every pixel of the fold
                                slot["acc_reads"] += 0 if tile[Tile.FIRST] else 1
                                slot["acc_writes"] += 1
                        yield slot

    def pooling_slots(self, tile: np.ndarray) -> Iterator[Counter[str]]:
        taps = [(ky, kx) for ky in range(self.config.kernel_h) for kx in range(self.config.kernel_w)]
        for _block in range(tile[Tile.BLOCKS]):
            for pixel in self.pixels_of(tile):
                for tap in taps:
                    slot = Counter(act_reads=self.reads_act(tile, pixel, tap))
                    slot["out_writes"] += tap == taps[-1]
                    yield slot

    def output_slots(self, output: np.ndarray) -> Iterator[tuple[bool, Counter[str]]]:
        """(last issue cycle of the output, what it sets off) in order (section 7)."""
        rows, cols = self.design.array_rows, self.design.array_cols
        lanes, channels = min(rows, cols), self.block_channels()
        n_pixels = int(output[Out.ROWS]) * self.config.out_w
        n_blocks, n_valid = int(output[Out.BLOCKS]), int(output[Out.N_VALID])
        requantization: Counter[str] = Counter(acc_reads=1, param_reads=1, post_ops=lanes)
        word: Counter[str] = Counter(out_writes=1, out_reads=self.config.residual)
        if self.kind == "pooling":
            yield True, Counter()
        elif self.kind == "input_stationary":
            for fold in range(0, n_pixels, cols):
                for block in range(n_blocks):
                    for channel in range(block * rows, (block + 1) * rows):
                        for _slice in range(0, cols, lanes):
                            yield False, requantization if channel < n_valid else Counter()
                    for column in range(cols):
                        last = fold + cols >= n_pixels and block == n_blocks - 1 and column == cols - 1
                        yield last, word if fold + column < n_pixels else Counter()
        else:
            for block in range(n_blocks):
                for pixel in range(n_pixels):
                    for lane in range(0, channels, lanes):
                        slot: Counter[str] = Counter()
                        if block * channels + lane < n_valid:
                            slot += requantization
                        if lane + lanes == channels:
                            slot += word
                        yield block == n_blocks - 1 and pixel == n_pixels - 1 and lane + lanes == channels, slot


# Random cases

PATTERNS = ("1:2", "1:4", "2:4", "1:3", "2:3", "3:4", "4:8", "2:8", "1:16")


def random_design(rng: np.random.Generator) -> Design:
    """A machine small enough for the twin, odd enough to meet every rule."""

    def one_of(*values: int | str | bool) -> object:
        return values[int(rng.integers(len(values)))]

    narrow = int(rng.choice([2, 3, 4]))
    wide = narrow * int(rng.choice([1, 1, 2, 3]))
    rows, cols = (narrow, wide) if rng.random() < 0.5 else (wide, narrow)
    double_buffered = bool(rng.random() < 0.65)
    beat = int(rng.choice([1, 2, 4, 8, 16, 32]))
    banks = int(rng.choice([2, 4])) if double_buffered else int(rng.choice([1, 2]))
    sizes = [int(2 ** rng.uniform(7.5, 12)) for _ in range(3)]
    design = Design(
        array_rows=rows,
        array_cols=cols,
        dataflow=one_of("weight_stationary", "input_stationary", "output_stationary"),  # type: ignore[arg-type]
        act_bits=int(rng.integers(1, 17)),
        weight_bits=int(rng.integers(1, 17)),
        acc_bits=int(rng.integers(8, 49)),
        requant=one_of("multiplier_shift", "shift"),  # type: ignore[arg-type]
        requant_granularity=one_of("per_tensor", "per_channel"),  # type: ignore[arg-type]
        requant_multiplier_bits=int(rng.integers(8, 32)),
        act_scratchpad_bytes=sizes[0] * rows // 2,
        weight_scratchpad_bytes=sizes[1] * wide // 2,
        acc_scratchpad_bytes=sizes[2] * cols,
        scratchpad_banks=banks,
        double_buffered=double_buffered,
        dram_bytes_per_cycle=beat,
        dram_latency_cycles=int(rng.choice([1, 2, 5, 20, 60])),
        dram_burst_bytes=beat * int(rng.choice([1, 2, 4])),
    )
    if rng.random() < 0.4:
        design = replace(design, wide_bits=int(rng.integers(design.act_bits + 1, 33)))
    if design.dataflow == "weight_stationary" and rng.random() < 0.6:
        fitting = [n_of_m for n_of_m in PATTERNS if _builds(replace(design, n_of_m=n_of_m))]
        design = replace(design, n_of_m=fitting[int(rng.integers(len(fitting)))]) if fitting else design
    return design


def _builds(design: Design) -> bool:
    try:
        design.check()
    except DesignError:
        return False
    return True


def random_layer(rng: np.random.Generator) -> Layer:
    """A small layer without numbers: convolution, grouped, depthwise, average pooling, matrix or max pooling."""
    kind = str(rng.choice(["conv", "conv", "grouped", "depthwise", "average", "matrix", "max_pool"]))
    in_channels, out_channels = int(rng.integers(1, 30)), int(rng.integers(1, 30))
    groups, kernel = 1, [int(rng.integers(1, 4)), int(rng.integers(1, 4))]
    stride = [int(rng.integers(1, 4)), int(rng.integers(1, 4))]
    if kind == "matrix":
        kernel = stride = [1, 1]
    if kind == "grouped":
        groups = int(rng.integers(1, 6))
        in_channels = out_channels = groups * int(rng.integers(1, 7))
    if kind in ("depthwise", "average"):
        groups = in_channels = out_channels
    if kind == "max_pool":
        out_channels = in_channels
    in_h, in_w = int(rng.integers(kernel[0], 9)), int(rng.integers(kernel[1], 9))
    pads = [int(rng.integers(0, k)) for k in (*kernel, *kernel)]  # top, left, bottom, right
    return Layer(
        name=kind,
        kind="max_pool" if kind == "max_pool" else "conv",
        n_images=int(rng.choice([1, 1, 1, 2, 3])),
        in_h=in_h,
        in_w=in_w,
        in_channels=in_channels,
        out_h=(in_h + pads[0] + pads[2] - kernel[0]) // stride[0] + 1,
        out_w=(in_w + pads[1] + pads[3] - kernel[1]) // stride[1] + 1,
        out_channels=out_channels,
        kernel_h=kernel[0],
        kernel_w=kernel[1],
        stride_h=stride[0],
        stride_w=stride[1],
        pad_top=pads[0],
        pad_left=pads[1],
        groups=groups,
        shared_weights=kind == "average",
        residual=kind != "max_pool" and bool(rng.random() < 0.3),
        out_bits=int(rng.choice([1, 8, 16, 17])),
        weight_n_of_m=((1, 1), (1, 2), (2, 4), (1, 4), (3, 8), (2, 3))[int(rng.integers(6))],
    )


def random_tiling(rng: np.random.Generator, design: Design, layer: Layer) -> Tiling:
    """Any tiling, whether it fits or not; small tiles are the likelier ones."""
    blocks = -(-layer.in_channels // design.act_lanes)
    units = -(-layer.out_channels // design.channel_unit)
    return Tiling(
        rows=int(rng.integers(1, layer.out_h + 1)),
        blocks=int(rng.integers(1, blocks + 1)),
        channels=int(rng.integers(1, units + 1)) * design.channel_unit,
        order="rows_outer" if rng.random() < 0.5 else "channels_outer",
    )


def random_case(seed: int) -> tuple[Design, Layer, Tiling]:
    """The case of a seed: a design that can be built, and a layer and tiling that fit it."""
    rng = np.random.default_rng(seed)
    while True:
        design = random_design(rng)
        if not _builds(design):
            continue
        for _ in range(8):
            layer = random_layer(rng)
            tiling = random_tiling(rng, design, layer)
            if refusal(design, layer, tiling) is None and _n_slots(design, layer) < 30_000:
                return design, layer, tiling


def _n_slots(design: Design, layer: Layer) -> int:
    """About how many cycles the twin has to step: small layers on narrow memories can take very long."""
    pixels = layer.n_images * layer.out_h * layer.out_w
    blocks = -(-layer.in_channels // design.array_rows) + design.group_lanes
    folds = -(-layer.out_channels // design.array_cols) + 1
    return pixels * blocks * folds * layer.kernel_h * layer.kernel_w


def difference(seed: int) -> str | None:
    """What the simulator and the twin disagree on in the case of `seed`; None where they agree in everything."""
    design, layer, tiling = random_case(seed)
    program = build_program(design, layer, tiling)
    twin = run_twin(design, program)
    found = []
    (batch,) = tensor.simulate_layers([design], [layer], [tiling])
    for name, run in (("program", tensor.run_program(design, program)), ("layer", batch.layers[0])):
        if (run.cycles, run.phases) != (twin.cycles, twin.phases):
            found.append(f"{name}: {run.cycles} {run.phases}, twin: {twin.cycles} {twin.phases}")
        found += count_differences(name, run.activity, twin.activity)
    if not found:
        return None
    return f"seed {seed}: " + "; ".join(found) + f"\n{design}\n{layer}\n{tiling}"


if __name__ == "__main__":
    sys.exit(compare(difference, n_cases=10_000))
