"""Address generation: which activation word a pixel reads at a tap, without ever building the im2col matrix."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.tensor_types import config_layout, tile_layout

_PIXEL_BITS = 13  # out_col * stride_w and out_row * stride_h: up to a line and a kernel


class Im2col(wiring.Component):
    """Pixel and tap iterators over a tile, and the scratchpad address (docs/tensor.md, section 6).

    The pixel walks the tile's rows in row-major order and is gone (`exists` 0) after the last; `restart_pixel` takes it
    back to the base, which is pixel 0 or, with `keeps_base`, what `save_pixel` made of it: the pixel that follows this
    cycle's. The tap walks kernel columns, then rows (`step_tap`), and blocks (`step_block`); each wraps after its last.
    `end` (last cycle of a tile) takes all back to the start. All outputs tell of the current pixel and tap. Latency:
    none, from the tile's fields to `inside` and `addr`; steps show in the next cycle. Initiation interval 1. No
    backpressure.
    """

    def __init__(self, design: Design, *, keeps_base: bool) -> None:
        self._design, self._keeps_base = design, keeps_base
        super().__init__(
            {
                "config": In(config_layout(design)),
                "tile": In(tile_layout()),
                "step_pixel": In(1),
                "restart_pixel": In(1),
                "save_pixel": In(1),
                "step_tap": In(1),
                "step_block": In(1),
                "end": In(1),
                "exists": Out(1),
                "last_pixel": Out(1),  # exists, and no other follows
                "first_tap": Out(1),
                "last_tap": Out(1),
                "last_block": Out(1),
                "inside": Out(1),  # pixel exists and its tap is inside the image
                "addr": Out(range(design.act_words)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._walk_pixels(m)
        self._walk_taps(m)
        self._address(m)
        return m

    def _walk_pixels(self, m: Module) -> None:
        shapes = {
            "gone": unsigned(1),
            "out_row": unsigned(12),
            "out_col": unsigned(12),
            "row": unsigned(_PIXEL_BITS),
            "col": unsigned(_PIXEL_BITS),
        }
        now = {name: Signal(shape, name=name) for name, shape in shapes.items()}
        after = {name: Signal(shape, name=f"{name}_after") for name, shape in shapes.items()}
        line_end = now["out_col"] + 1 == self.config.out_w
        m.d.comb += [
            self.exists.eq(~now["gone"]),
            self.last_pixel.eq(~now["gone"] & line_end & (now["out_row"] + 1 == self.tile.rows)),
            *(after[name].eq(now[name]) for name in shapes),
        ]
        with m.If(self.step_pixel & ~now["gone"]):
            m.d.comb += [
                after["gone"].eq(self.last_pixel),
                after["out_col"].eq(Mux(line_end, 0, now["out_col"] + 1)),
                after["col"].eq(Mux(line_end, 0, now["col"] + self.config.stride_w)),
            ]
            with m.If(line_end):
                m.d.comb += [
                    after["out_row"].eq(now["out_row"] + 1),
                    after["row"].eq(now["row"] + self.config.stride_h),
                ]
        for name, shape in shapes.items():
            with m.If(self.end | self.restart_pixel):
                m.d.sync += now[name].eq(0)
            with m.Else():
                m.d.sync += now[name].eq(after[name])
            if self._keeps_base:
                base = Signal(shape, name=f"{name}_base")
                with m.If(self.end):
                    m.d.sync += base.eq(0)
                with m.Elif(self.save_pixel):
                    m.d.sync += base.eq(after[name])
                with m.If(self.restart_pixel & ~self.end):
                    m.d.sync += now[name].eq(base)
        self._row, self._col = now["row"], now["col"]

    def _walk_taps(self, m: Module) -> None:
        kernel_row, kernel_col, block = Signal(8), Signal(8), Signal(12)
        line = Signal(range(self._design.act_words))  # block * act_rows
        last_col = kernel_col + 1 == self.config.kernel_w
        m.d.comb += [
            self.first_tap.eq((kernel_row == 0) & (kernel_col == 0)),
            self.last_tap.eq(last_col & (kernel_row + 1 == self.config.kernel_h)),
            self.last_block.eq(block + 1 == self.tile.blocks),
        ]
        with m.If(self.step_tap):
            m.d.sync += kernel_col.eq(Mux(last_col, 0, kernel_col + 1))
            with m.If(last_col):
                m.d.sync += kernel_row.eq(Mux(self.last_tap, 0, kernel_row + 1))
        with m.If(self.step_block):
            m.d.sync += block.eq(Mux(self.last_block, 0, block + 1))
            m.d.sync += line.eq(Mux(self.last_block, 0, line + self.tile.act_rows))
        self._kernel_row, self._kernel_col, self._line = kernel_row, kernel_col, line

    def _address(self, m: Module) -> None:
        # Unsigned compares tell both bounds: a negative number is a large one.
        row, col = Signal(signed(_PIXEL_BITS + 2)), Signal(signed(_PIXEL_BITS + 2))
        line = Signal(self._line.shape())
        m.d.comb += [
            row.eq(self.tile.row_offset + self._row + self._kernel_row),
            col.eq(self._col + self._kernel_col - self.config.pad_left),
            line.eq(self._line + row),
            self.inside.eq(
                self.exists & (row.as_unsigned() < self.tile.act_rows) & (col.as_unsigned() < self.config.in_w)
            ),
            # One multiplier instead of a running product for each of block, row, offset and kernel row.
            self.addr.eq(line * self.config.in_w + col),
        ]
