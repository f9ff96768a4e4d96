"""Division and square root, some bits a cycle, on one subtractor chain (docs/vector.md, section 4)."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class SerialDivider(wiring.Component):
    """Floor of `dividend / divisor`, or of the square root of `dividend`; `bits_a_cycle` bits of the result a cycle.

    `mode` counts through `quotient_bits`, the divisions by bits of their quotients, and after them comes the root, of
    `root_bits` bits (no such mode where it is 0). Operands are such that results fit: a quotient is below
    2**quotient_bits[mode], a root's dividend below 4**root_bits. `divisor` and `mode` are steady until `last`. Latency:
    `start` in cycle x; with `n = ceil(bits / bits_a_cycle)`, `last` is high in cycle x + n, and `result` and (of a
    division) `remainder` are there in that cycle, and only then. Initiation interval n. No backpressure.
    """

    def __init__(
        self,
        *,
        quotient_bits: tuple[int, ...],
        dividend_bits: int,
        divisor_bits: int,
        root_bits: int,
        bits_a_cycle: int,
    ) -> None:
        self._bits_a_cycle, self._root_bits = bits_a_cycle, root_bits
        self._result_bits = (*quotient_bits, root_bits) if root_bits else quotient_bits
        super().__init__(
            {
                "start": In(1),
                "mode": In(range(max(len(self._result_bits), 2))),
                "dividend": In(dividend_bits),
                "divisor": In(divisor_bits),
                "last": Out(1),
                "result": Out(max(self._result_bits)),
                "remainder": Out(divisor_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        k = self._bits_a_cycle
        n_steps = [-(-bits // k) for bits in self._result_bits]
        is_root = self.mode == len(n_steps) - 1 if self._root_bits else Const(0, 1)
        consumed = [steps * k for steps in n_steps]  # bits of the dividend that the steps take, from the highest on
        if self._root_bits:
            consumed[-1] *= 2
        width = max(consumed)
        left = Signal(range(max(n_steps) + 1))
        digits = Signal(width, reset_less=True)  # of the dividend, the next at the top
        remainder = Signal(max(len(self.divisor), self._root_bits + 1), reset_less=True)
        found = Signal(len(self.result), reset_less=True)
        next_remainder, next_found = self._step(m, is_root, digits, remainder, found)
        m.d.comb += [self.last.eq(left == 1), self.result.eq(next_found), self.remainder.eq(next_remainder)]
        with m.If(self.start):
            placed = Array(Cat(Const(0, width - bits), self.dividend)[:width] for bits in consumed)
            m.d.sync += [
                left.eq(Array(n_steps)[self.mode]),
                digits.eq(placed[self.mode]),
                remainder.eq(Array(self.dividend[bits:] for bits in consumed)[self.mode]),
                found.eq(0),
            ]
        with m.Elif(left != 0):
            taken = Mux(is_root, digits << 2 * k, digits << k)
            m.d.sync += [left.eq(left - 1), digits.eq(taken), remainder.eq(next_remainder), found.eq(next_found)]
        return m

    def _step(
        self, m: Module, is_root: Value, digits: Signal, remainder: Signal, found: Signal
    ) -> tuple[Signal, Signal]:
        """Remainder and result after `bits_a_cycle` more bits."""
        top = len(digits)
        for number in range(self._bits_a_cycle):
            brought = Cat(digits[top - 1 - number], remainder)
            against: Value = self.divisor
            if self._root_bits:
                pair = digits[top - 2 - 2 * number : top - 2 * number]
                brought = Mux(is_root, Cat(pair, remainder), brought)
                against = Mux(is_root, Cat(Const(1, 2), found[: self._root_bits]), self.divisor)
            partial = Signal(unsigned(len(remainder) + 2), name=f"partial_{number}")
            fits = Signal(name=f"fits_{number}")
            after = Signal.like(remainder, name=f"remainder_{number}")
            longer = Signal.like(found, name=f"found_{number}")
            m.d.comb += [
                partial.eq(brought),
                fits.eq(partial >= against),
                after.eq(Mux(fits, partial - against, partial)),
                longer.eq(Cat(fits, found)),
            ]
            remainder, found = after, longer
        return remainder, found
