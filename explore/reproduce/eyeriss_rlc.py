"""Eyeriss (JSSC 2017): DRAM traffic of AlexNet with run-length compressed feature maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np

from explore.reproduce import Progress, Quantity, Table
from workloads.sparse.formats.run_length import RunLength
from workloads.sparse.nonzeros import pattern

TITLE = "Eyeriss: run-length compression of AlexNet's feature maps in DRAM"
SUMMARY = (
    "The five convolutions of AlexNet, four images, 16-bit values, feature maps in our format run_length with runs of "
    "5 bits, three entries in 64 bits. Masks are drawn at random (seed 1) with the densities of a public model's runs. "
    "How often a value crosses to DRAM follows from the chip's mapping, which is recalled."
)

RUN_BITS, VALUE_BITS = 5, 16
ENTRIES_A_WORD, WORD_BITS = 3, 64  # of DRAM: three pairs and a bit that says whether it is the last word
N_IMAGES = 4
_SEED = 1

CHIP = "Eyeriss, JSSC 52(1), 2017"
MODEL = "artifact of a published model of sparse accelerators, table 7"
IN_TEXT = "in the paper's text"
RECALLED = "recalled"
RUNS = "computed by us from its reference runs"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A convolution: its shape, its mapping on the chip, densities of its feature maps, and what is published."""

    name: str
    in_side: int
    in_channels: int
    kernel: int
    stride: int
    out_side: int
    out_channels: int
    groups: int
    resident_channels: int  # output channels that lie in the global buffer at a time (recalled: m)
    resident_images: int  # images that share a filter once read (recalled: n)
    resident_rows: int  # output rows of a pass (recalled: e)
    in_density: float
    out_density: float
    compresses_input: bool = True  # "except for the input data to the first layer"
    model_ratio: float  # traffic without / with compression
    chip_ratio: float
    chip_mb: float  # traffic with compression, four images

    @property
    def n_weights(self) -> int:
        return self.out_channels * self.in_channels // self.groups * self.kernel**2

    @property
    def input_reads(self) -> float:
        """Times that an input value is read: once a block of resident channels, neighbouring rows of a pass too."""
        passes = ceil(self.out_channels / self.groups / self.resident_channels)
        n_strips = ceil(self.out_side / self.resident_rows)
        if n_strips == 1:
            return passes
        rows = (self.resident_rows - 1) * self.stride + self.kernel
        return passes * n_strips * rows / self.in_side

    @property
    def weight_reads(self) -> int:
        """Times that a weight is read: once a group of resident images and a strip of rows."""
        return ceil(N_IMAGES / self.resident_images) * ceil(self.out_side / self.resident_rows)


PUBLISHED = (
    Published(
        name="conv1", in_side=227, in_channels=3, kernel=11, stride=4, out_side=55, out_channels=96, groups=1,
        resident_channels=96, resident_images=1, resident_rows=7, in_density=0.999, out_density=0.378,
        compresses_input=False, model_ratio=1.24, chip_ratio=1.2, chip_mb=5.0,
    ),
    Published(
        name="conv2", in_side=27, in_channels=96, kernel=5, stride=1, out_side=27, out_channels=256, groups=2,
        resident_channels=64, resident_images=1, resident_rows=27, in_density=0.6, out_density=0.169,
        model_ratio=1.36, chip_ratio=1.4, chip_mb=4.0,
    ),
    Published(
        name="conv3", in_side=13, in_channels=256, kernel=3, stride=1, out_side=13, out_channels=384, groups=1,
        resident_channels=64, resident_images=4, resident_rows=13, in_density=0.275, out_density=0.303,
        model_ratio=1.70, chip_ratio=1.7, chip_mb=3.0,
    ),
    Published(
        name="conv4", in_side=13, in_channels=384, kernel=3, stride=1, out_side=13, out_channels=384, groups=2,
        resident_channels=64, resident_images=4, resident_rows=13, in_density=0.207, out_density=0.304,
        model_ratio=1.87, chip_ratio=1.8, chip_mb=2.1,
    ),
    Published(
        name="conv5", in_side=13, in_channels=384, kernel=3, stride=1, out_side=13, out_channels=256, groups=2,
        resident_channels=64, resident_images=4, resident_rows=13, in_density=0.23, out_density=0.1,
        model_ratio=1.94, chip_ratio=1.9, chip_mb=1.3,
    ),
)  # fmt: skip
CHIP_TOTAL_MB = 15.4
FMAP_SAVINGS = {"conv1": 0.30, "conv5": 0.75}  # "nearly"


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Bytes between chip and DRAM of one layer, four images."""

    weights: float
    maps: float  # input and output, not compressed
    compressed_maps: float

    @property
    def ratio(self) -> float:
        """Bytes without over bytes with compression."""
        return (self.weights + self.maps) / self.with_compression

    @property
    def with_compression(self) -> float:
        return self.weights + self.compressed_maps

    @property
    def fmap_saving(self) -> float:
        return 1 - self.compressed_maps / self.maps


def packed_bits(n_entries: int) -> int:
    """Bits in DRAM of run-length entries, three to a word."""
    return ceil(n_entries / ENTRIES_A_WORD) * WORD_BITS


def n_entries(kept: np.ndarray) -> int:
    """Entries of a mask in the run-length code, padding included."""
    return RunLength(run_bits=RUN_BITS).size(pattern(kept, value_bits=VALUE_BITS)).n_values


def traffic(layer: Published, rng: np.random.Generator) -> Traffic:
    """Of masks drawn from `rng`, all four images' inputs first: (channels of all images, rows, columns)."""
    inputs = rng.random((N_IMAGES * layer.in_channels, layer.in_side, layer.in_side)) < layer.in_density
    outputs = rng.random((N_IMAGES * layer.out_channels, layer.out_side, layer.out_side)) < layer.out_density
    value_bytes = VALUE_BITS / 8
    in_bytes = packed_bits(n_entries(inputs)) / 8 if layer.compresses_input else inputs.size * value_bytes
    return Traffic(
        weights=layer.n_weights * layer.weight_reads * value_bytes,
        maps=(inputs.size * layer.input_reads + outputs.size) * value_bytes,
        compressed_maps=in_bytes * layer.input_reads + packed_bits(n_entries(outputs)) / 8,
    )


def reproduce(progress: Progress | None = None) -> Table:
    """Compression ratios and bytes of the five layers."""
    rng = np.random.default_rng(_SEED)
    rows: list[Quantity] = []
    total = 0.0
    for done, layer in enumerate(PUBLISHED):
        if progress:
            progress(layer.name, done, len(PUBLISHED))
        found = traffic(layer, rng)
        total += found.with_compression
        rows += _rows(layer, found)
    if progress:
        progress("done", len(PUBLISHED), len(PUBLISHED))
    rows.append(
        Quantity(
            quantity="all layers: DRAM traffic, compressed", unit="MB", published=CHIP_TOTAL_MB, certainty=IN_TEXT,
            source=CHIP, ours=total / 1e6, differs_because=_MASKS,
        )
    )  # fmt: skip
    return Table(rows=tuple(rows), remarks=_REMARKS)


_MASKS = (
    "Masks are random and the mapping is recalled; whether the padding around a feature map crosses to DRAM is not "
    "told (here it does not)."
)
_REMARKS = (
    "A layer's traffic: input values times the times they are read, weights (never compressed) times theirs, outputs "
    "once. Recalled mapping (output channels in the global buffer, images a filter read, output rows a pass): conv1 "
    "96, 1, 7; conv2 64, 1, 27; conv3 to conv5 64, 4, 13. The input of conv1 is not compressed.",
    f"A word of {WORD_BITS} bits holds three entries of {RUN_BITS + VALUE_BITS} bits and a bit that marks the last "
    f"word, as the paper says: {100 * (WORD_BITS / ENTRIES_A_WORD / (RUN_BITS + VALUE_BITS) - 1):.1f} % more than "
    "the run_length format counts (e (b + r) bits).",
)


def _rows(layer: Published, found: Traffic) -> Iterator[Quantity]:
    name, ratio = layer.name, "DRAM traffic without / with compression"
    for published, certainty, source in (
        (layer.model_ratio, RUNS, MODEL), (layer.chip_ratio, RECALLED, f"{CHIP}, fig. 9")
    ):  # fmt: skip
        yield Quantity(
            quantity=f"{name}: {ratio}", unit="x", published=published, certainty=certainty, source=source,
            ours=found.ratio, differs_because=_MASKS,
        )  # fmt: skip
    yield Quantity(
        quantity=f"{name}: DRAM traffic, compressed", unit="MB", published=layer.chip_mb, certainty=RECALLED,
        source=f"{CHIP}, table V", ours=found.with_compression / 1e6, differs_because=_MASKS,
    )  # fmt: skip
    if name in FMAP_SAVINGS:
        yield Quantity(
            quantity=f"{name}: traffic of feature maps saved", unit="%", published=100 * FMAP_SAVINGS[name],
            certainty=f"{IN_TEXT}: nearly", source=CHIP, ours=100 * found.fmap_saving, differs_because=_MASKS,
        )  # fmt: skip
