"""TPU v1 (ISCA 2017): roofline of its six workloads, and five of them on a tensor machine of the same array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

from designs.families.tensor import Design
from explore.reproduce import Progress, Quantity, Table
from sim.families import tensor
from sim.run import Run
from workloads.builders.shapes import matrix_product
from workloads.layer import Layer

TITLE = "TPU v1: six workloads of a data center on a 256 x 256 array"
SUMMARY = (
    "Roofline of all six from multiplications a weight byte; the four that wait for memory and CNN0 also simulated on "
    "a weight stationary tensor machine of 256 x 256 multipliers of 8 bits. Layer shapes are not public: square layers "
    "that add up to the published weights are our stand-in. LSTM1 is of 600 x 600 matrices, as the paper tells."
)

ARRAY, CLOCK_MHZ, DRAM_GB_S = 256, 700, 34
PEAK_TOPS = 2 * ARRAY**2 * CLOCK_MHZ * 1e6 / 1e12
# Bytes a cycle are a power of two here. 64 of them at 531 MHz are 34 GB/s; 700 MHz would want 48.6 bytes.
BUS_BYTES, MEMORY_CLOCK_MHZ = 64, 531
_NEIGHBOURS = ((32, CLOCK_MHZ), (64, CLOCK_MHZ))

PUBLISHED_AS = "in the paper's table"
COMPUTED = "computed by us from the paper's table 1"
_TABLE_3 = "TPU v1, ISCA 2017, table 3"
_TABLE_1 = "2 x 34 GB/s x operations a weight byte, at most 92 TOPS"


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A workload: tables 1 and 3 of the paper."""

    name: str
    n_layers: int  # that have weights
    batch: int
    weights_m: float  # million
    intensity: float  # multiplications a weight byte
    roofline_tops: float
    tops: float
    active: float  # %, array active
    useful: float  # %, its useful part
    weight_stall: float  # %
    shift: float  # %, weights are shifted into the array
    non_matrix: float  # %, neither active nor waiting for weights nor shifting
    side: int | None = None  # of a layer's matrix, where the paper tells
    image: int | None = None  # a convolution over image x image pixels


WORKLOADS = (
    Workload(
        name="MLP0", n_layers=5, batch=200, weights_m=20, intensity=200, roofline_tops=13.60, tops=12.3, active=12.7,
        useful=12.5, weight_stall=53.9, shift=15.9, non_matrix=17.5,
    ),
    Workload(
        name="MLP1", n_layers=4, batch=168, weights_m=5, intensity=168, roofline_tops=11.42, tops=9.7, active=10.6,
        useful=9.4, weight_stall=44.2, shift=13.4, non_matrix=31.9,
    ),
    Workload(
        name="LSTM0", n_layers=24, batch=64, weights_m=52, intensity=64, roofline_tops=4.35, tops=3.7, active=8.2,
        useful=8.2, weight_stall=58.1, shift=15.8, non_matrix=17.9,
    ),
    Workload(
        name="LSTM1", n_layers=37, batch=96, weights_m=34, intensity=96, roofline_tops=6.53, tops=2.8, active=10.5,
        useful=6.3, weight_stall=62.1, shift=17.1, non_matrix=10.3, side=600,
    ),
    Workload(
        name="CNN0", n_layers=16, batch=8, weights_m=8, intensity=2888, roofline_tops=91.75, tops=86.0, active=78.2,
        useful=78.2, weight_stall=0, shift=0, non_matrix=21.8, image=19,
    ),
    Workload(
        name="CNN1", n_layers=76, batch=32, weights_m=100, intensity=1750, roofline_tops=91.75, tops=14.1, active=46.2,
        useful=22.5, weight_stall=28.1, shift=7.0, non_matrix=18.7,
    ),
)  # fmt: skip
SIMULATED = ("MLP0", "MLP1", "LSTM0", "LSTM1", "CNN0")


def design_of(bus_bytes: int, clock_mhz: int) -> Design:
    """The tensor machine that reads as the TPU: its array, unified buffer (24 MiB) and accumulators (4 MiB).

    The weight scratchpad has 2 MiB, as a tile of ours is all nine taps of a convolution; the TPU's has 256 KiB. Its
    DRAM latency is not public: 100 cycles are ours.
    """
    return Design(
        array_rows=ARRAY, array_cols=ARRAY, dataflow="weight_stationary", act_scratchpad_bytes=24 << 20,
        weight_scratchpad_bytes=2 << 20, acc_scratchpad_bytes=4 << 20, dram_bytes_per_cycle=bus_bytes,
        dram_latency_cycles=100, dram_burst_bytes=64, clock_mhz=clock_mhz, node_nm=28,
    )  # fmt: skip


def layer_of(workload: Workload) -> Layer:
    """A square layer, repeated until the published weights are reached.

    Its side is the multiple of 256 nearest to that of an average layer, as published arrays are hardly padded; CNN0 has
    3 x 3 kernels, and as many pixels as multiplications a weight byte.
    """
    weights = workload.weights_m * 1e6
    taps = 9 if workload.image else 1
    side = workload.side or round(sqrt(weights / workload.n_layers / taps) / ARRAY) * ARRAY
    repeat = max(1, round(weights / (side * side * taps)))
    if workload.image is None:
        return matrix_product(workload.name, workload.batch, side, side, repeat=repeat)
    return Layer(
        name=workload.name, kind="conv", n_images=workload.batch, in_h=workload.image, in_w=workload.image,
        in_channels=side, out_h=workload.image, out_w=workload.image, out_channels=side, kernel_h=3, kernel_w=3,
        pad_top=1, pad_left=1, repeat=repeat,
    )  # fmt: skip


def is_memory_bound(workload: Workload) -> bool:
    """Whether the roofline is that of the weights' bandwidth."""
    return roofline_tops(workload) < PEAK_TOPS


def roofline_tops(workload: Workload) -> float:
    """Peak, or what 34 GB/s of weights feed: two operations a multiplication."""
    return min(PEAK_TOPS, 2 * DRAM_GB_S * 1e9 * workload.intensity / 1e12)


@dataclass(frozen=True, kw_only=True)
class Shares:
    """A run on an array of 700 MHz; shares in % of its time."""

    tops: float
    overlapped_tops: float  # were neighbouring layers to overlap: the busier of array and DRAM never rests
    active: float
    useful: float
    weight_stall: float
    shift: float
    emptying: float  # last results of each layer to DRAM


def shares(layer: Layer, run: Run, design: Design) -> Shares:
    """Where the time of `run` goes.

    Cycles in which the array works or only takes weights last 1 / 700 MHz, as on the TPU; where the machine's clock is
    slower than that, the rest of such a cycle is waiting for memory, whose time the slower clock gets right.
    """
    work = design.clock_mhz / CLOCK_MHZ / run.cycles
    streamed = run.activity["macs"] / ARRAY**2
    active, shift = streamed * work, (run.phases["compute"] - streamed) * work
    emptying = (run.phases["drain"] + run.phases["stall_output"]) / run.cycles
    n_macs = layer.n_macs * layer.repeat
    beats = (run.activity["dram_read_bytes"] + run.activity["dram_write_bytes"]) / design.dram_bytes_per_cycle
    tera_cycles = 2 * n_macs * design.clock_mhz / 1e6
    return Shares(
        tops=tera_cycles / run.cycles,
        overlapped_tops=tera_cycles / max(run.phases["compute"], beats),
        active=100 * active,
        useful=100 * n_macs / ARRAY**2 * work,
        weight_stall=100 * (1 - active - shift - emptying),
        shift=100 * shift,
        emptying=100 * emptying,
    )


def simulate(workload: Workload, bus_bytes: int, clock_mhz: int) -> Shares:
    """The workload's stand-in on a machine with that bus and clock."""
    layer = layer_of(workload)
    design = design_of(bus_bytes, clock_mhz)
    (run,) = tensor.simulate_layers([design], [layer])
    if run.failure is not None:
        raise RuntimeError(f"{workload.name}: {run.failure}")
    return shares(layer, run, design)


def reproduce(progress: Progress | None = None) -> Table:
    """Rooflines, then the rows of table 3 for what is simulated."""
    rows = [_roofline_row(workload) for workload in WORKLOADS]
    simulated = [workload for workload in WORKLOADS if workload.name in SIMULATED]
    neighbours: list[str] = []
    for done, workload in enumerate(simulated):
        if progress:
            progress(workload.name, done, len(simulated))
        bound = is_memory_bound(workload)
        found = simulate(workload, BUS_BYTES, MEMORY_CLOCK_MHZ if bound else CLOCK_MHZ)
        rows += _rows(workload, found)
        if bound:
            few, many = (simulate(workload, *neighbour).tops for neighbour in _NEIGHBOURS)
            neighbours.append(f"{workload.name} {few:.1f} and {many:.1f}")
    if progress:
        progress("done", len(simulated), len(simulated))
    return Table(rows=tuple(rows), remarks=_remarks(simulated, neighbours))


def _roofline_row(workload: Workload) -> Quantity:
    return Quantity(
        quantity=f"{workload.name}: roofline", unit="TOPS", published=workload.roofline_tops, certainty=COMPUTED,
        source=_TABLE_1, ours=roofline_tops(workload),
    )  # fmt: skip


_STARTS = (
    "Each layer waits here for its first weights and its activations cross to DRAM; the TPU reads ahead and keeps "
    "activations on the chip, but its array is idle for {other:g} % of the time for reasons besides weights (results "
    "and inputs that are late), which ours has not."
)
_OVERLAPPED = (
    "A bound, as DRAM never rests, but activations cross it beside the weights here; the TPU reads weights only, and "
    "its array is idle for {other:g} % of the time for other reasons."
)
_CNN0 = (
    "Activations cross to DRAM here (1.5 MB a layer, beside 0.6 MB of weights), and each layer waits for its first "
    "weights and ends before the next one begins; the TPU keeps activations on the chip and reads ahead."
)
_HALF_RATE = (
    "Published performance is half of the published share of the peak, as of an array at half rate (the TPU's speed "
    "with 16-bit activations: our inference); ours runs at full rate."
)
_STALL = (
    "Shares add up to 100 %: the {other:g} % in which the TPU's array is idle for reasons besides weights, and the "
    "shifting that it does not hide, are spent waiting for memory here (weights and activations)."
)
_SHIFT = (
    "Rows of the array take their weights just ahead of the first activation here, so that only a batch below 256 "
    "loses cycles; the TPU shifts a tile in before it is used: 256 cycles, which memory-bound layers do not hide."
)


def _rows(workload: Workload, found: Shares) -> Iterator[Quantity]:
    bound = is_memory_bound(workload)
    starts = _STARTS.format(other=workload.non_matrix) if bound else _CNN0
    overlapped = _OVERLAPPED.format(other=workload.non_matrix)
    active = _HALF_RATE if workload.name.startswith("LSTM") else starts
    stall = _STALL.format(other=workload.non_matrix) if bound else _CNN0
    for name, unit, published, ours, because in (
        ("performance", "TOPS", workload.tops, found.tops, starts),
        ("performance, were layers to overlap", "TOPS", workload.tops, found.overlapped_tops, overlapped),
        ("array active", "%", workload.active, found.active, active),
        ("useful multiplications", "%", workload.useful, found.useful, active),
        ("waiting for weights", "%", workload.weight_stall, found.weight_stall, stall),
        ("weights are shifted in", "%", workload.shift, found.shift, _SHIFT if bound else ""),
    ):
        yield Quantity(
            quantity=f"{workload.name}: {name}", unit=unit, published=published, certainty=PUBLISHED_AS,
            source=_TABLE_3, ours=ours, differs_because=because,
        )  # fmt: skip


def _remarks(simulated: Sequence[Workload], neighbours: Sequence[str]) -> tuple[str, ...]:
    shapes = []
    for workload in simulated:
        layer = layer_of(workload)
        kernel = "3 x 3 x " if workload.image else ""
        shapes.append(f"{workload.name} {layer.repeat} of {kernel}{layer.in_channels} x {layer.out_channels}")
    ratios = ", ".join(f"{one.name} {_tops_of_useful(one):.2f}" for one in simulated)
    return (
        f"Stand-ins: {'; '.join(shapes)}, batches as published. CNN0's 2888 multiplications a weight and batch of 8 "
        "are 361 pixels an image, 19 x 19.",
        f"A bus has a power of two of bytes a cycle here: the memory-bound four run with {BUS_BYTES} bytes at "
        f"{MEMORY_CLOCK_MHZ} MHz, which is 34 GB/s; the array's own cycles are counted as 1 / {CLOCK_MHZ} MHz. At "
        f"{CLOCK_MHZ} MHz, {_NEIGHBOURS[0][0]} and {_NEIGHBOURS[1][0]} bytes a cycle (22.4 and 44.8 GB/s) give TOPS: "
        f"{', '.join(neighbours)}. CNN0 runs at {CLOCK_MHZ} MHz with 64 bytes.",
        "The paper says that its TOPS (production code) and its shares (performance counters) are not perfectly "
        f"consistent; TOPS / (useful share x peak): {ratios}.",
        "CNN1 is not simulated: without its layers (shallow channels, pooling) a stand-in says nothing.",
    )


def _tops_of_useful(workload: Workload) -> float:
    return workload.tops / (workload.useful / 100 * PEAK_TOPS)
