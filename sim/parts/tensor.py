"""What a tensor machine is made of: parts by kind, count and size, as docs/tensor.md describes the machine.

The names are the slices of area and energy. A slice of logic is a set of circuits (`explore.area_fit` compares it with
synthesis); memories are macros, bit for bit those of the circuit.
"""

from __future__ import annotations

from designs.families.tensor import Design
from sim.inventory import Inventory, Part
from sim.parts import tensor_array, tensor_control, tensor_output, tensor_vector


def tensor_inventory(design: Design) -> Inventory:
    """All parts of one machine. The names are the slices of its area and energy breakdown."""
    slices: dict[str, tuple[Part, ...]] = {
        "pe": tensor_array.array(design),
        "skew": tensor_array.skew(design),
        "transposer": tensor_array.transposer(design),
        "datapath": tensor_array.datapath(design),
        "accumulator_adder": tensor_array.accumulator_adders(design),
        "requantizer": tensor_output.requantizers(design),
        "residual": tensor_output.residual(design),
        "output_path": tensor_output.output_path(design),
        "pooling": tensor_output.pooling(design),
        "gearbox": tensor_control.gearboxes(design),
        "address": tensor_control.addresses(design),
        "dma": tensor_control.dma(design),
        "control": tensor_control.control(design),
        "descriptors": _descriptors(design),
        "act_scratchpad": _scratchpad(design, design.act_words, design.act_word_bits, "act"),
        "weight_scratchpad": _scratchpad(design, design.weight_words, design.weight_word_bits, "weight"),
        "accumulator": _buffers(design, design.acc_words, design.acc_word_bits, "acc", n_readers=2, n_writers=1),
        "output_buffer": _buffers(design, design.out_words, design.out_word_bits, "out", n_readers=2, n_writers=2),
        "parameters": _buffers(design, design.param_words, design.param_word_bits, "param", n_readers=1, n_writers=1),
        **tensor_vector.vector_slices(design),
        "dram": (Part(kind="dram", bits=8, reads={"dram_read_bytes": 1}, writes={"dram_write_bytes": 1}),),
    }
    return {name: parts for name, parts in slices.items() if parts}


def _descriptors(design: Design) -> tuple[Part, ...]:
    """Rings of tiles and outputs; in OS the queue of folds whose sums are still in the array."""
    rings = (
        Part(kind="sram", bits=tensor_control.TILE_BITS, words=tensor_control.RING_ENTRIES),
        Part(kind="sram", bits=tensor_control.OUTPUT_BITS, words=tensor_control.RING_ENTRIES),
    )
    if design.dataflow != "output_stationary":
        return rings
    return *rings, Part(kind="sram", bits=tensor_array.fold_bits(design), words=tensor_array.fold_queue_words(design))


def _scratchpad(design: Design, words: int, bits: int, name: str) -> tuple[Part, ...]:
    """Banks of one port each; the halves of a double buffer lie in different ones."""
    n_banks = design.scratchpad_banks // design.n_buffers * design.n_buffers
    depth = words // (n_banks // design.n_buffers)
    addr, each = _bits(words), {f"{name}_reads": 1.0}
    reads, writes = {f"{name}_reads": 1.0}, {f"{name}_writes": 1.0}
    parts = [
        Part(kind="sram", count=n_banks, bits=bits, words=depth, reads=reads, writes=writes),
        Part(kind="mux", count=n_banks, bits=_bits(depth), other_bits=2),
        Part(kind="enabled_register", bits=_bits(n_banks)),
        Part(kind="mux", bits=bits, other_bits=max(2, n_banks), operations=each),
    ]
    n_parts = n_banks // design.n_buffers
    if n_parts > 1:  # which bank an address lies in, and where
        parts += [
            Part(kind="gate", count=4 * (n_parts - 1) * design.n_buffers, bits=addr),  # against constants
            Part(kind="incrementer", count=n_banks - design.n_buffers, bits=_bits(depth)),
        ]
    return tuple(parts)


def _buffers(design: Design, words: int, bits: int, name: str, *, n_readers: int, n_writers: int) -> tuple[Part, ...]:
    """Memories of one read and one write port, one a buffer, between clients of which one is active."""
    buffers, addr = design.n_buffers, _bits(words)
    reads, writes = {f"{name}_reads": 1.0}, {f"{name}_writes": 1.0}
    return (
        Part(kind="sram", count=buffers, bits=bits, words=words, reads=reads, writes=writes),
        Part(kind="gate", count=buffers * n_writers, bits=bits, operations={f"{name}_writes": 1 / buffers}),
        Part(kind="gate", count=buffers * (2 * n_readers + 2 * n_writers - 2), bits=addr),
        Part(kind="gate", count=buffers * (n_readers + n_writers), bits=4),
        *(
            (
                Part(kind="mux", count=n_readers, bits=bits, other_bits=2, operations={f"{name}_reads": 1 / n_readers}),
                Part(kind="enabled_register", count=n_readers, bits=1),
            )
            if buffers > 1
            else ()
        ),
    )


def _bits(n: int) -> int:
    return max((n - 1).bit_length(), 1)
