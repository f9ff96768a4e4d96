"""DMA of the tensor machine: requests the lines of tiles, moves them, stores outputs (docs/tensor.md, section 5)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from designs.families.tensor import Design
from hw.parts.descriptor_ring import reader_signature
from hw.parts.gearbox import ReadGearbox, WriteGearbox
from hw.parts.lines import LINE_WORDS_BITS, LineAddress, LineCounter, LineWalker, bytes_of, words_bits
from hw.parts.memory_port import read_request_layout, write_layout
from hw.parts.scratchpad import read_signature, write_signature
from hw.parts.tensor_types import COUNTER_BITS, config_layout, output_layout, tile_layout


class RequestEngine(wiring.Component):
    """Requests the lines of each tile as soon as the counters allow its loads.

    Latency 0: the first request leaves in the first cycle in which the tile is seen and the counters have reached its
    waits. Initiation interval: a line a cycle; a tile of n lines takes max(n, 1) cycles. Backpressure: `request.ready`.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(config_layout(design)),
                "tile": In(reader_signature(tile_layout())),
                "released": In(COUNTER_BITS),
                "outputs": In(COUNTER_BITS),
                "stores": In(COUNTER_BITS),
                "request": Out(stream.Signature(read_request_layout())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.walker = walker = LineWalker(self._design)
        m.submodules.line = line = LineAddress()
        config, tile, section = self.config, self.tile.payload, walker.section
        allowed = Signal()  # counters only grow, so it holds until the tile is taken
        beat_shift = exact_log2(self._design.dram_bytes_per_cycle)
        m.d.comb += [
            allowed.eq(
                self.tile.valid
                & (self.released >= tile.wait_released)
                & (self.outputs >= tile.wait_outputs)
                & (self.stores >= tile.wait_stores)
            ),
            walker.config.eq(config),
            walker.tile.eq(tile),
            walker.advance.eq(self.request.valid & self.request.ready),
            self.request.valid.eq(allowed & walker.has_line),
            self.request.payload.address.eq(line.address),
            self.request.payload.beats.eq(walker.n_beats),
            self.tile.take.eq(allowed & (~walker.has_line | (walker.advance & walker.tile_last))),
            line.first.eq(walker.first),
            line.row_last.eq(walker.row_last),
            line.advance.eq(walker.advance),
            line.line_bytes.eq(walker.n_beats << beat_shift),
            line.block_bytes.eq(Mux(section.act, config.act_block_bytes, config.out_block_bytes)),
        ]
        bases = (
            (section.act, tile.act_addr),
            (section.weights, tile.weight_addr),
            (section.params, tile.param_addr),
            (section.residual, tile.residual_addr),
        )
        for chosen, base in bases:
            with m.If(chosen):
                m.d.comb += line.base.eq(base)
        return m


class DataEngine(wiring.Component):
    """Moves the beats of tiles into the memories, and the words of outputs out to DRAM, one thing at a time.

    Loads: latency 0 from a beat to the word written (`act`, `weights`, `params`, `residual`); `loaded` is high in the
    last cycle of a tile's loads (a tile without lines takes one cycle, requested or not). Then the tile's `n_stores`
    stores follow, each from the first cycle in which `outputs > stores`: one cycle for the first read of the output
    buffer, then its lines; `stored` is high in the cycle of its last beat. Initiation interval and backpressure:
    those of the gearboxes (`beats` is taken and `write` waits as they say); the next tile or store may start in the
    cycle after.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        out_ports = {"n_words": design.out_words, "word_bits": design.out_word_bits}
        super().__init__(
            {
                "config": In(config_layout(design)),
                "tile": In(reader_signature(tile_layout())),
                "output": In(reader_signature(output_layout())),
                "outputs": In(COUNTER_BITS),
                "stores": In(COUNTER_BITS),
                "beats": In(stream.Signature(unsigned(8 * design.dram_bytes_per_cycle))),
                "write": Out(stream.Signature(write_layout(design))),
                "act": Out(write_signature(n_words=design.act_words, word_bits=design.act_word_bits)),
                "weights": Out(write_signature(n_words=design.weight_words, word_bits=design.weight_word_bits)),
                "params": Out(write_signature(n_words=design.param_words, word_bits=design.param_word_bits)),
                "residual": Out(write_signature(**out_ports)),
                "out": Out(read_signature(**out_ports)),
                "loaded": Out(1),
                "stored": Out(1),
                "line_written": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        loading, store_ready, storing = Signal(init=1), Signal(), Signal()  # one of them
        stores_left = Signal(self.tile.payload.n_stores.shape())
        m.d.comb += store_ready.eq(~loading & ~storing & self.output.valid & (self.outputs != self.stores))
        self._loads(m, loading)
        self._stores(m, store_ready, storing)
        with m.If(self.loaded):
            m.d.sync += [stores_left.eq(self.tile.payload.n_stores), loading.eq(self.tile.payload.n_stores == 0)]
        with m.If(store_ready):
            m.d.sync += storing.eq(1)
        with m.If(self.stored):
            m.d.sync += [storing.eq(0), stores_left.eq(stores_left - 1), loading.eq(stores_left == 1)]
        return m

    def _loads(self, m: Module, loading: Signal) -> None:
        design, tile = self._design, self.tile.payload
        word_bits: tuple[int, ...] = (design.act_word_bits, design.weight_word_bits, design.param_word_bits)
        if design.wide_bits:
            word_bits += (design.out_word_bits,)
        m.submodules.walker = walker = LineWalker(design)
        m.submodules.unpack = gearbox = ReadGearbox(
            beat_bytes=design.dram_bytes_per_cycle,
            word_bytes=tuple(map(bytes_of, word_bits)),
            n_words_bits=words_bits(design),
        )
        connect(m, flipped(self.beats), gearbox.beats)
        word = Signal(words_bits(design))
        section = walker.section
        here = Signal()
        size: Value = Cat(section.weights, section.params)
        if design.wide_bits:
            size |= (section.residual & self.config.out_wide).replicate(2)  # the fourth size
        m.d.comb += [
            here.eq(loading & self.tile.valid),
            walker.config.eq(self.config),
            walker.tile.eq(tile),
            walker.advance.eq(gearbox.line_done),
            gearbox.active.eq(here & walker.has_line),
            gearbox.size.eq(size),
            gearbox.n_words.eq(walker.n_words),
            gearbox.n_beats.eq(walker.n_beats),
            self.loaded.eq(here & (~walker.has_line | (gearbox.line_done & walker.tile_last))),
            self.tile.take.eq(self.loaded),
        ]
        for chosen, port, buffer, loaded in (
            (section.act, self.act, tile.act_buf, gearbox.word),
            (section.weights, self.weights, tile.weight_buf, gearbox.word),
            (section.params, self.params, tile.param_buf, gearbox.word),
            (section.residual, self.residual, tile.out_buf, self._widened(gearbox.word)),
        ):
            m.d.comb += [
                port.en.eq(gearbox.word_valid & chosen),
                port.buf.eq(buffer),
                port.addr.eq(word),
                port.data.eq(loaded),
            ]
        with m.If(gearbox.line_done & walker.last):
            m.d.sync += word.eq(0)
        with m.Elif(gearbox.word_valid):
            m.d.sync += word.eq(word + 1)

    def _widened(self, word: Value) -> Value:
        """A residual in the lanes of the output buffer, a narrow one's values with their sign."""
        design, config = self._design, self.config
        if not design.wide_bits:
            return word
        lanes = [word.word_select(i, design.act_bits) for i in range(design.act_lanes)]
        sign_bits = design.edge_bits - design.act_bits
        narrow = Cat(Cat(lane, (lane[-1] & config.residual_signed).replicate(sign_bits)) for lane in lanes)
        return Mux(config.out_wide, word, narrow)

    def _narrowed(self, word: Value) -> Value:
        """A word of the output buffer as it is stored: the low bits of each lane where the layer is narrow."""
        design, config = self._design, self.config
        if not design.wide_bits:
            return word
        lanes = [word.word_select(i, design.edge_bits) for i in range(design.act_lanes)]
        return Mux(config.out_wide, word, Cat(lane[: design.act_bits] for lane in lanes))

    def _stores(self, m: Module, store_ready: Signal, storing: Signal) -> None:
        design, output, config = self._design, self.output.payload, self.config
        narrow = bytes_of(design.act_word_bits)
        m.submodules.pack = gearbox = WriteGearbox(
            beat_bytes=design.dram_bytes_per_cycle,
            word_bytes=(narrow, bytes_of(design.out_word_bits)) if design.wide_bits else narrow,
            n_words_bits=LINE_WORDS_BITS,
        )
        m.submodules.counter = counter = LineCounter()
        m.submodules.line = line = LineAddress()
        word = Signal(range(design.out_words))  # to be read next
        offset = Signal.like(config.out_block_bytes)  # bytes of the line already written
        beat_bytes = Const(design.dram_bytes_per_cycle)
        beat_moves = Signal()
        if design.wide_bits:
            m.d.comb += gearbox.size.eq(config.out_wide)
        m.d.comb += [
            gearbox.active.eq(storing),
            gearbox.n_words.eq(config.out_w),
            gearbox.n_beats.eq(config.out_line_beats),
            gearbox.word.eq(self._narrowed(self.out.data)),
            gearbox.beats.ready.eq(self.write.ready),
            self.write.valid.eq(gearbox.beats.valid),
            self.write.payload.address.eq(line.address + offset),
            self.write.payload.data.eq(gearbox.beats.payload),
            beat_moves.eq(self.write.valid & self.write.ready),
            counter.rows.eq(output.rows),
            counter.blocks.eq(output.blocks),
            counter.advance.eq(gearbox.line_done),
            line.base.eq(output.store_addr),
            line.line_bytes.eq(config.out_line_beats << exact_log2(design.dram_bytes_per_cycle)),
            line.block_bytes.eq(config.out_block_bytes),
            line.first.eq(counter.first),
            line.row_last.eq(counter.row_last),
            line.advance.eq(gearbox.line_done),
            # The word after the one that the gearbox takes now; none after the store's last.
            self.out.en.eq(store_ready | (gearbox.word_take & ~(gearbox.word_last & counter.last))),
            self.out.buf.eq(output.out_buf),
            self.out.addr.eq(word),
            self.line_written.eq(gearbox.line_done),
            self.stored.eq(gearbox.line_done & counter.last),
            self.output.take.eq(self.stored),
        ]
        with m.If(gearbox.line_done):
            m.d.sync += offset.eq(0)
        with m.Elif(beat_moves):
            m.d.sync += offset.eq(offset + beat_bytes)
        with m.If(self.stored):
            m.d.sync += word.eq(0)
        with m.Elif(self.out.en):
            m.d.sync += word.eq(word + 1)
