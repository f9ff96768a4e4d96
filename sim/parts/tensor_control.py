"""Parts around the core of a tensor machine: address generation, control, DMA engines, gearboxes."""

from __future__ import annotations

import math
from dataclasses import replace

from designs.families.tensor import Design
from sim.inventory import Part
from sim.parts.tensor_array import product_of_counts

COUNTER_BITS = 16  # tiles, outputs and stores: at most 65535
ADDRESS_BITS = 32
COUNT_BITS = 12  # rows, blocks, columns of a tile: at most 4095
ACTIVITY_BITS = 32
RING_ENTRIES = 8
# A tile's descriptor: 4 addresses; weight words; rows, blocks and the like; waits, channels, stores; flags, buffers.
TILE_BITS = 4 * ADDRESS_BITS + 24 + 6 * COUNT_BITS + 6 * COUNTER_BITS + 2 + 10
OUTPUT_BITS = ADDRESS_BITS + 3 * COUNTER_BITS + 2 * COUNT_BITS + 3
_PIXEL_BITS, _BEATS_BITS = 13, 27
_PASS_BITS = 5  # passes of a k-block: at most 16


def addresses(design: Design) -> tuple[Part, ...]:
    """Pixel, tap and block counters of im2col, the tap's place in the image, and the one multiplier for the address."""
    addr, each = _bits(design.act_words), {"act_reads": 1.0}
    walkers = 2 * COUNT_BITS + 2 * _PIXEL_BITS + 1
    parts = [
        Part(kind="counter", count=2, bits=COUNT_BITS, operations=each),
        Part(kind="counter", count=2, bits=8, operations=each),
        Part(kind="counter", bits=COUNT_BITS, operations=each),
        Part(kind="adder", count=2, bits=_PIXEL_BITS, operations=each),
        Part(kind="mux", count=2, bits=_PIXEL_BITS, other_bits=3, operations=each),
        Part(kind="cleared_register", count=2, bits=_PIXEL_BITS, operations=each),
        Part(kind="gate", count=6, bits=COUNT_BITS, operations=each),  # the last of each
        Part(kind="gate", count=4, bits=8, operations=each),
        Part(kind="comparator", count=2, bits=_PIXEL_BITS + 2, operations=each),
        Part(kind="adder", count=4, bits=_PIXEL_BITS + 2, operations=each),
        Part(kind="enabled_register", bits=addr),
        Part(kind="adder", count=3, bits=addr, operations=each),
        replace(product_of_counts(addr, COUNT_BITS), operations=each),
    ]
    if design.dataflow == "output_stationary":  # where a pixel fold starts again
        parts += [Part(kind="enabled_register", bits=walkers), Part(kind="mux", bits=walkers, other_bits=2)]
    return tuple(parts)


def control(design: Design) -> tuple[Part, ...]:
    """Sequencer of the compute engine, ring pointers, what engines wait for, activity and cycle counters."""
    loops, out = _bits(design.array_rows) + 1, _bits(design.out_words)
    parts = [
        Part(kind="counter", bits=loops if design.dataflow != "input_stationary" else COUNTER_BITS),
        Part(kind="comparator", count=3, bits=COUNTER_BITS),
        Part(kind="cleared_register", bits=3),
        Part(kind="counter", count=6, bits=COUNTER_BITS),  # progress, tiles started
        Part(kind="comparator", count=4, bits=COUNTER_BITS),
        Part(kind="counter", count=7, bits=4),  # pointers of both rings: two writers, five readers
        Part(kind="gate", count=20, bits=4),  # full, empty
        Part(kind="counter", bits=ACTIVITY_BITS),
        *(
            part
            for bits in _activity_bits(design)
            for part in (
                Part(kind="adder", bits=bits),
                Part(kind="cleared_register", bits=ACTIVITY_BITS),
                Part(kind="incrementer", bits=ACTIVITY_BITS - bits),
            )
        ),
        # Pooled or requantized words to the output buffer.
        Part(kind="mux", bits=design.out_word_bits + out + 2, other_bits=2),
        Part(kind="adder", bits=_bits(design.array_rows * design.array_cols) + 1),
    ]
    if design.group_lanes > 1:
        parts += [Part(kind="counter", bits=_PASS_BITS), Part(kind="gate", bits=_PASS_BITS)]
    if design.dataflow != "input_stationary":
        parts += [
            Part(kind="cleared_register", bits=COUNTER_BITS),  # channel
            Part(kind="adder", count=2, bits=COUNTER_BITS),
            Part(kind="comparator", bits=COUNTER_BITS + 1),
        ]
    return tuple(parts)


def _activity_bits(design: Design) -> tuple[int, ...]:
    """Bits of what each counter adds; those below a power of two stay 0, those above count carries."""
    n_macs = design.array_rows * design.array_cols
    steps = [n_macs, *[1] * 5, 3, 1, 3, 3, 1, 1, design.post_lanes, 3]
    return tuple(step.bit_length() for step in steps) + ((n_macs + design.array_cols).bit_length(), 1)


def dma(design: Design) -> tuple[Part, ...]:
    """Request and data engine: two walkers over the lines of a tile, one of stores, their addresses."""
    words = max(12, *(n.bit_length() for n in (design.act_words, design.weight_words, design.out_words)))
    each = {"dram_requests": 1.0}
    out = _bits(design.out_words)
    parts = [
        # Lines: row and block, three times.
        Part(kind="counter", count=6, bits=COUNT_BITS, operations=each),
        Part(kind="gate", count=12, bits=COUNT_BITS, operations=each),  # the last of each
        Part(kind="incrementer", count=6, bits=COUNT_BITS, operations=each),
        # Addresses: two registers, two sums, twice.
        Part(kind="enabled_register", count=4, bits=ADDRESS_BITS, operations=each),
        Part(kind="adder", count=4, bits=ADDRESS_BITS, operations=each),
        Part(kind="mux", count=6, bits=ADDRESS_BITS, other_bits=2, operations=each),
        Part(kind="mux", bits=ADDRESS_BITS, other_bits=4),  # base of a section
        Part(kind="mux", bits=ADDRESS_BITS, other_bits=2),
        # Sections: which, how many words and beats.
        Part(kind="mux", count=2, bits=words + _BEATS_BITS + 2 * COUNT_BITS, other_bits=4),
        Part(kind="cleared_register", count=2, bits=5),
        Part(kind="comparator", count=3, bits=COUNTER_BITS),
        # Beats written: offset in the line, address.
        Part(kind="cleared_register", bits=ADDRESS_BITS, operations=each),
        Part(kind="adder", count=2, bits=ADDRESS_BITS, operations=each),
        Part(kind="counter", bits=words, operations=each),
        Part(kind="counter", bits=out, operations=each),
        Part(kind="cleared_register", bits=4),
    ]
    for word_bits in (design.weight_word_bits, design.param_word_bits):  # bytes of a section: words x a constant
        n_ones = bin(-(-word_bits // 8)).count("1")
        parts.append(Part(kind="adder", count=2 * n_ones, bits=words))
    return tuple(parts)


def gearboxes(design: Design) -> tuple[Part, ...]:
    """Beats to words of any memory, words to beats: bytes held, and the shift that puts a beat or a word in place."""
    beat = design.dram_bytes_per_cycle
    edges = sorted({-(-bits // 8) for bits in (design.act_word_bits, design.out_word_bits)})  # narrow, wide
    sizes = [*edges, *(-(-bits // 8) for bits in (design.weight_word_bits, design.param_word_bits))]
    unit = math.gcd(beat, *sizes)
    into = gearbox(
        held=max(beat, *sizes), placed=beat, filled=beat + max(sizes), places=max(sizes), unit=unit,
        n_sizes=len(set(sizes)) + 1, counter="dram_read_bytes", beat=beat,
    )  # fmt: skip
    word, unit = edges[-1], math.gcd(beat, *edges)
    out_of = gearbox(
        held=max(beat, word), placed=word, filled=beat + word, places=beat, unit=unit,
        n_sizes=len(edges) + 1, counter="dram_write_bytes", beat=beat,
    )  # fmt: skip
    return *into, *out_of


def gearbox(
    *, held: int, placed: int, filled: int, places: int, unit: int, n_sizes: int, counter: str, beat: int
) -> tuple[Part, ...]:
    """Sizes in bytes: `held` in registers; `placed` shifted to one of `places` by `unit`s; `filled` both together."""
    each, n_units = {counter: 1 / beat}, (held // unit).bit_length()
    stages, width = [], placed
    for k in range((places // unit - 1).bit_length()):  # a stage moves by 2^k units: what it adds is zero without it
        width += unit << k
        stages.append(Part(kind="mux", bits=8 * (width - (unit << k)), other_bits=2, operations=each))
        stages.append(Part(kind="gate", bits=8 * (unit << k)))
    return (
        *stages,
        Part(kind="cleared_register", bits=8 * held, operations=each),
        Part(kind="gate", bits=8 * placed, operations=each),  # a beat that is taken
        Part(kind="gate", bits=8 * min(filled, held + placed), operations=each),
        Part(kind="mux", bits=8 * held, other_bits=n_sizes, operations=each),
        Part(kind="gate", bits=8 * held),  # kept while it waits
        Part(kind="adder", count=2, bits=n_units + 1, operations=each),
        Part(kind="comparator", count=2, bits=n_units, operations=each),
        Part(kind="cleared_register", bits=n_units),
        Part(kind="counter", bits=COUNT_BITS, operations=each),
        Part(kind="counter", bits=_BEATS_BITS, operations=each),
        Part(kind="gate", count=2, bits=COUNT_BITS + _BEATS_BITS, operations=each),  # the last word, the last beat
    )


def _bits(n: int) -> int:
    return max((n - 1).bit_length(), 1)
