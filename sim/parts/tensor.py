"""What a tensor machine is made of: parts by kind, count and size, as docs/tensor.md describes the machine.

Sizes follow from the definition, not from a netlist. Memories with one read and one write port are counted as
single-ported macros of their size; what two ports cost more is for the technology tables to say.
"""

from __future__ import annotations

from designs.families.tensor import Design
from sim.inventory import Inventory, Part

_COUNTER_BITS = 16  # tiles, outputs and stores: at most 65535
_ADDRESS_BITS = 32
_FIELD_BITS = 12  # rows, blocks, columns of a tile: at most 4095
_RING_ENTRIES = 8
_ACTIVITY_BITS = 48
# A tile's descriptor: 4 addresses; 5 waits, weight words, channels, stores; rows, blocks and the like; flags, buffers.
_TILE_BITS = 4 * _ADDRESS_BITS + 8 * _COUNTER_BITS + 6 * _FIELD_BITS + 11
_OUTPUT_BITS = _ADDRESS_BITS + 3 * _COUNTER_BITS + 2 * _FIELD_BITS + 3


def tensor_inventory(design: Design) -> Inventory:
    """All parts of one machine. The names are the slices of its area and energy breakdown."""
    return {
        "pe": _array(design),
        "skew": _skew(design),
        "transposer": _transposer(design),
        "accumulator_adder": _accumulator_adders(design),
        "requantizer": _requantizers(design),
        "residual": _residual(design),
        "pooling": _pooling(design),
        "gearbox": _gearboxes(design),
        "address": _addresses(design),
        "control": _control(),
        "act_scratchpad": _scratchpad(design, design.act_words, design.act_word_bits, "act"),
        "weight_scratchpad": _scratchpad(design, design.weight_words, design.weight_word_bits, "weight"),
        "accumulator": _buffers(design, design.acc_words, design.acc_word_bits, "acc"),
        "output_buffer": _buffers(design, design.out_words, design.act_word_bits, "out"),
        "parameters": (
            Part(
                kind="sram",
                bits=design.param_word_bits,
                words=design.param_words * design.n_buffers,
                reads={"param_reads": 1},
                writes={"param_writes": 1},
            ),
        ),
        "dram": (Part(kind="dram", bits=8, reads={"dram_read_bytes": 1}, writes={"dram_write_bytes": 1}),),
    }


def _operand_bits(design: Design) -> int:
    """An activation without its zero point."""
    return design.act_bits + 1


def _product_bits(design: Design) -> int:
    return _operand_bits(design) + (design.weight_bits if design.weight_bits > 1 else 0)


def _sum_bits(design: Design) -> int:
    """What leaves the foot of a column: the accumulator in OS, the exact sum of a k-block otherwise."""
    if design.dataflow == "output_stationary":
        return design.acc_bits
    return _product_bits(design) + (design.array_rows - 1).bit_length()


def _array(design: Design) -> tuple[Part, ...]:
    n_pes, each = design.array_rows * design.array_cols, {"macs": 1.0}
    operand, weight, total = _operand_bits(design), design.weight_bits, _sum_bits(design)
    if weight > 1:
        product = Part(kind="multiplier", count=n_pes, bits=operand, other_bits=weight, operations=each)
    else:  # -1 or +1: the operand, negated or not
        product = Part(kind="adder", count=n_pes, bits=operand, operations=each)
    adder = Part(kind="adder", count=n_pes, bits=total, operations=each)
    moving = Part(kind="register", count=n_pes, bits=operand + weight, operations=each)
    sums = Part(kind="register", count=n_pes, bits=total, operations=each)
    if design.dataflow == "output_stationary":
        # A second register takes the finished sum down the column while the next fold is added up.
        drain = Part(kind="register", count=n_pes, bits=total)
        choose = Part(kind="mux", count=n_pes, bits=total, other_bits=2)
        return (product, adder, moving, sums, drain, choose, *_overflow(design, n_pes, "macs"))
    # Of the registers in `moving`, that of the stationary operand keeps it for a fold.
    return product, adder, moving, sums


def _overflow(design: Design, count: int, counter: str) -> tuple[Part, ...]:
    """What an addition under the overflow rule needs besides its adder."""
    if design.acc_overflow == "wrap":
        return ()
    return (Part(kind="mux", count=count, bits=design.acc_bits, other_bits=2, operations={counter: 1.0}),)


def _skew(design: Design) -> tuple[Part, ...]:
    """Triangles of registers: into the rows, into the columns, and out of the columns."""
    rows, cols = design.array_rows, design.array_cols
    row_triangle, col_triangle = rows * (rows - 1) // 2, cols * (cols - 1) // 2
    # A word that passes a triangle works each of its registers once.
    foot = Part(kind="register", count=col_triangle, bits=_sum_bits(design), operations={"acc_writes": col_triangle})
    into_rows, into_columns = {"act_reads": float(row_triangle)}, {"weight_reads": float(col_triangle)}
    if design.dataflow == "input_stationary":  # both words have a lane for each row
        into_columns = {"weight_reads": float(row_triangle)}
        col_triangle = row_triangle
    return (
        Part(kind="register", count=row_triangle, bits=_operand_bits(design), operations=into_rows),
        Part(kind="register", count=col_triangle, bits=design.weight_bits, operations=into_columns),
        foot,
    )


def _transposer(design: Design) -> tuple[Part, ...]:
    rows, cols, bits = design.array_rows, design.array_cols, design.act_bits
    if design.dataflow == "output_stationary":  # two halves of R words; one lane of R words is read at a time
        return (
            Part(kind="register", count=2 * rows * rows, bits=_operand_bits(design), operations={"act_reads": rows}),
            Part(
                kind="mux", count=rows, bits=_operand_bits(design), other_bits=2 * rows, operations={"act_reads": rows}
            ),
        )
    if design.dataflow == "input_stationary":  # C pixels x R channels, on the way out
        return (
            Part(kind="register", count=rows * cols, bits=bits, operations={"post_ops": 1}),
            Part(kind="mux", count=rows, bits=bits, other_bits=cols, operations={"post_ops": 1}),
        )
    return ()


def _accumulator_adders(design: Design) -> tuple[Part, ...]:
    cols = design.array_cols
    each = {"acc_writes": float(cols)}
    zero_points = Part(
        kind="adder", count=design.array_rows, bits=_operand_bits(design), operations={"act_reads": design.array_rows}
    )
    return (
        Part(kind="adder", count=cols, bits=design.acc_bits, operations=each),
        Part(kind="register", count=cols, bits=design.acc_bits, operations=each),
        zero_points,
        *(
            Part(kind=part.kind, count=cols, bits=part.bits, other_bits=part.other_bits, operations=each)
            for part in _overflow(design, cols, "acc_writes")
        ),
    )


def _requantizers(design: Design) -> tuple[Part, ...]:
    """Bias, multiplier, rounding shift, zero point, clip; a register after each."""
    lanes, each = design.post_lanes, {"post_ops": 1.0}
    biased = max(design.acc_bits, 32) + 1
    multiplier = design.requant_multiplier_bits if design.requant == "multiplier_shift" else 0
    wide = biased + multiplier
    parts = [
        Part(kind="adder", count=lanes, bits=biased, operations=each),
        Part(kind="adder", count=lanes, bits=wide, operations=each),  # rounding
        Part(kind="shifter", count=lanes, bits=wide, other_bits=64, operations=each),
        Part(kind="adder", count=lanes, bits=wide, operations=each),  # zero point
        Part(kind="comparator", count=2 * lanes, bits=wide, operations={"post_ops": 2.0}),
        Part(kind="mux", count=lanes, bits=design.act_bits, other_bits=3, operations=each),
        Part(kind="register", count=lanes, bits=biased + wide + design.act_bits, operations=each),
    ]
    if multiplier:
        parts.append(Part(kind="multiplier", count=lanes, bits=biased, other_bits=multiplier, operations=each))
    assembled = design.act_word_bits if design.array_rows > lanes else 0
    if assembled:
        parts.append(Part(kind="register", bits=assembled, operations={"out_writes": 1.0}))
    return tuple(parts)


def _residual(design: Design) -> tuple[Part, ...]:
    """Sum of two tensors, for every lane of a word. Its work has no counter of its own: area and leakage only."""
    lanes, operand = design.array_rows, _operand_bits(design)
    multiplier = design.requant_multiplier_bits if design.requant == "multiplier_shift" else 1
    wide = operand + multiplier + 1
    parts = [
        Part(kind="adder", count=2 * lanes, bits=operand),  # zero points
        Part(kind="adder", count=3 * lanes, bits=wide),  # sum, rounding, zero point
        Part(kind="shifter", count=lanes, bits=wide, other_bits=64),
        Part(kind="comparator", count=2 * lanes, bits=wide),
        Part(kind="mux", count=lanes, bits=design.act_bits, other_bits=3),
        Part(kind="register", count=lanes, bits=wide + 2 * design.act_bits),
    ]
    if design.requant == "multiplier_shift":
        parts.append(Part(kind="multiplier", count=2 * lanes, bits=operand, other_bits=multiplier))
    return tuple(parts)


def _pooling(design: Design) -> tuple[Part, ...]:
    """The maximum of every lane. Its work is not told from other reads of activations: area and leakage only."""
    lanes, bits = design.array_rows, design.act_bits
    return (
        Part(kind="comparator", count=lanes, bits=bits),
        Part(kind="mux", count=lanes, bits=bits, other_bits=2),
        Part(kind="register", count=lanes, bits=bits),
    )


def _gearboxes(design: Design) -> tuple[Part, ...]:
    """Beats to words of any memory, words to beats: bytes held, and the shift that puts a beat or a word in place."""
    beat = design.dram_bytes_per_cycle
    words = (design.act_word_bits, design.weight_word_bits, design.param_word_bits)
    read_bytes = beat + max(-(-bits // 8) for bits in words)
    write_bytes = beat + -(-design.act_word_bits // 8)
    return tuple(
        Part(kind=kind, bits=8 * n_bytes, other_bits=other, operations={counter: 1 / beat})  # type: ignore[arg-type]
        for n_bytes, counter in ((read_bytes, "dram_read_bytes"), (write_bytes, "dram_write_bytes"))
        for kind, other in (("register", 0), ("shifter", n_bytes))
    )


def _addresses(design: Design) -> tuple[Part, ...]:
    """Counters of the loops of im2col, of the output path and of the DMA engines, and the sums that make addresses."""
    word = max(design.act_words, design.weight_words, design.acc_words, design.out_words).bit_length()
    parts: list[Part] = []
    # Loops: k-block (3), channel fold, pixel (2), q; output: block, pixel, slice; DMA: block, row, word, beat; twice.
    for n_loops, counter in ((7, "act_reads"), (3, "param_reads"), (8, "dram_requests")):
        each = {counter: float(n_loops)}
        parts += [
            Part(kind="register", count=n_loops, bits=_FIELD_BITS, operations=each),
            Part(kind="adder", count=n_loops, bits=_FIELD_BITS, operations=each),
            Part(kind="comparator", count=n_loops, bits=_FIELD_BITS, operations=each),
        ]
    # Tap in the image: row and column against their bounds. Word addresses of five memories, and of DRAM twice.
    parts += [
        Part(kind="comparator", count=4, bits=_FIELD_BITS + 1, operations={"act_reads": 4.0}),
        Part(kind="adder", count=2, bits=_FIELD_BITS + 1, operations={"act_reads": 2.0}),
        Part(kind="register", count=5, bits=word, operations={"act_reads": 5.0}),
        Part(kind="adder", count=5, bits=word, operations={"act_reads": 5.0}),
        Part(kind="register", count=2, bits=_ADDRESS_BITS, operations={"dram_requests": 2.0}),
        Part(kind="adder", count=2, bits=_ADDRESS_BITS, operations={"dram_requests": 2.0}),
    ]
    return tuple(parts)


def _control() -> tuple[Part, ...]:
    """Rings of descriptors, the counters that engines wait for with their comparisons, and the activity counters."""
    n_activity = 16
    return (
        Part(kind="register", count=_RING_ENTRIES, bits=_TILE_BITS + _OUTPUT_BITS),
        Part(kind="mux", count=3, bits=_TILE_BITS, other_bits=_RING_ENTRIES),  # request, data, compute
        Part(kind="mux", count=2, bits=_OUTPUT_BITS, other_bits=_RING_ENTRIES),  # output path, store
        Part(kind="register", count=6, bits=_COUNTER_BITS),
        Part(kind="adder", count=6, bits=_COUNTER_BITS),
        Part(kind="comparator", count=9, bits=_COUNTER_BITS),
        Part(kind="register", count=n_activity, bits=_ACTIVITY_BITS),
        Part(kind="adder", count=n_activity, bits=_ACTIVITY_BITS),
    )


def _scratchpad(design: Design, words: int, bits: int, name: str) -> tuple[Part, ...]:
    """Banks of one port each; the halves of a double buffer lie in different ones."""
    banks_a_buffer = design.scratchpad_banks // design.n_buffers
    return (
        Part(
            kind="sram",
            count=design.scratchpad_banks,
            bits=bits,
            words=words // banks_a_buffer,
            reads={f"{name}_reads": 1},
            writes={f"{name}_writes": 1},
        ),
        Part(kind="mux", bits=bits, other_bits=max(2, design.scratchpad_banks), operations={f"{name}_reads": 1.0}),
    )


def _buffers(design: Design, words: int, bits: int, name: str) -> tuple[Part, ...]:
    """Memories of one read and one write port, one a buffer."""
    return (
        Part(
            kind="sram",
            count=design.n_buffers,
            bits=bits,
            words=words,
            reads={f"{name}_reads": 1},
            writes={f"{name}_writes": 1},
        ),
    )
