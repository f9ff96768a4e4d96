"""DMA of the vector unit: what a step loads and stores (docs/vector.md, section 4)."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from designs.families.tensor import Design
from hw.parts.gearbox import ReadGearbox, WriteGearbox
from hw.parts.lines import LineAddress, LineCounter, bytes_of
from hw.parts.memory_port import read_request_layout, write_layout
from hw.parts.scratchpad import read_signature, write_signature
from hw.parts.tensor_types import ADDRESS_BITS
from hw.parts.vector_lines import VectorLines, line_beats, word_sizes
from hw.parts.vector_types import (
    ENTRY_BITS,
    ID_BITS,
    PIXEL_BITS,
    TABLE_WORDS,
    WORDS_BITS,
    Operation,
    step_layout,
    vector_config_layout,
)


class VectorRequests(wiring.Component):
    """Requests the lines of a step, one a cycle.

    `start` in cycle x: the first request leaves in x + 1 (latency 1); gathered rows are requested from the cycle after
    `ids_loaded` on. Row `id_row` of ids is read in the cycle before it is requested (`id`). Backpressure:
    `request.ready`.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(vector_config_layout(design)),
                "step": In(step_layout()),
                "n_pixels": In(PIXEL_BITS),
                "start": In(1),
                "ids_loaded": In(1),
                "id_row": Out(range(max(design.vector_rows, 2))),
                "id": In(ID_BITS),
                "request": Out(stream.Signature(read_request_layout())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, step = self.config, self.step
        m.submodules.lines = lines = VectorLines(self._design)
        m.submodules.line = line = LineAddress()
        section = lines.section
        row, ids_here = Signal.like(self.id_row), Signal()
        advance = Signal()
        gathered = section.x & (config.operation == Operation.GATHER)
        m.d.comb += [
            lines.config.eq(config),
            lines.step.eq(step),
            lines.n_pixels.eq(self.n_pixels),
            lines.start.eq(self.start),
            lines.advance.eq(advance),
            advance.eq(self.request.valid & self.request.ready),
            self.request.valid.eq(lines.has_line & (~gathered | ids_here)),
            self.request.payload.address.eq(
                Mux(gathered, config.table_base + self.id * config.x_line_bytes, line.address)
            ),
            self.request.payload.beats.eq(lines.n_beats),
            self.id_row.eq(row + (advance & gathered)),
            line.first.eq(lines.first),
            line.row_last.eq(lines.row_last),
            line.advance.eq(advance),
            line.line_bytes.eq(lines.n_beats << exact_log2(self._design.dram_bytes_per_cycle)),
            line.block_bytes.eq(Mux(section.z, config.z_block_bytes, config.x_block_bytes)),
        ]
        bases = (
            (section.ids | section.x, step.x_addr),
            (section.z, step.z_addr),
            (section.params, step.param_addr),
            (section.table, step.table_addr),
        )
        for chosen, base in bases:
            with m.If(chosen):
                m.d.comb += line.base.eq(base)
        m.d.sync += row.eq(self.id_row)
        with m.If(self.ids_loaded):
            m.d.sync += ids_here.eq(1)
        with m.If(self.start):
            m.d.sync += [row.eq(0), ids_here.eq(0)]
        return m


class VectorLoads(wiring.Component):
    """Moves the beats of a step's lines into its memories.

    `start` in cycle x: beats are taken from x + 1 on; latency 0 from a beat to the word written. `done` is high in the
    last cycle of the last line, `ids_loaded` in that of the last line of ids. Values of the sources are widened to
    `edge_bits`. Initiation interval and backpressure: those of the gearbox.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        source = write_signature(n_words=design.vector_words, word_bits=design.vector_word_bits)
        super().__init__(
            {
                "config": In(vector_config_layout(design)),
                "step": In(step_layout()),
                "n_pixels": In(PIXEL_BITS),
                "start": In(1),
                "beats": In(stream.Signature(unsigned(8 * design.dram_bytes_per_cycle))),
                "x": Out(source),
                "z": Out(source),
                "params": Out(
                    write_signature(n_words=design.vector_param_words, word_bits=design.vector_param_word_bits)
                ),
                "entry": Out(write_signature(n_words=TABLE_WORDS, word_bits=ENTRY_BITS)),
                "ids": Out(write_signature(n_words=max(design.vector_rows, 2), word_bits=ID_BITS)),
                "loaded_word": Out(1),
                "ids_loaded": Out(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        m.submodules.lines = lines = VectorLines(design)
        m.submodules.unpack = gearbox = ReadGearbox(
            beat_bytes=design.dram_bytes_per_cycle, word_bytes=word_sizes(design), n_words_bits=WORDS_BITS
        )
        connect(m, flipped(self.beats), gearbox.beats)
        busy = Signal()
        section = lines.section
        m.d.comb += [
            lines.config.eq(self.config),
            lines.step.eq(self.step),
            lines.n_pixels.eq(self.n_pixels),
            lines.start.eq(self.start),
            lines.advance.eq(gearbox.line_done),
            gearbox.active.eq(busy),
            gearbox.size.eq(lines.size),
            gearbox.n_words.eq(lines.n_words),
            gearbox.n_beats.eq(lines.n_beats),
            self.loaded_word.eq(gearbox.word_valid),
            self.ids_loaded.eq(gearbox.line_done & section.ids & lines.last),
            self.done.eq(gearbox.line_done & lines.step_last),
        ]
        with m.If(self.start):
            m.d.sync += busy.eq(1)
        with m.Elif(self.done):
            m.d.sync += busy.eq(0)
        address = self._address(m, lines, gearbox)
        for chosen, port, word in (
            (section.ids, self.ids, gearbox.word),
            (section.x, self.x, self._widened(gearbox.word, self.config.x_wide, self.config.x_signed)),
            (section.z, self.z, self._widened(gearbox.word, self.config.z_wide, self.config.z_signed)),
            (section.params, self.params, gearbox.word),
            (section.table, self.entry, gearbox.word),
        ):
            m.d.comb += [port.en.eq(gearbox.word_valid & chosen), port.addr.eq(address), port.data.eq(word)]
        return m

    def _address(self, m: Module, lines: VectorLines, gearbox: ReadGearbox) -> Signal:
        """Words of a section one after the other; of gathered rows, word b of row p at b * n_pixels + p."""
        address, row = Signal(WORDS_BITS), Signal(PIXEL_BITS)
        gathered = lines.section.x & (self.config.operation == Operation.GATHER)
        with m.If(gearbox.word_valid):
            m.d.sync += address.eq(address + Mux(gathered, self.n_pixels, 1))
        with m.If(gearbox.line_done & gathered):
            m.d.sync += [row.eq(row + 1), address.eq(row + 1)]
        with m.If(gearbox.line_done & lines.last):
            m.d.sync += [row.eq(0), address.eq(0)]
        return address

    def _widened(self, word: Value, is_wide: Value, is_signed: Value) -> Value:
        """A narrow word's lanes in the width of wide ones, with their sign."""
        design = self._design
        narrow, wide = design.act_bits, design.edge_bits
        if wide == narrow:
            return word
        lanes = [word.word_select(i, narrow) for i in range(design.array_rows)]
        widened = Cat(Cat(lane, (lane[-1] & is_signed).replicate(wide - narrow)) for lane in lanes)
        return Mux(is_wide, word, widened)


class VectorStores(wiring.Component):
    """Stores the result of a step: lines of activations, or one line of weights.

    `start` in cycle x: the first word is read in x + 1, lines follow from x + 2 on as the gearbox writes them; `done`
    is high in the cycle of the last beat. Backpressure: `write.ready`.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(vector_config_layout(design)),
                "step": In(step_layout()),
                "start": In(1),
                "y": Out(read_signature(n_words=design.vector_words, word_bits=design.vector_result_word_bits)),
                "write": Out(stream.Signature(write_layout(design))),
                "line_written": Out(1),
                "stored_word": Out(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, config, step = self._design, self.config, self.step
        rows = design.array_rows
        formats = (design.act_bits, design.edge_bits, design.weight_bits)
        sizes = tuple(bytes_of(rows * bits) for bits in formats)
        m.submodules.pack = gearbox = WriteGearbox(
            beat_bytes=design.dram_bytes_per_cycle, word_bytes=sizes, n_words_bits=WORDS_BITS
        )
        m.submodules.counter = counter = LineCounter()
        m.submodules.line = line = LineAddress()
        begins, storing = Signal(), Signal()
        word = Signal(range(design.vector_words))  # to be read next
        offset = Signal(ADDRESS_BITS)  # bytes of the line already written
        weights = config.operation == Operation.TO_WEIGHTS
        lanes = [self.y.data.word_select(i, len(self.y.data) // rows) for i in range(rows)]
        packed = Array(Cat(lane[:bits] for lane in lanes) for bits in formats)
        m.d.comb += [
            gearbox.active.eq(storing),
            gearbox.size.eq(Mux(weights, 2, config.y_wide)),
            gearbox.n_words.eq(Mux(weights, step.y_words, config.in_w)),
            gearbox.n_beats.eq(line_beats(m, design, gearbox.n_words, Array(sizes)[gearbox.size], "line")),
            gearbox.word.eq(packed[gearbox.size]),
            gearbox.beats.ready.eq(self.write.ready),
            self.write.valid.eq(gearbox.beats.valid),
            self.write.payload.address.eq(line.address + offset),
            self.write.payload.data.eq(gearbox.beats.payload),
            counter.rows.eq(Mux(weights, 1, step.lines)),
            counter.blocks.eq(Mux(weights, 1, step.blocks)),
            counter.advance.eq(gearbox.line_done),
            line.base.eq(step.y_addr),
            line.line_bytes.eq(config.y_line_bytes),
            line.block_bytes.eq(config.y_block_bytes),
            line.first.eq(counter.first),
            line.row_last.eq(counter.row_last),
            line.advance.eq(gearbox.line_done),
            # The word after the one that the gearbox takes now; none after the step's last.
            self.y.en.eq(begins | (gearbox.word_take & ~(gearbox.word_last & counter.last))),
            self.y.addr.eq(word),
            self.line_written.eq(gearbox.line_done),
            self.stored_word.eq(gearbox.word_take),
            self.done.eq(gearbox.line_done & counter.last),
        ]
        m.d.sync += begins.eq(self.start)
        with m.If(begins):
            m.d.sync += storing.eq(1)
        with m.Elif(self.done):
            m.d.sync += storing.eq(0)
        with m.If(gearbox.line_done):
            m.d.sync += offset.eq(0)
        with m.Elif(self.write.valid & self.write.ready):
            m.d.sync += offset.eq(offset + Const(design.dram_bytes_per_cycle))
        with m.If(self.done):
            m.d.sync += word.eq(0)
        with m.Elif(self.y.en):
            m.d.sync += word.eq(word + 1)
        return m
