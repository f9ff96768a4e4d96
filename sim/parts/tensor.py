"""What a tensor machine is made of: parts by kind, count and size, as docs/tensor.md describes the machine.

The names are the slices of area and energy. A slice of logic is a set of circuits (`explore.area_fit` compares it with
synthesis); memories are macros, bit for bit those of the circuit.
"""

from __future__ import annotations

from designs.families.tensor import Design
from sim.inventory import Inventory, Part
from sim.parts import tensor_array, tensor_control, tensor_output, tensor_vector
from sim.parts.remembered import remembered


def tensor_inventory(design: Design) -> Inventory:
    """All parts of one machine. The names are the slices of its area and energy breakdown.

    Machines that agree in what a slice depends on share it, so that it is built, and priced, once.
    """
    slices = {name: parts for name, build in _BEFORE.items() if (parts := build(design))}
    slices |= _vector_slices(design)
    slices["dram"] = _DRAM
    return slices


def _act_scratchpad(design: Design) -> tuple[Part, ...]:
    return _scratchpad(design, design.act_words, design.act_word_bits, "act")


def _weight_scratchpad(design: Design) -> tuple[Part, ...]:
    return _scratchpad(design, design.weight_words, design.weight_word_bits, "weight")


def _accumulator(design: Design) -> tuple[Part, ...]:
    return _buffers(design, design.acc_words, design.acc_word_bits, "acc", n_readers=2, n_writers=1)


def _output_buffer(design: Design) -> tuple[Part, ...]:
    return _buffers(design, design.out_words, design.out_word_bits, "out", n_readers=2, n_writers=2)


def _parameters(design: Design) -> tuple[Part, ...]:
    return _buffers(design, design.param_words, design.param_word_bits, "param", n_readers=1, n_writers=1)


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


_BEFORE = {
    "pe": remembered(tensor_array.array),
    "skew": remembered(tensor_array.skew),
    "transposer": remembered(tensor_array.transposer),
    "datapath": remembered(tensor_array.datapath),
    "accumulator_adder": remembered(tensor_array.accumulator_adders),
    "requantizer": remembered(tensor_output.requantizers),
    "residual": remembered(tensor_output.residual),
    "output_path": remembered(tensor_output.output_path),
    "pooling": remembered(tensor_output.pooling),
    "gearbox": remembered(tensor_control.gearboxes),
    "address": remembered(tensor_control.addresses),
    "dma": remembered(tensor_control.dma),
    "control": remembered(tensor_control.control),
    "descriptors": remembered(_descriptors),
    "act_scratchpad": remembered(_act_scratchpad),
    "weight_scratchpad": remembered(_weight_scratchpad),
    "accumulator": remembered(_accumulator),
    "output_buffer": remembered(_output_buffer),
    "parameters": remembered(_parameters),
}
_vector_slices = remembered(tensor_vector.vector_slices)
_DRAM = (Part(kind="dram", bits=8, reads={"dram_read_bytes": 1}, writes={"dram_write_bytes": 1}),)
