"""Tables for the console, for Markdown and for the page: one `Table`, three ways to print it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from reports.stages import joined_steps, share, stages_of
from reports.study import WORK, Row, layer_total
from reports.units import digits, listing, metric_name, metric_text, parameter, percent, quantity

if TYPE_CHECKING:
    from explore.verify import CaseResult

STAGE_COLUMNS = ("encode_ns", "prefill_ns", "decode_ns_per_token", "tokens_per_s")  # of STAGE_METRICS


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


class Column(NamedTuple):
    """A numeric column of a table of points."""

    name: str
    cell: Callable[[Row], Cell]


def metric_column(metric: str) -> Column:
    """A metric of result rows as a column, with units that fit each row; "-" where a row lacks it."""

    def of_row(row: Row) -> Cell:
        value = row.get(metric)
        return Cell("-", -1.0) if value is None else Cell(metric_text(value, metric), float(value))

    return Column(metric_name(metric), of_row)


def points_table(
    rows: Sequence[Row],
    axes: Iterable[str],
    names: Mapping[int, Sequence[str]] | None = None,
    metrics: Sequence[str] = (),
    columns: Sequence[Column] | None = None,
) -> Table:
    """Points, one a line: `columns`, accuracy and what stages take where a row knows it, `metrics`, and `axes`.

    Without `columns`: latency, area, energy, utilization, cycles over the roofline bound, and cycles.

    `names` (index of a row -> letter and roles) puts the chosen points' names in front; rows without one stay nameless.
    """
    axes = list(axes)
    width = max((len(name) for name in names.values()), default=0) if names else 0
    measures = list(MEASURES if columns is None else columns)
    measures += [metric_column(metric) for metric in ("accuracy", *STAGE_COLUMNS) if _adds(rows, metric)]
    heads = [("", False), ("what it is", False)][:width] + [(column.name, True) for column in measures]
    heads += [(metric.replace("_", " "), True) for metric in metrics]
    heads += [(axis, _is_numeric(rows, axis)) for axis in axes]
    body = []
    for index, row in enumerate(rows):
        named = [cell(text) for text in (names or {}).get(index, [""] * width)]
        measured = [column.cell(row) for column in measures]
        measured += [metric_column(metric).cell(row) for metric in metrics]
        body.append(named + measured + [cell(row["point"].get(axis)) for axis in axes])
    return make_table(heads, body)


def _adds(rows: Sequence[Row], metric: str) -> bool:
    """Whether a row knows the metric; the latency of a network's only stage is the network's, and says nothing new."""
    return any(row.get(metric) not in (None, row.get("latency_ns")) for row in rows)


def formats_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Sizes of one matrix in several formats and their utilization; padding counts stored zeros."""
    numbers = ("stored bits", "metadata bits", "/ dense", "padding", "utilization")
    columns = (("format", False), *((name, True) for name in numbers))
    return make_table(columns, (_format_cells(row) for row in rows))


def _format_cells(row: Mapping[str, Any]) -> list[Cell]:
    ratio = row["ratio_to_dense"]
    bits = [cell(row[name], f"{row[name]:,}") for name in ("stored_bits", "metadata_bits")]
    beside, busy = (Cell("-", -1.0) if one is None else cell(one, f"{one:.3f}") for one in (ratio, row["utilization"]))
    return [cell(row["format"]), *bits, beside, cell(row["n_padding"], f"{row['n_padding']:,}"), busy]


def layer_table(row: Row) -> Table:
    """The layers of one point. MACs, cycles and DRAM bytes are those of one run of the layer; share counts repeats.

    A layer that differs from step to step has one line, with means of its runs.
    """
    columns = [
        ("layer", False), ("runs", True), ("MACs", True), ("cycles", True), ("share", True), ("utilization", True),
        ("cycles / bound", True), ("largest loss", False), ("DRAM", True), ("MAC / byte", True), ("tiling", False),
    ]  # fmt: skip
    layers = joined_steps(row.get("layers") or [])
    whole = sum(layer_total(layer, "cycles") for layer in layers) or 1
    return make_table(columns, (_layer_cells(layer, layer_total(layer, "cycles") / whole) for layer in layers))


def _layer_cells(layer: Mapping[str, Any], share: float) -> list[Cell]:
    losses = {phase: n for phase, n in layer["phases"].items() if phase not in WORK and n}
    worst = max(losses, key=lambda phase: losses[phase]) if losses else None
    activity = layer["activity"]
    n_bytes = activity.get("dram_read_bytes", 0) + activity.get("dram_write_bytes", 0)
    intensity = layer["n_macs"] / n_bytes if n_bytes else 0.0
    return [
        cell(layer["name"]),
        cell(int(layer.get("repeat") or 1)),
        cell(round(layer["n_macs"])),
        cell(round(layer["cycles"])),
        cell(share, percent(share)),
        cell(layer["utilization"], percent(layer["utilization"]) if layer["n_macs"] else "-"),
        _over_bound(layer),
        cell(f"{worst.replace('_', ' ')} {percent(losses[worst] / layer['cycles'])}" if worst else "-"),
        cell(n_bytes, quantity(n_bytes, "bytes")),
        cell(intensity, digits(intensity) if layer["n_macs"] and n_bytes else "-"),
        cell(_tiling(layer.get("tiling"))),
    ]


def stage_table(row: Row) -> Table:
    """The stages of one point: all of each, and what a token of a decode takes."""
    columns = [
        ("stage", False), ("steps", True), ("MACs", True), ("cycles", True), ("share", True), ("cycles / bound", True),
        ("latency", True), ("energy", True), ("latency a token", True), ("energy a token", True), ("DRAM", True),
        ("MAC / byte", True),
    ]  # fmt: skip
    whole = sum(stage["cycles"] for stage in stages_of(row)) or 1
    return make_table(columns, (_stage_cells(stage, stage["cycles"] / whole) for stage in stages_of(row)))


def _stage_cells(stage: Mapping[str, Any], part: float) -> list[Cell]:
    one, n_bytes = share(stage), stage["dram_bytes"]
    of_token = (
        [cell(one.latency_ns, quantity(one.latency_ns, "ns")), cell(one.energy_pj, quantity(one.energy_pj, "pj"))]
        if one.per_token
        else [Cell("-", -1.0)] * 2
    )
    return [
        cell(stage["name"]),
        cell(stage["n_steps"]),
        cell(stage["n_macs"]),
        cell(stage["cycles"]),
        cell(part, percent(part)),
        _over_bound(stage),
        cell(stage["latency_ns"], quantity(stage["latency_ns"], "ns")),
        cell(stage["energy_pj"], quantity(stage["energy_pj"], "pj")),
        *of_token,
        cell(n_bytes, quantity(n_bytes, "bytes")),
        cell(stage["n_macs"] / n_bytes, digits(stage["n_macs"] / n_bytes)) if n_bytes else Cell("-", -1.0),
    ]


def _tiling(tiling: Any) -> str:
    if isinstance(tiling, Mapping):
        return ", ".join(f"{name.removeprefix('tile_')} {parameter(value)}" for name, value in tiling.items())
    return "-" if tiling is None else str(tiling)


def _over_bound(run: Mapping[str, Any]) -> Cell:
    bound = run.get("roofline_cycles")
    return Cell(f"{run['cycles'] / bound:.2f}", run["cycles"] / bound) if bound else Cell("-", 0.0)


MEASURES = (  # of a machine whose array can be idle
    metric_column("latency_ns"),
    metric_column("area_um2"),
    metric_column("energy_pj"),
    Column("utilization", lambda row: cell(row["utilization"], percent(row["utilization"]))),
    Column("cycles / bound", _over_bound),
    metric_column("cycles"),
)


def _is_numeric(rows: Sequence[Row], axis: str) -> bool:
    values = [row["point"].get(axis) for row in rows]
    return bool(values) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def verification_table(results: Iterable[CaseResult]) -> Table:
    """Simulator against RTL, one line a layer run; the last column says "equal" or names everything that differs."""
    columns = [
        ("point", True), ("layer", False), ("tiles", True), ("outputs", True), ("simulated cycles", True),
        ("RTL cycles", True), ("verdict", False),
    ]  # fmt: skip
    return make_table(columns, map(_case_cells, results))


def _case_cells(result: CaseResult) -> list[Cell]:
    checks = {
        "cycles": result.simulated_cycles == result.rtl_cycles,
        "outputs": result.outputs_equal,
        "activity": result.activity_equal,
    }
    differing = [name for name, equal in checks.items() if not equal]
    return [
        cell(result.point),
        cell(result.layer),
        cell("-" if result.n_tiles is None else result.n_tiles),
        cell(result.n_outputs),
        cell(result.simulated_cycles),
        cell(result.rtl_cycles),
        cell(f"DIFFERS in {listing(differing)}" if differing else "equal"),
    ]


def verified_points_table(results: Iterable[CaseResult]) -> Table:
    """The machines of a verification: their number in it, layers run, and the parameters in which they differ."""
    results = list(results)
    designs = {result.point: result.design for result in results}
    names = list(next(iter(designs.values()))) if designs else []
    axes = [name for name in names if len({str(design[name]) for design in designs.values()}) > 1]
    columns = [("point", True), ("layers", True), *((axis, False) for axis in axes)]
    counts = {point: sum(result.point == point for result in results) for point in designs}
    return make_table(
        columns, ([cell(p), cell(counts[p]), *(cell(design[axis]) for axis in axes)] for p, design in designs.items())
    )


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
