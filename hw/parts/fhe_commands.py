"""Commands of a bootstrapping machine: what a batch is, and the places that hold batches (docs/fhe.md, section 2)."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from designs.families.fhe import Design
from hw.parts.fhe_types import TORUS_BITS

NUMBER_BITS = 32  # of ciphertexts and batches
N_PLACES = 4  # batches held at once: one loads, one rotates, two wait


def place_bits(count: int) -> int:
    """Bits of a number below `count`, at least one."""
    return max(ceil_log2(count), 1)


def split(number: Value, size: int, *, below: int) -> tuple[Value, Value]:
    """(number // size, number mod size) of a number below `below` <= 4096: a multiplication by a constant, exact."""
    if size & (size - 1) == 0:
        bits = size.bit_length() - 1
        return number[bits:] if bits < len(number) else Const(0), number[:bits] if bits else Const(0)
    shift = 24  # the error of the reciprocal times any number stays below one part of 2**24
    quotient = (number * -(-(1 << shift) // size))[shift : shift + place_bits(-(-below // size))]
    return quotient, (number - quotient * size)[: place_bits(size)]


def batch_layout(design: Design) -> data.StructLayout:
    """A batch: its slots, and how many batches must be stored before it loads."""
    return data.StructLayout({"slots": range(design.batch + 1), "after": NUMBER_BITS})


def command_layout() -> data.StructLayout:
    """A cell of a batch; a factor of 0 means that there is no such operand, and a valid cell has at least one."""
    number, word = unsigned(NUMBER_BITS), unsigned(TORUS_BITS)
    return data.StructLayout(
        {"valid": 1, "holds": 1, "factor_a": signed(3), "factor_b": signed(3)}
        | {"constant": word, "value": word, "post": word, "a": number, "b": number, "result": number}
    )


def cell_layout() -> data.StructLayout:
    """What rotation, extraction and store need of a cell."""
    word = unsigned(TORUS_BITS)
    return data.StructLayout({"valid": 1, "holds": 1, "value": word, "post": word, "result": unsigned(NUMBER_BITS)})


def operand_layout(design: Design) -> data.StructLayout:
    """What the linear part needs of a cell that is valid, and where the cell is."""
    number = unsigned(NUMBER_BITS)
    return data.StructLayout(
        {"a": number, "b": number, "factor_a": signed(3), "factor_b": signed(3), "constant": unsigned(TORUS_BITS)}
        | {"slot": place_bits(design.batch), "core": place_bits(design.cores)}
    )


class Commands(wiring.Component):
    """Takes batches and their commands into four places, in order, ahead of the stations that use them.

    A batch is taken while a place is free, then its `slots * cores` commands, one a cycle each (initiation
    interval of a batch: 1 + its commands). It counts in `n_taken` from the cycle after its last command on. `release`
    frees the oldest place for a batch from the next cycle on. Backpressure: none but for a free place.
    Tables by place (latency 0): `slots`, `after`, `n_cells` (valid ones), and `n_valid[place][slot]`, those of a slot.
    `cells` of all cores are read by `cell_place` and `cell_slot` with a latency of 1; `operands`, the valid cells in
    order, by the numbers `request` and `arrival` with a latency of 0 (numbers count modulo the list's length).
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        self.n_operands = N_PLACES << (place_bits(design.batch * design.cores))
        table = data.ArrayLayout
        super().__init__(
            {
                "batches": In(stream.Signature(batch_layout(design))),
                "commands": In(stream.Signature(command_layout())),
                "release": In(1),
                "n_taken": Out(NUMBER_BITS),
                "slots": Out(table(unsigned(place_bits(design.batch + 1)), N_PLACES)),
                "after": Out(table(unsigned(NUMBER_BITS), N_PLACES)),
                "n_cells": Out(table(unsigned(place_bits(design.batch * design.cores + 1)), N_PLACES)),
                "n_valid": Out(table(table(unsigned(place_bits(design.cores + 1)), design.batch), N_PLACES)),
                "cell_place": In(range(N_PLACES)),
                "cell_slot": In(place_bits(design.batch)),
                "cells": Out(table(cell_layout(), design.cores)),
                "request": In(range(self.n_operands)),
                "requested": Out(operand_layout(design)),
                "arrival": In(range(self.n_operands)),
                "arrived": Out(operand_layout(design)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, command = self._design, self.commands.payload
        place, n_used = Signal(range(N_PLACES)), Signal(range(N_PLACES + 1))
        slot, core = Signal(place_bits(design.batch)), Signal(place_bits(design.cores))
        filling, taken, last_core, last = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.batches.ready.eq(~filling & (n_used != N_PLACES)),
            self.commands.ready.eq(filling),
            taken.eq(filling & self.commands.valid),
            last_core.eq(core == design.cores - 1),
            last.eq(taken & last_core & (slot + 1 == self.slots[place])),
        ]
        m.d.sync += n_used.eq(n_used + last - self.release)
        with m.If(self.batches.valid & self.batches.ready):
            m.d.sync += [
                filling.eq(1),
                self.slots[place].eq(self.batches.payload.slots),
                self.after[place].eq(self.batches.payload.after),
                self.n_cells[place].eq(0),
                self.n_valid[place].eq(0),
            ]
        with m.If(taken):
            m.d.sync += [core.eq(Mux(last_core, 0, core + 1)), slot.eq(slot + last_core)]
            with m.If(command.valid):
                m.d.sync += self.n_cells[place].eq(self.n_cells[place] + 1)
                m.d.sync += self.n_valid[place][slot].eq(self.n_valid[place][slot] + 1)
        with m.If(last):
            m.d.sync += [filling.eq(0), slot.eq(0), place.eq(place + 1), self.n_taken.eq(self.n_taken + 1)]
        self._cells(m, place, slot, core, taken)
        self._operands(m, slot, core, taken)
        return m

    def _cells(self, m: Module, place: Signal, slot: Signal, core: Signal, taken: Signal) -> None:
        design, command = self._design, self.commands.payload
        slot_bits = place_bits(design.batch)
        for index in range(design.cores):
            m.submodules[f"cells_{index}"] = memory = Memory(
                shape=cell_layout(), depth=N_PLACES << slot_bits, init=[]
            )
            read, write = memory.read_port(), memory.write_port()
            m.d.comb += [
                write.en.eq(taken & (core == index)),
                write.addr.eq(place << slot_bits | slot),
                *(write.data[name].eq(command[name]) for name, _ in cell_layout()),
                read.addr.eq(self.cell_place << slot_bits | self.cell_slot),
                self.cells[index].eq(read.data),
            ]

    def _operands(self, m: Module, slot: Signal, core: Signal, taken: Signal) -> None:
        layout, command = operand_layout(self._design), self.commands.payload
        m.submodules.operands = memory = Memory(shape=layout, depth=self.n_operands, init=[])
        write = memory.write_port()
        number = Signal(range(self.n_operands))
        m.d.comb += [
            write.en.eq(taken & command.valid),
            write.addr.eq(number),
            write.data.slot.eq(slot),
            write.data.core.eq(core),
            *(write.data[name].eq(command[name]) for name in ("a", "b", "factor_a", "factor_b", "constant")),
        ]
        m.d.sync += number.eq(number + write.en)
        for address, output in ((self.request, self.requested), (self.arrival, self.arrived)):
            read = memory.read_port(domain="comb")
            m.d.comb += [read.addr.eq(address), output.eq(read.data)]
