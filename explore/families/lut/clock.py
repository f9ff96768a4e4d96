"""The clock of LUT machines on real fabrics: placed and routed here, and a straight line through what was measured.

    python -m explore.families.lut.clock --measure   places the points that are not in the store yet (half an hour)
    python -m explore.families.lut.clock --fit       fits the lines and writes designs/technology/fabric_clock.yaml
    python -m explore.families.lut.clock --check     prints all points beside the stored lines

Points are classifiers of the digits that boosting makes, at several pipelinings. A line is t = t_0 + t_level x levels,
levels the LUTs between two banks; it is fitted to the shape of one classifier and judged on others.
"""

from __future__ import annotations

import argparse
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


def fit(measurements: Mapping[str, Measurement], fabric: str) -> tuple[float, float]:
    """t_0 and t_level (ns) of the line with the least sum of squared relative errors through the fit points."""
    chosen = [found for name, found in measurements.items() if name.startswith("fit_") and found["fabric"] == fabric]
    times = np.array([path_ns(found) for found in chosen])
    features = np.array([[1.0, found["levels"]] for found in chosen])
    (t_0, t_level), *_ = np.linalg.lstsq(features / times[:, None], np.ones(len(times)), rcond=None)
    return float(t_0), float(t_level)


def error(found: Measurement, line: tuple[float, float]) -> float:
    """Clock of the line / measured clock - 1."""
    return path_ns(found) / (line[0] + line[1] * found["levels"]) - 1


def fit_and_write(measurements: Mapping[str, Measurement]) -> None:
    """Fit every fabric that was measured and write the table, with its errors on the points it was not fitted to."""
    tools = sorted({found["tool"] for found in measurements.values()})
    lines = [
        "# The clock of a LUT machine placed and routed alone: t_0_ns + t_level_ns x LUT levels between banks.",
        "# Written by explore/families/lut/clock.py; every point is in fabric_clock.json.",
        "certainty: fitted",
        f'source: "python -m explore.families.lut.clock --measure --fit, digits, {", ".join(tools)}"',
    ]
    for fabric in FABRICS:
        here = {name: found for name, found in measurements.items() if found["fabric"] == fabric}
        if not here:
            continue
        line = fit(here, fabric)
        lines.append(f"{fabric}:")
        lines.append(f"  device: {next(iter(here.values()))['device']}")
        lines.append(f"  t_0_ns: {line[0]:.3f}")
        lines.append(f"  t_level_ns: {line[1]:.3f}")
        lines.append(
            f"  levels: [{min(f['levels'] for f in here.values())}, {max(f['levels'] for f in here.values())}]"
        )
        for role in ("fit", "held_out"):
            errors = [abs(error(found, line)) for name, found in here.items() if name.startswith(role)]
            if errors:
                lines.append(
                    f"  {role}: {{n_points: {len(errors)}, median_error: {statistics.median(errors):.3f}, "
                    f"worst_error: {max(errors):.3f}}}"
                )
    with whole_file(FITTED) as path:
        path.write_text("\n".join(lines) + "\n")


def table(measurements: Mapping[str, Measurement], fitted: Mapping[str, Any]) -> str:
    """Every point beside its line."""
    lines = [f"{'point':32}{'levels':>7}{'stages':>7}{'LUTs':>7}{'FFs':>7}  {'MHz (seeds)':18}{'line':>7}{'error':>8}"]
    for name, found in sorted(measurements.items(), key=lambda pair: (pair[1]["fabric"], pair[0])):
        of_fabric = fitted[found["fabric"]]
        line = (of_fabric["t_0_ns"], of_fabric["t_level_ns"])
        clocks = ", ".join(f"{fmax_mhz:.1f}" for fmax_mhz in found["fmax_mhz"])
        lines.append(
            f"{name:32}{found['levels']:7}{found['n_stages']:7}{found['luts']:7,}{found['flip_flops']:7,}  {clocks:18}"
            f"{1000 / (line[0] + line[1] * found['levels']):7.1f}{error(found, line):+8.1%}"
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
