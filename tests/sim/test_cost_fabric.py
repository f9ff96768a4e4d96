"""Prices of a LUT fabric and of floating point, by hand."""

from __future__ import annotations

import pytest

from designs.technology import load_technology, scaling_factors
from sim.cost import CostError, area_um2, energy_pj, leakage_nw
from sim.inventory import Part

AT_45 = load_technology(45)
TRANSISTOR_UM2 = 60 * 0.045**2


def test_area_of_luts_is_that_of_the_published_logic_blocks_and_their_routing() -> None:
    for bits, transistors in ((4, 7238.080078 / 8), (6, 18748.199219 / 10)):
        (area,) = area_um2({"x": (Part(kind="lut", bits=bits),)}, AT_45).values()
        assert area == pytest.approx((transistors + 30481 / 10 * bits / 6) * TRANSISTOR_UM2, rel=1e-3)


def test_energy_by_hand() -> None:
    inventory = {
        "tree": (Part(kind="lut", count=10, bits=6, operations={"lut_toggles": 1}),),
        "register": (
            Part(kind="fabric_register", bits=20, operations={"register_toggles": 1}, writes={"register_loads": 1}),
        ),
    }
    activity = {"lut_toggles": 1000, "register_toggles": 300, "register_loads": 2000}
    energy = energy_pj(inventory, activity, 1e6, AT_45)
    half_volt_squared = 0.5 * 0.9**2
    assert energy == {
        "tree": pytest.approx(1000 * half_volt_squared * (45 + 150) * 1e-3, rel=1e-4),  # fF x V^2 = fJ
        "register": pytest.approx(2000 * 0.009 + 300 * half_volt_squared * 150e-3),
        "leakage": pytest.approx(10 * 64 * 13.28 + 20 * 98.6),  # nW over 1 ms is pJ
    }


def test_a_lut_of_fewer_inputs_switches_fewer_cells() -> None:
    inventory = {"x": (Part(kind="lut", bits=4, operations={"n": 1}),)}
    assert energy_pj(inventory, {"n": 1}, 0, AT_45)["x"] == pytest.approx(0.405 * (45 / 4 + 150) * 1e-3, rel=1e-4)
    assert leakage_nw(inventory, AT_45) == pytest.approx(16 * 13.28)


def test_the_fabric_scales_as_gates_do() -> None:
    area, energy = scaling_factors(28)
    at_28 = load_technology(28)
    for kind in ("lut", "fabric_register"):
        inventory = {"x": (Part(kind=kind, bits=5, operations={"n": 1}),)}
        assert area_um2(inventory, at_28)["x"] == pytest.approx(area_um2(inventory, AT_45)["x"] * area)
        assert leakage_nw(inventory, at_28) == pytest.approx(leakage_nw(inventory, AT_45) * area)
        dynamic = [energy_pj(inventory, {"n": 7}, 0, prices)["x"] for prices in (at_28, AT_45)]
        assert dynamic[0] == pytest.approx(dynamic[1] * energy)
    assert at_28.fp32_multiply_pj == pytest.approx(3.7 * energy)
    assert AT_45.fp32_add_pj == 0.9


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Part(kind="lut"), "lut: wanted 1 or more bits, got 0"),
        (Part(kind="lut", bits=6, writes={"n": 1}), "x: wanted operations for logic .lut., got reads or writes"),
        (Part(kind="fabric_register", bits=6, reads={"n": 1}), "x: wanted operations for logic .fabric_register."),
    ],
)
def test_what_has_no_price_is_an_error(part: Part, message: str) -> None:
    with pytest.raises(CostError, match=message):
        energy_pj({"x": (part,)}, {"n": 1}, 1.0, AT_45)
