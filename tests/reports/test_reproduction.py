"""Comparisons of designs as text, page and CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from explore.reproduce import Comparison, Entry, Measure, Quantity, Sample
from explore.reproduce import Table as Quantities
from reports.reproduction import reproduction_table, reproduction_text, write_reproduction

COMPARISON = Comparison(
    measures=(
        Measure(name="accuracy", title="accuracy (%)", style="percent"),
        Measure(name="luts", title="LUT6", style="count"),
        Measure(name="energy_pj", title="energy (pJ)", style="number"),
    ),
    rows=(
        Entry(
            design="ours",
            origin="here",
            figures={
                "accuracy": Sample.of([0.97, 0.98, 0.99]),
                "luts": Sample.of([1200, 1300]),
                "energy_pj": Sample(mean=4.25),
            },
            remark="see <below>",
        ),
        Entry(design="theirs", origin="there", figures={"accuracy": Sample(mean=0.5)}, remark="see <below>"),
    ),
    remarks=("All on one split.",),
)
FOUND: dict[str, Any] = {"name": "toy", "title": "Toys", "summary": "Two.", **COMPARISON.document()}


def test_mean_and_standard_deviation() -> None:
    assert Sample.of([1.0, 3.0]) == Sample(mean=2.0, sd=2**0.5)
    assert Sample.of([4]) == Sample(mean=4.0, sd=None)


def test_rows_are_flat() -> None:
    ours, theirs = FOUND["rows"]
    assert list(ours) == [
        "design",
        "origin",
        "accuracy",
        "accuracy_sd",
        "luts",
        "luts_sd",
        "energy_pj",
        "energy_pj_sd",
        "remark",
    ]
    assert ours["luts"] == 1250 and ours["energy_pj_sd"] is None
    assert theirs["luts"] is theirs["luts_sd"] is None


def test_table() -> None:
    table = reproduction_table(FOUND)
    assert table.columns == ["design", "origin", "accuracy (%)", "LUT6", "energy (pJ)", "remark"]
    assert [cell.text for cell in table.rows[0]] == [
        "ours",
        "here",
        "98.0 +- 1.0",
        "1,250 +- 71",
        "4.25",
        "see <below>",
    ]
    assert [cell.text for cell in table.rows[1]] == ["theirs", "there", "50.0", "-", "-", "see <below>"]


def test_text_numbers_equal_remarks_once() -> None:
    text = reproduction_text(FOUND)
    assert text.count("see <below>") == 1 and "[1] see <below>" in text
    assert text.splitlines()[2].endswith("[1]") and text.endswith("\n\nAll on one split.")


def test_page_and_csv(tmp_path: Path) -> None:
    page, rows = write_reproduction(FOUND, tmp_path)
    html = page.read_text()
    assert "98.0 +- 1.0" in html and "see &lt;below&gt;" in html and "<p>All on one split.</p>" in html
    assert "+- is one standard deviation." in html
    read = list(csv.DictReader(rows.read_text().splitlines()))
    assert read[1]["accuracy"] == "0.5" and read[1]["luts"] == ""


def test_counts_beyond_the_digits_of_a_float_are_short_and_whole_in_the_csv(tmp_path: Path) -> None:
    count = 1832624140942590534
    row = Quantity(quantity="masks", unit="", published=999_999_999_999_999, certainty="", source="", ours=count)
    found = {"name": "toy", "title": "Toys", "summary": "One.", **Quantities(rows=(row,)).document()}
    text = reproduction_text(found)
    assert "999,999,999,999,999" in text and "1.8326e+18" in text
    write_reproduction(found, tmp_path)
    (written,) = csv.DictReader((tmp_path / "reproduction.csv").read_text(encoding="utf-8").splitlines())
    assert written["ours"] == str(count)
