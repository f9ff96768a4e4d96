"""Published numbers beside ours: a table, and a page of its own with the same rows as CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from designs.whole_file import whole_file
from reports.tables import Cell, Table, cell, error_cell, make_table

PAGE = "index.html"
CSV = "reproduction.csv"
_COLUMNS = ("quantity", "unit", "published", "certainty", "source", "ours", "error", "differs_because")
_TEMPLATES = Path(__file__).parent / "templates"

Reproduction = Mapping[str, Any]  # name, title, summary, rows of _COLUMNS


def reproduction_table(found: Reproduction) -> Table:
    """One line a quantity: published, how that is known and from where, ours, the error, why the two differ."""
    columns = [
        ("quantity", False), ("unit", False), ("published", True), ("ours", True), ("error", True),
        ("published number is", False), ("source", False), ("differs because", False),
    ]  # fmt: skip
    return make_table(columns, (_cells(row) for row in found["rows"]))


def write_reproduction(found: Reproduction, directory: str | Path) -> list[Path]:
    """Write the page and the CSV, each whole or not at all; their paths. The same rows give the same bytes."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    style = Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8"))
    page = environment.get_template("reproduction.html.j2").render(
        found=found, table=reproduction_table(found), style=style
    )
    with whole_file(folder / CSV) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows({name: row[name] for name in _COLUMNS} for row in found["rows"])
    with whole_file(folder / PAGE) as part:
        part.write_text(page, encoding="utf-8", newline="")
    return [folder / PAGE, folder / CSV]


def _cells(row: Mapping[str, Any]) -> list[Cell]:
    published, ours = row["published"], row["ours"]
    error = Cell("-", 0.0) if row["error"] is None else error_cell(ours, published)
    return [
        cell(row["quantity"]),
        cell(row["unit"]),
        _amount(published),
        _amount(ours),
        error,
        cell(row["certainty"] or "-"),
        cell(row["source"] or "-"),
        cell(row["differs_because"] or "-"),
    ]


def _amount(value: float | None) -> Cell:
    return Cell("-", 0.0) if value is None else Cell(f"{value:,.6g}", float(value))
