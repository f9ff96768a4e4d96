"""What bootstrapping machines are made of, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from designs.families.fhe import Design
from designs.technology import load_technology
from sim.cost import area_um2, energy_pj
from sim.families import fhe
from sim.inventory import Inventory, Part
from sim.parts.fhe import fhe_inventory, hardware_of
from tests.families.fhe_twin import one_batch

DESIGN = Design(
    coefficients_per_cycle=16, rotators=2, decomposers=3, key_columns=2, inverse_ntts=2, ntt_ranks=5, cores=3, batch=4,
    key_rows=4, key_switch_lanes=32, key_switchers=2, modulus_bits=64,
)  # fmt: skip


def parts(inventory: Inventory, slice_: str, kind: str) -> list[Part]:
    return [part for part in inventory[slice_] if part.kind == kind]


def memory_bits(inventory: Inventory, slice_: str) -> int:
    return sum(part.count * part.bits * part.words for part in parts(inventory, slice_, "sram"))


def test_multipliers_by_hand() -> None:
    DESIGN.check()
    found = fhe_inventory(DESIGN)
    counts = {name: sum(p.count for p in parts(found, name, "multiplier")) for name in found}
    assert {name: count for name, count in counts.items() if count} == {
        "forward_ntt": 3 * 6 * 5 * 8,  # cores, digit polynomials, ranks, butterflies
        "key_multipliers": 3 * 6 * 2 * 16,
        "inverse_ntt": 3 * 2 * 5 * 8,
        "key_switch": 3 * 2 * 32,
    }


def test_memories_by_hand() -> None:
    found = fhe_inventory(DESIGN)
    assert memory_bits(found, "key_rows") == 4 * 4 * 3 * 1024 * 64  # K rows of (k+1)^2 l N residues
    assert memory_bits(found, "accumulator") == 3 * 2 * 4 * 2 * 1024 * 32  # two copies of B slots of k + 1 polynomials
    assert memory_bits(found, "transformed_accumulator") == 3 * 2 * 2 * 1024 * 64
    assert memory_bits(found, "key_multipliers") == 3 * 2 * 6 * 1024 * 64
    assert memory_bits(found, "key_switch") == 3 * 4 * 32 * 20 * 32  # B results of 20 chunks (631 words) of 32
    resident = fhe_inventory(replace(DESIGN, key_rows=4000))
    assert memory_bits(resident, "key_rows") == 630 * 4 * 3 * 1024 * 64


def test_twiddles_of_all_ranks_are_those_of_all_stages() -> None:
    for ranks in (1, 3, 10):
        design = replace(DESIGN, ntt_ranks=ranks, coefficients_per_cycle=2)
        twiddles = [part for part in parts(fhe_inventory(design), "forward_ntt", "sram") if not part.writes]
        assert sum(part.words for part in twiddles) == 1023 and {part.count for part in twiddles} == {3}


def test_a_rank_of_one_stage_has_no_memory_between_its_passes() -> None:
    by_ranks = [memory_bits(fhe_inventory(replace(DESIGN, ntt_ranks=ranks)), "inverse_ntt") for ranks in (5, 10)]
    twiddles = 3 * 64 * 8 * sum(-(-(1 << stage) // 8) for stage in range(10))
    assert by_ranks[1] - twiddles == 3 * 2 * 2 * 10 * 1024 * 64  # two places in front of each next station


def test_what_is_no_hardware_shares_an_inventory() -> None:
    others = replace(DESIGN, clock_mhz=500, node_nm=7, schedule="wide_first", memory_latency_cycles=7, lwe_noise=1e-6)
    assert fhe.inventory(others) is fhe.inventory(DESIGN)
    assert hardware_of(Design()) == hardware_of(replace(Design(), parameter_set="tfhe_lib_128", lwe_dimension=630))


def test_energy_of_keys_is_that_of_their_bytes() -> None:
    run = fhe.run_program(DESIGN, one_batch(4, 3))
    energy = energy_pj(fhe.inventory(DESIGN), run.activity, 0.0, load_technology(45))
    key_bytes = 630 * 4 * 3 * 1024 * 8
    switch_bytes = 1024 * 8 * 20 * 32 * 4
    moved = (12 * 2 + 12) * 79 * 8 * 4  # 79 beats of 8 words
    assert energy["hbm"] == pytest.approx((key_bytes + switch_bytes + moved) * 8 * 3.9)


def test_an_area_of_zero_is_nowhere_but_off_chip() -> None:
    area = area_um2(fhe_inventory(DESIGN), load_technology(45))
    assert all(value > 0 for value in area.values()) and "hbm" not in area
