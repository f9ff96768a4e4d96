"""Results as text for people: what the command line prints without `--json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designs import families
from designs.objectives import STAGE_METRICS
from explore.pareto import known
from reports import families as family_pages
from reports.reproduction import reproduction_text
from reports.tables import (
    Table,
    cell,
    formats_table,
    layer_table,
    make_table,
    points_table,
    synthesis_table,
    verification_table,
    verified_points_table,
)
from reports.units import metric_name, metric_text, percent, quantity

if TYPE_CHECKING:
    from designs.space import Space
    from explore.sweep import SweepResult
    from explore.verify import NetworkResult, Verification


def simulation(row: Mapping[str, Any]) -> str:
    """Layers where there are several, where the cycles went, and the totals of one run."""
    totals = [
        ("cycles", f"{row['cycles']:,} (roofline bound {row['roofline_cycles']:,})"),
        ("latency", f"{quantity(row['latency_ns'], 'ns')} at the {row['point']['clock_mhz']:,} MHz asked for"),
        *((metric_name(name), metric_text(row[name], name)) for name in STAGE_METRICS if name in row),
        ("utilization", "-" if row["utilization"] is None else percent(row["utilization"])),
        *_answers(row),
        ("area", f"{quantity(row['area_um2'], 'um2')}: {_largest(row['area_breakdown_um2'], 'um2')}"),
        ("energy", f"{quantity(row['energy_pj'], 'pj')}: {_largest(row['energy_breakdown_pj'], 'pj')}"),
    ]
    if row["n_inferences"] > 1:
        totals.insert(1, ("inferences", f"{row['n_inferences']:,}: latency and energy are those of one"))
    totals += [(metric_name(name), metric_text(row[name], name)) for name in families.metrics(row["family"])]
    return "\n\n".join(
        (
            f"{row['workload']} on {row['space']} ({row['family']}, {row['point']['node_nm']} nm, {row['scaling']})",
            *([layer_table(row).console()] if len(row["layers"]) > 1 else []),
            _phases(row["phases"]),
            "\n".join(f"{name:<{max(12, *(len(name) for name, _ in totals))}} {text}" for name, text in totals),
        )
    )


def _answers(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the machine answers, where its samples have labels."""
    if row["accuracy"] is None:
        return []
    counted = "" if row["overflows"] is None else f", {row['overflows']:,} accumulator overflows"
    return [("accuracy", f"{row['accuracy']:.2%} of the test samples{counted}")]


def swept(space: Space, workload: str, found: SweepResult, store: Path, page: Path | None) -> str:
    """The Pareto front of a sweep, and what happened to its points."""
    axes = [axis.name for axis in space.open_axes]
    constraints = "".join(f", {constraint}" for constraint in space.subject_to)
    counts = (
        f"{found.points} points: {found.computed} simulated, {found.cached} from the store, {found.failed} failed; "
        f"{found.refused} refused as not buildable; {found.seconds:.1f} s"
    )
    told = known(space.objectives, [row for row in found.rows if row["failure"] is None])
    lines = [
        f"{workload} on {space.name}: Pareto front of {', '.join(told)}{constraints}",
        "",
        points_of(space, found.pareto_front, axes).console()
        if found.pareto_front
        else "no point is on it",
        "",
        counts,
        f"store: {store}",
    ]
    if len(told) < len(space.objectives):
        unknown = ", ".join(name for name in space.objectives if name not in told)
        lines.insert(1, f"{unknown}: not known for any point (no labels?), so not among the objectives")
    if found.failed:
        first = next(row["failure"] for row in found.rows if row["failure"] is not None)
        lines.insert(-1, f"first failure: {first}")
    return "\n".join(lines + ([f"page: {page / 'index.html'}"] if page is not None else []))


def points_of(space: Space, rows: Sequence[Mapping[str, Any]], axes: Sequence[str]) -> Table:
    """The family's own columns; where it has said none, those of all families and its metrics."""
    own = space.family in family_pages.names()
    columns = family_pages.of(space.family, "COLUMNS")
    return points_table(rows, axes, metrics=() if own else families.metrics(space.family), columns=columns)


def verification_document(found: Verification) -> dict[str, Any]:
    """The JSON document of `lockstep verify`."""
    return {
        "cases": len(found.results),
        "points": found.n_points,
        "seed": found.seed,
        "rtl_cycles": found.rtl_cycles,
        "differences": found.differences,
        "results": [asdict(result) for result in found.results],
    }


def verification(found: Verification) -> str:
    """The table of `lockstep verify`, and every difference."""
    lines = [verified_points_table(found.results).console(), "", verification_table(found.results).console(), ""]
    for one in found.differences:
        lines.append(
            f"point {one['point']}, {one['layer']}: {one['what']}: expected {one['expected']}, "
            f"RTL {one['rtl']}, first at {one['where']}"
        )
    lines.append(
        f"{len(found.results)} cases on {found.n_points} points, {found.rtl_cycles:,} RTL cycles: "
        f"{len(found.differences) or 'no'} differences in outputs, cycles and activity"
    )
    return "\n".join(lines)


def network_document(found: NetworkResult) -> dict[str, Any]:
    """The JSON document of `lockstep verify --workload`."""
    return {
        "workload": found.workload,
        "samples": found.n_samples,
        "cases": found.n_cases,
        "accuracy": found.accuracy,
        "interpreter_accuracy": found.interpreter_accuracy,
        "overflows": found.n_overflows,
        "simulated_cycles": found.simulated_cycles,
        "rtl_cycles": found.rtl_cycles,
        "differences": [asdict(difference) for difference in found.differences],
    }


def network_verification(found: NetworkResult, n_wanted: int) -> str:
    """What `lockstep verify --workload` prints; `n_wanted` samples were asked for, and there may be fewer."""
    lines = [f"{d.where}: {d.what}: expected {d.expected}, RTL {d.rtl}" for d in found.differences]
    if found.accuracy is not None:
        lines.append(
            f"labels: {found.accuracy:.2%} right on the RTL, {found.interpreter_accuracy:.2%} in the interpreter"
        )
    fewer = f" (all there are, {n_wanted:,} were wanted)" if found.n_samples < n_wanted else ""
    overflows = "" if found.n_overflows is None else f", {found.n_overflows:,} overflows"
    lines.append(
        f"{found.workload}: {found.n_samples:,} samples{fewer}, {found.n_cases:,} cases, "
        f"{found.rtl_cycles:,} RTL cycles ({found.simulated_cycles:,} simulated){overflows}: "
        f"{len(found.differences) or 'no'} differences"
    )
    return "\n".join(lines)


def synthesis(found: Mapping[str, Any]) -> str:
    """Model beside synthesis."""
    both = [name for name in found["model"] if name in found["synthesized"] and name != "slices"]
    lines = [f"{found['family']} with {found['tool']}, target {found['target']}", ""]
    if both:
        model, synthesized = ({name: found[side][name] for name in both} for side in ("model", "synthesized"))
        lines += [*(f"{name}: {_beside(model[name], synthesized[name])}" for name in both), ""]
    if "slices" in found["model"]:
        unit = "um2" if "logic_um2" in found["synthesized"] else "NAND2"
        lines += [synthesis_table(found["model"]["slices"], found["synthesized"]["slices"], unit).console(), ""]
    if both and found["coefficients"] is not None:
        judged = found["coefficients"]["held_out"]
        lines += [
            f"model: {found['coefficients']['logic']} coefficients ({found['coefficients']['source']})",
            f"on {judged['n_points']} held-out points of the tensor machine: "
            f"median error {judged['median']:.1%}, worst {judged['worst']:.1%}",
            "",
        ]
    rest = {name: value for name, value in found["synthesized"].items() if name not in both and name != "slices"}
    lines += [f"{name}: {value:,}" for name, value in rest.items()]
    if "placed" in found:
        placed = found["placed"]
        lines += [
            "",
            f"placed and routed by {placed['tool']} in {placed['seconds']:.0f} s: {placed['fmax_mhz']:.1f} MHz, "
            f"{placed['luts']:,} LUTs, {placed['flip_flops']:,} flip-flops",
        ]
    return "\n".join([*lines, *([""] if found["remarks"] else []), *found["remarks"]])


def _beside(model: float, synthesized: float) -> str:
    off = f", error {model / synthesized - 1:+.1%}" if synthesized else ""
    return f"model {model:,.0f}, synthesized {synthesized:,.0f}{off}"


def traced(found: Mapping[str, Any], space: str | None) -> str:
    """What was imported; `space` is a design space that runs it."""
    head = ("output", "workload", "kind", "digest")
    counts = [_fact(name, value) for name, value in found.items() if name not in head]
    lines = [f"{found['output']}: {', '.join(text for text in counts if text)}"]
    return "\n".join(lines + _use(found["output"], space))


def trained(found: Mapping[str, Any], space: str | None) -> str:
    """What was made, fact by fact; `space` is a design space that runs it."""
    facts = {name: value for name, value in found.items() if name not in ("output", "workload", "point")}
    lines = [f"{found['output']}: trained on {found['workload']}"]
    lines += [f"{name.replace('_', ' '):<20} {_number(name, value)}" for name, value in facts.items()]
    return "\n".join(lines + _use(found["output"], space))


def _use(output: str, space: str | None) -> list[str]:
    return [] if space is None else [f"use it: lockstep simulate {space} --workload {output}"]


def _fact(name: str, value: Any) -> str:
    """`n_luts` of 1200 as `1,200 luts`; a bool that holds by its name; nothing of what is empty or false."""
    if isinstance(value, bool):
        return name.replace("_", " ") if value else ""
    if isinstance(value, list):
        return f"{name.replace('_', ' ')}: {', '.join(str(item) for item in value)}" if value else ""
    return f"{value:,} {name.removeprefix('n_').replace('_', ' ').replace('macs', 'MACs')}"


def _number(name: str, value: Any) -> str:
    if name.endswith("accuracy"):
        return f"{value:.2%}"
    if name.endswith("seconds"):
        return f"{value:.1f}"
    if isinstance(value, float) and value.is_integer():
        return f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def reproductions(found: Mapping[str, Mapping[str, str]]) -> str:
    """What `lockstep reproduce --list` prints."""
    return "\n".join(f"{name}: {one['title']}\n    {one['summary']}" for name, one in found.items())


def reproduction(found: Mapping[str, Any]) -> str:
    """Published beside ours, and why the two differ."""
    return "\n\n".join([found["title"], found["summary"], reproduction_text(found)])


def formats(found: Mapping[str, Any]) -> str:
    """Sizes of a matrix in all formats, and why some cannot hold it."""
    shape = " x ".join(f"{size:,}" for size in found["shape"])
    density = "" if found["density"] is None else f" ({found['density']:.3%})"
    head = f"{found['matrix']}: {shape}, {found['nnz']:,} non-zeros{density}, {found['value_bits']} bits a value"
    engine = f"utilization: of {found['n_macs']:,} MACs in {found['n_sets']:,} sets that never wait for activations"
    refused = dict.fromkeys(f"refused: {one['reason']}" for one in found["refused"])
    table = formats_table(found["formats"]).console()
    return "\n".join([head, "", table, "", engine, *([""] if refused else []), *refused])


def _phases(phases: Mapping[str, int]) -> str:
    whole = sum(phases.values()) or 1
    body = [(cell(name), cell(n, f"{n:,}"), cell(n / whole, percent(n / whole))) for name, n in phases.items()]
    return make_table((("phase", False), ("cycles", True), ("share", True)), body).console()


def _largest(breakdown: Mapping[str, float], unit: str, n: int = 4) -> str:
    order = sorted(breakdown.items(), key=lambda item: -item[1])[:n]
    return ", ".join(f"{name.replace('_', ' ')} {quantity(value, unit)}" for name, value in order)


def limit_remark(limit: int | None, n_points: int) -> str:
    """What a reader of a limited sweep's page must know; empty where all of the space's `n_points` were swept."""
    if limit is None or limit >= n_points:
        return ""
    return (
        f"Part of the space only: the sweep stopped after the first {limit:,} of {n_points:,} combinations (--limit), "
        "in the order of the file. Its first axes were hardly explored, and its fronts are those of this part."
    )
