import csv
import dataclasses
import io
import math
import random

import pytest

from designs.errors import InputError
from designs.objectives import parse_constraint
from explore.search.fidelity import Fidelity
from explore.search.result import Evaluation
from reports.figures.hypervolume import hypervolume_data
from reports.page import write_report
from reports.search_page import write_search_page
from reports.search_section import make_lead, n_points_text, pairs, search_table
from reports.searches import finds, joint_front
from tests.reports import toy
from tests.reports.test_page import parsed
from tests.reports.toy_search import OBJECTIVES, SPACE, found, result


@pytest.fixture
def no_png(monkeypatch):
    """Leaves out the PNG files, which take half of a report's time, where a test is about something else."""
    monkeypatch.setattr("reports.style.write_png", lambda figure, path: None)


ROWS = [{**row, "layers": None} for row in toy.rows()]  # fewer figures: how searches went is what is tested here


def drawn(sampler="tpe", seed=0, n=12, *, objectives=OBJECTIVES, parts=False, rows=None, **more):
    """A search over rows of the toy."""
    draw = random.Random(f"{sampler}{seed}")
    evaluations = []
    for trial in range(n):
        row = draw.choice(rows or ROWS)
        origin = "random start" if trial < 4 else sampler
        ran = not row["failure"]
        if parts:
            evaluations.append(Evaluation(row=row, share=0.25, trial=trial, origin=origin, feasible=ran))
        if not parts or trial % 3 == 0:
            evaluations.append(Evaluation(row=row, trial=trial, origin=origin, feasible=ran))
    told = {o: {"array_rows": 0.75, "dataflow": 0.25} for o in objectives}
    return result(evaluations, sampler, seed, objectives=objectives, **{"importance": told, **more})


def write(results, folder, **more):
    given = {"space": SPACE, "title": "toy on toy_net", "command": "lockstep search toy"}
    return write_search_page(results, folder, **{**given, **more})


def text_of(results, folder, **more):
    page = write(results, folder, **more)[0].read_text(encoding="utf-8")
    return " ".join("".join(parsed(page).text).split()).replace("\u00a0", " ")


def lead_of(results, space=SPACE):
    """Everything that the search section says."""
    lead = make_lead(results, space, "evaluations.csv")
    return " ".join([*lead.sentences, *(f"{p.title}: {p.takeaway}" for p in lead.pictures), *lead.missing, *lead.notes])


def test_the_page_of_two_samplers(tmp_path, no_png):
    results = [drawn(s, k, parts=s.endswith("asha")) for s in ("random", "tpe+asha") for k in (0, 1)]
    written = write(results, tmp_path / "a", store_path="toy.sqlite")
    assert [path.name for path in written] == ["index.html", "points.csv", "evaluations.csv"]
    page = written[0].read_text(encoding="utf-8")
    checker = parsed(page)
    assert len(checker.ids) == len(set(checker.ids)) > 10
    text = " ".join("".join(checker.text).split()).replace("\u00a0", " ")
    for said in (
        "4 searches of toy (225 points of the tensor family) for least area and least latency on toy_net: random and "
        "tpe+asha, 2 seeds, with a budget of 4 full evaluations each.",
        "Hypervolume against work", "How the front was found, area and latency", "Rungs", "Importance of axes",
        "Parameters of the front", "on the space toy", "evaluations.csv (every evaluation of every search, in order)",
    ):  # fmt: skip
        assert said in text, said
    names = {path.name for path in (tmp_path / "a" / "figures").iterdir()}
    assert {"search_parallel.svg", "search_rungs.svg", "search_found_1.svg", "phases.svg"} <= names
    write(results, tmp_path / "b", store_path="toy.sqlite")
    for path in (p for p in (tmp_path / "a").rglob("*") if p.is_file()):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes(), path.name
    write_report(ROWS[1:2], tmp_path / "a", title="t", command="c")
    assert not [p for p in (tmp_path / "a").rglob("*") if p.name.startswith(("search", "evaluations"))]


def test_evaluations_csv_has_every_evaluation(tmp_path, no_png):
    evaluations = [found(1, 9, share=0.25), found(1, 9, trial=0), found(2, 5, trial=1, origin="random", feasible=False)]
    write([result(evaluations)], tmp_path)
    lines = list(csv.DictReader(io.StringIO((tmp_path / "evaluations.csv").read_text(encoding="utf-8"))))
    assert [line["work"] for line in lines] == ["0.25", "1.25", "2.25"]
    assert [line["feasible"] for line in lines] == ["1", "1", "0"] and lines[2]["origin"] == "random"
    assert lines[1]["area_um2"] == "1" and lines[1]["array_cols"] == "9" and lines[1]["sampler"] == "tpe"


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([result([])], "Nothing was simulated: no point that was asked for can be built"),
        ([drawn(n=1, rows=ROWS[1:2])], "1 evaluation of the whole workload."),
        ([drawn(n=2, rows=[r for r in ROWS if r["failure"]])], "There is no front: every one of them failed."),
        ([result([found(1, 9, share=0.25)])], "No point was simulated whole, so there is no front."),
    ],
)  # fmt: skip
def test_pages_with_little_on_them(results, said, tmp_path, no_png):
    assert said in text_of(results, tmp_path)


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([drawn(objectives=("latency_ns",))], "How the front was found, latency"),
        ([drawn(objectives=(*OBJECTIVES, "energy_pj", "cycles", "utilization"))], "and largest utilization on"),
        ([drawn(parts=True, n=12)], "16 evaluations, 4 of them of the whole workload."),
    ],
)  # fmt: skip
def test_what_searches_may_come_to(results, said):
    assert said in lead_of(results)


def test_objectives_that_no_row_knows_are_left_out(tmp_path, no_png):
    text = text_of([drawn(n=2, rows=ROWS[1:3], objectives=(*OBJECTIVES, "accuracy"))], tmp_path)
    assert "for least area and least latency on" in text


def test_none_keeps_the_constraints(tmp_path, no_png):
    space = dataclasses.replace(SPACE, subject_to=(parse_constraint("area_um2 <= 12345678.5"),))
    one = drawn(n=2, rows=ROWS[1:3], constraints=("area_um2 <= 1.23457e+07",))
    one = dataclasses.replace(one, evaluations=tuple(dataclasses.replace(e, feasible=False) for e in one.evaluations))
    text = text_of([one], tmp_path, space=space)
    assert "There is no front: none keeps the constraints." in text
    assert "Points have to keep area_um2 <= 1.23457e+07." in text
    assert "Not drawn: Hypervolume against work (two feasible points that differ are needed)" in text


def test_a_space_without_open_axes():
    bare = dataclasses.replace(SPACE, axes=())
    said = lead_of([drawn(n=2, importance={})], bare)
    assert "Parameters of the front: A strong line" in said
    assert "Importance of axes (too few evaluations to tell, or no axis)" in said


def test_accuracy_as_an_objective():
    rows = [row | {"accuracy": None if row["failure"] else 0.9 + 0.001 * (i % 50)} for i, row in enumerate(ROWS)]
    text = lead_of([drawn(rows=rows, objectives=(*OBJECTIVES, "accuracy"))])
    assert "and largest accuracy on" in text and "How the front was found, area and accuracy" in text


def test_ten_samplers_with_ten_seeds():
    text = lead_of([drawn(f"sampler{s}", k, n=6) for s in range(10) for k in range(10)])
    assert "100 searches of toy" in text and "6 more samplers have less." in text and "thin lines" not in text


def test_layers_are_asked_for_the_rows_of_the_page(tmp_path, no_png):
    asked = []

    def layers_of(rows):
        asked.extend(rows)
        return [row | {"layers": toy.rows()[1]["layers"]} for row in rows]

    stored = [row | {"space": "an older one"} for row in ROWS[1:4]]
    text = text_of([drawn(n=5, rows=stored), drawn(n=5, rows=stored, parts=True)], tmp_path, layers_of=layers_of)
    assert asked and all(row["space"] == "toy" for row in asked) and "Layer by layer: Point A" in text


def test_the_table_counts_and_averages():
    known = [found(1, 100), found(100, 1)]
    results = [result([*known, found(10, 10)]), result(known, seed=1), result([found(10, 10)], "random", n_refused=4)]
    every = finds(results)
    table = search_table(results, every, joint_front(every, OBJECTIVES), hypervolume_data(results))
    lines = [dict(zip(table.columns, (cell.text for cell in row), strict=True)) for row in table.rows]
    assert lines[0] == {
        "sampler": "tpe", "seeds": "2", "evaluations": "2.5", "work": "2.5", "hypervolume": "0.125",
        "standard deviation": "0.177", "lowest": "0.000", "highest": "0.250", "front size": "2.5",
        "on joint front": "3", "refused": "1", "repeated": "2", "computed": "5", "from store": "0",
    }  # fmt: skip
    assert (lines[1]["hypervolume"], lines[1]["standard deviation"], lines[1]["refused"]) == ("0.250", "-", "4")


def test_pairs_and_numbers_in_words():
    assert pairs(("a",)) == [(None, "a")] and pairs(("a", "b")) == [("a", "b")]
    assert pairs(("a", "b", "c", "d", "e")) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [n_points_text(n) for n in (1, 6_055_560_000, 7_266_000_000_000, 999_999 * 10**400)] == [
        "1 point", "6,055,560,000 points", "7.27 × 10¹² points", "1.00 × 10⁴⁰⁶ points",
    ]  # fmt: skip


def test_a_file_in_the_way_and_searches_of_two_spaces(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(InputError, match="out: wanted a folder for the report, got a file"):
        write([drawn()], tmp_path / "out")
    with pytest.raises(InputError, match="wanted searches of one space, got toy and other"):
        write([drawn(), drawn(space="other")], tmp_path / "page")


def test_how_parts_rank_and_why_searches_ended(tmp_path, no_png):
    told = [(0.25, 9, (0.8, math.nan, 0.1)), (0.25, 3, (0.4, 0.5, 0.2)), (0.25, 1, ())]
    results = [
        drawn("tpe+asha", seed, n=3, rows=ROWS[1:4], parts=True, objectives=(*OBJECTIVES, "accuracy"),
              fidelities=(Fidelity(*each),), ended="every point was evaluated" if seed else "")
        for seed, each in enumerate(told)
    ]  # fmt: skip
    text = text_of(results, tmp_path)
    assert "Ended early, every point was evaluated: tpe+asha with seed 1 and tpe+asha with seed 2." in text
    # area 0.8 and 0.4, latency 0.5 of the one search that knows; accuracy, which no row knows, is left out
    assert "How parts of the workload rank designs" in text
    assert "samplershareconfigurationsarealatency tpe+asha25 %130.600.50" in text
