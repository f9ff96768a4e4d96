"""Cost: hand-computed areas and energies, monotone in hardware, and nothing is free by oversight."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designs.technology import load_technology
from sim.cost import CostError, area_um2, energy_pj, leakage_nw, logic_features, nand2_equivalents, unpriced_activity
from sim.inventory import Part

AT_45 = load_technology(45, logic="literature")


def nand2(**sizes: Any) -> float:
    return nand2_equivalents(Part(**sizes), AT_45)


def test_nand2_equivalents_by_hand() -> None:
    assert nand2(kind="gates", bits=7) == 7
    assert nand2(kind="register", bits=10) == pytest.approx(56.67)
    assert nand2(kind="adder", bits=8) == pytest.approx(5.274 * 8 + 2.924)
    assert nand2(kind="multiplier", bits=8, other_bits=4) == pytest.approx(3.865 * 32 + 6.612 * 12)
    assert nand2(kind="mux", bits=8, other_bits=5) == pytest.approx(2.333 * 8 * 4)
    assert nand2(kind="mux", bits=8, other_bits=1) == 0  # one input is a wire
    assert nand2(kind="shifter", bits=32, other_bits=33) == pytest.approx(1.958 * 32 * 6)
    assert nand2(kind="comparator", bits=32) == pytest.approx(2.78 * 32)


def test_logic_features_are_what_the_coefficients_are_fitted_to() -> None:
    inventory = {
        "pe": (Part(kind="adder", count=3, bits=8), Part(kind="register", count=2, bits=5)),
        "output": (Part(kind="adder", bits=32), Part(kind="sram", bits=8, words=8), Part(kind="dram", bits=8)),
    }
    features = logic_features(inventory, AT_45)
    assert features == {("adder", "bits"): 56, ("adder", "constant"): 4, ("register", "bits"): 10}
    n_gates = sum(AT_45.nand2[kind][feature] * size for (kind, feature), size in features.items())
    logic = {name: tuple(p for p in parts if p.kind not in ("sram", "dram")) for name, parts in inventory.items()}
    assert n_gates * AT_45.nand2_um2 == pytest.approx(sum(area_um2(logic, AT_45).values()))


def test_area_by_hand() -> None:
    inventory = {
        "pe": (Part(kind="register", count=4, bits=10), Part(kind="gates", count=2, bits=100)),
        "scratchpad": (Part(kind="sram", count=2, bits=64, words=1024),),  # 8 KB each
        "dram": (Part(kind="dram", bits=8),),
    }
    area = area_um2(inventory, AT_45)
    assert area == {
        "pe": pytest.approx((4 * 56.67 + 200) * 0.798),
        "scratchpad": pytest.approx(2 * 2900 * 8**0.974 * 64**0.06),
    }


def test_energy_by_hand() -> None:
    inventory = {
        "pe": (Part(kind="adder", count=16, bits=8, operations={"macs": 1}),),
        "scratchpad": (Part(kind="sram", bits=64, words=1024, reads={"act_reads": 2}, writes={"act_writes": 1}),),
        "dram": (Part(kind="dram", bits=8, reads={"dram_read_bytes": 1}, writes={"dram_write_bytes": 1}),),
        "idle": (Part(kind="gates", bits=100),),
    }
    activity = {"macs": 1000, "act_reads": 10, "act_writes": 5, "dram_read_bytes": 3, "dram_write_bytes": 4}
    energy = energy_pj(inventory, activity, 1e6, AT_45)
    read, write = 0.217 * 8**0.565 * 64**0.54, 0.124 * 8**0.46 * 64**0.784
    n_gates = 16 * (5.274 * 8 + 2.924) + 100
    assert energy == {
        "pe": pytest.approx(1000 * 0.03, rel=1e-4),
        "scratchpad": pytest.approx(20 * read + 5 * write),
        "dram": 7 * 8 * 8,
        "leakage": pytest.approx(n_gates * 17.4 + 8 * 153.8),  # nW over 1 ms is pJ
    }


def test_leakage_is_power_times_time() -> None:
    inventory = {"x": (Part(kind="gates", count=3, bits=1000),)}
    assert leakage_nw(inventory, AT_45) == pytest.approx(3000 * 17.4)
    assert energy_pj(inventory, {}, 500.0, AT_45)["leakage"] == pytest.approx(3000 * 17.4 * 500 * 1e-6)


def test_counters_that_nothing_uses_are_named() -> None:
    inventory = {"pe": (Part(kind="adder", bits=8, operations={"macs": 1}),)}
    assert unpriced_activity(inventory, {"overflows": 1, "macs": 2, "requests": 3}) == ["overflows", "requests"]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Part(kind="wire", bits=8), "wire: wanted a part with a price"),  # type: ignore[arg-type]
        (Part(kind="adder"), "adder: wanted 1 or more bits, got 0"),
        (Part(kind="multiplier", bits=8), "multiplier: wanted 1 or more other_bits, got 0"),
        (Part(kind="sram", bits=8), "sram: wanted 1 or more words"),
    ],
)
def test_a_part_without_a_price_is_an_error(part: Part, message: str) -> None:
    with pytest.raises(CostError, match=message):
        area_um2({"x": (part,)}, AT_45)
    with pytest.raises(CostError, match=message):
        energy_pj({"x": (part,)}, {}, 1.0, AT_45)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            Part(kind="adder", bits=8, operations={"mac": 1}),
            "x: wanted the activity counter 'mac', got a run without it",
        ),
        (Part(kind="adder", bits=8, reads={"macs": 1}), "x: wanted operations for logic .adder., got reads or writes"),
        (Part(kind="sram", bits=8, words=8, operations={"macs": 1}), "x: wanted reads and writes of a memory"),
    ],
)
def test_activity_that_does_not_match_is_an_error(part: Part, message: str) -> None:
    with pytest.raises(CostError, match=message):
        energy_pj({"x": (part,)}, {"macs": 1}, 1.0, AT_45)


KINDS = st.sampled_from(["multiplier", "adder", "register", "mux", "shifter", "comparator", "gates", "sram"])


@given(
    kind=KINDS,
    sizes=st.tuples(*[st.integers(1, 64)] * 4),
    more=st.sampled_from(["count", "bits", "other_bits", "words"]),
    node_nm=st.sampled_from([65, 45, 28, 22, 7]),
)
def test_more_hardware_never_is_less_area(kind: Any, sizes: tuple[int, ...], more: str, node_nm: int) -> None:
    prices = load_technology(node_nm)
    part = Part(kind=kind, count=sizes[0], bits=sizes[1], other_bits=sizes[2], words=sizes[3])
    larger = replace(part, **{more: getattr(part, more) + 1})
    small, large = (area_um2({"x": (one,)}, prices)["x"] for one in (part, larger))
    assert 0 <= small <= large
    assert leakage_nw({"x": (part,)}, prices) <= leakage_nw({"x": (larger,)}, prices)
