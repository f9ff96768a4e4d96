"""Energy of float and binary perceptrons, by hand."""

from __future__ import annotations

import pytest

from designs.errors import InputError
from designs.technology import load_technology
from sim.baselines import binary_mlp_pj, float_mlp_pj

AT_45 = load_technology(45)
READ_PJ = 0.217 * 32**0.565 * 32**0.540  # of 32 bits from 32 KB


def test_float_by_hand() -> None:
    energy = float_mlp_pj((20, 10, 5), AT_45, weights="sram")
    assert energy == {
        "arithmetic": pytest.approx(250 * (3.7 + 0.9)),
        "weights": pytest.approx(250 * READ_PJ),
        "leakage": pytest.approx(32 * 153.8 * 250 * 10 * 1e-6),  # one bank of 32 KB, 250 cycles of 10 ns
    }


def test_banks_are_read_at_once() -> None:
    n_weights = 512 * 64  # 4 banks of 8192 words: leakage of 4 over a quarter of the time
    energy = float_mlp_pj((512, 64), AT_45, weights="sram", clock_mhz=200)
    assert energy["leakage"] == pytest.approx(4 * 32 * 153.8 * 8192 * 5 * 1e-6)
    assert energy["weights"] == pytest.approx(n_weights * READ_PJ)


def test_weights_from_dram_by_hand() -> None:
    energy = float_mlp_pj((20, 10), AT_45, weights="dram")
    assert energy["weights"] == pytest.approx(200 * 32 * 8)
    assert energy["arithmetic"] == pytest.approx(200 * 4.6)


def test_binary_by_hand() -> None:
    energy = binary_mlp_pj((20, 10), AT_45, weights="sram")
    assert energy == {
        "arithmetic": pytest.approx(200 * (0.000566 + 0.0029167) + 10 * 5 * 0.000922),  # counts to 20 have 5 bits
        "weights": pytest.approx(7 * READ_PJ),  # 200 bits
        "leakage": pytest.approx(32 * 153.8 * 7 * 10 * 1e-6),
    }


def test_the_mnist_teacher_of_poet_bin() -> None:
    # 303,184 MACs: 512 x 512, 512 x 80, and ten output neurons that read 8 values each. So ten of 8-1.
    dense = float_mlp_pj((512, 512, 80), AT_45, weights="dram")
    sparse = float_mlp_pj((8, 1), AT_45, weights="dram")
    assert dense["arithmetic"] + 10 * sparse["arithmetic"] == pytest.approx(303_184 * 4.6)
    assert dense["weights"] + 10 * sparse["weights"] == pytest.approx(303_184 * 32 * 8)


@pytest.mark.parametrize("sizes", [(), (5,), (5, 0)])
def test_sizes_that_are_no_network_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="layer_sizes: wanted two or more numbers from 1 up"):
        float_mlp_pj(sizes, AT_45, weights="sram")
