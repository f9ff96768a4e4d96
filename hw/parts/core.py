"""The core of the tensor machine: compute engine, accumulators and output path, between descriptors and scratchpads."""

from __future__ import annotations

from amaranth.hdl import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.compute import ComputeEngine
from hw.parts.output_path import OutputPath
from hw.parts.scratchpad import Buffers
from hw.parts.tensor_types import COUNTER_BITS, config_layout, output_layout, tile_layout


class Core(wiring.Component):
    """Computes tiles and requantizes outputs (docs/tensor.md, sections 5 to 7). A reset makes it ready for a program.

    `tile_take` (`output_take`) is 1 in the last issue cycle of a tile (output), and the next may be shown and start in
    the following cycle. `released`, `completed_strobe` and `output_done` are 1 in the cycle in which their counter
    advances; the counters `loaded`, `outputs`, `stores`, `completed` are those visible in this cycle. Reads: `en`,
    `buf`, `addr` in cycle x, `data` in x + 1 (kept until the next read). Activity: `step`, a vector enters the array;
    `acc_read`, reads of the accumulators in this cycle; `acc_write`; `post`, a slice is requantized; `overflow`,
    additions that did not fit, told up to 3 cycles after the addition, always before `output_done` of their output.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        n_pes, cols = design.array_rows * design.array_cols, design.array_cols
        ports = {
            "config": In(config_layout(design)),
            "tile": In(tile_layout()),
            "tile_valid": In(1),
            "tile_take": Out(1),
            "output": In(output_layout()),
            "output_valid": In(1),
            "output_take": Out(1),
            **{name: In(COUNTER_BITS) for name in ("loaded", "outputs", "stores", "completed")},
            **{name: Out(1) for name in ("released", "completed_strobe", "output_done")},
        }
        for name, n_words, bits in (
            ("act_read", design.act_words, design.act_word_bits),
            ("weight_read", design.weight_words, design.weight_word_bits),
            ("param_read", design.param_words, design.param_word_bits),
            ("residual_read", design.out_words, design.out_word_bits),
            ("out_write", design.out_words, design.out_word_bits),
        ):
            ports |= {f"{name}_en": Out(1), f"{name}_buf": Out(1), f"{name}_addr": Out(range(n_words))}
            ports[f"{name}_data"] = Out(bits) if name == "out_write" else In(bits)
        activity = {"step": 1, "acc_read": 2, "acc_write": 1, "post": 1, "overflow": range(n_pes + cols + 1)}
        super().__init__(ports | {name: Out(shape) for name, shape in activity.items()})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        m.submodules.compute = compute = ComputeEngine(design)
        m.submodules.output_path = path = OutputPath(design)
        m.submodules.accumulators = accumulators = Buffers(
            n_words=design.acc_words, word_bits=design.acc_word_bits, n_buffers=design.n_buffers, n_readers=2
        )
        wiring.connect(m, compute.acc_read, accumulators.reads[0])
        wiring.connect(m, path.acc_read, accumulators.reads[1])
        wiring.connect(m, compute.acc_write, accumulators.writes[0])
        for name in ("config", "tile", "tile_valid", "loaded", "outputs", "stores"):
            m.d.comb += getattr(compute, name).eq(getattr(self, name))
        for name in ("config", "output", "output_valid", "stores", "completed"):
            m.d.comb += getattr(path, name).eq(getattr(self, name))
        m.d.comb += [
            self.tile_take.eq(compute.tile_take),
            self.output_take.eq(path.output_take),
            self.released.eq(compute.released),
            self.completed_strobe.eq(compute.completed),
            self.output_done.eq(path.done),
            self.step.eq(compute.step),
            self.acc_read.eq(compute.acc_read.en + path.acc_read.en),
            self.acc_write.eq(compute.acc_write.en),
            self.post.eq(path.post),
            self.overflow.eq(compute.overflow),
        ]
        for name, port in (
            ("act_read", compute.act_read),
            ("weight_read", compute.weight_read),
            ("param_read", path.param_read),
            ("residual_read", path.residual_read),
        ):
            m.d.comb += [getattr(self, f"{name}_{wire}").eq(getattr(port, wire)) for wire in ("en", "buf", "addr")]
            m.d.comb += port.data.eq(getattr(self, f"{name}_data"))
        for wire in ("en", "buf", "addr", "data"):
            pooled, requantized = getattr(compute.pool_write, wire), getattr(path.write, wire)
            m.d.comb += getattr(self, f"out_write_{wire}").eq(Mux(self.config.pooling, pooled, requantized))
        return m
