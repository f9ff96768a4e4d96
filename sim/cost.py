"""What a design costs: area = inventory x technology; energy = activity x technology + leakage x time.

Logic is counted in NAND2 equivalents, a LUT fabric in LUTs and registers, SRAM in macros, DRAM in bits moved. A part
that no table prices is a CostError, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple, TypeAlias

from designs.technology import FABRIC_KINDS, Technology
from sim.inventory import OFF_CHIP, Inventory, Kind, Part

LEAKAGE = "leakage"  # slice of the energy breakdown; every other slice has the name of its part in the inventory


class CostError(ValueError):
    """An inventory that cannot be priced: unknown kind, impossible size, or an activity counter that the run lacks."""


def area_um2(inventory: Inventory, technology: Technology) -> dict[str, float]:
    """Area of each slice of the inventory in um2; off-chip parts have none and no slice."""
    found = {name: _priced(parts, technology).area_um2 for name, parts in inventory.items()}
    return {name: area for name, area in found.items() if area is not None}


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
        if uses := _priced(parts, technology).uses(name):
            for energy, activity in zip(found, activities, strict=True):
                energy[name] = _dynamic_pj(name, uses, activity)
    leakage = leakage_nw(inventory, technology)
    for energy, (_, latency_ns) in zip(found, runs, strict=True):
        energy[LEAKAGE] = leakage * latency_ns * 1e-6  # nW x ns = 1e-18 J = 1e-6 pJ
    return found


def leakage_nw(inventory: Inventory, technology: Technology) -> float:
    """Leakage power of the whole chip in nW."""
    return sum(chain.from_iterable(_priced(parts, technology).leakages_nw for parts in inventory.values()))


def unpriced_activity(inventory: Inventory, activity: Mapping[str, int]) -> list[str]:
    """Counters of a run that no part of the inventory uses, in the run's order."""
    used = {key for parts in inventory.values() for part in parts for key in _counters(part)}
    return [key for key in activity if key not in used]


# What works a part: each counter with the times that one of its units stands for, and the price of one time.
_Use: TypeAlias = tuple[tuple[tuple[str, float], ...], float]


class _Slice:
    """The prices of a slice."""

    def __init__(self, parts: Sequence[Part], technology: Technology) -> None:
        self._parts, self._units = parts, [_unit(part, technology) for part in parts]
        on_chip = any(part.kind not in OFF_CHIP for part in parts)
        areas = (part.count * unit.area_um2 for part, unit in zip(parts, self._units, strict=True))
        self.area_um2 = sum(areas) if on_chip else None
        self.leakages_nw = [part.count * unit.leakage_nw for part, unit in zip(parts, self._units, strict=True)]
        self._uses: list[tuple[_Use, ...]] | None = None

    def uses(self, name: str) -> list[tuple[_Use, ...]]:
        """What works each part that anything works; CostError, with the slice's name, where it cannot be so."""
        if self._uses is None:
            self._uses = [
                _uses(name, part, unit)
                for part, unit in zip(self._parts, self._units, strict=True)
                if part.operations or part.reads or part.writes
            ]
        return self._uses


_PRICED: dict[tuple[int, int], tuple[Sequence[Part], Technology, _Slice]] = {}
_MOST_PRICED = 1 << 13


def _priced(parts: Sequence[Part], technology: Technology) -> _Slice:
    """The prices of a slice, found once for each tuple of parts: the points of a sweep share many.

    The tuple is known by its identity, for its hash would take longer than its price; it is held, so that nothing else
    can get that identity.
    """
    key = id(parts), id(technology)
    if (kept := _PRICED.get(key)) is not None:
        return kept[2]
    found = _Slice(parts, technology)
    if len(_PRICED) == _MOST_PRICED:
        _PRICED.clear()
    _PRICED[key] = parts, technology, found
    return found


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


def _uses(name: str, part: Part, unit: _Unit) -> tuple[_Use, ...]:
    is_memory = part.kind in ("sram", *OFF_CHIP)
    if is_memory and part.operations:
        raise CostError(f"{name}: wanted reads and writes of a memory, got operations {sorted(part.operations)}")
    if not is_memory and (part.reads or (part.writes and part.kind != "fabric_register")):
        raise CostError(f"{name}: wanted operations for logic ({part.kind}), got reads or writes")
    read = (part.reads, unit.read_pj) if is_memory else (part.operations, unit.operation_pj)
    both = (read, (part.writes, unit.write_pj))
    return tuple((tuple(used.items()), price) for used, price in both if used)


def _dynamic_pj(name: str, uses: Sequence[tuple[_Use, ...]], activity: Mapping[str, int]) -> float:
    """Energy of a slice in one run."""
    total = 0.0
    try:
        for of_part in uses:
            energy = 0.0
            for used, price in of_part:
                if len(used) == 1:  # as of nearly all
                    ((counter, times),) = used
                    energy += times * activity[counter] * price
                else:
                    energy += sum([times * activity[counter] for counter, times in used]) * price
            total += energy
    except KeyError as error:
        raise CostError(f"{name}: wanted the activity counter {error}, got a run without it") from None
    return total


def _counters(part: Part) -> tuple[str, ...]:
    return (*part.operations, *part.reads, *part.writes)


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
