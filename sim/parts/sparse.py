"""What a sparse machine is made of: parts by kind, count and size, as docs/sparse.md describes the machine.

The names are the slices of area and energy. Memories of one read and one write port are priced as macros of one port,
as in the other families.
"""

from __future__ import annotations

from designs.families.sparse import Design
from sim.inventory import Inventory, Part

_COUNTER_BITS = 48  # activity
_NUMBER_BITS = 16  # list lengths, pointers and rows as they are stored
_SHIFTS = 64  # distances of the requantizer


def sparse_inventory(design: Design) -> Inventory:
    """All parts of one machine. The names are the slices of its area and energy breakdown."""
    slices: dict[str, tuple[Part, ...]] = {
        "lanes": _lanes(design),
        "multiplier": _multipliers(design),
        "accumulator": _accumulators(design),
        "entry_memory": _entry_memory(design),
        "act_memory": _act_banks(design) if design.feed == "window" else _compacted_acts(design),
        "window": _window(design) if design.feed == "window" else (),
        "queue": _queues(design) if design.feed == "queue" else (),
        "pointer_memory": _pointer_memory(design) if design.feed == "queue" else (),
        "tree": _trees(design),
        "requantizer": _requantizers(design),
        "row_memory": _row_memory(design),
        "control": _control(design),
        "dram": _dram(design),
    }
    return {name: kept for name, parts in slices.items() if (kept := tuple(p for p in parts if _is_there(p)))}


def results_per_cycle(design: Design) -> int:
    """Results of one output word."""
    return design.n_sets if design.output_order == "folded" else 1


def _is_there(part: Part) -> bool:
    """A choice of one, or none of a part, is no hardware."""
    return part.count > 0 and not (part.kind in ("mux", "shifter") and part.other_bits == 1)


def _operand_bits(design: Design) -> int:
    """An activation without its zero point."""
    return design.act_bits + 1


def _product_bits(design: Design) -> int:
    return design.value_bits + _operand_bits(design)


def _place_bits(design: Design) -> int:
    """The number of an entry in its list, the end included."""
    return design.lane_entries.bit_length()


def _lanes(design: Design) -> tuple[Part, ...]:
    """Which entry is next, whether there is one, and the entry out of its word."""
    n, place = design.n_macs, _place_bits(design)
    each = {"acc_updates": 1.0}
    parts = [
        Part(kind="counter", count=n, bits=place, operations=each),
        Part(kind="comparator", count=n, bits=place, operations=each),
        Part(kind="mux", count=n, bits=design.entry_bits, other_bits=design.entries_per_beat, operations=each),
        Part(kind="enabled_register", count=n * design.n_buffers, bits=_NUMBER_BITS),  # list lengths
        Part(kind="mux", count=n, bits=place, other_bits=design.n_buffers),
    ]
    if design.gap_bits:  # the tag is the sum of the gaps
        parts += [
            Part(kind="adder", count=n, bits=design.tag_bits, operations=each),
            Part(kind="enabled_register", count=n, bits=design.tag_bits, operations=each),
        ]
    return tuple(parts)


def _multipliers(design: Design) -> tuple[Part, ...]:
    n, each = design.n_macs, {"acc_updates": 1.0}
    controls = design.tag_bits + 1
    return (
        Part(kind="multiplier", count=n, bits=design.value_bits, other_bits=_operand_bits(design), operations=each),
        Part(kind="register", count=n, bits=_product_bits(design), operations=each),
        Part(kind="cleared_register", count=n, bits=controls, operations=each),
    )


def _accumulators(design: Design) -> tuple[Part, ...]:
    """A sum of each tag in each lane; one that was written the cycle before is taken from the adder."""
    n, bits = design.n_macs, design.acc_bits
    each, drained = {"acc_updates": 1.0}, float(design.ways)
    total = max(bits, _product_bits(design)) + 1
    accesses = {"acc_updates": 1.0, "outputs": drained}  # cleared as they are read
    parts = [
        Part(kind="sram", count=n, bits=bits, words=design.accumulators, reads=accesses, writes=accesses),
        Part(kind="adder", count=n, bits=total, operations=each),
        Part(kind="mux", count=n, bits=bits, other_bits=2, operations=each),
        Part(kind="comparator", count=n, bits=design.tag_bits, operations=each),
        Part(kind="gate", count=n, bits=total - bits + 1, operations=each),  # does it fit
        Part(kind="adder", bits=n),  # how many do not
    ]
    if design.acc_overflow == "saturate":
        parts.append(Part(kind="mux", count=n, bits=bits, other_bits=2, operations=each))
    return tuple(parts)


def _entry_memory(design: Design) -> tuple[Part, ...]:
    """Words of p entries. A beat of lengths, pointers or rows is priced as one of entries: each is written once."""
    n, bits = design.n_macs, design.entries_per_beat * design.entry_bits
    return (
        Part(
            kind="sram", count=n * design.n_buffers, bits=bits, words=design.lane_words,
            reads={"entry_reads": 1.0}, writes={"load_beats": 1.0},
        ),
        Part(kind="mux", count=n, bits=bits, other_bits=design.n_buffers, operations={"entry_reads": 1.0}),
    )  # fmt: skip


def _act_banks(design: Design) -> tuple[Part, ...]:
    """Banks by column modulo window; where a beat brings more activations than there are banks, words hold several."""
    n_banks, per_beat = design.window, design.acts_per_beat
    per_word = max(1, per_beat // n_banks)
    words = -(-design.act_words // (n_banks * per_word))
    each = {"act_reads": 1.0}
    return (
        Part(
            kind="sram", count=n_banks * design.n_buffers, bits=design.act_bits * per_word, words=words,
            reads=each, writes={"vector_beats": float(min(n_banks, per_beat))},
        ),
        Part(kind="mux", count=n_banks, bits=design.act_bits, other_bits=per_word, operations=each),
        Part(kind="mux", count=n_banks, bits=design.act_bits, other_bits=design.n_buffers, operations=each),
        Part(kind="adder", count=n_banks, bits=_operand_bits(design), operations=each),  # zero point
    )  # fmt: skip


def _window(design: Design) -> tuple[Part, ...]:
    """The least next column, who lies within reach of it, and the activation of each lane."""
    n, column = design.n_macs, design.column_bits + 1  # a list that has ended lies beyond all columns
    each = {"acc_updates": 1.0}
    place = max((design.window - 1).bit_length(), 1)
    return (
        Part(kind="comparator", count=n - 1, bits=column, operations=each),
        Part(kind="mux", count=n - 1, bits=column, other_bits=2, operations=each),
        Part(kind="register", bits=column, operations={"act_reads": 1.0}),
        Part(kind="adder", bits=column, operations={"act_reads": 1.0}),
        Part(kind="comparator", count=n, bits=column, operations=each),
        Part(kind="mux", count=n, bits=_operand_bits(design), other_bits=design.window, operations=each),
        # The address of a bank: the row of the first column in the window, or the next one.
        Part(kind="comparator", count=design.window, bits=place, operations={"act_reads": 1.0}),
        Part(kind="incrementer", count=design.window, bits=design.column_bits, operations={"act_reads": 1.0}),
    )


def _compacted_acts(design: Design) -> tuple[Part, ...]:
    """Activations to broadcast with their columns, packed while they are loaded: zeros take no place and no cycle."""
    per_beat, each = design.acts_per_beat, {"act_reads": 1.0}
    bits = design.act_bits + design.column_bits
    of_beats = {"vector_beats": float(per_beat)}
    packing = (
        Part(kind="comparator", count=per_beat, bits=design.act_bits, operations=of_beats),
        Part(kind="incrementer", count=per_beat, bits=per_beat.bit_length(), operations=of_beats),
        Part(kind="shifter", count=per_beat, bits=bits, other_bits=per_beat, operations=of_beats),
    )
    return (
        Part(
            kind="sram", count=per_beat * design.n_buffers, bits=bits, words=-(-design.act_words // per_beat),
            reads=each, writes=each,
        ),
        Part(kind="mux", bits=bits, other_bits=per_beat * design.n_buffers, operations=each),
        Part(kind="adder", bits=_operand_bits(design), operations=each),  # zero point
        *(packing if design.skip_zeros else ()),
    )


def _queues(design: Design) -> tuple[Part, ...]:
    """In front of each lane: activations, each with the first and last entry of its column."""
    n, depth = design.n_macs, design.queue_depth
    bits, of_lanes = _operand_bits(design) + 2 * _place_bits(design), {"act_reads": float(n)}
    place = max((depth - 1).bit_length(), 1)
    return (
        Part(kind="enabled_register", count=n * depth, bits=bits, operations=of_lanes),
        Part(kind="mux", count=n, bits=bits, other_bits=depth, operations=of_lanes),
        Part(kind="counter", count=2 * n, bits=place, operations={"act_reads": 2.0 * n}),
        Part(kind="counter", count=n, bits=place + 1, operations={"act_reads": 2.0 * n}),
        Part(kind="comparator", count=n, bits=_place_bits(design), operations={"acc_updates": 1.0}),
    )


def _pointer_memory(design: Design) -> tuple[Part, ...]:
    """First entries by column: as many banks as a beat has pointers, of which two in a row are read."""
    n, n_banks, bits = design.n_macs, max(2, design.lengths_per_beat), _place_bits(design)
    words, reads = -(-(design.act_words + 1) // n_banks), {"act_reads": 2.0 * n}
    return (
        Part(kind="sram", count=n_banks * n * design.n_buffers, bits=bits, words=words, reads=reads),
        Part(kind="mux", count=2 * n, bits=bits, other_bits=n_banks * design.n_buffers, operations=reads),
    )


def _tree_bits(design: Design) -> int:
    """The sum of the accumulators of a set."""
    return design.acc_bits + (design.ways - 1).bit_length()


def _trees(design: Design) -> tuple[Part, ...]:
    """Sums of a set's ways: of all sets at once, or of the one whose result is next."""
    n, ways, bits = results_per_cycle(design), design.ways, _tree_bits(design)
    parts = [
        Part(kind="adder", count=n * (ways - 1), bits=bits, operations={"outputs": ways - 1.0}),
        Part(kind="enabled_register", count=n, bits=bits, operations={"outputs": 1.0}),
    ]
    if n < design.n_sets:
        of_set = Part(
            kind="mux", count=ways, bits=design.acc_bits, other_bits=design.n_sets, operations={"outputs": float(ways)}
        )
        parts.append(of_set)
    return tuple(parts)


def _requantizers(design: Design) -> tuple[Part, ...]:
    """Bias and multiplier, rounding shift, zero point and clip, of one result each."""
    n, each = results_per_cycle(design), {"outputs": 1.0}
    total = max(_tree_bits(design), 32) + 1
    product = total + design.requant_multiplier_bits + 1
    return (
        Part(kind="adder", count=n, bits=total, operations=each),
        Part(kind="multiplier", count=n, bits=total, other_bits=design.requant_multiplier_bits + 1, operations=each),
        Part(kind="enabled_register", count=n, bits=product, operations=each),
        Part(kind="adder", count=n, bits=product, operations=each),
        Part(kind="shifter", count=n, bits=product, other_bits=_SHIFTS, operations=each),
        Part(kind="adder", count=n, bits=product, operations=each),
        Part(kind="comparator", count=2 * n, bits=product, operations={"outputs": 2.0}),
        Part(kind="mux", count=n, bits=design.act_bits, other_bits=3, operations=each),
        Part(kind="enabled_register", count=n, bits=design.act_bits, operations=each),
    )


def _row_memory(design: Design) -> tuple[Part, ...]:
    """Bias, and number where order is restored, of each row: words of what is read or written at a time."""
    n = results_per_cycle(design)
    per_word = max(n, design.rows_per_beat)
    words, bits = -(-design.accumulators * design.n_sets // per_word), 8 * design.row_bytes
    reads = {"outputs": 1 / n}
    parts = [
        Part(kind="sram", count=design.n_buffers, bits=per_word * bits, words=words, reads=reads),
        Part(kind="mux", count=n, bits=bits, other_bits=design.n_buffers, operations={"outputs": 1.0}),
    ]
    if n < per_word:
        parts.append(Part(kind="mux", count=n, bits=bits, other_bits=-(-per_word // n), operations={"outputs": 1.0}))
    if design.output_order == "restored":  # a row's number beside its result, through the pipeline
        parts.append(Part(kind="enabled_register", count=3, bits=_NUMBER_BITS, operations={"outputs": 3.0}))
    return tuple(parts)


def _control(design: Design) -> tuple[Part, ...]:
    """Phases, what a beat is of, where it goes, and what is counted."""
    beat, beat_bits = {"load_beats": 1.0, "vector_beats": 1.0}, 8 * design.dram_bytes_per_cycle
    lane = max((design.n_macs - 1).bit_length(), 1)
    return (
        Part(kind="enabled_register", bits=beat_bits, operations=beat),
        Part(kind="counter", count=4, bits=_NUMBER_BITS, operations=beat),  # within a list, lists, rows, activations
        Part(kind="counter", bits=lane, operations={"load_beats": 1.0}),
        Part(kind="comparator", count=4, bits=_NUMBER_BITS, operations=beat),
        Part(kind="gate", count=design.n_macs * design.n_buffers, bits=lane),  # which lane is written
        Part(kind="cleared_register", count=2 * design.n_buffers, bits=2),  # buffers: free, loaded
        Part(kind="counter", count=2, bits=_NUMBER_BITS, operations={"outputs": 1.0}),  # tag and set, or row
        Part(kind="counter", count=3, bits=_NUMBER_BITS),  # cycles of a phase, vectors, slices
        Part(kind="comparator", count=3, bits=_NUMBER_BITS),
        Part(kind="cleared_register", bits=3),  # phase
        Part(kind="adder", count=8, bits=design.n_macs.bit_length()),  # lanes that do the same
        Part(kind="counter", count=13, bits=_COUNTER_BITS),
    )


def _dram(design: Design) -> tuple[Part, ...]:
    bits = design.act_bits + (_NUMBER_BITS if design.output_order == "restored" else 0)
    return (
        Part(kind="dram", bits=8 * design.dram_bytes_per_cycle, reads={"load_beats": 1.0, "vector_beats": 1.0}),
        Part(kind="dram", bits=bits, writes={"outputs": 1.0}),
    )
