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
from reports.section import Picture, Section, make_section, slugs
from reports.sources import Source, technology_sources
from reports.study import DETAILS, Row, Study, pareto_front, studies

PAGE = "index.html"
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
    out = Path(out_dir)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: wanted a folder for the report, got a file; choose another with -o")
    found = studies(rows, constraints, objectives)
    sections = [make_section(study, slug) for study, slug in zip(found, slugs(found), strict=True)]
    svgs = {p.name: style.svg_text(p.figure) for section in sections for p in section.pictures}
    page = _render(sections, svgs, title=title, command=command, store_path=store_path, remark=remark)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        staged = Path(folder)
        _write_files(staged, sections, svgs)
        (staged / "points.csv").write_text(points_csv(found), encoding="utf-8", newline="")
        (staged / PAGE).write_text(page, encoding="utf-8", newline="")
        _move(staged, out)
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


def _write_files(staged: Path, sections: Sequence[Section], svgs: Mapping[str, str]) -> None:
    folder = staged / "figures"
    folder.mkdir()
    for section in sections:
        for picture in section.pictures:
            (folder / f"{picture.name}.svg").write_text(svgs[picture.name], encoding="utf-8", newline="")
            style.write_png(picture.figure, folder / f"{picture.name}.png")


def _move(staged: Path, out: Path) -> None:
    """Move the report into place, file by file, the page last; figures that the new report lacks go."""
    figures = out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    new = sorted(path.name for path in (staged / "figures").iterdir())
    for name in new:
        os.replace(staged / "figures" / name, figures / name)
    os.replace(staged / "points.csv", out / "points.csv")
    os.replace(staged / PAGE, out / PAGE)
    for path in figures.iterdir():
        if path.name not in new and _ours().fullmatch(path.name):
            path.unlink()


def _ours() -> re.Pattern[str]:
    """Files of an earlier report that a new one may remove."""
    return re.compile(rf"(\d+_[a-z0-9_]+_)?({'|'.join(sorted(families.figure_names()))})\.(png|svg)")
