"""What a design is made of: parts with counts and sizes, and which activity counter uses which part.

A family answers `inventory(design) -> Inventory`; `sim.cost` turns it into area and, with a run's activity, energy.

    {"pe": (Part(kind="multiplier", count=256, bits=8, other_bits=8, operations={"macs": 1}),
            Part(kind="adder", count=256, bits=32, operations={"macs": 1})),
     "act_scratchpad": (Part(kind="sram", count=4, bits=128, words=1024,
                             reads={"act_reads": 1}, writes={"act_writes": 1}),),
     "dram": (Part(kind="dram", bits=8, reads={"dram_read_bytes": 1}, writes={"dram_write_bytes": 1}),)}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from designs.technology import FabricKind, LogicKind

Kind: TypeAlias = LogicKind | FabricKind | Literal["sram", "dram", "hbm"]
OFF_CHIP = ("dram", "hbm")


@dataclass(frozen=True, kw_only=True)
class Part:
    """`count` equal parts of one kind.

    What the sizes mean, by kind:
    - multiplier: `bits` x `other_bits` -> full product.
    - adder, incrementer, register, comparator, gate (two-input): `bits` wide.
    - cleared_register, enabled_register: with a synchronous reset; with an enable (and a reset, if it has one).
    - counter: a register with enable and reset, and what adds to it.
    - mux: `bits` wide, one of `other_bits` inputs.
    - shifter: `bits` wide, `other_bits` different shift distances.
    - gates: `bits` NAND2 equivalents each.
    - lut: one LUT of `bits` inputs of a LUT fabric with its share of the wires; an operation changes its output.
    - fabric_register: `bits` wide, in a LUT fabric; a write clocks one bit, an operation is a change of one bit.
    - sram: one single-ported macro of `words` words of `bits` bits.
    - dram, hbm: off-chip memory, the latter stacked beside the chip: no area; one access moves `bits` bits.

    `operations`, `reads` and `writes` map an activity counter to how many operations (reads, writes) of ONE part each
    unit of the counter stands for: `operations={"macs": 1}` on the 256 multipliers of a PE array means that every MAC
    works one multiplier once. `operations` is for logic and registers, `reads` and `writes` for memories, `writes` also
    for fabric registers.
    """

    kind: Kind
    count: int = 1
    bits: int = 0
    other_bits: int = 0
    words: int = 0
    operations: Mapping[str, float] = field(default_factory=dict)
    reads: Mapping[str, float] = field(default_factory=dict)
    writes: Mapping[str, float] = field(default_factory=dict)


Inventory = Mapping[str, tuple[Part, ...]]  # name of the breakdown's slice -> its parts
