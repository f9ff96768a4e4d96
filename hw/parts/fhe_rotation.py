"""Blind rotation of a batch on all cores, from exponents and initial accumulators to final ones (docs/fhe.md)."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design
from hw.parts.fhe_control import RotationControl
from hw.parts.fhe_core import Core
from hw.parts.fhe_types import (
    exponent_signature,
    extract_signature,
    init_signature,
    key_signature,
    rotation_events,
)


class Rotation(wiring.Component):
    """Stations ROT, F_0 .. F_(R-1), MAC, I_0 .. I_(R-1) and WB, their buffers, the accumulators and their control.

    A batch: INIT writes all `slots` accumulators through `init`, and `start` is high, for one cycle, in the cycle of
    the last of these writes (x_i + a W) or later. ROT of step 0, slot 0 starts in that very cycle, and every other
    job in the first cycle that meets all conditions of docs/fhe.md, section 3. `done` is high for one cycle, `rot_end`:
    that in which the last word of an accumulator is stored. `extract` reads accumulators from the cycle after it on;
    `init` may write again from the cycle after the last such read, and `start` comes no earlier than the cycle after
    `done`. `slots` and `n_cells` (of each slot: cores that have a command) are steady from `start` to `done`.

    Key rows: `row_taken` is high for one cycle, that in which the last beat of a row is taken; the row can be read from
    the next cycle on. `row_release` is high for one cycle, the last in which a row is read (start of MAC's last job of
    the step + T_MAC - 1): its place is free in the next cycle. It stays 0 where the key is resident.
    Memories that are read through `exponent` and `key` answer in the next cycle; see their signatures.

    Latency and initiation interval: docs/fhe.md. Backpressure: none but `row_taken`: MAC waits for its row.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "start": In(1),
                "slots": In(range(design.batch + 1)),
                "n_cells": In(data.ArrayLayout(range(design.cores + 1), design.batch)),
                "done": Out(1),
                "exponent": Out(exponent_signature(design)),
                "key": Out(key_signature(design)),
                "row_taken": In(1),
                "row_release": Out(1),
                "init": In(init_signature(design)),
                "extract": In(extract_signature(design)),
                "events": Out(rotation_events(design)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        m.submodules.control = control = RotationControl(design)
        m.d.comb += [
            control.start.eq(self.start),
            control.slots.eq(self.slots),
            control.n_cells.eq(self.n_cells),
            control.row_taken.eq(self.row_taken),
            self.done.eq(control.done),
            self.row_release.eq(control.row_release),
            self.exponent.en.eq(control.exponent_en),
            self.exponent.step.eq(control.exponent_step),
            self.exponent.slot.eq(control.exponent_slot),
            self.key.en.eq(control.key_en),
            self.key.place.eq(control.key_place),
            self.key.address.eq(control.key_address),
            self.events.eq(control.events),
        ]
        for number in range(design.cores):
            m.submodules[f"core_{number}"] = core = Core(design)
            m.d.comb += [
                core.control.eq(control.control),
                core.exponent.eq(self.exponent.data[number]),
                core.key.eq(self.key.data),
                core.init_valid.eq(self.init.valid),
                core.init_slot.eq(self.init.slot),
                core.init_word.eq(self.init.word),
                core.init_data.eq(self.init.data[number]),
                core.extract.en.eq(self.extract.en),
                core.extract.slot.eq(self.extract.slot),
                core.extract.word.eq(self.extract.word),
                self.extract.data[number].eq(core.extract.data),
            ]
        return m
