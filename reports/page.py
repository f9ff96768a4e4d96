"""The report: one self-contained HTML page, its figures as PNG and SVG files, and every row as CSV."""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from designs import technology
from designs.errors import InputError
from designs.objectives import Constraint
from explore.export import flat_table
from reports import families, style
from reports.section import Lead, Picture, Section, make_section, slugs
from reports.sources import Source, technology_sources
from reports.study import DETAILS, Row, Study, pareto_front, studies

PAGE, POINTS, EVALUATIONS = "index.html", "points.csv", "evaluations.csv"
SEARCH_FIGURES = (  # stems of figures of searches (reports/search_page.py)
    "search_hypervolume", "search_importance", "search_found_1", "search_found_2", "search_found_3", "search_parallel",
    "search_rungs",
)  # fmt: skip
_TEMPLATES = Path(__file__).parent / "templates"


def write_report(
    rows: Iterable[Row],
    out_dir: Path | str,
    *,
    title: str,
    command: str,
    store_path: Path | str | None = None,
    constraints: Sequence[Constraint] = (),
    objectives: Sequence[str] | None = None,
    remark: str = "",
) -> Path:
    """Write `index.html`, `points.csv` and `figures/*.{svg,png}` into `out_dir`; return the path of the page.

    `rows` are result rows (failed ones included, any order, none at all is fine). `command` is the command line that
    made them. Points that break one of `constraints` are drawn, but on no front. `objectives` are the metrics of the
    front; without them, latency, area and energy, and accuracy where points differ in it. `remark` is a sentence for
    the top of the page, such as what was left out. The same arguments give the same bytes.
    Everything is written beside `out_dir` first and moved at the end, the page last, so that a page is always whole
    and never newer than its figures. InputError where `out_dir` is a file.
    """
    out = expect_folder(out_dir)
    found = studies(rows, constraints, objectives)
    tables = {POINTS: points_csv(found)}
    return write_page(found, out, tables, title=title, command=command, store_path=store_path, remark=remark)


def expect_folder(out_dir: Path | str) -> Path:
    """The folder a report goes to, which need not exist; InputError where it is a file."""
    out = Path(out_dir)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: wanted a folder for the report, got a file; choose another with -o")
    return out


def write_page(
    found: Sequence[Study],
    out: Path,
    tables: Mapping[str, str],
    *,
    title: str,
    command: str,
    store_path: Path | str | None,
    remark: str = "",
    lead: Lead | None = None,
) -> Path:
    """Write the page of some studies, its figures and `tables` (file name -> text); the path of the page.

    `lead` stands above the studies. Everything is written beside `out` first and moved at the end, the page last.
    """
    sections = [make_section(study, slug) for study, slug in zip(found, slugs(found), strict=True)]
    pictures = [*(lead.pictures if lead else ()), *(p for section in sections for p in section.pictures)]
    svgs = {p.name: style.svg_text(p.figure) for p in pictures}
    page = _render(sections, svgs, title=title, command=command, store_path=store_path, remark=remark, lead=lead)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        staged = Path(folder)
        _write_figures(staged / "figures", pictures, svgs)
        for name, text in tables.items():
            (staged / name).write_text(text, encoding="utf-8", newline="")
        (staged / PAGE).write_text(page, encoding="utf-8", newline="")
        _move(staged, out, tables)
    return out / PAGE


def points_csv(found: Sequence[Study]) -> str:
    """Every row as CSV, flat as `explore.export` has it, and whether the point is on its study's front."""
    lines: list[dict[str, Any]] = []
    for study in found:
        front, n_ran = set(pareto_front(study.done, study.objectives)), len(study.ran)
        ordered = (*study.done, *study.violating, *study.failed)
        rows = [{key: value for key, value in row.items() if value is not None and key != DETAILS} for row in ordered]
        for index, line in enumerate(flat_table(rows)):
            lines.append({**line, "on_front": int(index in front) if index < n_ran else ""})
    columns = list(dict.fromkeys(key for line in lines for key in line)) or ["family", "space", "workload", "failure"]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()


def _render(
    sections: Sequence[Section],
    svgs: Mapping[str, str],
    *,
    title: str,
    command: str,
    store_path: Path | str | None,
    remark: str,
    lead: Lead | None,
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["include_raw"] = lambda name: Markup((_TEMPLATES / name).read_text(encoding="utf-8"))
    environment.globals["two_lines"] = _two_lines
    environment.filters["tied"] = _tied
    points = [row["point"] for section in sections for row in section.study.done]
    nodes = {point["node_nm"] for point in points if isinstance(point.get("node_nm"), int)}
    names = list(dict.fromkeys(section.study.family for section in sections if section.study.done))
    sources = technology_sources(nodes, _tables_of(names)) if points else []
    explanations = [item for name in names for item in families.of(name, "explanations")(sorted(nodes))]

    def drawing(picture: Picture) -> Markup:
        label = f"{picture.title}. {picture.takeaway}"
        return Markup(style.inline_svg(svgs[picture.name], picture.name, label))

    return environment.get_template("report.html.j2").render(
        title=title,
        command=command,
        remark=remark,
        lead=lead,
        store_path=str(store_path) if store_path is not None else "",
        sections=sections,
        drawing=drawing,
        explanations=list(dict.fromkeys(explanations)),
        seeds=_seeds(sections),
        nodes=sorted(nodes),
        sources=sources,
        certainties=_certainties(sources),
        technology_digest=technology.digest(),
    )


def _tables_of(names: Sequence[str]) -> set[str] | None:
    """Technology tables that price the parts of these families; None: all."""
    of_each = [families.of(name, "PRICES") for name in names]
    return None if None in of_each else {table for tables in of_each for table in tables}


def _tied(text: str) -> str:
    """Numbers tied to their units: no line breaks inside "56 %", "> 99 %" or "6.81 µs"."""
    return re.sub(r"(?<=\d) (?=[%×]|[nµmkKMG]?(?:s|m²|J|i?B)\b)|(?<=[<>]) (?=\d)", "\u00a0", text)


def _two_lines(name: str) -> str:
    """A column's name with spaces such that it breaks at most once, near its middle."""
    words = name.replace("_", " ").split(" ")
    cut = min(range(1, len(words)), key=lambda i: abs(len(" ".join(words[:i])) - len(" ".join(words[i:]))), default=0)
    halves = [words] if "/" in words or not cut else [words[:cut], words[cut:]]
    return " ".join("\u00a0".join(half) for half in halves)


def _seeds(sections: Sequence[Section]) -> list[str]:
    rows = [row for s in sections for row in (*s.study.done, *s.study.failed)]
    return sorted({str(row["seed"]) for row in rows if row.get("seed") is not None})


def _certainties(sources: Sequence[Source]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for source in sources:
        counts[source.certainty] = counts.get(source.certainty, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _write_figures(folder: Path, pictures: Sequence[Picture], svgs: Mapping[str, str]) -> None:
    folder.mkdir()
    for picture in pictures:
        (folder / f"{picture.name}.svg").write_text(svgs[picture.name], encoding="utf-8", newline="")
        style.write_png(picture.figure, folder / f"{picture.name}.png")


def _move(staged: Path, out: Path, tables: Iterable[str]) -> None:
    """Move the report into place, file by file, the page last; figures and tables that the new report lacks go."""
    figures = out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    new = sorted(path.name for path in (staged / "figures").iterdir())
    for name in new:
        os.replace(staged / "figures" / name, figures / name)
    for name in tables:
        os.replace(staged / name, out / name)
    os.replace(staged / PAGE, out / PAGE)
    for path in figures.iterdir():
        if path.name not in new and _ours().fullmatch(path.name):
            path.unlink()
    if EVALUATIONS not in tables:
        (out / EVALUATIONS).unlink(missing_ok=True)


def _ours() -> re.Pattern[str]:
    """Files of an earlier report that a new one may remove."""
    names = sorted({*families.figure_names(), *SEARCH_FIGURES})
    return re.compile(rf"(\d+_[a-z0-9_]+_)?({'|'.join(names)})\.(png|svg)")
