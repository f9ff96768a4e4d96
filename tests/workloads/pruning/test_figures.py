"""The printed figures: those of the literature, the tables and the JSON document."""

from __future__ import annotations

import json

import numpy as np
import pytest

from designs.errors import InputError
from workloads.pruning.__main__ import main
from workloads.pruning.figures import gradient_statistics, mask_statistics
from workloads.pruning.n_of_m import NOfM


@pytest.mark.parametrize(
    ("pattern", "n_blocks", "mean", "least", "equal", "incomplete", "retained"),
    [
        ("1:2", 20_000, 0.9833, 0.5345, None, 0, (0.654, 0.713, 0.752)),
        ("2:4", 20_000, 0.9852, 0.8019, 0.540, 0.157, (0.704, 0.747, 0.784)),
        ("4:8", 400, 0.9875, 0.9459, 0.098, 0.542, (0.742, 0.768, 0.791)),
    ],
)
def test_greedy_against_best(
    pattern: str, n_blocks: int, mean: float, least: float, equal: float | None, incomplete: float, retained: tuple[float, ...]
) -> None:
    found = mask_statistics(NOfM.parse(pattern), n_blocks, seed=0, n_programs=20)
    assert found.ratio_mean == pytest.approx(mean, abs=6e-5)
    assert found.ratio_min == pytest.approx(least, abs=6e-5)
    assert found.incomplete == pytest.approx(incomplete, abs=6e-4)
    if equal is not None:
        assert found.equal == pytest.approx(equal, abs=6e-4)
    shares = found.retained_transposable, found.retained_rows, found.retained_unstructured
    assert shares == pytest.approx(retained, abs=6e-4)
    assert found.n_programs == 20 and found.fraction_most < 1e-9 and found.shortfall_most < 1e-9


@pytest.mark.parametrize(
    ("gradients", "greedy", "least", "approximate"),
    [("normal", 0.1323, 0.4736, 0.5024), ("laplace", 0.0800, 0.3130, 0.3469), ("lognormal", 0.0483, 0.2027, 0.2336)],
)
def test_errors_of_estimates(gradients: str, greedy: float, least: float, approximate: float) -> None:
    found = gradient_statistics(gradients, 50_000, seed=0)
    errors = found.greedy_2_4, found.mvue_2_4, found.approximate_2_4
    assert errors == pytest.approx((greedy, least, approximate), rel=0.03)  # 50,000 blocks of another draw
    assert found.bias_most < 1e-12 and found.difference_most < 1e-12
    assert found.uniform_2_4 == pytest.approx(1, abs=1e-12)
    assert 1 < found.approximate_worst < 2


def test_pairs_of_normal_gradients_meet_the_theory() -> None:
    found = gradient_statistics("normal", 50_000, seed=1)
    assert found.mvue_1_2 == pytest.approx(2 / np.pi, abs=0.004)
    assert found.greedy_1_2 == pytest.approx((1 - 2 / np.pi) / 2, abs=0.002)


ARGUMENTS = ["--blocks", "50", "--programs", "5", "--gradient-blocks", "1000", "--patterns", "1:2", "2:4"]


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(ARGUMENTS) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "2:4    1.8326e+18  2,821,109,907,456    65,610,000  429,981,696" in lines[3]
    assert [line.split()[0] for line in lines if line.startswith(" ")] == ["1:2", "2:4", "1:2", "2:4", "normal", "laplace"]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ARGUMENTS, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["pattern"] for row in document["mask_counts"]] == ["1:2", "2:4"]
    assert document["mask_counts"][1]["transposable"] == 65_610_000
    expected = mask_statistics(NOfM(2, 4), 50, seed=0, n_programs=5)
    assert document["masks"][1]["ratio_mean"] == expected.ratio_mean
    assert [row["gradients"] for row in document["gradients"]] == ["normal", "laplace", "lognormal"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--blocks", "0"], "blocks: wanted 1 or more, got 0; 1000 take a second"),
        (["--patterns", "2-4"], "pattern '2-4': wanted two numbers n:m, got none; write 2:4 to keep 2 of 4"),
        (["--patterns", "2:4", "--side", "6"], "side: wanted a multiple of 4 for 2:4, got 6; try 4"),
    ],
)
def test_bad_input_is_told_in_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", message + "\n")


def test_gradients_of_no_known_distribution_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        gradient_statistics("cauchy", 10, seed=0)
    assert str(caught.value) == "gradients: wanted one of normal, laplace, lognormal, got 'cauchy'; take one of them"
