"""The clock of LUT machines on real fabrics: placed and routed here, and two straight lines through what was measured.

    python -m explore.families.lut.clock --measure   places the points that are not in the store yet (half an hour)
    python -m explore.families.lut.clock --fit       fits the lines and writes designs/technology/fabric_clock.yaml
    python -m explore.families.lut.clock --check     prints all points beside the stored lines

Points are classifiers of the digits that boosting makes, at several pipelinings. The period is the longer of two ways:
through the LUTs between two banks, t_0 + t_level x levels, and through the handshake, which from the reader back to the
first bank is combinational and ends in the enables of whole banks, h_0 + h_stage x n_stages. Both lines are fitted to
one classifier and judged on others: smaller and larger ones of the same kind, no other kind of circuit.

The form was not fixed beforehand. It began as the first line alone; the handshake was added after eight points of
`ecp5_4` were seen (all to fit, and the two of 6 trees). The other ten held-out points were measured afterwards. With
four parameters on five or six points the errors of the fit say nothing; those of the held-out points do.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import yaml

from designs.families.lut import Design
from designs.technology import FOLDER
from designs.whole_file import whole_file
from workloads.kinds.classification import Classification
from workloads.load import load_workload
from workloads.mapping.lut import Circuit, circuit_of

MEASUREMENTS, FITTED = FOLDER / "fabric_clock.json", FOLDER / "fabric_clock.yaml"
SEEDS = (1, 2)  # of placement; a point's clock is the mean of both
FIT_TREES, HELD_OUT = 12, ((6, 2), (6, 5), (20, 1), (20, 3))  # trees_per_class, levels_per_stage
FABRICS = {"ecp5_4": (1, 2, 3, 4, 6, 0), "ecp5_6": (1, 2, 3, 4, 0), "ice40_4": (1, 2, 3, 4, 6, 0)}

Measurement = Mapping[str, Any]


def points() -> list[tuple[str, str, Design]]:
    """(name, fabric, design) of all points; names start with `fit_` or `held_out_`."""
    found = []
    for fabric, pipelinings in FABRICS.items():
        cases = [("fit", FIT_TREES, levels) for levels in pipelinings]
        cases += [("held_out", trees, levels) for trees, levels in HELD_OUT]
        for role, trees, levels in cases:
            design = Design(
                classifier="boosted",
                trees_per_class=trees,
                score_bits=1,
                lut_inputs=int(fabric[-1]),
                levels_per_stage=levels,
            )
            found.append((f"{role}_{fabric}_trees{trees}_m{levels}", fabric, design))
    return found


def most_levels(circuit: Circuit) -> int:
    """LUTs on the longest way between two banks."""
    stages = circuit.stages
    return max((len(set(circuit.levels[stages == stage].tolist())) for stage in np.unique(stages)), default=0)


def measure(names: Sequence[str] | None = None) -> None:
    """Place and route what the store lacks, and store each point as soon as it is there."""
    known = load()
    for name, fabric, design in points():
        if name not in known and (names is None or name in names):
            known[name] = measured(fabric, design)
            lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(known[key])}" for key in sorted(known))
            with whole_file(MEASUREMENTS) as path:
                path.write_text(f"{{\n{lines}\n}}\n")
            print(f"{name}: {known[name]['levels']} levels, {known[name]['fmax_mhz']} MHz", flush=True)


def measured(fabric: str, design: Design) -> dict[str, Any]:
    """One point: the machine of the digits, placed and routed once for each of SEEDS."""
    from hw.families.lut import LutMachine
    from hw.place import place_and_route
    from hw.verilog import emit_verilog
    from workloads.mapping.lut_classifier import classifier_of

    workload = load_workload("digits")
    assert isinstance(workload, Classification)
    circuit = circuit_of(design, classifier_of(design, workload).netlist)
    verilog = emit_verilog(LutMachine(design, circuit), top="lut")
    target = fabric.partition("_")[0]
    placed = [place_and_route(verilog, "lut", target=target, seed=seed) for seed in SEEDS]  # type: ignore[arg-type]
    return {
        "fabric": fabric,
        "verilog": hashlib.sha256(verilog.encode()).hexdigest()[:16],
        "device": placed[0].device,
        "tool": placed[0].tool,
        "levels": most_levels(circuit),
        "n_stages": circuit.n_stages,
        "luts": placed[0].luts,
        "flip_flops": placed[0].flip_flops,
        "fmax_mhz": [round(found.fmax_mhz, 2) for found in placed],
        "critical_luts": [found.critical_luts for found in placed],
        "routing_share": [round(found.routing_share, 3) for found in placed],
    }


def load() -> dict[str, dict[str, Any]]:
    """Name of a point -> what was measured."""
    return json.loads(MEASUREMENTS.read_text()) if MEASUREMENTS.exists() else {}


def path_ns(found: Measurement) -> float:
    """The mean critical path of a point."""
    return statistics.mean(1000 / fmax_mhz for fmax_mhz in found["fmax_mhz"])


Lines = tuple[float, float, float, float]  # t_0, t_level, h_0, h_stage in ns


def fit(measurements: Mapping[str, Measurement], fabric: str) -> Lines:
    """The two lines with the least sum of squared relative errors through the fit points of a fabric.

    Of the points in the order of their stages, those with the most belong to the handshake; how many, is tried out.
    Each line has at least two points, so there must be four.
    """
    chosen = [found for name, found in measurements.items() if name.startswith("fit_") and found["fabric"] == fabric]
    chosen.sort(key=lambda found: found["n_stages"])
    tried = []
    for n_logic in range(2, len(chosen) - 1):
        lines = (*_line(chosen[:n_logic], "levels"), *_line(chosen[n_logic:], "n_stages"))
        tried.append((sum(error(found, lines) ** 2 for found in chosen), lines))
    return min(tried)[1]


def _line(points: Sequence[Measurement], feature: str) -> tuple[float, float]:
    """Offset and slope with the least sum of squared relative errors."""
    times = np.array([path_ns(found) for found in points])
    features = np.array([[1.0, found[feature]] for found in points])
    (offset, slope), *_ = np.linalg.lstsq(features / times[:, None], np.ones(len(times)), rcond=None)
    return float(offset), float(slope)


def period_ns(lines: Lines, levels: int, n_stages: int) -> float:
    """The longer of the two ways."""
    t_0, t_level, h_0, h_stage = lines
    return max(t_0 + t_level * levels, h_0 + h_stage * n_stages)


def error(found: Measurement, lines: Lines) -> float:
    """Clock of the lines / measured clock - 1."""
    return path_ns(found) / period_ns(lines, found["levels"], found["n_stages"]) - 1


def fit_and_write(measurements: Mapping[str, Measurement]) -> None:
    """Fit every fabric that was measured and write the table, with its errors on the points it was not fitted to."""
    tools = sorted({found["tool"] for found in measurements.values()})
    text = [
        "# The clock of a LUT machine placed and routed alone. period_ns = the longer of t_0_ns + t_level_ns x levels",
        "# (LUTs between banks) and h_0_ns + h_stage_ns x n_stages (the handshake). Points are in fabric_clock.json.",
        "# `levels`, `n_stages`: what was measured; beyond, it is a guess. Written by explore/families/lut/clock.py.",
        "certainty: fitted",
        f'source: "python -m explore.families.lut.clock --measure --fit, digits, {", ".join(tools)}"',
        "fabrics:",
    ]
    for fabric in FABRICS:
        here = {name: found for name, found in measurements.items() if found["fabric"] == fabric}
        lines = fit(here, fabric)
        names = ("t_0_ns", "t_level_ns", "h_0_ns", "h_stage_ns")
        text += [f"  {fabric}:", f"    device: {next(iter(here.values()))['device']}"]
        text += [f"    {name}: {value:.3f}" for name, value in zip(names, lines, strict=True)]
        for feature in ("levels", "n_stages"):
            values = [found[feature] for found in here.values()]
            text.append(f"    {feature}: [{min(values)}, {max(values)}]")
        for role in ("fit", "held_out"):
            errors = [abs(error(found, lines)) for name, found in here.items() if name.startswith(role)]
            worst, median = max(errors), statistics.median(errors)
            text.append(f"    {role}: {{n_points: {len(errors)}, median: {median:.3f}, worst: {worst:.3f}}}")
    with whole_file(FITTED) as path:
        path.write_text("\n".join(text) + "\n")


def fitted_clock(target: str, design: Design, circuit: Circuit) -> str | None:
    """A sentence on the clock that the lines give a circuit on a family; None where none were measured for it."""
    fabric = f"{target}_{design.lut_inputs}"
    fabrics = yaml.safe_load(FITTED.read_text())["fabrics"]
    if fabric not in fabrics:
        return None
    found = fabrics[fabric]
    levels, n_stages = most_levels(circuit), circuit.n_stages
    lines = (found["t_0_ns"], found["t_level_ns"], found["h_0_ns"], found["h_stage_ns"])
    text = (
        f"clock: {1000 / period_ns(lines, levels, n_stages):.0f} MHz expected on {found['device']} "
        f"({levels} levels between banks, {n_stages} stages), a rough figure: on {found['held_out']['n_points']} "
        "boosted classifiers that it was not fitted to it was off by up to "
        f"{found['held_out']['worst']:.0%}; --place measures."
    )
    inside = all(
        low <= value <= high for value, (low, high) in ((levels, found["levels"]), (n_stages, found["n_stages"]))
    )
    return text if inside else f"{text} None that was measured had as many levels or stages."


def table(measurements: Mapping[str, Measurement], fitted: Mapping[str, Any]) -> str:
    """Every point beside its line."""
    lines = [f"{'point':32}{'levels':>7}{'stages':>7}{'LUTs':>7}{'FFs':>7}  {'MHz (seeds)':18}{'lines':>7}{'error':>8}"]
    for name, found in sorted(measurements.items(), key=lambda pair: (pair[1]["fabric"], pair[0])):
        of_fabric = fitted["fabrics"][found["fabric"]]
        two = tuple(of_fabric[key] for key in ("t_0_ns", "t_level_ns", "h_0_ns", "h_stage_ns"))
        clocks = ", ".join(f"{fmax_mhz:.1f}" for fmax_mhz in found["fmax_mhz"])
        lines.append(
            f"{name:32}{found['levels']:7}{found['n_stages']:7}{found['luts']:7,}{found['flip_flops']:7,}  {clocks:18}"
            f"{1000 / period_ns(two, found['levels'], found['n_stages']):7.1f}{error(found, two):+8.1%}"
        )
    return "\n".join(lines)


def main() -> None:
    """The command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for action in ("measure", "fit", "check"):
        parser.add_argument(f"--{action}", action="store_true")
    chosen = parser.parse_args()
    if not (chosen.measure or chosen.fit or chosen.check):
        parser.error("wanted --measure, --fit or --check, got none of them")
    if chosen.measure:
        measure()
    if chosen.fit:
        fit_and_write(load())
    if chosen.check:
        print(table(load(), yaml.safe_load(FITTED.read_text())))


if __name__ == "__main__":
    main()
