"""The bootstrapping machine as a circuit (docs/fhe.md): ciphertexts and both evaluation keys stream from memory."""

from __future__ import annotations

import operator
from functools import reduce

from amaranth.hdl import Module, Mux, ResetInserter, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from designs.families.fhe import Design
from hw.parts.activity import ActivityCounters, CycleCounter, counters_layout
from hw.parts.array import tree
from hw.parts.fhe_batches import Batches
from hw.parts.fhe_commands import NUMBER_BITS, Commands, batch_layout, command_layout
from hw.parts.fhe_extract import Extract, Results
from hw.parts.fhe_init import Init
from hw.parts.fhe_key_rows import KeyRows
from hw.parts.fhe_key_switch import KeySwitch
from hw.parts.fhe_load import Load
from hw.parts.fhe_rotation import Rotation
from hw.parts.fhe_store import Store, write_layout
from hw.parts.fhe_types import TORUS_BITS
from workloads.load import Workload

ACTIVITY = (
    "rotated",
    "digits",
    "butterflies",
    "inverse_butterflies",
    "key_macs",
    "transform_updates",
    "accumulated",
    "started",
    "extracted",
    "key_switch_macs",
    "linear_words",
    "key_beats",
    "key_switch_beats",
    "read_beats",
    "write_beats",
    "bootstraps",
)


def build(design: Design, workload: Workload | None = None) -> wiring.Component:
    """The whole machine of `design`, the same for all workloads. Same design, same Verilog."""
    return BootstrappingMachine(design)


class BootstrappingMachine(wiring.Component):
    """Bootstraps the gates of `n_batches` batches, which the host holds while the machine is busy.

    Cycle 0 is that of `start`, one cycle high. `batches` and `commands` are taken before it too, into places for four
    batches: the host starts when they are full, or all is taken, and offers the others without waiting. `reads` names
    a ciphertext, whose beats come in `read_data` in the order of requests; `writes` has those of the results.
    `counters.cycles` is the cycle of the last beat written plus one, and `done` is up from that cycle on (all counters
    are final then; they count modulo 2^32). `clear` while not busy makes the machine ready for the next program in the
    following cycle; a resident key is taken again. Latency and initiation interval of everything in between:
    docs/fhe.md. Backpressure: `bootstrap_key` while no place is free, `key_switch_key` but in the cycles of
    docs/fhe.md; beats that are read are taken at once. No stream's `valid` or `ready` waits for the other.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        words, torus = design.ciphertext_words_per_cycle, TORUS_BITS
        key_bits = design.key_residues_per_cycle * design.modulus_bits
        super().__init__(
            {
                "n_batches": In(NUMBER_BITS),
                "clear": In(1),
                "start": In(1),
                "batches": In(stream.Signature(batch_layout(design))),
                "commands": In(stream.Signature(command_layout())),
                "reads": Out(stream.Signature(unsigned(NUMBER_BITS))),
                "read_data": In(stream.Signature(unsigned(torus * words))),
                "writes": Out(stream.Signature(write_layout(design))),
                "bootstrap_key": In(stream.Signature(unsigned(key_bits))),
                "key_switch_key": In(stream.Signature(unsigned(torus * design.key_switch_lanes))),
                "busy": Out(1),
                "done": Out(1),
                "counters": Out(counters_layout(("cycles", *ACTIVITY))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        self._commands, self._control = Commands(design), Batches(design)
        self._load, self._rows = Load(design, self._commands.n_operands), KeyRows(design)
        self._init, self._extract, self._rotation = Init(design), Extract(design), Rotation(design)
        self._results = [Results(design) for _ in range(design.cores)]
        self._key_switch, self._store, self._cycles = KeySwitch(design), Store(design), CycleCounter()
        parts = {
            "command_places": self._commands, "control": self._control, "load": self._load, "key_rows": self._rows,
            "init": self._init, "rotation": self._rotation, "extract": self._extract,
            **{f"results_{core}": part for core, part in enumerate(self._results)},
            "key_switch": self._key_switch, "store": self._store, "cycle_counter": self._cycles,
        }  # fmt: skip
        for name, part in parts.items():
            m.submodules[name] = ResetInserter(self.clear)(part)
        connect(m, flipped(self.batches), self._commands.batches)
        connect(m, flipped(self.commands), self._commands.commands)
        connect(m, self._load.requests, flipped(self.reads))
        connect(m, flipped(self.read_data), self._load.beats)
        connect(m, flipped(self.bootstrap_key), self._rows.beats)
        connect(m, flipped(self.key_switch_key), self._key_switch.beats)
        connect(m, self._store.writes, flipped(self.writes))
        self._batches(m)
        self._rotate(m)
        self._switch(m)
        self._count(m)
        return m

    def _batches(self, m: Module) -> None:
        """Control, and what loads."""
        control, commands, load, cycles = self._control, self._commands, self._load, self._cycles
        m.d.comb += [
            cycles.start.eq(self.start),
            cycles.stop.eq(self._store.done & control.last),
            self.busy.eq(cycles.busy),
            self.done.eq(cycles.done),
            control.running.eq(cycles.busy),
            control.n_batches.eq(self.n_batches),
            control.n_taken.eq(commands.n_taken),
            control.after.eq(commands.after),
            control.n_rows.eq(self._rows.n_rows),
            control.loaded.eq(load.done),
            control.rotated.eq(self._rotation.done),
            control.extracted.eq(self._extract.done),
            control.stored.eq(self._store.done),
            commands.release.eq(self._extract.done),
            commands.request.eq(load.request),
            commands.arrival.eq(load.arrival),
            load.start.eq(control.load),
            load.n_cells.eq(commands.n_cells[control.load_place]),
            load.place.eq(control.load_place[0]),
            load.requested.eq(commands.requested),
            load.arrived.eq(commands.arrived),
        ]

    def _rotate(self, m: Module) -> None:
        """From exponents to accumulators: INIT, blind rotation, EXTRACT."""
        control, commands, load = self._control, self._commands, self._load
        init, rotation, extract = self._init, self._rotation, self._extract
        exponent, slots = rotation.exponent, commands.slots[control.place]
        m.d.comb += [
            commands.cell_place.eq(control.place),
            commands.cell_slot.eq(Mux(init.reading, init.slot, extract.slot)),
            load.read.eq(init.reading | exponent.en),
            load.read_place.eq(control.place[0]),
            load.slot.eq(Mux(init.reading, init.slot, exponent.slot)),
            load.word.eq(Mux(init.reading, self._design.parameters.lwe_dimension, exponent.step)),
            exponent.data.eq(load.exponents),
            init.start.eq(control.init),
            init.slots.eq(slots),
            init.exponents.eq(load.exponents),
            init.cells.eq(commands.cells),
            rotation.start.eq(init.done),
            rotation.slots.eq(slots),
            rotation.n_cells.eq(commands.n_valid[control.place]),
            rotation.row_taken.eq(self._rows.row_taken),
            self._rows.row_release.eq(rotation.row_release),
            extract.start.eq(control.extract),
            extract.slots.eq(slots),
            rotation.extract.en.eq(extract.reading),
            rotation.extract.slot.eq(extract.slot),
            rotation.extract.word.eq(extract.word),
        ]
        connect(m, init.init, rotation.init)
        connect(m, rotation.key, self._rows.key)

    def _switch(self, m: Module) -> None:
        """From accumulators to results in memory: held sums, key switch, STORE."""
        design, extract, switch, store = self._design, self._extract, self._key_switch, self._store
        units = design.key_switchers
        for core, results in enumerate(self._results):
            m.d.comb += [
                results.clear.eq(extract.start),
                results.reading.eq(extract.reading),
                results.word.eq(extract.word),
                results.there.eq(extract.there),
                results.there_word.eq(extract.there_word),
                results.there_last.eq(extract.there_last),
                results.words.eq(self._rotation.extract.data[core]),
                results.cell.eq(self._commands.cells[core]),
                results.read_place.eq(switch.read_place),
                results.read_word.eq(switch.read_word),
                results.read_number.eq(store.read),
                results.number_place.eq(store.place),
                results.number_unit.eq(store.unit),
                store.n_results[core].eq(results.n_results),
                store.numbers[core].eq(results.number),
            ]
            for unit in range(units):
                index = core * units + unit
                m.d.comb += [
                    switch.masks[index].eq(results.masks[unit]),
                    switch.bodies[index].eq(results.bodies[unit]),
                    switch.n_of_unit[index].eq(results.n_of_unit[unit]),
                ]
        # Unit 0 of a core has the most: its results are the phases of a beat.
        n_phases = [results.n_of_unit[0] for results in self._results]
        m.d.comb += [
            switch.start.eq(extract.done),
            switch.n_phases.eq(reduce(lambda a, b: Mux(a > b, a, b), n_phases)),
            switch.read.eq(store.read),
            switch.place.eq(store.place),
            switch.chunk.eq(store.chunk),
            store.start.eq(switch.done),
            store.words.eq(switch.words),
        ]

    def _count(self, m: Module) -> None:
        """Cycles and activity (docs/fhe.md, section 4)."""
        design, p, events = self._design, self._design.parameters, self._rotation.events
        degree, lanes = p.ring_degree, design.coefficients_per_cycle
        n_results = tree([results.n_results for results in self._results], operator.add)
        wrote = self.writes.valid & self.writes.ready
        counted: dict[str, tuple[Value, int]] = {
            "rotated": (events.rotations, design.rotators * degree),
            "digits": (events.rotations, design.digit_polynomials * degree),
            "butterflies": (events.forward_passes, design.digit_polynomials * degree // 2),
            "inverse_butterflies": (events.inverse_passes, design.inverse_ntts * degree // 2),
            "key_macs": (events.mac_cycles, design.digit_polynomials * design.key_columns * lanes),
            "transform_updates": (events.mac_cycles, design.key_columns * lanes),
            "accumulated": (events.write_backs, design.inverse_ntts * degree),
            "started": (self._cells(m, self._init, "init"), (p.glwe_dimension + 1) * degree),
            "extracted": (self._cells(m, self._extract, "extract"), p.glwe_dimension * degree + 1),
            "key_switch_macs": (Mux(self._key_switch.taken, n_results, 0), design.key_switch_lanes),
            "linear_words": (self._load.taken, design.ciphertext_words_per_cycle),
            "key_beats": (self._rows.taken, 1),
            "key_switch_beats": (self._key_switch.taken, 1),
            "read_beats": (self._load.taken, 1),
            "write_beats": (wrote, 1),
            "bootstraps": (self._cells(m, self._init, "bootstraps"), 1),
        }
        activity = ActivityCounters({name: (len(strobe), step) for name, (strobe, step) in counted.items()})
        m.submodules.activity = ResetInserter(self.clear)(activity)
        for name, (strobe, _) in counted.items():
            m.d.comb += [activity.strobes[name].eq(strobe), self.counters[name].eq(activity.counters[name])]
        m.d.comb += self.counters.cycles.eq(self._cycles.cycles)

    def _cells(self, m: Module, station: Init | Extract, name: str) -> Signal:
        """Valid cells of a slot, in the cycle in which the station asks for the slot's first word."""
        cells = Signal(self._commands.n_valid[0][0].shape(), name=f"cells_{name}")
        n_valid = self._commands.n_valid[self._control.place]
        with m.If(station.first_word):
            m.d.comb += cells.eq(n_valid[station.slot])
        return cells
