"""What synthesis of a LUT machine gives, predicted; and why a tool's answer differs."""

from __future__ import annotations

from designs.families.lut import Design
from explore.families.lut.clock import fitted_clock
from hw.synthesis import LUT_INPUTS, Synthesis
from workloads.kinds.classification import Classification
from workloads.mapping.lut import Circuit, circuit_of, map_netlist
from workloads.mapping.lut_classifier import classifier_of

STALL_LUTS = 2  # of a bank: `room` and `load` (docs/lut.md)


def predicted(design: Design, workload: Classification, target: str) -> dict[str, float]:
    """`flip_flops`, and on targets made of LUTs `luts`: those of the circuit and of the handshake, of all copies.

    LUTs are counted as functions: no tool here puts two into a fracturable one. Where the target's LUTs have fewer
    inputs than the design's, those of the circuit are mapped again to as many.
    """
    return predicted_of(design, _circuit(design, workload), target)


def predicted_of(design: Design, circuit: Circuit, target: str) -> dict[str, float]:
    """`predicted` of a circuit."""
    flip_flops = sum(len(bank) + 1 for bank in circuit.banks)
    if target not in LUT_INPUTS:
        return {"flip_flops": design.copies * flip_flops}
    n_luts = circuit.netlist.n_luts
    if design.lut_inputs > LUT_INPUTS[target]:
        n_luts = map_netlist(circuit.netlist, LUT_INPUTS[target]).n_luts
    return {"luts": design.copies * (n_luts + stall_luts(circuit)), "flip_flops": design.copies * flip_flops}


def stall_luts(circuit: Circuit) -> int:
    """LUTs of one copy's handshake. A bank without data loads nothing but its flag, and needs `room` only."""
    return sum(STALL_LUTS if len(bank) else 1 for bank in circuit.banks)


def remarks(design: Design, workload: Classification, target: str, found: Synthesis) -> list[str]:
    """Sentences on what of `found` the model cannot have, or counts otherwise."""
    circuit = _circuit(design, workload)
    if target not in LUT_INPUTS:
        return ["gates: the model of this family is in LUTs; its gates are in the area of the fabric."]
    lines = [f"handshake: {design.copies * stall_luts(circuit)} of the LUTs, room and load of each bank."]
    widths = circuit.netlist.fanin_start[1:] - circuit.netlist.fanin_start[:-1]
    n_wide = int((widths > LUT_INPUTS[target]).sum())
    if n_wide:
        lines.append(
            f"{target}: {design.copies * n_wide} tables have more than {LUT_INPUTS[target]} inputs; yosys maps them "
            f"its way, the model ours; a design with lut_inputs={LUT_INPUTS[target]} leaves it nothing to map."
        )
    if target == "ice40":
        lines.append("ice40: a flip-flop's reset waits for its enable, so that enables have the reset in them.")
    if target == "ecp5":
        lines.append(
            f"ecp5: {found.wide_muxes} multiplexers (PFUMX, L6MUX21) join LUTs and are in none; yosys maps the chain "
            "of room for speed, with more LUTs than its shortest form has."
        )
    expected = fitted_clock(target, design, circuit)
    lines += [] if expected is None else [expected]
    if design.fracturable:
        saved = circuit.netlist.n_luts - circuit.n_luts_physical
        lines.append(f"fracturable: {design.copies * saved} LUTs fewer after packing in pairs, which yosys leaves out.")
    return lines


def _circuit(design: Design, workload: Classification) -> Circuit:
    return circuit_of(design, classifier_of(design, workload).netlist)
