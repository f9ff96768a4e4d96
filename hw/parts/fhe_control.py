"""Control of blind rotation: each station starts its jobs in the first cycle it may (docs/fhe.md, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Array, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design
from hw.parts.fhe_core import ROTATE_LATENCY, WRITE_BACK_LATENCY
from hw.parts.fhe_rank import pass_interval, rank_latency
from hw.parts.fhe_sequencer import Handover, Sequencer
from hw.parts.fhe_steps import control_layout
from hw.parts.fhe_types import key_row_words, mac_cycles, n_columns, rotation_events


@dataclass(frozen=True)
class Station:
    """Times of a station's job, in cycles: the columns of the table of docs/fhe.md, section 3."""

    reads: int  # Rd: how long it reads its place
    first_word: int  # Lo: from its start to the first word stored in the next buffer
    settle: int  # So: from that word to the start of the next station


def chain(design: Design) -> tuple[list[Station], list[Station]]:
    """(ROT, F_0 .. F_(R-1), MAC) and (I_0 .. I_(R-1), WB)."""
    words = design.poly_words
    halves = words // 2 + 1
    ranks = [
        Station(words, (n_stages - 1) * pass_interval(design) + rank_latency(design), halves)
        for n_stages in design.rank_stages
    ]
    last = Station(words, ranks[-1].first_word, 1)
    return (
        [Station(0, ROTATE_LATENCY, halves), *ranks[:-1], last, Station(mac_cycles(design), rank_latency(design), 0)],
        [*ranks, Station(words, WRITE_BACK_LATENCY, 0)],
    )


class Counter(wiring.Component):
    """Where a station is: `advance` counts group, then slot, then step (modulo n_steps), seen in the next cycle."""

    def __init__(self, *, n_groups: int, n_slots: int, n_steps: int) -> None:
        self._n_groups, self._n_steps = n_groups, n_steps
        super().__init__(
            {
                "advance": In(1),
                "slots": In(range(n_slots + 1)),
                "group": Out(range(n_groups)),
                "slot": Out(range(n_slots)),
                "step": Out(range(n_steps)),
                "last_group": Out(1),
                "last_slot": Out(1),
                "last_step": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.last_group.eq(self.group == self._n_groups - 1),
            self.last_slot.eq(self.slot + 1 == self.slots),
            self.last_step.eq(self.step == self._n_steps - 1),
        ]
        with m.If(self.advance):
            m.d.sync += self.group.eq(Mux(self.last_group, 0, self.group + 1))
            with m.If(self.last_group):
                m.d.sync += self.slot.eq(Mux(self.last_slot, 0, self.slot + 1))
                with m.If(self.last_slot):
                    m.d.sync += self.step.eq(Mux(self.last_step, 0, self.step + 1))
        return m


class RotationControl(wiring.Component):
    """Sequencers of all stations, and what lets each start: ports as of Rotation (hw/parts/fhe_rotation.py).

    `control` goes to all cores. `exponent_*` and `key_*` are the addresses of the two reads.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "start": In(1),
                "slots": In(range(design.batch + 1)),
                "n_cells": In(data.ArrayLayout(range(design.cores + 1), design.batch)),
                "done": Out(1),
                "row_taken": In(1),
                "row_release": Out(1),
                "exponent_en": Out(1),
                "exponent_step": Out(range(design.parameters.lwe_dimension)),
                "exponent_slot": Out(range(design.batch)),
                "key_en": Out(1),
                "key_place": Out(range(design.key_rows)),
                "key_address": Out(range(key_row_words(design))),
                "control": Out(control_layout(design)),
                "events": Out(rotation_events(design)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        forward, inverse = chain(self._design)
        to_mac = self._handovers(m, forward, "forward")
        to_write_back = self._handovers(m, inverse, "inverse")
        m.submodules.transformed = transformed = self._transformed_handover()
        ranks = self._design.ntt_ranks
        stored, done = self._write_back(m, to_write_back[-1])
        self._rotate(m, to_mac[0], stored)
        passes = [self._rank(m, f"forward_{y}", y, to_mac[y], to_mac[y + 1]) for y in range(ranks)]
        self._multiply(m, to_mac[-1], transformed)
        inverse_passes = [self._drain(m, transformed, to_write_back[0])]
        inverse_passes += [
            self._rank(m, f"inverse_{y}", y, to_write_back[y - 1], to_write_back[y]) for y in range(1, ranks)
        ]
        m.d.comb += [
            self.done.eq(done),
            self.events.forward_passes.eq(sum(passes)),
            self.events.inverse_passes.eq(sum(inverse_passes)),
        ]
        return m

    def _handovers(self, m: Module, stations: list[Station], name: str) -> list[Handover]:
        """Between each two stations that follow one another."""
        found = []
        for number, (station, following) in enumerate(zip(stations, stations[1:], strict=False)):
            handover = Handover(
                fill_cycles=station.first_word + station.settle,
                drain_cycles=max(1, following.reads - station.first_word),
                n_cells=self._design.cores,
            )
            m.submodules[f"{name}_handover_{number}"] = handover
            found.append(handover)
        return found

    def _drain_leads(self) -> list[int]:
        """How much earlier than its last job I_0 may start each of its jobs: its columns are complete before."""
        design = self._design
        last_pass = [
            ((group + 1) * design.inverse_ntts - 1) // design.key_columns for group in range(design.inverse_groups)
        ]
        return [design.poly_words * (last_pass[-1] - number) for number in last_pass]

    def _transformed_handover(self) -> Handover:
        """Of the transformed accumulator: filled by MAC's last group of a slot, taken by I_0's last job of it."""
        design, latency = self._design, rank_latency(self._design)
        last_pass = (n_columns(design) - 1) // design.key_columns
        return Handover(
            fill_cycles=latency + design.poly_words * last_pass + 1,
            drain_cycles=max(1, design.poly_words - latency),
            n_cells=design.cores,
            most_early=self._drain_leads()[0],
        )

    def _sequencer(self, m: Module, name: str, n_passes: int, interval: int) -> Sequencer:
        design = self._design
        sequencer = Sequencer(n_passes=n_passes, n_words=design.poly_words, interval=interval, n_cells=design.cores)
        m.submodules[name] = sequencer
        return sequencer

    def _counter(self, m: Module, name: str, n_groups: int, n_steps: int) -> Counter:
        counter = Counter(n_groups=n_groups, n_slots=self._design.batch, n_steps=n_steps)
        m.submodules[f"{name}_counter"] = counter
        m.d.comb += counter.slots.eq(self.slots)
        return counter

    def _rotate(self, m: Module, following: Handover, stored: Value) -> None:
        """ROT: a slot waits until its accumulator of the step before is stored."""
        design, step = self._design, self.control.rotate
        unit = self._sequencer(m, "rotate", 1, design.poly_words)
        at = self._counter(m, "rotate", design.n_groups, design.parameters.lwe_dimension)
        rotating, ready = Signal(), Signal(range(design.batch + 1))  # ready: slots that may start their next step
        begins_slot = Signal()
        level_groups = design.parameters.decomposition_levels // design.decomposers
        m.d.comb += [
            unit.start.eq(
                (self.start | (rotating & ((at.group != 0) | (ready != 0) | stored))) & following.has_room & ~unit.busy
            ),
            unit.cells_in.eq(self.n_cells[at.slot]),
            at.advance.eq(unit.last),
            begins_slot.eq(unit.start & (at.group == 0)),
            following.filled.eq(unit.start),
            following.cells_in.eq(unit.cells),
            step.step.eq(unit.step),
            step.slot.eq(at.slot),
            step.columns.eq(Array(group // level_groups for group in range(design.n_groups))[at.group]),
            step.levels.eq(Array(group % level_groups for group in range(design.n_groups))[at.group]),
            self.exponent_en.eq(unit.start),
            self.exponent_step.eq(at.step),
            self.exponent_slot.eq(at.slot),
            self.events.rotations.eq(unit.passes),
        ]
        m.d.sync += ready.eq(Mux(self.start, self.slots, ready + stored) - begins_slot)
        with m.If(self.start):
            m.d.sync += rotating.eq(1)
        with m.Elif(unit.last & at.last_group & at.last_slot & at.last_step):
            m.d.sync += rotating.eq(0)

    def _rank(self, m: Module, name: str, number: int, before: Handover, following: Handover) -> Value:
        """F_y or I_y; its cells in the first cycle of a pass."""
        design = self._design
        unit = self._sequencer(m, name, design.rank_stages[number], pass_interval(design))
        m.d.comb += [
            unit.start.eq(before.has_job & following.has_room & ~unit.busy),
            unit.cells_in.eq(before.cells_out),
            before.taken.eq(unit.start),
            following.filled.eq(unit.start),
            following.cells_in.eq(unit.cells),
            self.control[name].eq(unit.step),
        ]
        return unit.passes

    def _multiply(self, m: Module, before: Handover, following: Handover) -> None:
        """MAC: also waits for its row of the key."""
        design, step = self._design, self.control.multiply
        n_steps = design.parameters.lwe_dimension
        unit = self._sequencer(m, "multiply", design.column_passes, design.poly_words)
        at = self._counter(m, "multiply", design.n_groups, n_steps if design.resident else design.key_rows)
        rows = Signal(range(max(n_steps, design.key_rows) + 1))  # there: all that came, or those that are not released
        row_ends, has_row, into = Signal(), Signal(), Signal()
        m.d.comb += [
            has_row.eq(rows > (at.step if design.resident else 0)),
            unit.start.eq(before.has_job & following.has_room & has_row & ~unit.busy),
            unit.cells_in.eq(before.cells_out),
            at.advance.eq(unit.last),
            before.taken.eq(unit.start),
            following.filled.eq(unit.start & at.last_group),
            following.cells_in.eq(unit.cells),
            row_ends.eq(unit.last & at.last_group & at.last_slot),
            self.row_release.eq(row_ends & (not design.resident)),
            step.step.eq(unit.step),
            step.is_first.eq(at.group == 0),
            step.into.eq(into),
            self.key_en.eq(unit.step.valid),
            self.key_place.eq(at.step),
            self.events.mac_cycles.eq(Mux(unit.step.valid, unit.cells, 0)),
        ]
        m.d.sync += [rows.eq(rows + self.row_taken - self.row_release), into.eq(into ^ (unit.last & at.last_group))]
        address = Signal(self.key_address.shape())
        m.d.comb += self.key_address.eq(address)
        with m.If(unit.step.valid):
            m.d.sync += address.eq(Mux(unit.last & at.last_group, 0, address + 1))

    def _drain(self, m: Module, before: Handover, following: Handover) -> Value:
        """I_0: reads columns of the transformed accumulator as they are completed."""
        design = self._design
        unit = self._sequencer(m, "inverse_0", design.rank_stages[0], pass_interval(design))
        at = self._counter(m, "inverse_0", design.inverse_groups, 1)
        place = Signal()
        m.d.comb += [
            before.early.eq(Array(self._drain_leads())[at.group]),
            unit.start.eq(before.has_job & following.has_room & ~unit.busy),
            unit.cells_in.eq(before.cells_out),
            at.advance.eq(unit.last),
            before.taken.eq(unit.start & at.last_group),
            following.filled.eq(unit.start),
            following.cells_in.eq(unit.cells),
            self.control.inverse_0.eq(unit.step),
            self.control.drained.eq(at.group),
            self.control.drained_place.eq(place),
        ]
        m.d.sync += place.eq(place ^ (unit.last & at.last_group))
        return unit.passes

    def _write_back(self, m: Module, before: Handover) -> tuple[Value, Value]:
        """WB; the last word of a slot's accumulator is stored now, and that of the batch."""
        design = self._design
        unit = self._sequencer(m, "write_back", 1, design.poly_words)
        at = self._counter(m, "write_back", design.inverse_groups, design.parameters.lwe_dimension)
        m.d.comb += [
            unit.start.eq(before.has_job & ~unit.busy),
            unit.cells_in.eq(before.cells_out),
            at.advance.eq(unit.last),
            before.taken.eq(unit.start),
            self.control.write_back.eq(unit.step),
            self.control.written_columns.eq(at.group),
            self.control.written_slot.eq(at.slot),
            self.events.write_backs.eq(unit.passes),
        ]
        stored: Value = unit.last & at.last_group
        done: Value = stored & at.last_slot & at.last_step
        for cycle in range(WRITE_BACK_LATENCY):
            later, end = Signal(name=f"stored_{cycle + 1}"), Signal(name=f"done_{cycle + 1}")
            m.d.sync += [later.eq(stored), end.eq(done)]
            stored, done = later, end
        return stored, done
