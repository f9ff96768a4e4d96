"""What a design costs: area = inventory x technology; energy = activity x technology + leakage x time.

Logic is counted in NAND2 equivalents, a LUT fabric in LUTs and registers, SRAM in macros, DRAM in bits moved. A part
that no table prices is a CostError, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from designs.technology import FABRIC_KINDS, Technology
from sim.inventory import OFF_CHIP, Inventory, Kind, Part

LEAKAGE = "leakage"  # slice of the energy breakdown; every other slice has the name of its part in the inventory


class CostError(ValueError):
    """An inventory that cannot be priced: unknown kind, impossible size, or an activity counter that the run lacks."""


def area_um2(inventory: Inventory, technology: Technology) -> dict[str, float]:
    """Area of each slice of the inventory in um2; off-chip parts have none and no slice."""
    return {
        name: sum(part.count * _unit(part, technology).area_um2 for part in parts)
        for name, parts in inventory.items()
        if any(part.kind not in OFF_CHIP for part in parts)
    }


def nand2_equivalents(part: Part, technology: Technology) -> float:
    """NAND2 equivalents of one logic part."""
    return _linear(part, technology.nand2)


def logic_features(inventory: Inventory, technology: Technology) -> dict[tuple[str, str], float]:
    """(kind, feature) -> its sum over all logic parts: NAND2 equivalents are the dot product with `technology.nand2`.

    This is the row of a design in the least-squares problem that fits the coefficients to synthesis.
    """
    found: dict[tuple[str, str], float] = {}
    for part in (part for parts in inventory.values() for part in parts if part.kind in technology.nand2):
        for feature in technology.nand2[part.kind]:
            key = (part.kind, feature)
            found[key] = found.get(key, 0.0) + part.count * _feature(part, feature)
    return found


def energy_pj(
    inventory: Inventory, activity: Mapping[str, int], latency_ns: float, technology: Technology
) -> dict[str, float]:
    """Energy of a run in pJ: dynamic by slice of the inventory, and `leakage` over `latency_ns`."""
    return energies_pj(inventory, [(activity, latency_ns)], technology)[0]


def energies_pj(
    inventory: Inventory, runs: Sequence[tuple[Mapping[str, int], float]], technology: Technology
) -> list[dict[str, float]]:
    """`energy_pj` of several runs (activity, latency in ns) of one machine; each part's price is looked up once."""
    found: list[dict[str, float]] = [{} for _ in runs]
    activities = [activity for activity, _ in runs]
    for name, parts in inventory.items():
        if any(part.operations or part.reads or part.writes for part in parts):
            of_parts = [_dynamic_pj(name, part, activities, technology) for part in parts]
            for energy, of_run in zip(found, zip(*of_parts, strict=True), strict=True):
                energy[name] = sum(of_run)
    leakage = leakage_nw(inventory, technology)
    for energy, (_, latency_ns) in zip(found, runs, strict=True):
        energy[LEAKAGE] = leakage * latency_ns * 1e-6  # nW x ns = 1e-18 J = 1e-6 pJ
    return found


def leakage_nw(inventory: Inventory, technology: Technology) -> float:
    """Leakage power of the whole chip in nW."""
    return sum(part.count * _unit(part, technology).leakage_nw for parts in inventory.values() for part in parts)


def unpriced_activity(inventory: Inventory, activity: Mapping[str, int]) -> list[str]:
    """Counters of a run that no part of the inventory uses, in the run's order."""
    used = {key for parts in inventory.values() for part in parts for key in _counters(part)}
    return [key for key in activity if key not in used]


class _Unit(NamedTuple):
    """Prices of one part."""

    area_um2: float
    leakage_nw: float
    operation_pj: float = 0.0
    read_pj: float = 0.0
    write_pj: float = 0.0


def _unit(part: Part, technology: Technology) -> _Unit:
    return _unit_of_size(part.kind, part.bits, part.other_bits, part.words, technology)


@lru_cache(maxsize=1 << 16)  # the points of a sweep share most sizes
def _unit_of_size(kind: Kind, bits: int, other_bits: int, words: int, technology: Technology) -> _Unit:
    part = Part(kind=kind, bits=bits, other_bits=other_bits, words=words)
    if kind in OFF_CHIP:
        access_pj = bits * (technology.dram_pj_per_bit if kind == "dram" else technology.hbm_pj_per_bit)
        return _Unit(0.0, 0.0, read_pj=access_pj, write_pj=access_pj)
    if kind == "sram":
        n_kb = _macro_kb(part)
        return _Unit(
            technology.sram_um2.at(n_kb, bits),
            technology.sram_leakage_nw_per_kb * n_kb,
            read_pj=technology.sram_read_pj.at(n_kb, bits),
            write_pj=technology.sram_write_pj.at(n_kb, bits),
        )
    if (fabric := technology.fabric.get(kind)) is not None:
        return _Unit(
            _sum(part, fabric.um2),
            _sum(part, fabric.leakage_nw),
            operation_pj=_sum(Part(kind=kind, bits=bits if kind == "lut" else 1), fabric.toggle_pj),
            write_pj=_sum(Part(kind=kind, bits=1), fabric.load_pj),
        )
    gates = nand2_equivalents(part, technology)
    return _Unit(
        gates * technology.nand2_um2,
        gates * technology.nand2_leakage_nw,
        operation_pj=_linear(part, technology.logic_pj),
    )


def _dynamic_pj(
    name: str, part: Part, activities: Sequence[Mapping[str, int]], technology: Technology
) -> list[float]:
    """Energy of one part in each of several runs."""
    for key in _counters(part):
        if any(key not in activity for activity in activities):
            raise CostError(f"{name}: wanted the activity counter {key!r}, got a run without it")
    is_memory = part.kind in ("sram", *OFF_CHIP)
    if is_memory and part.operations:
        raise CostError(f"{name}: wanted reads and writes of a memory, got operations {sorted(part.operations)}")
    if not is_memory and (part.reads or (part.writes and part.kind != "fabric_register")):
        raise CostError(f"{name}: wanted operations for logic ({part.kind}), got reads or writes")
    unit = _unit(part, technology)
    if is_memory:
        return [_n(part.reads, one) * unit.read_pj + _n(part.writes, one) * unit.write_pj for one in activities]
    if part.writes:
        return [_n(part.operations, one) * unit.operation_pj + _n(part.writes, one) * unit.write_pj
                for one in activities]  # fmt: skip
    return [_n(part.operations, one) * unit.operation_pj for one in activities]


def _counters(part: Part) -> tuple[str, ...]:
    return (*part.operations, *part.reads, *part.writes)


def _n(uses: Mapping[str, float], activity: Mapping[str, int]) -> float:
    return sum(times * activity[key] for key, times in uses.items())


def _linear(part: Part, prices: Mapping[str, Mapping[str, float]]) -> float:
    coefficients = prices.get(part.kind)
    if coefficients is None:
        known = ", ".join([*prices, *FABRIC_KINDS, "sram", *OFF_CHIP])
        raise CostError(f"{part.kind}: wanted a part with a price ({known}), got none for it")
    return _sum(part, coefficients)


def _sum(part: Part, coefficients: Mapping[str, float]) -> float:
    return sum(coefficient * _feature(part, feature) for feature, coefficient in coefficients.items())


def _feature(part: Part, feature: str) -> float:
    if part.bits < 1:
        raise CostError(f"{part.kind}: wanted 1 or more bits, got {part.bits}")
    if feature == "constant":
        return 1
    if feature == "bits":
        return part.bits
    if feature == "cells":
        return 2**part.bits
    if part.other_bits < 1:
        raise CostError(f"{part.kind}: wanted 1 or more other_bits, got {part.other_bits}")
    if feature == "other_bits":
        return part.other_bits
    if feature == "product":
        return part.bits * part.other_bits
    if feature == "sum":
        return part.bits + part.other_bits
    if feature == "square":
        return min(part.bits, part.other_bits) ** 2
    if feature == "rows":
        return max(part.bits, part.other_bits) * (min(part.bits, part.other_bits) - 1)
    if feature == "ways":
        return part.bits * (part.other_bits - 1)
    if feature == "levels":
        return part.bits * (part.other_bits - 1).bit_length()
    raise CostError(f"{part.kind}: no feature {feature!r}")


def _macro_kb(part: Part) -> float:
    if part.bits < 1 or part.words < 1:
        raise CostError(f"sram: wanted 1 or more words of 1 or more bits, got {part.words} of {part.bits}")
    return part.words * part.bits / 8192
