"""The datapath of one core: its accumulators and all stations of blind rotation (docs/fhe.md, section 3)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import In, connect

from designs.families.fhe import Design
from hw.parts.fhe_accumulators import Accumulators, plain_read
from hw.parts.fhe_buffer import PolynomialBuffer, WordBuffer
from hw.parts.fhe_decomposer import Decomposer
from hw.parts.fhe_key_multiplier import KeyMultiplier
from hw.parts.fhe_rotator import Rotator
from hw.parts.fhe_steps import control_layout
from hw.parts.fhe_transform import ForwardTransform, InverseTransform
from hw.parts.fhe_types import exponent_bits, n_columns, torus_word
from hw.parts.fhe_write_back import WriteBack
from hw.parts.unit import Unit

ROTATE_LATENCY = 4  # cycles from a step of ROT to the write of its digits
WRITE_BACK_LATENCY = 2  # cycles from a step of WB to the write of its sums


class Core(Unit):
    """Does in each cycle what `control` says (hw/parts/fhe_steps.py): latencies are those of docs/fhe.md, section 3.

    `exponent` is that of ROT's job from the cycle after its first step until the one after its last; `key` that of
    MAC's step a cycle before. `init` writes a word of polynomial k and zeros below it, stored in its cycle, and
    `extract` reads, data in the next cycle: both while ROT and WB rest. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        n_residues = design.digit_polynomials * design.key_columns * design.coefficients_per_cycle
        super().__init__(
            "core",  # a machine has one kind
            {
                "control": In(control_layout(design)),
                "exponent": In(exponent_bits(design)),
                "key": In(data.ArrayLayout(unsigned(design.modulus_bits), n_residues)),
                "init_valid": In(1),
                "init_slot": In(range(design.batch)),
                "init_word": In(range(design.poly_words)),
                "init_data": In(torus_word(design)),
                "extract": In(plain_read(design)),
            },
        )

    def circuit(self, platform: Any) -> Module:
        m = Module()
        design = self._design
        m.submodules.accumulators = accumulators = Accumulators(design)
        m.submodules.forward = forward = ForwardTransform(design)
        m.submodules.key_multiplier = multiplier = KeyMultiplier(design)
        m.submodules.inverse = inverse = InverseTransform(design)
        m.submodules.digit_buffer = digits = WordBuffer(design, n_polynomials=design.digit_polynomials)
        m.submodules.sum_buffer = sums = PolynomialBuffer(
            design, n_polynomials=design.inverse_ntts, writes="halves", reads="word"
        )
        for rank in range(design.ntt_ranks):
            m.d.comb += [
                getattr(forward, f"step_{rank}").eq(self.control[f"forward_{rank}"]),
                getattr(inverse, f"step_{rank}").eq(self.control[f"inverse_{rank}"]),
            ]
        m.d.comb += [
            multiplier.step.eq(self.control.multiply),
            multiplier.key.eq(self.key),
            multiplier.drained.eq(self.control.drained),
            multiplier.drained_place.eq(self.control.drained_place),
        ]
        connect(m, forward.result, digits.write)
        connect(m, multiplier.digits, digits.read)
        connect(m, inverse.read, multiplier.drain)
        connect(m, inverse.result, sums.write)
        self._rotate(m, accumulators, forward)
        self._write_back(m, accumulators, sums)
        return m

    def _rotate(self, m: Module, accumulators: Accumulators, forward: ForwardTransform) -> None:
        """ROT: from accumulators to digits in the first buffer; EXTRACT has the same read port."""
        m.submodules.rotator = rotator = Rotator(self._design)
        m.submodules.decomposer = decomposer = Decomposer(self._design)
        connect(m, rotator.pair, accumulators.pair)
        step = self.control.rotate
        steps = [step]
        for cycle in range(ROTATE_LATENCY):
            later = Signal(step.shape(), name=f"rotate_{cycle + 1}")
            m.d.sync += later.eq(steps[-1])
            steps.append(later)
        written = steps[-1].step
        plain, extract = accumulators.plain, self.extract
        m.d.comb += [
            rotator.step.eq(step),
            rotator.exponent.eq(self.exponent),
            plain.en.eq(rotator.plain.en | extract.en),
            plain.slot.eq(Mux(extract.en, extract.slot, rotator.plain.slot)),
            plain.word.eq(Mux(extract.en, extract.word, rotator.plain.word)),
            rotator.plain.data.eq(plain.data),
            extract.data.eq(plain.data),
            decomposer.words.eq(rotator.difference),
            decomposer.levels.eq(steps[-2].levels),
            forward.write.en.eq(written.valid),
            forward.write.place.eq(written.place),
            forward.write.word.eq(written.word),
            forward.write.data.eq(decomposer.digits),
        ]

    def _write_back(self, m: Module, accumulators: Accumulators, sums: PolynomialBuffer) -> None:
        """WB, and INIT on the same write port."""
        design, control = self._design, self.control
        m.submodules.write_back = writer = WriteBack(design)
        connect(m, writer.read, sums.read)
        connect(m, writer.update, accumulators.update)
        write, last = accumulators.write, n_columns(design) - 1
        m.d.comb += [
            writer.step.eq(control.write_back),
            writer.columns.eq(control.written_columns),
            writer.slot.eq(control.written_slot),
        ]
        with m.If(self.init_valid):
            m.d.comb += [
                write.mask.eq(~0),
                write.slot.eq(self.init_slot),
                write.word.eq(self.init_word),
                write.data[last].eq(self.init_data),
            ]
        with m.Else():
            m.d.comb += [write.slot.eq(writer.write_slot), write.word.eq(writer.write_step.word)]
            for column in range(last + 1):
                group, index = divmod(column, design.inverse_ntts)
                m.d.comb += [
                    write.mask[column].eq(writer.write_step.valid & (writer.write_columns == group)),
                    write.data[column].eq(writer.sums[index]),
                ]
