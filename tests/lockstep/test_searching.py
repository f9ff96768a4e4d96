"""`lockstep search`: table, document, page; bad input in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import lockstep
from designs.errors import InputError
from lockstep import cli
from lockstep.show_search import searched
from tests import toy_family

SPACE = str(toy_family.SPACE)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy_family.install()
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["search", *arguments])
    out, error = capsys.readouterr()
    return code, out, error


def test_samplers_and_seeds_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (SPACE, "--budget", "12", "--sampler", "random", "--sampler", "nsga2", "--seeds", "2", "--json")
    code, out, error = run(capsys, *arguments)
    found = json.loads(out)
    assert (code, error) == (0, "")
    assert [(each["sampler"], each["seed"]) for each in found["searches"]] == [
        ("random", 0), ("random", 1), ("nsga2", 0), ("nsga2", 1),
    ]  # fmt: skip
    assert all(each["evaluations"] == each["work"] == 12 for each in found["searches"])
    assert found["objectives"] == ["area_um2", "latency_ns"] and found["points"] == 24
    assert all(0 <= each["hypervolume"] <= 1 for each in found["searches"])
    assert found["pareto_front"] and (Path("out") / "space" / "results.sqlite").exists()
    assert not (Path("out") / "space" / "index.html").exists()
    again = json.loads(run(capsys, *arguments)[1])
    assert [each["computed"] for each in again["searches"]] == [0] * 4
    assert again["pareto_front"] == found["pareto_front"]


def test_the_table_and_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = run(capsys, SPACE, "--budget", "50", "--store", "s.sqlite", "--report", "page")
    assert code == 0 and "space on gemm:6x5x4, surrogate: 0 of 50" in error
    assert "surrogate, seed 0: ended early: all 24 points of the space are known" in out
    assert out.splitlines()[2].split() == [
        "sampler",
        "seeds",
        "evaluations",
        "work",
        "refused",
        "repeated",
        "hypervolume",
        "front",
    ]
    assert out.splitlines()[4].split()[:4] == ["surrogate", "1", "24", "24"]
    assert (Path("page") / "index.html").stat().st_size > 10_000


def test_parts_first(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, SPACE, "-w", "gemm:64x8x8", "--budget", "4", "--asha", "--eta", "2", "--json")
    (found,) = json.loads(out)["searches"]
    assert code == 0 and found["sampler"] == "surrogate+asha" and found["work"] <= 4 < found["evaluations"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--budget", "5", "--sampler", "tep"), "sampler: wanted one of random, qmc"),
        (("--budget", "0"), "budget: wanted 1 full evaluation or more, got 0"),
        (("--budget", "2", "--seed", "4294967295", "--seeds", "2"), "seed: wanted 0 to 4294967295, got 4294967296"),
        (("--budget", "2", "--asha", "--eta", "1025"), "eta: wanted 2 to 1024, got 1025"),
        (("--budget", "2", "--report", SPACE), "wanted a folder for the report, got a file"),
        (("--budget", "nan"), "budget: wanted 1 full evaluation or more, got nan"),
        (("--budget", "5", "--set", "lanes"), "--set lanes: wanted --set array_rows=8"),
        (("--budget", "5", "-w", "nothing"), "nothing"),
    ],
)
def test_bad_input_in_one_line(arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = run(capsys, SPACE, *arguments)
    assert (code, out) == (2, "") and message in error and len(error.splitlines()) == 1
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": "3"}, "budget: wanted 1 full evaluation or more, got '3'"),
        ({"sampler": ["tpe"]}, r"sampler: wanted one of random, .*, got \['tpe'\]"),
        ({"seed": -1}, "seed: wanted 0 to 4294967295, got -1"),
        ({"seed": None}, "seed: wanted 0 to 4294967295, got None"),
        ({"in_flight": 1.5}, "in flight: wanted 1 or more, got 1.5"),
        ({"workers": 0}, "workers: wanted 1 or more, got 0"),
        ({"asha": True, "eta": 0}, "eta: wanted 2 to 1024, got 0"),
        ({"scaling": "whole"}, "scaling: wanted one of stillmaker_baas, whole_operation, got 'whole'"),
    ],
)
def test_bad_arguments_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        lockstep.search(SPACE, **{"budget": 2} | arguments)


def test_constraints_on_what_no_metric_is_called(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = toy_family.SPACE.read_text().replace("design:", "subject_to: [aera_um2 <= 5]\ndesign:")
    (tmp_path / "s.yaml").write_text(text)
    code, _, error = run(capsys, "s.yaml", "--budget", "5")
    assert code == 2 and "aera_um2" in error and "area_um2" in error and len(error.splitlines()) == 1


def test_nothing_feasible_is_said(tmp_path: Path) -> None:
    text = toy_family.SPACE.read_text().replace("design:", "subject_to: [area_um2 <= 1e-9]\ndesign:")
    (tmp_path / "s.yaml").write_text(text)
    found = lockstep.search("s.yaml", budget=5, sampler="random")
    assert found.pareto_front == () and len(found.evaluations) == 5
    space = lockstep.load_space("s.yaml")
    assert "no point is feasible" in searched([found], space, tmp_path / "s.sqlite", None)
