"""Technology tables: what a gate, a LUT, an SRAM macro and a DRAM bit cost at a node. Sources are in technology/.

Wires between macros are not priced; delay is not modelled: the clock is an input of the design.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from designs import yaml_strict
from designs.arguments import expect_one_of
from designs.errors import InputError
from designs.spelling import shown

Scaling: TypeAlias = Literal["stillmaker_baas", "whole_operation"]

Logic: TypeAlias = Literal["fitted", "literature"]

FOLDER = Path(__file__).parent / "technology"
LogicKind: TypeAlias = Literal[
    "multiplier",
    "adder",
    "incrementer",
    "register",
    "cleared_register",
    "enabled_register",
    "counter",
    "mux",
    "shifter",
    "comparator",
    "gate",
    "gates",
]
LOGIC_KINDS: tuple[str, ...] = get_args(LogicKind)
FabricKind: TypeAlias = Literal["lut", "fabric_register"]
FABRIC_KINDS: tuple[str, ...] = get_args(FabricKind)
FABRIC_FEATURES = ("constant", "bits", "cells")
FEATURES = ("constant", "bits", "other_bits", "product", "sum", "square", "rows", "ways", "levels")


@dataclass(frozen=True)
class Fit:
    """coefficient x KB^kb_power x bits^bits_power: an SRAM macro by capacity and word width."""

    coefficient: float
    kb_power: float
    bits_power: float

    def at(self, n_kb: float, bits: int) -> float:
        """The fitted value for a macro of `n_kb` KB (1024 bytes) with words of `bits` bits."""
        return self.coefficient * n_kb**self.kb_power * bits**self.bits_power


@dataclass(frozen=True, kw_only=True, eq=False)
class FabricPrices:
    """Coefficients by feature of one kind of part of a LUT fabric (see fabric.yaml)."""

    um2: Mapping[str, float]
    leakage_nw: Mapping[str, float]
    toggle_pj: Mapping[str, float]  # one change of one output
    load_pj: Mapping[str, float]  # one bit clocked; none for a LUT


@dataclass(frozen=True, kw_only=True, eq=False)  # tables are kept, so an object is its own key
class Technology:
    """Prices at one node. `nand2` and `logic_pj` map a kind of part to coefficients by feature (see logic.yaml)."""

    node_nm: int
    scaling: Scaling
    logic: Logic  # where `nand2` comes from
    nand2_um2: float
    nand2_leakage_nw: float
    nand2: Mapping[str, Mapping[str, float]]
    logic_pj: Mapping[str, Mapping[str, float]]
    fabric: Mapping[str, FabricPrices]
    fp32_multiply_pj: float
    fp32_add_pj: float
    sram_read_pj: Fit
    sram_write_pj: Fit
    sram_um2: Fit
    sram_leakage_nw_per_kb: float
    dram_kind: str
    dram_pj_per_bit: float
    hbm_pj_per_bit: float


@dataclass(frozen=True)
class _Node:
    area: float
    energy: float


@dataclass(frozen=True, kw_only=True)
class AreaErrors:
    """How far the fitted area model is off yosys: |model / synthesized - 1| over whole designs, memories apart."""

    n_points: int
    median: float
    percentile_90: float
    worst: float


def load_technology(
    node_nm: int, *, scaling: Scaling = "stillmaker_baas", dram: str | None = None, logic: Logic = "fitted"
) -> Technology:
    """Prices at a node; `dram` is a kind of dram.yaml, its default where None.

    `stillmaker_baas` scales gates (Stillmaker and Baas, Integration 2017); `whole_operation` takes for energies the
    far smaller gain that TPUv4i (ISCA 2021) reports, at 45 and 7 nm only. `logic` says whether NAND2 equivalents of
    parts are those fitted to our own synthesis (logic_fitted.yaml) or the literature's (logic.yaml). InputError where
    no table knows the choice.
    """
    expect_one_of("scaling", scaling, get_args(Scaling))
    return _technology(node_nm, scaling, dram, logic)


@cache
def _technology(node_nm: int, scaling: Scaling, dram: str | None, chosen: Logic) -> Technology:
    node = _scaled(node_nm)
    logic = _table("logic")
    arithmetic_energy = node.energy if scaling == "stillmaker_baas" else _whole_operation(node_nm, "arithmetic_energy")
    kind, pj_per_bit = _dram(dram)
    sram = _sram(node_nm, scaling)
    return Technology(
        node_nm=node_nm,
        scaling=scaling,
        logic=chosen,
        nand2_um2=_number(logic, "nand2_um2", "value") * node.area,
        nand2_leakage_nw=_number(logic, "nand2_leakage_nw", "value") * node.area,
        nand2={part: _coefficients(logic, part, "nand2", 1.0) for part in LOGIC_KINDS}
        | (_fitted() if chosen == "fitted" else {}),
        logic_pj={part: _coefficients(logic, part, "pj", arithmetic_energy) for part in LOGIC_KINDS},
        fabric={part: _fabric(part, node.area, arithmetic_energy) for part in FABRIC_KINDS},
        fp32_multiply_pj=_number(_table("float"), "fp32_multiply_pj", "value") * arithmetic_energy,
        fp32_add_pj=_number(_table("float"), "fp32_add_pj", "value") * arithmetic_energy,
        sram_read_pj=sram["read_pj"],
        sram_write_pj=sram["write_pj"],
        sram_um2=sram["area_mm2"],
        sram_leakage_nw_per_kb=_number(_table("sram"), "leakage_nw_per_kb", "value") * node.area,
        dram_kind=kind,
        dram_pj_per_bit=pj_per_bit,
        hbm_pj_per_bit=_number(_table("hbm"), "hbm2", "pj_per_bit"),
    )


@cache
def area_errors(points: str = "held_out") -> AreaErrors:
    """Errors of the fitted coefficients on the points they were fitted to (`fit`) or on others (`held_out`).

    `held_out_output_stationary` and so on are those of one dataflow.
    """
    table, keys = _table("logic_fitted"), ("errors", points)
    return AreaErrors(
        n_points=int(_number(table, *keys, "n_points")),
        median=_number(table, *keys, "median"),
        percentile_90=_number(table, *keys, "percentile_90"),
        worst=_number(table, *keys, "worst"),
    )


@cache
def fitted_source() -> str:
    """What the fitted coefficients come from: command, seed, number of points, tool."""
    found = _table("logic_fitted").entries["source"]
    assert isinstance(found, yaml_strict.Scalar)
    return str(found.value)


def _fitted() -> dict[str, dict[str, float]]:
    table = _table("logic_fitted")
    kinds = [kind for kind in LOGIC_KINDS if kind in table.entries]
    return {kind: _features(table, kind, kind, 1.0) for kind in kinds}


@cache
def nodes_nm() -> tuple[int, ...]:
    """Every node that has prices, largest first."""
    return tuple(int(_number(row, "node_nm")) for row in _rows(_table("scaling"), "nodes"))


@cache
def digest() -> str:
    """Hash of all technology tables: part of the version of every result that was priced with them."""
    found = hashlib.sha256()
    for path in sorted(FOLDER.glob("*.yaml")):
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:12]


def scaling_factors(node_nm: int) -> tuple[float, float]:
    """(area, energy) of gates at a node over those at 45 nm, 0.9 V (Stillmaker and Baas)."""
    node = _scaled(node_nm)
    return node.area, node.energy


def _scaled(node_nm: int) -> _Node:
    if node_nm not in nodes_nm():
        raise InputError(f"node_nm: wanted one of {', '.join(map(str, nodes_nm()))}, got {shown(node_nm)}")
    rows = {int(_number(row, "node_nm")): row for row in _rows(_table("scaling"), "nodes")}
    voltage = _number(rows[node_nm], "voltage")
    anchor = rows[int(_number(_table("scaling"), "anchor_node_nm"))]
    anchor_energy = _energy(anchor, _number(anchor, "voltage"))
    if "area" in rows[node_nm].entries:
        return _Node(_number(rows[node_nm], "area"), _energy(rows[node_nm], voltage) / anchor_energy)
    measured = [nm for nm, row in rows.items() if "area" in row.entries]
    above, below = min(nm for nm in measured if nm > node_nm), max(nm for nm in measured if nm < node_nm)
    share = (node_nm - below) / (above - below)
    low_area, high_area = _number(rows[below], "area"), _number(rows[above], "area")
    low_energy, high_energy = _energy(rows[below], voltage), _energy(rows[above], voltage)
    return _Node(
        low_area + share * (high_area - low_area),
        (low_energy + share * (high_energy - low_energy)) / anchor_energy,
    )


def _energy(row: yaml_strict.Mapping, voltage: float) -> float:
    return _number(row, "a") * voltage**2 + _number(row, "b") * voltage + _number(row, "c")


def _whole_operation(node_nm: int, key: str) -> float:
    if node_nm == int(_number(_table("scaling"), "anchor_node_nm")):
        return 1.0
    rows = {int(_number(row, "node_nm")): row for row in _rows(_table("scaling"), "whole_operation")}
    if node_nm not in rows:
        known = ", ".join(["45", *map(str, rows)])
        raise InputError(
            f"scaling whole_operation: wanted a node_nm of {known}, got {node_nm}; stillmaker_baas knows them all"
        )
    return _number(rows[node_nm], key, "value")


def _sram(node_nm: int, scaling: Scaling) -> dict[str, Fit]:
    """CACTI's fits at the node, or those of the nearest larger node with runs, scaled from there."""
    rows = {int(_number(row, "node_nm")): row for row in _rows(_table("sram"), "fits")}
    if scaling == "whole_operation":
        start, area = 45, _scaled(node_nm).area
        energy = _whole_operation(node_nm, "sram_energy")
    else:
        start = min((nm for nm in rows if nm >= node_nm), default=max(rows))
        area = _scaled(node_nm).area / _scaled(start).area
        energy = _scaled(node_nm).energy / _scaled(start).energy
    factors = {"read_pj": energy, "write_pj": energy, "area_mm2": area * 1e6}
    return {
        key: Fit(
            _number(rows[start], key, "coefficient") * factor,
            _number(rows[start], key, "kb_power"),
            _number(rows[start], key, "bits_power"),
        )
        for key, factor in factors.items()
    }


def _dram(kind: str | None) -> tuple[str, float]:
    table = _table("dram")
    default, kinds = table.entries["default"], table.entries["kinds"]
    assert isinstance(default, yaml_strict.Scalar) and isinstance(kinds, yaml_strict.Mapping)
    name = kind or str(default.value)
    if name not in kinds.entries:
        raise InputError(f"dram: wanted one of {', '.join(kinds.entries)}, got {shown(name)}")
    return name, _number(kinds, name, "pj_per_bit")


def _coefficients(logic: yaml_strict.Mapping, part: str, key: str, factor: float) -> dict[str, float]:
    entry = logic.entries[part]
    assert isinstance(entry, yaml_strict.Mapping)
    return _features(entry, key, f"{part} {key}", factor)


def _fabric(part: str, area: float, energy: float) -> FabricPrices:
    entry = _table("fabric").entries[part]
    assert isinstance(entry, yaml_strict.Mapping)

    def coefficients(key: str, factor: float) -> dict[str, float]:
        if key not in entry.entries:
            return {}
        return _features(entry, key, f"{part} {key}", factor, FABRIC_FEATURES)

    return FabricPrices(
        um2=coefficients("um2", area),
        leakage_nw=coefficients("leakage_nw", area),
        toggle_pj=coefficients("toggle_pj", energy),
        load_pj=coefficients("load_pj", energy),
    )


def _features(
    parent: yaml_strict.Mapping, key: str, what: str, factor: float, known: Sequence[str] = FEATURES
) -> dict[str, float]:
    table = parent.entries[key]
    assert isinstance(table, yaml_strict.Mapping)
    table.expect_keys(known, what)
    return {feature: _number(table, feature) * factor for feature in table.entries}


@cache
def _table(name: str) -> yaml_strict.Mapping:
    return yaml_strict.load(FOLDER / f"{name}.yaml")


def _rows(table: yaml_strict.Mapping, key: str) -> list[yaml_strict.Mapping]:
    rows = table.entries[key]
    if not isinstance(rows, yaml_strict.Sequence):
        raise rows.place.error(f"{key}: wanted a list of rows, got {yaml_strict.describe(rows)}")
    found = []
    for row in rows.items:
        if not isinstance(row, yaml_strict.Mapping):
            raise row.place.error(f"{key}: wanted a mapping, got {yaml_strict.describe(row)}")
        found.append(row)
    return found


def _number(table: yaml_strict.Mapping, *keys: str) -> float:
    """The number at a path of keys; InputError with its place in the file where it is missing or no number."""
    node: yaml_strict.Node = table
    for key in keys:
        if not isinstance(node, yaml_strict.Mapping) or key not in node.entries:
            raise node.place.error(f"wanted the key {key!r}, got none")
        node = node.entries[key]
    if not isinstance(node, yaml_strict.Scalar) or isinstance(node.value, (str, bool)) or node.value is None:
        raise node.place.error(f"{keys[-1]}: wanted a number, got {yaml_strict.describe(node)}")
    return node.value
