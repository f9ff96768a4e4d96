"""Parts of the vector unit of a tensor machine (docs/vector.md): lanes, statistics, divider, memories, mover, control.

One operation runs at a time, so its multipliers, adders and shifters serve all operations; widths are those that the
functions of `workloads.functions` state. Operands are not isolated: an item works everything in its lanes, whatever
the operation makes of it.
"""

from __future__ import annotations

import math

from designs.families.tensor import Design
from sim.inventory import Part
from sim.parts.tensor_control import ACTIVITY_BITS, ADDRESS_BITS, COUNT_BITS, gearbox

_VALUE_BITS, _BIAS_BITS, _SHIFT_BITS, _N_SHIFTS = 40, 40, 6, 64
_ROW_BITS = 17  # a value without its zero point, on the finest grid
_SUM_BITS = 33  # of a row
_FACTOR_BITS = 32  # of a quotient that rows are multiplied with
_STATISTICS_BITS = _SUM_BITS + 2 * _ROW_BITS + _FACTOR_BITS  # sum, maximum, minimum, factor
_TABLE_BITS, _TABLE_WORDS = 16, 256
_STEP_BITS = 5 * ADDRESS_BITS + 12 * 16  # addresses and counts of a step
_N_COUNTERS = 9


def vector_slices(design: Design) -> dict[str, tuple[Part, ...]]:
    """Slices of the vector unit; none where the machine has none."""
    if not design.vector_lanes:
        return {}
    return {
        "vector_lanes": (*_arithmetic(design), *_output(design)),
        "vector_statistics": _statistics(design),
        "vector_divider": _divider(design),
        "vector_mover": _mover(design),
        "vector_control": _control(design),
        "vector_gearbox": _gearboxes(design),
        "vector_buffers": _buffers(design),
        "vector_memories": _memories(design),
    }


def _arithmetic(design: Design) -> tuple[Part, ...]:
    """Sources without their zero points, the functions, and the registers of the pipeline."""
    lanes, each = design.vector_lanes, {"vector_ops": 1 / design.vector_lanes}
    operand = max(design.edge_bits + 1, _ROW_BITS)

    def part(kind: str, bits: int, other_bits: int = 0, *, times: int = 1) -> Part:
        return Part(kind=kind, count=times * lanes, bits=bits, other_bits=other_bits, operations=each)  # type: ignore[arg-type]

    parts = [
        part("mux", design.edge_bits, design.vector_slices, times=2) if design.vector_slices > 1 else None,
        part("adder", operand, times=2),  # zero points
        part("gate", operand),  # lanes that take no part
        part("shifter", operand, 16),  # the finer grid
        part("adder", operand),  # less the maximum, less the mean
        part("multiplier", operand, _FACTOR_BITS),  # times the factor of the row; second product of an addition
        part("register", operand + _VALUE_BITS, times=design.vector_stages),
    ]
    uses_table = design.vector_functions == "table"
    if uses_table or design.vector_softmax == "ita":  # an index, or how often to halve
        parts += [part("multiplier", operand, 16), part("shifter", 33, _N_SHIFTS), part("adder", 33)]
    if not uses_table and design.vector_softmax == "i_bert":
        parts += [
            part("comparator", _ROW_BITS),  # clip
            part("multiplier", _ROW_BITS, 19),  # how many halvings
            part("multiplier", 15, 5),  # what is left of ln 2
            part("adder", _ROW_BITS, times=2),
        ]
    if not uses_table:  # polynomials: of exp and of GELU
        parts += [part("multiplier", _ROW_BITS, _ROW_BITS), part("adder", 32), part("shifter", 48, _N_SHIFTS)]
        parts += [part("multiplier", _ROW_BITS, 19), part("adder", 19)]  # x times erf
    if design.vector_softmax == "ita":
        parts += [part("shifter", 33, _N_SHIFTS)]
    if uses_table or design.vector_softmax == "i_bert":
        parts += [part("multiplier", 16, 18)]  # exp times factor
    return tuple(found for found in parts if found is not None)


def _output(design: Design) -> tuple[Part, ...]:
    """Bias, multiplier, rounding shift, zero point, clip; they work for the items that are written."""
    lanes, each, factor = design.vector_lanes, {"vector_writes": 1.0}, design.requant_multiplier_bits + 1
    product, kept = _VALUE_BITS + 1 + factor, design.edge_bits + 4
    return (
        Part(kind="adder", count=lanes, bits=_BIAS_BITS + 1, operations=each),
        Part(kind="multiplier", count=lanes, bits=_VALUE_BITS + 1, other_bits=factor, operations=each),
        Part(kind="adder", count=lanes, bits=product, operations=each),  # the two products of an addition
        Part(kind="shifter", count=lanes, bits=product, other_bits=_N_SHIFTS, operations=each),
        Part(kind="gate", count=2 * lanes, bits=product, operations=each),
        Part(kind="adder", count=2 * lanes, bits=kept, operations=each),  # the half, the zero point
        Part(kind="comparator", count=2 * lanes, bits=kept, operations=each),
        Part(kind="mux", count=lanes, bits=design.edge_bits, other_bits=4, operations=each),
        Part(kind="register", count=lanes, bits=product, operations=each),
    )


def _statistics(design: Design) -> tuple[Part, ...]:
    """Trees over the lanes of an item, and what a row has so far."""
    lanes, each = design.vector_lanes, {"vector_ops": 1 / design.vector_lanes}
    parts = [
        Part(kind="adder", bits=_SUM_BITS, operations=each),
        Part(kind="enabled_register", bits=_SUM_BITS + 2 * _ROW_BITS, operations=each),
        Part(kind="comparator", count=2, bits=_ROW_BITS, operations=each),
        Part(kind="mux", count=2, bits=_ROW_BITS, other_bits=2, operations=each),
        Part(kind="gate", count=lanes, bits=COUNT_BITS, operations=each),  # lane number against the valid columns
    ]
    if lanes > 1:
        parts += [
            Part(kind="adder", count=lanes - 1, bits=_SUM_BITS, operations=each),
            Part(kind="comparator", count=2 * (lanes - 1), bits=_ROW_BITS, operations=each),
            Part(kind="mux", count=2 * (lanes - 1), bits=_ROW_BITS, other_bits=2, operations=each),
        ]
    if design.vector_softmax == "ita":
        parts.append(Part(kind="shifter", bits=_SUM_BITS, other_bits=_N_SHIFTS, operations=each))
    return tuple(parts)


def _divider(design: Design) -> tuple[Part, ...]:
    """`vector_divider_bits` rows of subtraction a cycle, for quotients and for roots."""
    steps = design.vector_divider_bits
    of_row = {"vector_row_ops": float(math.ceil(_SUM_BITS / steps))}
    bits = _SUM_BITS + 1
    return (
        Part(kind="adder", count=2 * steps, bits=bits, operations=of_row),
        Part(kind="mux", count=2 * steps, bits=bits, other_bits=2, operations=of_row),
        Part(kind="enabled_register", count=4, bits=bits, operations=of_row),
        Part(kind="counter", bits=6, operations=of_row),
        Part(kind="adder", bits=bits),  # sign, and the rounding of a mean
    )


def _mover(design: Design) -> tuple[Part, ...]:
    """Activations to weights: zero points, clips, and a transposer; none where no weight can be made."""
    square = design.array_rows == design.array_cols or design.dataflow == "input_stationary"
    if design.weight_bits == 1 or not square:
        return ()
    rows, bits, each = design.array_rows, design.weight_bits, {"vector_moves": 1.0}
    cells = rows * rows
    return (
        Part(kind="adder", count=rows, bits=design.edge_bits + 1, operations=each),
        Part(kind="comparator", count=2 * rows, bits=design.edge_bits + 1, operations=each),
        Part(kind="mux", count=rows, bits=bits, other_bits=3, operations=each),
        Part(kind="cleared_register", count=cells, bits=bits, operations=each),
        Part(kind="mux", count=cells, bits=bits, other_bits=2, operations=each),
        Part(kind="counter", count=3, bits=COUNT_BITS, operations=each),
        Part(kind="adder", count=4, bits=_bits(design.vector_words), operations=each),
    )


def _control(design: Design) -> tuple[Part, ...]:
    """Registers of a program and of a step, walkers over lines and items, counters of activity."""
    words, item = _bits(design.vector_words), {"vector_reads": 1.0}
    line = {"dram_requests": 1.0}
    return (
        Part(kind="enabled_register", bits=_STEP_BITS),
        Part(kind="enabled_register", bits=_config_bits(design)),
        Part(kind="counter", count=4, bits=COUNT_BITS, operations=line),
        Part(kind="gate", count=8, bits=COUNT_BITS, operations=line),  # the last of each
        Part(kind="enabled_register", count=4, bits=ADDRESS_BITS, operations=line),
        Part(kind="adder", count=4, bits=ADDRESS_BITS, operations=line),
        Part(kind="mux", bits=ADDRESS_BITS, other_bits=6, operations=line),
        Part(kind="counter", count=3, bits=words, operations=item),  # row, block, slice
        Part(kind="gate", count=6, bits=words, operations=item),
        Part(kind="adder", count=2, bits=words, operations=item),
        Part(kind="register", count=design.vector_stages + 2, bits=words + 4, operations=item),
        Part(kind="counter", count=2, bits=_bits(design.vector_rows)),
        Part(kind="adder", count=_N_COUNTERS, bits=_bits(design.array_rows) + 1),
        Part(kind="cleared_register", count=_N_COUNTERS + 1, bits=ACTIVITY_BITS),
        # The DRAM port and the beats of array and vector unit.
        Part(kind="mux", bits=8 * design.dram_bytes_per_cycle + 2 * ADDRESS_BITS, other_bits=2),
    )


def _config_bits(design: Design) -> int:
    """Formats and geometry, zero points and bounds, and the registers of the functions."""
    geometry = 8 * ADDRESS_BITS + 32
    numbers = 5 * (design.edge_bits + 1) + 2 * design.requant_multiplier_bits + _SHIFT_BITS
    functions = 5 + 15 + 20 + 19 + 6 + 18 + 33 + 19 + 16 + 6 + 17 + 5
    return geometry + numbers + functions


def _gearboxes(design: Design) -> tuple[Part, ...]:
    """Beats to words of every format, words to beats."""
    beat = design.dram_bytes_per_cycle
    lanes = {design.act_bits, design.edge_bits}
    sources = {-(-design.array_rows * bits // 8) for bits in lanes} | {-(-design.vector_param_word_bits // 8), 4}
    if design.vector_functions == "table":
        sources.add(_TABLE_BITS // 8)
    results = {-(-design.array_rows * bits // 8) for bits in lanes | {design.weight_bits}}
    unit = math.gcd(beat, *sources)
    into = gearbox(
        held=max(beat, *sources), placed=beat, filled=beat + max(sources), places=max(sources), unit=unit,
        n_sizes=len(sources) + 1, counter="dram_read_bytes", beat=beat,
    )  # fmt: skip
    unit, largest = math.gcd(beat, *results), max(results)
    out_of = gearbox(
        held=max(beat, largest), placed=largest, filled=beat + largest, places=beat, unit=unit,
        n_sizes=len(results) + 1, counter="dram_write_bytes", beat=beat,
    )  # fmt: skip
    return *into, *out_of


def _buffers(design: Design) -> tuple[Part, ...]:
    """x, z and y. What is loaded counts as a word of x or z, parameters, ids and table entries too."""
    words = design.vector_words
    return (
        Part(
            kind="sram", count=2, bits=design.vector_word_bits, words=words,
            reads={"vector_reads": 0.5}, writes={"vector_loads": 0.5},
        ),
        Part(
            kind="sram", bits=design.vector_result_word_bits, words=words,
            reads={"vector_stores": 1.0}, writes={"vector_writes": 1.0},
        ),
    )  # fmt: skip


def _memories(design: Design) -> tuple[Part, ...]:
    """Statistics of rows, ids, parameters, and a table a lane."""
    lanes, of_row = design.vector_lanes, {"vector_row_ops": 1.0}
    parts = [
        Part(kind="sram", bits=_STATISTICS_BITS, words=design.vector_rows, reads=of_row, writes=of_row),
        Part(kind="sram", bits=32, words=design.vector_rows),
        Part(
            kind="sram", bits=design.vector_param_word_bits, words=design.vector_param_words,
            reads={"vector_param_reads": 1.0},
        ),
    ]  # fmt: skip
    if design.vector_functions == "table":
        reads = {"vector_table_reads": 1 / lanes}
        parts.append(Part(kind="sram", count=lanes, bits=_TABLE_BITS, words=_TABLE_WORDS, reads=reads))
    return tuple(parts)


def _bits(n: int) -> int:
    return max((n - 1).bit_length(), 1)
