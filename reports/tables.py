"""Tables for the console, for Markdown and for the page: one `Table`, three ways to print it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from reports.study import Row, layer_total
from reports.units import digits, parameter, percent, quantity


class Cell(NamedTuple):
    """What is printed, and what a sorted column compares."""

    text: str
    sort: float | str


class Table(NamedTuple):
    """Columns by name; `numeric` columns are aligned to the right."""

    columns: list[str]
    numeric: list[bool]
    rows: list[list[Cell]]

    def console(self) -> str:
        """Aligned plain text with a rule under the header, no trailing spaces, no final newline."""
        lines = [self.columns, *([c.text for c in row] for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        printed = [
            "  ".join(
                text.rjust(width) if numeric else text.ljust(width)
                for text, width, numeric in zip(line, widths, self.numeric, strict=True)
            ).rstrip()
            for line in lines
        ]
        return "\n".join([printed[0], "  ".join("-" * width for width in widths), *printed[1:]])

    def markdown(self) -> str:
        """A pipe table, no final newline."""
        rule = ["---:" if numeric else "---" for numeric in self.numeric]
        lines = [self.columns, rule, *([c.text.replace("|", "\\|") for c in row] for row in self.rows)]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def make_table(columns: Sequence[tuple[str, bool]], rows: Iterable[Sequence[Cell]]) -> Table:
    """A table from (name, numeric) columns."""
    return Table([name for name, _ in columns], [numeric for _, numeric in columns], [list(row) for row in rows])


def cell(value: Any, text: str | None = None) -> Cell:
    """A cell of a plain value; numbers sort as numbers."""
    shown = parameter(value) if text is None else text
    return Cell(shown, float(value) if isinstance(value, int | float) else str(value))


def front_table(rows: Sequence[Row], axes: Iterable[str], letters: Mapping[int, str] | None = None) -> Table:
    """Points of a front: axis values, cycles, latency, area, energy, utilization, cycles over the roofline bound.

    `letters` (index of a row -> letter) adds a first column with the names of the chosen points.
    """
    axes = list(axes)
    named = [("", False)] if letters else []
    measures = ("cycles", "latency", "area", "energy", "utilization", "cycles / bound")
    columns = named + [(axis, _is_numeric(rows, axis)) for axis in axes] + [(m, True) for m in measures]
    body = []
    for index, row in enumerate(rows):
        first = [cell(letters.get(index, ""))] if letters else []
        body.append(first + [cell(row["point"].get(axis)) for axis in axes] + measure_cells(row))
    return make_table(columns, body)


def measure_cells(row: Row) -> list[Cell]:
    """Cycles, latency, area, energy, utilization and cycles over the roofline bound of a row that ran."""
    return [
        cell(row["cycles"]),
        cell(row["latency_ns"], quantity(row["latency_ns"], "ns")),
        cell(row["area_um2"], quantity(row["area_um2"], "um2")),
        cell(row["energy_pj"], quantity(row["energy_pj"], "pj")),
        cell(row["utilization"], percent(row["utilization"])),
        _over_bound(row),
    ]


def layer_table(row: Row) -> Table:
    """The layers of one point. MACs, cycles and DRAM bytes are those of one run of the layer; share counts repeats."""
    columns = [
        ("layer", False), ("runs", True), ("MACs", True), ("cycles", True), ("share", True), ("utilization", True),
        ("cycles / bound", True), ("largest loss", False), ("DRAM", True), ("MAC / byte", True), ("tiling", False),
    ]  # fmt: skip
    layers = row.get("layers") or []
    whole = sum(layer_total(layer, "cycles") for layer in layers) or 1
    return make_table(columns, (_layer_cells(layer, layer_total(layer, "cycles") / whole) for layer in layers))


def _layer_cells(layer: Mapping[str, Any], share: float) -> list[Cell]:
    losses = {phase: n for phase, n in layer["phases"].items() if phase != "compute" and n}
    worst = max(losses, key=lambda phase: losses[phase]) if losses else None
    activity = layer["activity"]
    n_bytes = activity.get("dram_read_bytes", 0) + activity.get("dram_write_bytes", 0)
    intensity = layer["n_macs"] / n_bytes if n_bytes else 0.0
    return [
        cell(layer["name"]),
        cell(int(layer.get("repeat") or 1)),
        cell(layer["n_macs"]),
        cell(layer["cycles"]),
        cell(share, percent(share)),
        cell(layer["utilization"], percent(layer["utilization"]) if layer["n_macs"] else "-"),
        _over_bound(layer),
        cell(f"{worst.replace('_', ' ')} {percent(losses[worst] / layer['cycles'])}" if worst else "-"),
        cell(n_bytes, quantity(n_bytes, "bytes")),
        cell(intensity, digits(intensity) if layer["n_macs"] and n_bytes else "-"),
        cell(_tiling(layer.get("tiling"))),
    ]


def _tiling(tiling: Any) -> str:
    if isinstance(tiling, Mapping):
        return ", ".join(f"{name.removeprefix('tile_')} {parameter(value)}" for name, value in tiling.items())
    return "-" if tiling is None else str(tiling)


def _over_bound(run: Mapping[str, Any]) -> Cell:
    bound = run.get("roofline_cycles")
    return Cell(f"{run['cycles'] / bound:.2f}", run["cycles"] / bound) if bound else Cell("-", 0.0)


def _is_numeric(rows: Sequence[Row], axis: str) -> bool:
    values = [row["point"].get(axis) for row in rows]
    return bool(values) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def verification_table(cases: Iterable[Mapping[str, Any]]) -> Table:
    """Simulator against RTL, one line a layer run.

    Each case has `point` (text, or a dict of parameters), `layer`, `simulated_cycles`, `rtl_cycles` (None where the RTL
    did not finish), `outputs_equal`, `activity_equal`. The last column says "equal" or names everything that differs.
    """
    columns = [
        ("point", False), ("layer", False), ("simulated cycles", True), ("RTL cycles", True), ("outputs", False),
        ("activity", False), ("verdict", False),
    ]  # fmt: skip
    return make_table(columns, map(_case_cells, cases))


def _case_cells(case: Mapping[str, Any]) -> list[Cell]:
    point, simulated, rtl = case["point"], case["simulated_cycles"], case["rtl_cycles"]
    shown = point if isinstance(point, str) else " ".join(f"{k}={parameter(v)}" for k, v in point.items())
    checks = {
        "cycles": simulated == rtl,
        "outputs": bool(case["outputs_equal"]),
        "activity": bool(case["activity_equal"]),
    }
    differing = [name for name, equal in checks.items() if not equal]
    return [
        cell(shown),
        cell(case["layer"]),
        cell(simulated),
        cell(rtl) if rtl is not None else Cell("-", -1.0),
        cell("equal" if checks["outputs"] else "DIFFER"),
        cell("equal" if checks["activity"] else "DIFFER"),
        cell(f"DIFFERS: {', '.join(differing)}" if differing else "equal"),
    ]


def synthesis_table(model: Mapping[str, float], synthesized: Mapping[str, float], unit: str = "NAND2") -> Table:
    """Model beside synthesis, part by part, and their sums; a part that one side lacks counts there as 0."""
    parts = [*model, *(part for part in synthesized if part not in model)]
    columns = [("part", False), (f"model ({unit})", True), (f"yosys ({unit})", True), ("error", True)]
    pairs = [(part, model.get(part, 0.0), synthesized.get(part, 0.0)) for part in parts]
    pairs.append(("total", sum(model.values()), sum(synthesized.values())))
    return make_table(columns, ([cell(p), _amount(m), _amount(s), error_cell(m, s)] for p, m, s in pairs))


def error_cell(model: float, truth: float) -> Cell:
    """Relative error of the model with its sign: "+4.2 %"; "-" where there is nothing to compare with."""
    if not truth:
        return Cell("-", 0.0)
    error = model / truth - 1
    return Cell(f"{100 * error:+.1f} %", error)


def _amount(value: float) -> Cell:
    return Cell(f"{value:,.0f}", float(value))
