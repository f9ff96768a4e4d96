"""Gearboxes between DRAM beats and memory words, a line at a time (docs/tensor.md, section 3)."""

from __future__ import annotations

import math

from amaranth.hdl import Array, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.parts.memory_port import BEATS_BITS


class ReadGearbox(wiring.Component):
    """Beats of `beat_bytes` into words of `word_bytes[size]` bytes.

    While `active`, it works on a line of `n_words` words in `n_beats` beats, padding included (both, and `size`, steady
    until `line_done`); the next line may start in the cycle after. Latency 0: a word is out (`word_valid`) in the cycle
    in which its last byte arrives. Initiation interval: one beat, one word a cycle; a line takes `max(n_words, useful
    beats) + padding beats` cycles where beats are always there. Backpressure: `beats.ready` is low while it holds a
    whole word; words cannot be held back.
    """

    def __init__(self, *, beat_bytes: int, word_bytes: tuple[int, ...], n_words_bits: int) -> None:
        self._beat_bytes, self._word_bytes = beat_bytes, word_bytes
        super().__init__(
            {
                "active": In(1),
                "size": In(range(max(len(word_bytes), 2))),
                "n_words": In(n_words_bits),
                "n_beats": In(BEATS_BITS),
                "beats": In(stream.Signature(unsigned(8 * beat_bytes))),
                "word_valid": Out(1),
                "word": Out(unsigned(8 * max(word_bytes))),
                "line_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        unit = math.gcd(self._beat_bytes, *self._word_bytes)  # bytes are held in multiples of it
        beat_units = self._beat_bytes // unit
        most_units = max(self._beat_bytes, *self._word_bytes) // unit
        word_units = Signal(range(most_units + 1))
        held = Signal(8 * unit * most_units)  # zero above what is held
        n_held = Signal(range(most_units + 1))
        n_now = Signal(range(2 * most_units + 1))
        filled = Signal(8 * (self._beat_bytes + max(self._word_bytes)))
        word_index, beat_index = Signal(self.n_words.shape()), Signal(BEATS_BITS)
        useful, take = Signal(), Signal()
        # It takes where it holds less than a word: higher bits of n_held do not matter.
        places = n_held[: ceil_log2(max(self._word_bytes) // unit)]
        placed = _shifted(m, self.beats.payload, places, 8 * unit)
        m.d.comb += [
            word_units.eq(Array(n // unit for n in self._word_bytes)[self.size]),
            useful.eq(word_index != self.n_words),
            self.beats.ready.eq(self.active & (~useful | (n_held < word_units))),
            take.eq(self.beats.valid & self.beats.ready),
            n_now.eq(n_held + Mux(take, beat_units, 0)),
            filled.eq(held | Mux(take, placed, 0)),
            self.word_valid.eq(self.active & useful & (n_now >= word_units)),
            self.word.eq(filled),
            self.line_done.eq(
                self.active
                & (word_index + self.word_valid == self.n_words)
                & (beat_index + take == self.n_beats)
            ),
        ]
        with m.If(self.line_done):
            m.d.sync += [word_index.eq(0), beat_index.eq(0), held.eq(0), n_held.eq(0)]
        with m.Elif(self.active):
            m.d.sync += [word_index.eq(word_index + self.word_valid), beat_index.eq(beat_index + take)]
            with m.If(~useful):
                m.d.sync += [held.eq(0), n_held.eq(0)]  # padding
            with m.Elif(self.word_valid):
                rests = Array(filled[8 * n :] for n in self._word_bytes)
                m.d.sync += [held.eq(rests[self.size]), n_held.eq(n_now - word_units)]
            with m.Else():
                m.d.sync += [held.eq(filled), n_held.eq(n_now)]
        return m


class WriteGearbox(wiring.Component):
    """Words of `word_bytes` bytes into beats of `beat_bytes`, the rest of a line filled with zeros.

    Where words of several sizes are written, `word_bytes` has them all: there is then a port `size`, steady as
    `n_words` is, and the bits of `word` above those bytes are zero.

    While `active`, it works on a line of `n_words` words in `n_beats` beats, padding included (both steady until
    `line_done`, the cycle of the last beat); `word` must always be the next word: after `word_take` in cycle x
    another may be there in x + 1 (`word_last`: the one taken was the line's last). Latency 0: a beat is out in the
    cycle in which its last byte is taken. Initiation interval: one word, one beat a cycle; a line takes the cycles of
    docs/tensor.md section 3 where `beats.ready` is high. Backpressure: nothing is taken while a beat waits for
    `beats.ready`.
    """

    def __init__(self, *, beat_bytes: int, word_bytes: int | tuple[int, ...], n_words_bits: int) -> None:
        self._beat_bytes = beat_bytes
        self._word_bytes = word_bytes if isinstance(word_bytes, tuple) else (word_bytes,)
        n_sizes = len(self._word_bytes)
        super().__init__(
            {
                "active": In(1),
                **({"size": In(range(n_sizes))} if n_sizes > 1 else {}),
                "n_words": In(n_words_bits),
                "n_beats": In(BEATS_BITS),
                "word": In(unsigned(8 * max(self._word_bytes))),
                "word_take": Out(1),
                "word_last": Out(1),
                "beats": Out(stream.Signature(unsigned(8 * beat_bytes))),
                "line_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        unit = math.gcd(self._beat_bytes, *self._word_bytes)
        beat_units, most_word_units = self._beat_bytes // unit, max(self._word_bytes) // unit
        most_units = max(beat_units, most_word_units)
        sizes = [n // unit for n in self._word_bytes]
        word_units = Array(sizes)[self.size] if len(sizes) > 1 else sizes[0]
        held = Signal(8 * unit * most_units)  # zero above what is held
        n_held = Signal(range(most_units + 1))
        n_now = Signal(range(2 * most_units + 1))
        filled = Signal(8 * unit * (beat_units + most_word_units))
        word_index, words_now = Signal(self.n_words.shape()), Signal(self.n_words.shape())
        beat_index = Signal(BEATS_BITS)
        wanted, emit, move = Signal(), Signal(), Signal()
        placed = _shifted(m, self.word, n_held[: ceil_log2(beat_units)], 8 * unit)
        m.d.comb += [
            wanted.eq((word_index != self.n_words) & (n_held < beat_units)),
            n_now.eq(n_held + Mux(wanted, word_units, 0)),
            words_now.eq(word_index + wanted),
            filled.eq(held | Mux(wanted, placed, 0)),
            emit.eq((n_now >= beat_units) | (words_now == self.n_words)),
            self.beats.valid.eq(self.active & emit),
            self.beats.payload.eq(filled),
            move.eq(self.active & (~emit | self.beats.ready)),
            self.word_take.eq(move & wanted),
            self.word_last.eq(words_now == self.n_words),
            self.line_done.eq(move & emit & (beat_index + 1 == self.n_beats)),
        ]
        with m.If(self.line_done):
            m.d.sync += [word_index.eq(0), beat_index.eq(0), held.eq(0), n_held.eq(0)]
        with m.Elif(move):
            m.d.sync += [word_index.eq(words_now), beat_index.eq(beat_index + emit)]
            with m.If(emit):
                m.d.sync += held.eq(filled[8 * self._beat_bytes :])
                m.d.sync += n_held.eq(Mux(n_now >= beat_units, n_now - beat_units, 0))
            with m.Else():
                m.d.sync += [held.eq(filled), n_held.eq(n_now)]
        return m


def _shifted(m: Module, value: Value, units: Value, unit_bits: int) -> Value:
    """`value` shifted left by `units * unit_bits`, as a barrel of one stage a bit of `units`."""
    for k, bit in enumerate(units):
        stage = Signal(len(value) + (unit_bits << k), name=f"shift_{k}")
        m.d.comb += stage.eq(Mux(bit, value << (unit_bits << k), value))
        value = stage
    return value
