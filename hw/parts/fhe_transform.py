"""The chains of ranks that make the forward and the inverse transform (docs/fhe.md, section 3)."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from designs.families.fhe import Design
from hw.parts.fhe_buffer import PolynomialBuffer, polynomial_read, polynomial_write
from hw.parts.fhe_rank import Rank
from hw.parts.fhe_steps import rank_step


class ForwardTransform(wiring.Component):
    """F_0 .. F_(R-1), each with its input buffer: `write` fills that of F_0, `result` is what F_(R-1) gives.

    `step_y` (hw/parts/fhe_steps.py) is that of rank y: its results are written A + 2 cycles after it, into the next
    rank's buffer or to `result`. Initiation interval: a word a cycle and rank. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design, self._n_polynomials = design, design.digit_polynomials
        words = polynomial_write(design, self._n_polynomials)
        super().__init__({"write": In(words), "result": Out(words), **_steps(design)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, written = self._design, flipped(self.write)
        for number in range(design.ntt_ranks):
            buffer = PolynomialBuffer(
                design, n_polynomials=self._n_polynomials, writes="word", reads="halves"
            )
            rank = Rank(design, rank=number, n_polynomials=self._n_polynomials, inverse=False)
            m.submodules[f"buffer_{number}"], m.submodules[f"rank_{number}"] = buffer, rank
            connect(m, written, buffer.write)
            connect(m, rank.read, buffer.read)
            m.d.comb += rank.step.eq(getattr(self, f"step_{number}"))
            written = rank.write
        connect(m, written, flipped(self.result))
        return m


class InverseTransform(wiring.Component):
    """I_0 .. I_(R-1), each but I_0 with its input buffer: `read` is what I_0 asks for, `result` what I_(R-1) gives.

    `step_y` as in ForwardTransform. `result` is written by halves (hw/parts/fhe_buffer.py).
    """

    def __init__(self, design: Design) -> None:
        self._design, self._n_polynomials = design, design.inverse_ntts
        super().__init__(
            {
                "read": Out(polynomial_read(design, self._n_polynomials)),
                "result": Out(polynomial_write(design, self._n_polynomials)),
                **_steps(design),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, written = self._design, None
        for number in range(design.ntt_ranks):
            rank = Rank(design, rank=number, n_polynomials=self._n_polynomials, inverse=True)
            m.submodules[f"rank_{number}"] = rank
            m.d.comb += rank.step.eq(getattr(self, f"step_{number}"))
            if written is None:
                connect(m, rank.read, flipped(self.read))
            else:
                buffer = PolynomialBuffer(design, n_polynomials=self._n_polynomials, writes="halves", reads="word")
                m.submodules[f"buffer_{number}"] = buffer
                connect(m, written, buffer.write)
                connect(m, rank.read, buffer.read)
            written = rank.write
        connect(m, written, flipped(self.result))
        return m


def _steps(design: Design) -> dict[str, wiring.Member]:
    return {f"step_{rank}": In(rank_step(design, rank)) for rank in range(design.ntt_ranks)}
