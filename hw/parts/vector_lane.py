"""A lane of the vector unit: its integer functions and its requantizer (docs/vector.md, section 5)."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Cat, Const, Module, Mux, Shape, ShapeCastable, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.overflow import clip
from hw.parts.requantizer import rounded
from hw.parts.stages import Stages
from hw.parts.vector_types import (
    ENTRY_BITS,
    FACTOR_BITS,
    SUM_BITS,
    TABLE_WORDS,
    VALUE_BITS,
    Operation,
    Pass,
    param_layout,
    value_shape,
    vector_config_layout,
)

INPUT_BITS = 17  # what functions work on: a stored value of 16 bits, zero point subtracted
EXP_BITS = 15
FACTOR_SHIFT = 32  # a softmax factor is 2**32 / sum: workloads/functions/ibert.py
GELU_SHIFT = 14
FRACTION_BITS = 16  # of a term in ITA's sums: workloads/functions/ita.py
MOST_HALVINGS = 63

Staged = Callable[[int], Value]  # a value at a position of the chain, from the one on where it is made


def half_up(value: Value, shift: Value) -> Value:
    """(value + (1 << shift >> 1)) >> shift: the half is added after the shift, as the last bit shifted out."""
    is_signed = value.shape().signed
    doubled = Cat(Const(0, 1), value)
    shifted = (doubled.as_signed() if is_signed else doubled) >> shift
    return (shifted[1:].as_signed() if is_signed else shifted[1:]) + shifted[0]


class VectorLane(wiring.Component):
    """One lane: a value and what its row knows, to a part of a statistic or to a result.

    `doing` and `config` are steady during a pass. Ports belong to positions of the chain (hw/parts/stages.py): at 0
    `x`, `z`, `take` (this column takes part in its row), `keep` (it is one of the matrix's), `base` (what is
    subtracted: mean or maximum, 0 in the first pass) and `ranged` (whose maximum and minimum are wanted); at 1
    `maximum` (the row's so far, in ITA's first pass) and `factor`; at 4 `param`; at 6 `summand` (0 where it takes no
    part); at 8 `y`. Latency: `vector_stages` cycles from position 0 to 8. Initiation interval 1. No backpressure. The
    table, where there is one, is written through `entry_*`.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(vector_config_layout(design)),
                "doing": In(Pass),
                "x": In(value_shape(design)),
                "z": In(value_shape(design)),
                "take": In(1),
                "keep": In(1),
                "base": In(signed(INPUT_BITS)),
                "maximum": In(signed(INPUT_BITS)),
                "factor": In(FACTOR_BITS),
                "param": In(param_layout(design)),
                "entry_en": In(1),
                "entry_index": In(range(TABLE_WORDS)),
                "entry_data": In(signed(ENTRY_BITS)),
                "ranged": Out(signed(INPUT_BITS)),
                "summand": Out(signed(SUM_BITS)),
                "y": Out(design.edge_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        self._m = m = Module()
        design, config = self._design, self.config
        self._stages = Stages(m, design.vector_stages)
        self._scaled_distance: Staged | None = None
        self._x, self._z, self._take = (
            self._stages.staged(getattr(self, name), 0, name) for name in ("x", "z", "take")
        )
        self._factor = self._stages.staged(self.factor, 1, "factor")
        self._is_norm = config.operation.matches(Operation.LAYER_NORM, Operation.RANGE_NORM)
        m.d.comb += self.ranged.eq(Mux(self._is_norm, self._small(0) << config.left_shift, self._small(0)))
        centered = self._named("centered", 0, signed(INPUT_BITS + 1), self.ranged - self.base)
        distance = self._distance(centered)
        entry = None
        if design.vector_functions == "table":
            entry = self._look_up(self._scaled(distance, TABLE_WORDS - 1, "index"))
        softmax, summand = self._ita(distance) if design.vector_softmax == "ita" else self._i_bert(distance, entry)
        gelu = self._gelu() if entry is None else self._gelu_table(entry)
        squares, normalized = self._norm(centered)
        self._sum(summand, squares)
        self._result(gelu, normalized, softmax)
        return m

    def _named(self, name: str, position: int, shape: Shape | ShapeCastable | int, value: Value) -> Staged:
        """`value`, made at `position`, in a `shape` that holds it."""
        signal = Signal(shape, name=name)
        self._m.d.comb += signal.eq(value)
        return self._stages.staged(signal, position, name)

    def _small(self, position: int) -> Value:
        """x as functions take it: inputs of at most 16 bits."""
        return self._x(position)[:INPUT_BITS].as_signed()

    def _distance(self, centered: Staged) -> Staged:
        """What exp, halvings and tables are of, at least 0; 0 where the column takes no part."""
        below = -centered(1)
        if self._design.vector_softmax == "ita":
            below = Mux(self.doing == Pass.ITA_SUM, self.maximum - self._small(1), below)
        below = Mux(self._take(1), below, 0)
        if self._design.vector_functions == "table":
            below = Mux(self.config.operation == Operation.GELU, abs(self._small(1)), below)
        return self._named("distance", 1, INPUT_BITS, below)

    def _scaled(self, distance: Staged, most: int, name: str) -> Staged:
        """min((distance * multiplier + half) >> shift, most), at 3."""
        if self._scaled_distance is None:  # one multiplier, whatever is looked up or halved
            product = distance(2) * self.config.function_multiplier
            self._scaled_distance = self._named("scaled_distance", 2, INPUT_BITS + 16, product)
        scaled = half_up(self._scaled_distance(3), self.config.function_shift)
        return self._named(name, 3, unsigned(most.bit_length()), Mux(scaled > most, most, scaled))

    def _look_up(self, index: Staged) -> Staged:
        """The table's entry, at 4: reading the table is the register of cut 4."""
        self._m.submodules.table = table = Memory(shape=signed(ENTRY_BITS), depth=TABLE_WORDS, init=[])
        reading, writing = table.read_port(), table.write_port()
        self._m.d.comb += [
            reading.addr.eq(index(3)),
            writing.en.eq(self.entry_en),
            writing.addr.eq(self.entry_index),
            writing.data.eq(self.entry_data),
        ]
        return self._stages.staged(reading.data, 4, "entry")

    def _exp(self, distance: Staged) -> Staged:
        """I-BERT's polynomial (`exp_ibert`), at 5."""
        config = self.config
        limited = distance(1) << config.left_shift
        n = self._named("n", 1, INPUT_BITS, Mux(limited > config.clip, config.clip, limited))
        z = self._named("z", 2, 5, (n(2) * config.reciprocal) >> config.reciprocal_shift)
        r = self._named("r", 3, signed(INPUT_BITS), z(3) * config.ln2 - n(3))
        polynomial = r(4) * (r(4) + config.b) + config.c
        p = self._named("p", 4, 32, Mux(polynomial < 0, 0, polynomial))
        return self._named("exp", 5, EXP_BITS, half_up(p(5) * config.function_multiplier, config.function_shift + z(5)))

    def _i_bert(self, distance: Staged, entry: Staged | None) -> tuple[Staged, Staged]:
        """(result, summand): exp times the row's factor, at 7, and exp, at 6."""
        exp = self._exp(distance) if entry is None else entry
        positive = exp(6)[:EXP_BITS]
        product = self._named("probability", 6, FACTOR_SHIFT, positive * self._factor(6)[: FACTOR_SHIFT - EXP_BITS + 1])
        return (
            self._named("softmax", 7, self._design.edge_bits, product(7) >> (FACTOR_SHIFT - self.config.out_bits)[:5]),
            self._stages.staged(positive, 6, "positive"),
        )

    def _ita(self, distance: Staged) -> tuple[Staged, Staged]:
        """(result, summand): the row's inverse and one, halved as often as the distance says (`softmax_ita`), at 4."""
        halvings = self._scaled(distance, MOST_HALVINGS, "halvings")
        one = Const(1 << FRACTION_BITS) << self.config.out_bits
        return (
            self._named("softmax", 4, self._design.edge_bits, self._factor(4) >> halvings(4)),
            self._named("term", 4, SUM_BITS - 1, one >> halvings(4)),
        )

    def _gelu(self) -> Staged:
        """I-BERT's polynomial (`gelu_ibert`), at 3."""
        config = self.config
        knee = (-config.b)[:INPUT_BITS]
        magnitude = abs(self._small(1)) << config.left_shift
        t = self._named("t", 1, INPUT_BITS, Mux(magnitude > knee, 0, knee - magnitude))
        parabola = self._named("parabola", 2, signed(33), t(2) * t(2) + config.c)
        x = self._small(3)
        erf = Mux(x == 0, 0, Mux(x < 0, -parabola(3), parabola(3))) >> GELU_SHIFT
        return self._named("gelu", 3, signed(VALUE_BITS - 1), -x * (erf + config.one))

    def _gelu_table(self, entry: Staged) -> Staged:
        """`gelu_table`, at 4."""
        x = self._small(4)
        return self._named("gelu", 4, signed(VALUE_BITS - 1), (Mux(x < 0, 0, x) << self.config.left_shift) + entry(4))

    def _norm(self, centered: Staged) -> tuple[Staged, Staged]:
        """x - mean, shifted and squared, and times the row's factor, halved; both at 1."""
        shifted = centered(1) >> self.config.pre_shift
        product = Signal(signed(INPUT_BITS + 34))
        self._m.d.comb += product.eq(centered(1) * self._factor(1)[:32])
        return (
            self._named("square", 1, SUM_BITS - 1, shifted * shifted),
            self._named("normalized", 1, signed(VALUE_BITS - 1), product[1:].as_signed()),
        )

    def _sum(self, summand: Staged, squares: Staged) -> None:
        """What this column adds to its row's sum."""
        m = self._m
        ranged = self._stages.staged(self.ranged, 0, "ranged")
        with m.If(self._take(6)):
            with m.Switch(self.doing):
                with m.Case(Pass.SUM):
                    m.d.comb += self.summand.eq(ranged(6))
                with m.Case(Pass.SQUARES):
                    m.d.comb += self.summand.eq(squares(6))
                with m.Default():
                    m.d.comb += self.summand.eq(summand(6))

    def _result(self, gelu: Staged, normalized: Staged, softmax: Staged) -> None:
        """Bias and requantization, or the sum of two sources, or a softmax; the zero point beyond the columns."""
        m, config, operation = self._m, self.config, self.config.operation
        is_gelu = operation == Operation.GELU
        value = Mux(self._is_norm, normalized(4), Mux(is_gelu, gelu(4), self._x(4)))
        biased = self._named("biased", 4, signed(VALUE_BITS), value + Mux(self._is_norm, self.param.bias, 0))
        own = self._stages.staged(self._x(4) * config.multiplier, 4, "own")
        other = self._stages.staged(self._z(4) * config.z_multiplier, 4, "other")
        multiplier = self._named("factor_of_channel", 4, self.param.multiplier.shape(), self.param.multiplier)
        shift_of_channel = self._named("shift_of_channel", 4, self.param.shift.shape(), self.param.shift)
        product = biased(5) * Mux(self._is_norm, multiplier(5), config.multiplier)
        wide = self._named("wide", 5, product.shape(), Mux(operation == Operation.ADD, own(5) + other(5), product))
        shift = Mux(self._is_norm, shift_of_channel(6), config.shift)
        # Two bits more than any bound, so that what is cut off is beyond the bound with the zero point added, too.
        bits = self._design.edge_bits + 4
        narrow = self._named("narrow", 6, signed(bits + 1), rounded(wide(6), shift, bits=bits))
        clipped = clip(narrow(7) + config.out_zero, config.out_low, config.out_high)
        keep = self._stages.staged(self.keep, 0, "keep")
        result = Mux(operation == Operation.SOFTMAX, Mux(self._take(7), softmax(7), 0), clipped)
        y = self._named("result", 7, self._design.edge_bits, Mux(keep(7), result, config.out_zero))
        m.d.comb += self.y.eq(y(8))
