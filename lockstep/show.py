"""Results as text for people: what the command line prints without `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.tables import (
    cell,
    layer_table,
    make_table,
    points_table,
    synthesis_table,
    verification_table,
    verified_points_table,
)
from reports.units import percent, quantity

if TYPE_CHECKING:
    from designs.space import Space
    from explore.sweep import SweepResult
    from explore.verify import NetworkResult, Verification


def simulation(row: Mapping[str, Any]) -> str:
    """Layers, where the cycles went, and the totals of one run."""
    totals = [
        ("cycles", f"{row['cycles']:,} (roofline bound {row['roofline_cycles']:,})"),
        ("latency", quantity(row["latency_ns"], "ns")),
        ("utilization", percent(row["utilization"])),
        *_answers(row),
        ("area", f"{quantity(row['area_um2'], 'um2')}: {_largest(row['area_breakdown_um2'], 'um2')}"),
        ("energy", f"{quantity(row['energy_pj'], 'pj')}: {_largest(row['energy_breakdown_pj'], 'pj')}"),
    ]
    return "\n\n".join(
        (
            f"{row['workload']} on {row['space']} ({row['family']}, {row['point']['node_nm']} nm, {row['scaling']})",
            layer_table(row).console(),
            _phases(row["phases"]),
            "\n".join(f"{name:<12} {text}" for name, text in totals),
        )
    )


def _answers(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the network answers on the machine, where its images have labels."""
    if row["accuracy"] is None:
        return []
    return [("accuracy", f"{row['accuracy']:.2%} of the test images, {row['overflows']:,} accumulator overflows")]


def swept(space: Space, workload: str, found: SweepResult, store: Path, page: Path | None) -> str:
    """The Pareto front of a sweep, and what happened to its points."""
    axes = [axis.name for axis in space.open_axes]
    constraints = "".join(f", {constraint}" for constraint in space.subject_to)
    counts = (
        f"{found.points} points: {found.computed} simulated, {found.cached} from the store, {found.failed} failed; "
        f"{found.refused} refused as not buildable; {found.seconds:.1f} s"
    )
    lines = [
        f"{workload} on {space.name}: Pareto front of {', '.join(space.minimize)}{constraints}",
        "",
        points_table(found.pareto_front, axes).console() if found.pareto_front else "no point is on it",
        "",
        counts,
        f"store: {store}",
    ]
    if found.failed:
        first = next(row["failure"] for row in found.rows if row["failure"] is not None)
        lines.insert(-1, f"first failure: {first}")
    return "\n".join(lines + ([f"page: {page / 'index.html'}"] if page is not None else []))


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
        f"{len(found.results)} layers on {found.n_points} points, {found.rtl_cycles:,} RTL cycles: "
        f"{len(found.differences) or 'no'} differences in outputs, cycles and activity"
    )
    return "\n".join(lines)


def network_document(found: NetworkResult) -> dict[str, Any]:
    """The JSON document of `lockstep verify --workload`."""
    return {
        "workload": found.workload,
        "images": found.n_images,
        "cases": found.n_images * found.n_layers,
        "accuracy": found.accuracy,
        "interpreter_accuracy": found.interpreter_accuracy,
        "overflows": found.n_overflows,
        "simulated_cycles": found.simulated_cycles,
        "rtl_cycles": found.rtl_cycles,
        "differences": [asdict(difference) for difference in found.differences],
    }


def network_verification(found: NetworkResult) -> str:
    """What `lockstep verify --workload` prints."""
    lines = [f"{d.where}: {d.what}: expected {d.expected}, RTL {d.rtl}" for d in found.differences]
    if found.accuracy is not None:
        lines.append(
            f"labels: {found.accuracy:.2%} right on the RTL, {found.interpreter_accuracy:.2%} in the interpreter"
        )
    lines.append(
        f"{found.workload}: {found.n_images} images x {found.n_layers} layers, {found.rtl_cycles:,} RTL cycles "
        f"({found.simulated_cycles:,} simulated), {found.n_overflows:,} overflows: "
        f"{len(found.differences) or 'no'} differences in outputs, cycles and overflows"
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
    if both:
        judged = found["coefficients"]["held_out"]
        lines += [
            f"model: {found['coefficients']['logic']} coefficients ({found['coefficients']['source']})",
            f"on {judged['n_points']} held-out points of the tensor machine: "
            f"median error {judged['median']:.1%}, worst {judged['worst']:.1%}",
            "",
        ]
    rest = {name: value for name, value in found["synthesized"].items() if name not in both and name != "slices"}
    return "\n".join(lines + [f"{name}: {value:,}" for name, value in rest.items()])


def _beside(model: float, synthesized: float) -> str:
    off = f", error {model / synthesized - 1:+.1%}" if synthesized else ""
    return f"model {model:,.0f}, synthesized {synthesized:,.0f}{off}"


def traced(found: Mapping[str, Any]) -> str:
    """What was imported."""
    return (
        f"{found['output']}: {found['n_ops']} ops, {found['n_layers']} layers, {found['n_macs']:,} MACs, "
        f"{found['n_weights']:,} weights\nuse it: lockstep simulate tensor --workload {found['output']}"
    )


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
