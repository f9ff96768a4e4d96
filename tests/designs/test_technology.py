"""Technology tables: the scaling equals the published factors, prices scale with it, every number names its source."""

from __future__ import annotations

import pytest

from designs import technology, yaml_strict
from designs.errors import InputError
from designs.technology import load_technology, scaling_factors


@pytest.mark.parametrize(
    ("node_nm", "area", "energy"),
    [  # area: Stillmaker and Baas's table; energy from 45 nm 0.9 V, three digits: computed from their polynomials
        (65, 1 / 0.66, None), (45, 1, 1), (32, 0.46, 0.641), (28, 0.377, 0.507), (22, None, 0.241), (20, 0.21, None),
        (16, 0.19, 0.142), (14, 0.17, 0.114), (10, 0.10, 0.083), (7, 0.059, 0.057),
    ],
)  # fmt: skip
def test_scaling_equals_the_published_factors(node_nm: int, area: float | None, energy: float | None) -> None:
    found = scaling_factors(node_nm)
    assert area is None or found[0] == pytest.approx(area, rel=2e-3)
    assert energy is None or found[1] == pytest.approx(energy, abs=6e-4)


def test_smaller_nodes_are_smaller_and_thriftier() -> None:
    factors = [scaling_factors(node) for node in technology.nodes_nm()]
    assert factors == sorted(factors, reverse=True)
    assert [pair[1] for pair in factors] == sorted((pair[1] for pair in factors), reverse=True)


def test_the_anchor_is_the_published_45_nm_table() -> None:
    prices = load_technology(45, logic="literature")
    for kind, bits, pj, um2 in (
        ("adder", 8, 0.03, 36), ("adder", 32, 0.1, 137), ("multiplier", 8, 0.2, 282), ("multiplier", 32, 3.1, 3495),
    ):  # fmt: skip
        features = {"constant": 1, "bits": bits, "product": bits * bits, "sum": 2 * bits}
        assert sum(c * features[f] for f, c in prices.logic_pj[kind].items()) == pytest.approx(pj, rel=1e-3)
        nand2 = sum(c * features[f] for f, c in prices.nand2[kind].items())
        assert nand2 * prices.nand2_um2 == pytest.approx(um2, rel=1e-3)


@pytest.mark.parametrize(
    ("node_nm", "kb", "read_pj", "write_pj", "mm2"),
    [  # CACTI 7, 64-bit words; the fits' own error is 6-15 % on average
        (45, 8, 6.14, 7.88, 0.0263), (45, 128, 32.3, 26.1, 0.4296), (45, 2048, 127.5, 110.2, 6.466),
        (32, 32, 8.26, 7.46, 0.0566), (22, 512, 15.3, 12.2, 0.4422), (22, 8, 1.59, 1.77, 0.0063),
    ],
)  # fmt: skip
def test_sram_fits_lie_near_the_runs(node_nm: int, kb: int, read_pj: float, write_pj: float, mm2: float) -> None:
    prices = load_technology(node_nm)
    assert prices.sram_read_pj.at(kb, 64) == pytest.approx(read_pj, rel=0.25)
    assert prices.sram_write_pj.at(kb, 64) == pytest.approx(write_pj, rel=0.25)
    assert prices.sram_um2.at(kb, 64) == pytest.approx(mm2 * 1e6, rel=0.25)


def test_sram_without_runs_scales_from_the_nearest_larger_node() -> None:
    at_22, at_7 = load_technology(22), load_technology(7)
    area, energy = (small / large for small, large in zip(scaling_factors(7), scaling_factors(22), strict=True))
    assert at_7.sram_um2.at(8, 64) == pytest.approx(at_22.sram_um2.at(8, 64) * area)
    assert at_7.sram_read_pj.at(8, 64) == pytest.approx(at_22.sram_read_pj.at(8, 64) * energy)


def test_whole_operation_scaling_gains_less_than_gates() -> None:
    gates, whole = load_technology(7), load_technology(7, scaling="whole_operation")
    assert whole.scaling == "whole_operation" and gates.scaling == "stillmaker_baas"
    assert whole.logic_pj["adder"]["bits"] / gates.logic_pj["adder"]["bits"] == pytest.approx(0.35 / 0.0566, rel=1e-2)
    assert whole.nand2_um2 == gates.nand2_um2
    assert load_technology(45, scaling="whole_operation").logic_pj == load_technology(45).logic_pj
    with pytest.raises(InputError, match="wanted a node_nm of 45, 7, got 28"):
        load_technology(28, scaling="whole_operation")


def test_dram_has_a_price_by_kind_at_every_node() -> None:
    assert {load_technology(node).dram_pj_per_bit for node in technology.nodes_nm()} == {8}
    assert load_technology(45, dram="gddr5").dram_pj_per_bit == 14
    assert {load_technology(node).hbm_pj_per_bit for node in technology.nodes_nm()} == {3.9}
    with pytest.raises(InputError, match="dram: wanted one of lpddr4, .*, got 'hbm9'"):
        load_technology(45, dram="hbm9")


def test_an_unknown_scaling_is_refused() -> None:
    with pytest.raises(InputError, match="scaling: wanted one of stillmaker_baas, whole_operation, got 'whole'"):
        load_technology(45, scaling="whole")  # type: ignore[arg-type]


def test_an_unknown_node_is_refused() -> None:
    with pytest.raises(InputError, match="node_nm: wanted one of 65, 45, .*, got 12"):
        load_technology(12)


def test_every_table_entry_names_source_and_certainty() -> None:
    words = {"verified", "computed", "recalled", "assumed", "fitted"}
    for path in technology.FOLDER.glob("*.yaml"):
        found = _certainties(yaml_strict.load(path))
        assert found and set(found) <= words, path


def _certainties(node: yaml_strict.Node) -> list[object]:
    """All certainties under a node; fails where a source has none beside it, or the other way round."""
    if isinstance(node, yaml_strict.Sequence):
        return [word for item in node.items for word in _certainties(item)]
    if isinstance(node, yaml_strict.Scalar):
        return []
    sources = {key.removesuffix("source") for key in node.entries if key.endswith("source")}
    certainties = {key.removesuffix("certainty") for key in node.entries if key.endswith("certainty")}
    assert sources == certainties, (node.place, sources, certainties)
    own = [node.entries[f"{prefix}certainty"] for prefix in sorted(certainties)]
    values = [entry.value for entry in own if isinstance(entry, yaml_strict.Scalar)]
    return values + [word for entry in node.entries.values() for word in _certainties(entry)]
