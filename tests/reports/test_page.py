import csv
import io
import os
import re
from html.parser import HTMLParser

import pytest

from designs.errors import InputError
from designs.objectives import parse_constraint
from reports import families
from reports.page import write_report
from reports.study import studies
from tests.reports import toy

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Checker(HTMLParser):
    """Collects ids and text, and holds that every tag is closed by its own end tag."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_startendtag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes <{self.open[-1:]}> at {self.getpos()}"
        self.open.pop()

    def handle_data(self, data):
        self.text.append(data)


def parsed(page):
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    return checker


def report(rows, folder, title="Toy"):
    path = write_report(rows, folder, title=title, command="lockstep sweep toy", store_path="toy.sqlite")
    return path.read_text(encoding="utf-8")


@pytest.fixture
def no_png(monkeypatch):
    """Leaves out the PNG files, which take half of a report's time, where a test is about something else."""
    monkeypatch.setattr("reports.style.write_png", lambda figure, path: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "out"
    return folder, report(toy.rows(), folder)


def test_the_page_is_well_formed_and_its_ids_are_unique(whole):
    checker = parsed(whole[1])
    assert len(checker.ids) == len(set(checker.ids)) > 10


def test_the_page_needs_nothing_from_outside(whole):
    page = whole[1]
    assert not re.search(r"https?:|//[a-z]|@import|<link|\bsrc=", page)
    assert set(re.findall(r'href="([^"]+)"', page)) - {"points.csv"} == set(re.findall(r'href="(#[^"]+)"', page))
    assert all(f'id="{target}"' in page for target in re.findall(r'href="#([^"]+)"', page))


def test_the_page_says_what_was_found(whole):
    text = " ".join("".join(parsed(whole[1]).text).split())
    for said in (
        "300 points of the tensor family, 5 axes. 282 ran, 18 failed. 16 are Pareto-optimal",
        "Best latency A 1.45 ms",
        "18 points, like this one: layer stem: weight_scratchpad needs 32768 bytes, 16384 available. "
        "All have scratchpad_bytes 16,384.",
        "Every Pareto-optimal point has dataflow weight_stationary, dram_bytes_per_cycle 32.",
        "lockstep sweep toy",
        "NAND2_X1 of the Nangate 45 nm open cell library",
    ):
        assert said in text, said


def test_the_same_rows_give_the_same_bytes(whole, tmp_path):
    folder, _ = whole
    report(list(reversed(toy.rows())), tmp_path)
    names = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert [n for n in names if (folder / n).read_bytes() != (tmp_path / n).read_bytes()] == []


def test_points_csv_has_every_row(whole):
    lines = list(csv.DictReader(io.StringIO((whole[0] / "points.csv").read_text(encoding="utf-8"))))
    assert len(lines) == 300
    assert sum(line["on_front"] == "1" for line in lines) == 16
    assert sum(line["failure"] != "" for line in lines) == 18
    assert lines[0]["array_rows"] == "64" and float(lines[0]["phases.compute"]) > 0


def test_figures_are_written_twice_and_old_ones_go(whole, tmp_path):
    figures = {p.name for p in (whole[0] / "figures").iterdir()}
    assert {"front_area_latency.svg", "front_area_latency.png", "roofline.svg", "utilization.png"} <= figures
    report(toy.rows(), tmp_path)
    (tmp_path / "figures" / "mine.svg").write_text("keep")
    report([toy.rows()[0]], tmp_path)
    left = {p.name for p in (tmp_path / "figures").iterdir()}
    assert "mine.svg" in left and "front_area_latency.svg" not in left and "layers.png" in left


def test_an_empty_store(tmp_path):
    page = report([], tmp_path)
    assert "The store holds no result yet" in " ".join(parsed(page).text)


def test_only_failed_rows(tmp_path):
    page = report([row for row in toy.rows() if row["failure"]], tmp_path)
    text = " ".join("".join(parsed(page).text).split())
    assert "No point ran, so there is nothing to compare" in text and "18 points of the tensor family" in text
    assert "<svg" not in page


def test_a_single_point(tmp_path, no_png):
    page = report([toy.rows()[1]], tmp_path)
    text = " ".join("".join(parsed(page).text).split())
    assert "1 point of the tensor family, no axis that varies." in text and "The point takes" in text
    assert "Not drawn: Area and latency (a front needs two points that ran)" in text


def test_one_axis(tmp_path, no_png):
    rows = [
        row for row in toy.rows() if _like(row, array_cols=8, dataflow="weight_stationary", scratchpad_bytes=131072)
    ]
    rows = [row for row in rows if row["point"]["dram_bytes_per_cycle"] == 8]
    text = " ".join("".join(parsed(report(rows, tmp_path)).text).split())
    assert len(rows) == 5 and "5 points of the tensor family, 1 axis." in text


def test_points_that_break_a_constraint_are_on_no_front(tmp_path, no_png):
    path = write_report(
        toy.rows(), tmp_path, title="T", command="c", constraints=[parse_constraint("area_um2 <= 1000000")]
    )
    text = " ".join("".join(parsed(path.read_text(encoding="utf-8")).text).split())
    rows = list(csv.DictReader(io.StringIO((tmp_path / "points.csv").read_text(encoding="utf-8"))))
    small = [row for row in rows if row["area_um2"] and float(row["area_um2"]) <= 1e6]
    assert all(float(row["area_um2"]) <= 1e6 for row in rows if row["on_front"] == "1")
    assert f"{282 - len(small)} of those that ran break area_um2 <= 1e+06." in text
    assert "Hollow points break a constraint." in text


def test_only_points_that_break_a_constraint(tmp_path, no_png):
    path = write_report(toy.rows(), tmp_path, title="T", command="c", constraints=[parse_constraint("cycles < 1")])
    text = "".join(parsed(path.read_text(encoding="utf-8")).text)
    assert "Every point that ran breaks a constraint, so none is chosen." in text


def test_rows_without_layers(tmp_path, no_png):
    rows = [{**row, "layers": None} for row in toy.rows()[:4]]
    assert "Latency by layer (no row with layers)" in report(rows, tmp_path)


def test_several_workloads_are_kept_apart(tmp_path, no_png):
    few = toy.rows()[1:2]
    other = [toy.row(row["point"], workload="other net/2") for row in few]
    page = report(few + other, tmp_path)
    checker = parsed(page)
    assert len(checker.ids) == len(set(checker.ids)) and "2 studies." in "".join(checker.text)
    assert (tmp_path / "figures" / "1_other_net_2_layers.svg").exists()


def test_text_from_rows_cannot_become_markup(tmp_path, no_png):
    row = {**toy.rows()[0], "workload": "<script>alert(1)</script>", "space": '"><img src=x>'}
    page = report([row], tmp_path, title="a <b> & c")
    assert "<script>alert" not in page and "<img" not in page and "a &lt;b&gt; &amp; c" in page


def test_a_file_in_the_way_is_an_input_error(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(InputError, match="out: wanted a folder for the report, got a file"):
        report([], tmp_path / "out")


def test_nothing_is_left_half_written(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    before = report([toy.rows()[0]], folder)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reports.style.write_png", full)
    with pytest.raises(OSError, match="No space"):
        report(toy.rows()[:3], folder)
    assert (folder / "index.html").read_text(encoding="utf-8") == before
    assert os.listdir(tmp_path) == ["out"]


def _like(row, **point):
    return all(row["point"][name] == value for name, value in point.items())


def test_a_remark_is_at_the_top_and_units_stay_with_their_numbers(tmp_path, no_png):
    page = write_report(
        toy.rows(), tmp_path / "page", title="toy", command="x", remark="Part of the space only: 3 of 9."
    ).read_text()
    assert page.index("Part of the space only") < page.index("Pareto-optimal")
    sentences = re.findall(r"<figcaption>.*?<p>(.*?)</p>", page)
    assert sentences and not any(re.search(r"\d (%|ms|mm²)", text) for text in sentences)


def test_the_note_on_widths_knows_whether_accuracy_is_known():
    notes = families.of("tensor", "notes")
    rows = [{**row, "point": {**row["point"], "acc_bits": 16 + 16 * (i % 2)}} for i, row in enumerate(toy.rows())]
    assert any("Accuracy is not known" in note for note in notes(studies(rows)[0]))
    known = [{**row, "accuracy": 0.9 + 0.08 * (i % 2)} for i, row in enumerate(rows)]
    (note,) = [note for note in notes(studies(known, objectives=["latency_ns"])[0]) if "acc_bits" in note]
    assert note.endswith("it is not among the objectives of the front.")
    (note,) = [note for note in notes(studies(known)[0]) if "acc_bits" in note]
    assert note.endswith("it is one of the objectives of the front.")
    assert "is 90.0 % to 98.0 % over the points compared" in note


def test_a_named_point_that_answers_wrongly_is_told(tmp_path, no_png):
    rows = toy.rows()
    fastest = min((row for row in rows if not row["failure"]), key=lambda row: (row["latency_ns"], row["area_um2"]))
    told = [{**row, "accuracy": 0.1 if row is fastest else 0.99} for row in rows]
    page = write_report(told, tmp_path / "wrong", title="toy", command="x").read_text().replace("\u00a0", " ")
    assert "Beware: A answers 10.0 % right, the most accurate point 99.0 %." in page
    alike = [{**row, "accuracy": 0.98 + 0.01 * (i % 2)} for i, row in enumerate(rows)]
    assert "Beware" not in write_report(alike, tmp_path / "right", title="toy", command="x").read_text()
