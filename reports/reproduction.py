"""Published numbers beside ours: a table, and a page of its own with the same rows as CSV."""

from __future__ import annotations

import csv
import math
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
_SCIENTIFIC = 10**15  # from here a float no longer has all digits of a whole number

# name, title, summary, remarks and rows: of _COLUMNS, or, with `measures`, of designs (explore.reproduce.Comparison)
Reproduction = Mapping[str, Any]


def reproduction_table(found: Reproduction) -> Table:
    """One line a quantity: published, how that is known and from where, ours, the error, why the two differ.

    Of a comparison one line a design, a figure taken several times as mean +- standard deviation.
    """
    if "measures" in found:
        return _comparison_table(found)
    columns = [
        ("quantity", False), ("unit", False), ("published", True), ("ours", True), ("error", True),
        ("published number is", False), ("source", False), ("differs because", False),
    ]  # fmt: skip
    return make_table(columns, (_cells(row) for row in found["rows"]))


def reproduction_text(found: Reproduction) -> str:
    """For a terminal: the table, then as numbered notes why things differ, then remarks. Sources are on the page."""
    table = reproduction_table(found)
    notes: dict[str, int] = {}
    kept = [i for i, name in enumerate(table.columns) if name != "source"]
    rows = []
    for row in table.rows:
        text = str(row[-1].text)
        note = "" if text == "-" else f"[{notes.setdefault(text, len(notes) + 1)}]"
        rows.append([*(row[i] for i in kept[:-1]), cell(note)])
    columns = [(table.columns[i], table.numeric[i]) for i in kept[:-1]]
    lines = [f"[{number}] {text}" for text, number in notes.items()]
    return "\n\n".join([make_table([*columns, ("note", False)], rows).console(), "\n".join(lines), *found["remarks"]])


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
        columns = list(found["rows"][0]) if "measures" in found else _COLUMNS
        writer = csv.DictWriter(file, columns, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows({name: row[name] for name in columns} for row in found["rows"])
    with whole_file(folder / PAGE) as part:
        part.write_text(page, encoding="utf-8", newline="")
    return [folder / PAGE, folder / CSV]


def _comparison_table(found: Reproduction) -> Table:
    measures = found["measures"]
    columns = [("design", False), ("origin", False), *((one["title"], True) for one in measures), ("remark", False)]
    return make_table(
        columns,
        (
            [cell(row["design"]), cell(row["origin"])]
            + [_figure(row, one["name"], one["style"]) for one in measures]
            + [cell(row["remark"] or "-")]
            for row in found["rows"]
        ),
    )


def _figure(row: Mapping[str, Any], name: str, style: str) -> Cell:
    """`97.5 +- 0.4` of a mean and a standard deviation, `-` where there is none."""
    mean, spread = row[name], row[f"{name}_sd"]
    if mean is None:
        return Cell("-", -1.0)
    scale = 100 if style == "percent" else 1
    n_decimals = {"percent": 1, "count": 0}.get(style, max(0, 2 - math.floor(math.log10(abs(mean) or 1))))
    text = " +- ".join(f"{scale * value:,.{n_decimals}f}" for value in (mean, spread) if value is not None)
    return Cell(text, mean)


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
    if value is None:
        return Cell("-", 0.0)
    if abs(value) >= _SCIENTIFIC:
        return Cell(f"{value:.4e}", float(value))
    return Cell(f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}", float(value))
