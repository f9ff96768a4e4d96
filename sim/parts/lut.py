"""What a LUT machine is made of: LUTs by what they are there for, registers, and what lets the stages wait.

The names are the slices of area and energy.
"""

from __future__ import annotations

import numpy as np

from designs.families.lut import Design
from sim.inventory import Inventory, Part
from workloads.mapping.lut import Circuit
from workloads.netlist import ROLES

# LUTs of a bank's handshake: room[b] of three signals, and load[b] of two more.
CONTROL_LUTS_PER_BANK = 2


def lut_inventory(design: Design, circuit: Circuit) -> Inventory:
    """All parts of one machine, all copies; roles without a LUT have no slice."""
    slices: dict[str, tuple[Part, ...]] = {}
    for role, count in zip(ROLES, luts_by_role(circuit), strict=True):
        if count or (circuit.netlist.roles == ROLES.index(role)).any():
            toggles = {f"lut_toggles_{role}": 1.0}
            slices[role] = (Part(kind="lut", count=count * design.copies, bits=design.lut_inputs, operations=toggles),)
    n_banks = circuit.n_stages + 1
    slices["register"] = (
        *(
            Part(kind="fabric_register", count=design.copies, bits=n_bits, operations=uses[0], writes=uses[1])
            for n_bits, uses in ((n_data_bits(circuit), ({"register_toggles": 1.0}, {"register_loads": 1.0})),)
            if n_bits
        ),
        Part(kind="fabric_register", count=design.copies * n_banks, bits=1),
    )
    slices["control"] = (
        Part(kind="lut", count=design.copies * n_banks * CONTROL_LUTS_PER_BANK, bits=design.lut_inputs),
    )
    return slices


def n_data_bits(circuit: Circuit) -> int:
    """Flip-flops of all banks of one copy without their `valid`."""
    return sum(len(bank) for bank in circuit.banks)


def luts_by_role(circuit: Circuit) -> list[int]:
    """LUTs of the fabric that one copy takes, by role: they add up to `n_luts_physical`.

    Where two LUTs of the circuit share one of the fabric, the saving is spread over the roles in proportion, by largest
    remainders.
    """
    logical = np.bincount(circuit.netlist.roles, minlength=len(ROLES)).astype(np.int64)
    total = int(logical.sum())
    if total == 0:
        return [0] * len(ROLES)
    shares = logical * circuit.n_luts_physical
    physical, remainders = shares // total, shares % total
    for role in sorted(range(len(ROLES)), key=lambda role: (-remainders[role], role))[
        : circuit.n_luts_physical - int(physical.sum())
    ]:
        physical[role] += 1
    return [int(count) for count in physical]
