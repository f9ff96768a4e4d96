"""Parts of the array of a tensor machine: PEs, skew, transposer, operands, accumulator adders."""

from __future__ import annotations

from designs.families.tensor import Design
from sim.inventory import Part


def operand_bits(design: Design) -> int:
    """An activation without its zero point."""
    return design.act_bits + 1


def weight_operand_bits(design: Design) -> int:
    """A weight in the array, with its place if it has one; a binary one takes the two bits of -1, 0 and +1."""
    return max(design.weight_bits, 2) + design.place_bits


def sum_bits(design: Design, n_products: int) -> int:
    """Signed bits of any exact sum of `n_products` products."""
    largest = ((1 << design.act_bits) - 1) << (design.weight_bits - 1)
    return (n_products * largest).bit_length() + 1


def column_bits(design: Design) -> int:
    """What leaves the foot of a column: the accumulator in OS, the exact sum of a k-block otherwise."""
    if design.dataflow == "output_stationary":
        return design.acc_bits
    return sum_bits(design, design.array_rows)


def array(design: Design) -> tuple[Part, ...]:
    """PEs. Operands that nobody takes over at the far edge have no register."""
    if design.dataflow == "output_stationary":
        return _output_stationary_array(design)
    rows, cols, each = design.array_rows, design.array_cols, {"macs": 1.0}
    operand, weight = operand_bits(design), weight_operand_bits(design)
    group = design.group_lanes * operand  # what a row passes on: every PE chooses among all of its group
    stays, moves = (weight, group) if design.dataflow == "weight_stationary" else (operand, weight)
    parts = [
        *_products(design),
        *_selectors(design),
        Part(kind="enabled_register", count=rows * cols, bits=stays),
        Part(kind="register", count=rows * (cols - 1), bits=moves, operations=each),
        Part(kind="cleared_register", count=rows * (cols - 1), bits=1),  # the load signal passes along
    ]
    for row in range(rows):  # sums grow from row to row
        bits = sum_bits(design, row + 1)
        parts += [
            Part(kind="adder", count=cols, bits=bits, operations={"macs": 1 / rows}),
            Part(kind="register", count=cols, bits=bits, operations={"macs": 1 / rows}),
        ]
    return tuple(parts)


def _selectors(design: Design) -> tuple[Part, ...]:
    """The activation at the place of each PE's weight, one of m."""
    if design.group_lanes == 1:
        return ()
    n_pes, each = design.array_rows * design.array_cols, {"macs": 1.0}
    return (
        Part(kind="mux", count=n_pes, bits=operand_bits(design), other_bits=design.group_lanes, operations=each),
    )


def _output_stationary_array(design: Design) -> tuple[Part, ...]:
    rows, cols, each = design.array_rows, design.array_cols, {"macs": 1.0}
    n_pes, acc = rows * cols, design.acc_bits
    total = max(acc, sum_bits(design, 1)) + 1
    return (
        *_products(design),
        Part(kind="adder", count=n_pes, bits=total, operations=each),
        Part(kind="cleared_register", count=n_pes, bits=acc, operations=each),
        Part(kind="gate", count=2 * n_pes, bits=acc, operations=each),  # start from zero; a sum only where it is told
        Part(kind="cleared_register", count=rows * (cols - 1), bits=operand_bits(design) + 1, operations=each),
        Part(kind="register", count=(rows - 1) * cols, bits=weight_operand_bits(design), operations=each),
        Part(kind="cleared_register", count=n_pes, bits=2),  # last product, overflow
        *overflow(design, n_pes, total, "macs"),
    )


def _products(design: Design) -> tuple[Part, ...]:
    n_pes, each, operand = design.array_rows * design.array_cols, {"macs": 1.0}, operand_bits(design)
    if design.weight_bits > 1:
        return (Part(kind="multiplier", count=n_pes, bits=operand, other_bits=design.weight_bits, operations=each),)
    # -1, 0 or +1: the operand, turned or not, or zero; the carry of the negation goes into the sum's adder.
    return (Part(kind="gate", count=3 * n_pes, bits=operand, operations=each),)


def overflow(design: Design, count: int, total_bits: int, counter: str) -> tuple[Part, ...]:
    """What an addition needs besides its adder to tell that a sum of `total_bits` does not fit, and to clip it."""
    beyond = total_bits - design.acc_bits
    if beyond < 1:
        return ()
    told = Part(kind="gate", count=2 * count, bits=beyond + 1)
    if design.acc_overflow == "wrap":
        return (told,)
    return told, Part(kind="gate", count=2 * count, bits=design.acc_bits, operations={counter: 1.0})


def skew(design: Design) -> tuple[Part, ...]:
    """Triangles of registers: into the rows, into the columns, and out of the columns."""
    rows, cols = design.array_rows, design.array_cols
    row_triangle, col_triangle = rows * (rows - 1) // 2, cols * (cols - 1) // 2
    operand, weight, foot_bits = operand_bits(design), weight_operand_bits(design), column_bits(design)
    # A word that passes a triangle works each of its registers once.
    into_rows, into_columns = {"act_reads": 1.0}, {"weight_reads": 1.0}
    foot = Part(kind="register", count=col_triangle, bits=foot_bits, operations={"acc_writes": 1.0})
    if design.dataflow == "input_stationary":  # activations and weights both go along rows
        return (
            Part(kind="register", count=row_triangle, bits=weight, operations={"weight_reads": 1.0}),
            Part(kind="register", count=row_triangle, bits=operand, operations=into_rows),
            Part(kind="cleared_register", bits=rows - 1),  # the load signal of each row
            foot,
        )
    weights = Part(kind="register", count=col_triangle, bits=weight, operations=into_columns)
    if design.dataflow == "weight_stationary":
        # The lanes of a group are delayed together, as far as the last of its rows.
        n_groups, kept = rows // design.kept_lanes, design.kept_lanes
        delays = sum(group * kept + kept - 1 for group in range(n_groups))
        acts = Part(kind="register", count=delays * design.group_lanes, bits=operand, operations=into_rows)
        return acts, weights, foot, Part(kind="cleared_register", bits=rows - 1)
    columns_bits = rows.bit_length()
    return (
        Part(kind="cleared_register", count=row_triangle, bits=operand, operations=into_rows),
        weights,
        foot,
        Part(kind="cleared_register", bits=rows - 1),
        Part(kind="gate", count=(rows - 1) * cols, bits=design.acc_bits, operations={"acc_writes": float(rows - 1)}),
        # Overflows of the additions of all PEs, counted a column at a time.
        Part(kind="adder", count=cols, bits=rows),
        Part(kind="cleared_register", count=cols, bits=columns_bits),
        Part(kind="adder", count=cols - 1, bits=columns_bits + 1),
        Part(kind="cleared_register", bits=(rows * cols).bit_length()),
    )


def transposer(design: Design) -> tuple[Part, ...]:
    """OS: a mesh of R x R between two sides. IS: C pixels x R channels, on the way out."""
    rows, cols = design.array_rows, design.array_cols
    if design.dataflow == "output_stationary":
        bits, cells = operand_bits(design), rows * rows + rows
        each = {"act_reads": 1.0}
        return (
            Part(kind="cleared_register", count=cells, bits=bits, operations=each),
            Part(kind="mux", count=cells, bits=bits, other_bits=2, operations=each),
            Part(kind="counter", bits=(rows - 1).bit_length() + 1),
        )
    if design.dataflow == "input_stationary":
        bits = design.edge_bits + 2
        return (
            Part(kind="enabled_register", count=rows * cols, bits=bits, operations={"post_ops": 1 / rows / cols}),
            Part(kind="gate", bits=2 * rows * cols),  # which lane and group is written
            Part(kind="mux", count=rows, bits=bits, other_bits=cols, operations={"post_ops": 1 / cols}),
        )
    return ()


def datapath(design: Design) -> tuple[Part, ...]:
    """Operands from words, delayed controls, and the addresses of weights and sums."""
    rows, cols, operand = design.array_rows, design.array_cols, operand_bits(design)
    lanes = design.act_lanes
    weight_addr, acc_addr = _address_bits(design.weight_words), _address_bits(design.acc_words)
    act = {"act_reads": 1.0}
    parts = [
        Part(kind="adder", count=lanes, bits=operand, operations=act),  # zero points
        Part(kind="gate", count=lanes, bits=operand, operations=act),  # zero outside the image
    ]
    column_count = cols.bit_length() if design.weight_bits == 1 else 0
    if column_count and design.dataflow != "input_stationary":  # columns without a channel have no weight
        parts += [
            Part(kind="cleared_register", bits=column_count),
            Part(kind="gate", bits=2 * cols),
            Part(kind="gate", count=cols, bits=column_count),  # against a constant
        ]
    if design.dataflow == "output_stationary":
        return (*parts, *_fold_queue(design, rows, weight_addr, acc_addr, column_count))
    n_delays = rows + cols + (1 if design.dataflow == "weight_stationary" else 2)
    parts += [
        Part(kind="register", count=lanes, bits=operand, operations=act),
        Part(kind="cleared_register", count=n_delays, bits=5),
        Part(kind="counter", bits=weight_addr, operations={"weight_reads": 1.0}),
        Part(kind="counter", bits=acc_addr, operations={"acc_writes": 1.0}),
    ]
    if design.dataflow == "input_stationary":
        delayed = Part(kind="register", count=2, bits=design.weight_word_bits, operations={"weight_reads": 1.0})
        base = Part(kind="enabled_register", bits=weight_addr)
        parts += [delayed, base, Part(kind="mux", bits=weight_addr, other_bits=2)]
    return tuple(parts)


def fold_queue_words(design: Design) -> int:
    """Folds whose sums have not left an output stationary array."""
    return (design.array_rows + design.array_cols + 2) // design.array_rows + 2


def fold_bits(design: Design) -> int:
    """An entry of the queue of folds: address, last row, three flags."""
    return _address_bits(design.acc_words) + max((design.array_rows - 1).bit_length(), 1) + 3


def _fold_queue(design: Design, rows: int, weight_addr: int, acc_addr: int, column_count: int) -> tuple[Part, ...]:
    each, pointer = {"acc_writes": 1.0}, (fold_queue_words(design) - 1).bit_length()
    return (
        Part(kind="cleared_register", count=rows + 1, bits=5 + column_count),
        Part(kind="counter", bits=weight_addr, operations={"weight_reads": 1.0}),
        Part(kind="counter", count=2, bits=pointer),
        Part(kind="counter", bits=pointer + 1),
        Part(kind="mux", bits=fold_bits(design), other_bits=2, operations=each),
        Part(kind="enabled_register", bits=fold_bits(design), operations=each),
        Part(kind="counter", count=1, bits=acc_addr, operations=each),
        Part(kind="counter", bits=max((rows - 1).bit_length(), 1), operations=each),
        Part(kind="comparator", bits=max((rows - 1).bit_length(), 1), operations=each),
        # The address of the next fold: channel fold x pixels + first pixel.
        Part(kind="enabled_register", count=2, bits=acc_addr),
        Part(kind="adder", count=2, bits=acc_addr),
        Part(kind="mux", bits=acc_addr, other_bits=2),
        product_of_counts(acc_addr, 12),
        Part(kind="cleared_register", bits=acc_addr),
    )


def accumulator_adders(design: Design) -> tuple[Part, ...]:
    """A lane a column: stored + sum under the overflow rule, and how many lanes did not fit."""
    cols, into = design.array_cols, column_bits(design)
    each, total = {"acc_writes": 1.0}, max(into, design.acc_bits) + 1
    return (
        Part(kind="register", count=cols, bits=into, operations=each),
        Part(kind="gate", count=cols, bits=design.acc_bits, operations=each),
        Part(kind="adder", count=cols, bits=total, operations=each),
        *overflow(design, cols, total, "acc_writes"),
        Part(kind="adder", bits=cols),
        Part(kind="cleared_register", bits=cols.bit_length() + _address_bits(design.acc_words) + 4),
    )


def product_of_counts(bits: int, other_bits: int) -> Part:
    """The low `bits` bits of a product: what lies beyond them is not built."""
    n_partial = sum(max(bits - i, 0) for i in range(other_bits))
    return Part(kind="multiplier", bits=bits, other_bits=max(round(n_partial / bits), 1))


def _address_bits(n_words: int) -> int:
    return max((n_words - 1).bit_length(), 1)
