"""What a LUT machine is made of: LUTs by what they are there for, registers, and what lets the stages wait.

The names are the slices of area and energy.
"""

from __future__ import annotations

import numpy as np

from sim.inventory import Inventory, Part
from workloads.mapping.lut import Circuit
from workloads.netlist import ROLES

# LUTs of a bank's handshake: room[b] of two signals, and load[b] of two more.
CONTROL_LUTS_PER_BANK = 2


def lut_inventory(circuit: Circuit, *, lut_inputs: int, copies: int) -> Inventory:
    """All parts of one machine, all copies; roles without a LUT have no slice."""
    slices: dict[str, tuple[Part, ...]] = {}
    for role, n_logical, n_physical in zip(ROLES, _n_logical(circuit), luts_by_role(circuit), strict=True):
        if n_logical:
            toggles = {f"lut_toggles_{role}": 1.0}
            slices[role] = (Part(kind="lut", count=n_physical * copies, bits=lut_inputs, operations=toggles),)
    n_banks = circuit.n_stages + 1
    valid = Part(kind="fabric_register", count=copies, bits=n_banks, writes={"inferences": float(n_banks)})
    slices["register"] = (valid,)
    if n_bits := n_data_bits(circuit):
        data = Part(
            kind="fabric_register",
            count=copies,
            bits=n_bits,
            operations={"register_toggles": 1.0},
            writes={"register_loads": 1.0},
        )
        slices["register"] = (data, valid)
    slices["control"] = (Part(kind="lut", count=copies * n_banks * CONTROL_LUTS_PER_BANK, bits=lut_inputs),)
    return slices


def n_data_bits(circuit: Circuit) -> int:
    """Flip-flops of all banks of one copy without their `valid`."""
    return sum(len(bank) for bank in circuit.banks)


def luts_by_role(circuit: Circuit) -> list[int]:
    """LUTs of the fabric that one copy takes, by role: they add up to `n_luts_physical`.

    Where two LUTs of the circuit share one of the fabric, the saving is spread over the roles in proportion, by largest
    remainders.
    """
    logical = _n_logical(circuit)
    shares, n_luts = logical * circuit.n_luts_physical, max(1, circuit.netlist.n_luts)
    physical, remainders = shares // n_luts, shares % n_luts
    n_left = circuit.n_luts_physical - int(physical.sum())
    physical[np.argsort(-remainders, kind="stable")[:n_left]] += 1
    return [int(count) for count in physical]


def _n_logical(circuit: Circuit) -> np.ndarray:
    """LUTs of the circuit by role."""
    return np.bincount(circuit.netlist.roles, minlength=len(ROLES)).astype(np.int64)
