"""Pages of LUT machines: what they show, and the arithmetic behind it."""

import csv
import io
import re

import pytest

from designs.objectives import parse_constraint
from reports import families, style
from reports.anchors import Network
from reports.families import lut
from reports.figures import anchored, energy_beside, waterfall
from reports.figures.waterfall import Step
from reports.page import write_report
from reports.study import Chosen, by_role, named_points, pareto_front, studies
from tests.reports import toy_lut
from tests.reports.test_page import parsed

OBJECTIVES = ("area_um2", "latency_ns", "energy_pj", "accuracy")


def study_of(rows, constraints=()):
    (found,) = studies(rows, constraints, OBJECTIVES)
    return found


def with_details(rows):
    return [{**row, "details": toy_lut.details()} if row["luts"] == 400 else row for row in rows]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    path = write_report(with_details(toy_lut.rows()), folder, title="LUTs", command="c", objectives=OBJECTIVES)
    return folder, path.read_text(encoding="utf-8")


def text_of(page):
    return " ".join("".join(parsed(page).text).split())


def test_the_page_says_what_a_lut_page_should(page):
    text = text_of(page[1])
    for said in (
        "9 points of the lut family, 2 axes. 3 are Pareto-optimal in area, latency, energy and accuracy.",
        "Best accuracy C 98.2 %",
        "The most accurate point, C, answers 98.2 % right (442 of 450); it is the smallest of 3 that do. "
        "One sample is 0.22 points.",
        "In B, 290 LUTs (core, by formula) become 400.",
        "Training of the named points",
        "Pipelining of point B",
        "The longest way between two registers is 12 LUTs, which leaves 0.83 ns for a LUT and its wires at 100 MHz.",
        "glitches",
        "Pareto front: area, latency, energy and accuracy",
    ):
        assert said in text, said
    for other in ("roofline", "Utilization", "tiling", "tensor", "DRAM, which is outside"):
        assert other not in text, other


def test_figures_of_a_lut_page(page):
    names = {path.name for path in (page[0] / "figures").iterdir()}
    assert {"accuracy_luts.svg", "energy_beside.png", "waterfall.svg", "front_energy_accuracy.svg"} <= names
    stems = {name.split(".")[0] for name in names}
    assert stems <= families.figure_names() and not stems & {"roofline", "layers", "utilization"}
    assert not re.search(r"https?:", page[1])


def test_details_are_not_in_the_table_of_all_points(page):
    lines = list(csv.DictReader(io.StringIO((page[0] / "points.csv").read_text())))
    assert not any(column.startswith("details") for column in lines[0]) and lines[0]["luts"] == "100"
    assert sum(line["on_front"] == "1" for line in lines) == 3


def test_rows_alone_leave_out_what_they_do_not_tell(tmp_path, monkeypatch):
    monkeypatch.setattr("reports.style.write_png", lambda figure, path: None)
    text = text_of(write_report(toy_lut.rows(), tmp_path, title="t", command="c").read_text())
    assert "Energy of a classification beside perceptrons (rows alone do not tell)" in text
    assert "Where LUTs go (rows alone do not tell)" in text and "4 objectives" not in text
    assert "Pareto-optimal in latency, area, energy and accuracy" in text


def test_why_details_are_missing_is_told():
    rows = [{**row, "details": {"missing": "the rows were made by another version"}} for row in toy_lut.rows()]
    study = study_of(rows)
    plans = {plan.name: plan for plan in lut.plans(study, named_points(study))}
    assert plans["waterfall"].data is None and plans["waterfall"].why_not == "the rows were made by another version"


def test_accuracy_counts_on_the_front_as_more_is_better():
    rows = [toy_lut.row(100, 50), toy_lut.row(200, 50), toy_lut.row(300, 10)]
    assert pareto_front(rows, ("area_um2", "accuracy")) == [0, 2]
    assert pareto_front([{**rows[0], "accuracy": None}, rows[1]], ("area_um2", "accuracy")) == [1]


def test_a_bound_on_accuracy_is_told_with_the_smallest():
    study = study_of(toy_lut.rows(), [parse_constraint("accuracy >= 0.95")])
    chosen = named_points(study)
    (smallest,) = [c for c in chosen if "smallest with at least 95 %" in c.roles]
    assert smallest.row["luts"] == 400 and by_role(chosen)["smallest"] is smallest
    assert Chosen("A", ("smallest with at least 95 %",), {}).role == "smallest"
    assert by_role(chosen)["most accurate"].row["luts"] == 1200


def test_ours_beside_networks_of_others():
    rows = [toy_lut.row(100, 45), toy_lut.row(200, 9)]  # 90.0 and 98.0 %
    networks = [
        Network("theirs", "measured", "whole", ((150.0, 89.9), (300.0, 98.0))),
        Network("better", "survey", "whole", ((10.0, 99.0),)),
        Network("part", "primary", "no encoder", ((5.0, 99.9),)),
    ]
    data = anchored.anchored_data(rows, [], [], networks)
    assert anchored.takeaway(data) == (
        "Along the front, 2.00× the LUTs buys 8.00 points of accuracy (90.0 to 98.0 %); 2 of 2 points are on it. "
        "One test sample is 0.22 points. As accurate as better's 99 % on 10 LUTs: no point here; theirs's 98 % on 300 "
        "LUTs: 200 LUTs here. Hollow markers leave something out (no encoder)."
    )
    assert anchored.anchored_data(rows[:1], [], [], networks) is None


def test_a_rounded_per_cent_stands_for_its_samples():
    rows = [toy_lut.row(100, 45), toy_lut.row(200, 12)]  # 97.33 %, published as 97.3
    data = anchored.anchored_data(rows, [], [], [Network("n", "measured", "whole", ((9.0, 97.3),))])
    assert "n's 97.3 % on 9 LUTs: 200 LUTs here" in anchored.takeaway(data)
    data = anchored.anchored_data(rows, [], [], [Network("n", "measured", "whole", ((9.0, 97.4),))])
    assert "n's 97.4 % on 9 LUTs: no point here" in anchored.takeaway(data)


def test_names_meet_neither_each_other_nor_badges():
    networks = [Network(f"network {i}", "survey", "whole", ((400.0 + 9 * i, 96.0),)) for i in range(5)]
    study = study_of(toy_lut.rows())
    with style.house_style():
        figure = anchored.draw(anchored.anchored_data(study.done, named_points(study), [], networks))
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 8 and not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_lut_steps_add_up():
    row = {**toy_lut.row(800, 1), "luts": 760}
    circuit = {**toy_lut.details()["circuit"], "n_physical": 380}
    steps = lut.lut_steps(row, circuit)
    data = waterfall.waterfall_data("B", "LUTs", steps)
    assert [(step.name, step.n) for step in data.steps] == [
        ("Trees, by formula", 180), ("MATs, by formula", 30), ("Score tables, by formula", 80),
        ("Core, by formula", 290), ("Repeated, constant, overruled", -40), ("Encoder", 120), ("Argmax", 60),
        ("Classifier as built", 430), ("Simplified, cut to 6 inputs", -30), ("Two in one LUT", -20),
        ("Further copies", 380), ("LUT6 of the machine", 760),
    ]  # fmt: skip
    finished = lut.lut_steps(row, {**circuit, "formula": None})
    assert finished[0] == Step("Circuit as it was read", 430, True)


def test_a_waterfall_that_does_not_add_up_is_refused():
    with pytest.raises(ValueError, match=r"b: wanted the sum of the steps before it \(3\), got 4"):
        waterfall.waterfall_data("A", "LUTs", [Step("a", 1, True), Step("+", 2), Step("b", 4, True)])


def test_energy_parts_keep_the_static_one():
    assert energy_beside.parts_of({"tree": 3.0, "register": 2.0, "leakage": 1.0}) == (5.0, 0.0, 1.0)
    assert energy_beside.parts_of({"arithmetic": 3.0, "weights": 2.0, "leakage": 1.0}, ["weights"]) == (3.0, 2.0, 1.0)


def test_energy_beside_others_in_words():
    ours = energy_beside.Machine("B  knee", 0.98, (30.0, 0.0, 10.0), True)
    near = energy_beside.Machine("float MLP", 0.982, (300.0, 80.0, 20.0), False)
    far = energy_beside.Machine("binary MLP", 0.9, (50.0, 20.0, 10.0), False)
    data = energy_beside.energy_data([ours, near, far], 450)
    assert energy_beside.takeaway(data) == (
        "B (98.0 % right) takes 40.0 pJ a classification, 25 % of it leakage. As many times that take: float MLP (98.2 % "
        "right) 10.0× and binary MLP (90.0 % right) 2.00×. Accuracies within two test samples of B's: "
        "float MLP."
    )
    assert energy_beside.energy_data([ours], 450) is None


def test_pipelining_of_a_point():
    study = study_of(toy_lut.rows())
    table = [t for t in lut.tables(study, named_points(study)) if t.title.startswith("Pipelining")][0].table
    assert [[c.text for c in line][:6] for line in table.rows] == [
        ["0", "1", "12", "0.833", "20.0 ns", "100"],
        ["4", "3", "4", "2.50", "40.0 ns", "300"],
        ["2", "6", "2", "5.00", "70.0 ns", "600"],
    ]


def test_one_point_in_words():
    assert lut.only_point(toy_lut.row(400, 9)) == (
        "The point takes 400 LUTs in 12 levels and 100 flip-flops, 20.0 ns and 14.0 pJ a classification, and answers "
        "98.0 % right."
    )


def test_a_family_of_no_page_of_its_own_has_the_generic_one(tmp_path, monkeypatch):
    monkeypatch.setattr("reports.style.write_png", lambda figure, path: None)
    rows = [{**row, "family": "other"} for row in toy_lut.rows()]
    text = text_of(write_report(rows, tmp_path, title="t", command="c", objectives=["latency_ns", "luts"]).read_text())
    assert "Pareto-optimal in latency and LUTs" in text and "Utilization" not in text
    assert families.names() == ("fhe", "lut", "tensor")
