"""The area model of the tensor family against yosys: points to fit its coefficients on, others to judge them on.

    python -m explore.area_fit --measure   synthesizes the points that are not in the store of measurements yet
    python -m explore.area_fit --fit       fits the coefficients and writes designs/technology/logic_fitted.yaml
    python -m explore.area_fit --check     prints the errors of the stored coefficients on the stored measurements

All draws are seeded: point n is the same whatever the number of points.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Literal, get_args

from designs.families.tensor import Design
from designs.technology import FOLDER, Logic, Technology, load_technology
from explore import area_coefficients
from explore.area_coefficients import Errors, Measurement

Role = Literal["fit", "held_out"]
SEED, N_FIT, N_HELD_OUT = 1, 18, 24
MEASUREMENTS, FITTED = FOLDER / "synthesized.json", FOLDER / "logic_fitted.yaml"
_SIDES: dict[Role, tuple[int, ...]] = {"fit": (2, 3, 4, 6, 8), "held_out": (2, 3, 4, 6, 8, 12, 16)}


def draw(role: Role, n_points: int, seed: int = SEED) -> list[Design]:
    """The first `n_points` designs of a role: dataflows in turn, everything else at random."""
    return [_draw(role, number, seed) for number in range(n_points)]


def _draw(role: Role, number: int, seed: int) -> Design:
    source = random.Random(f"{seed} {role} {number}")
    sides = [(r, c) for r in _SIDES[role] for c in _SIDES[role] if r % c == 0 or c % r == 0]
    if role == "fit":
        sides = [(r, c) for r, c in sides if r * c <= 32]
    rows, cols = source.choice(sides)
    double_buffered = source.random() < 0.5
    return Design(
        array_rows=rows,
        array_cols=cols,
        dataflow=("weight_stationary", "output_stationary", "input_stationary")[number % 3],
        act_bits=source.randint(1, 16),
        weight_bits=source.choice((1, 1, *range(1, 17))),  # binary weights are another circuit
        acc_bits=source.randint(8, 48),
        acc_overflow=source.choice(("wrap", "saturate")),
        requant=source.choice(("multiplier_shift", "shift")),
        requant_granularity=source.choice(("per_tensor", "per_channel")),
        requant_multiplier_bits=source.randint(8, 31),
        act_scratchpad_bytes=source.choice((4096, 16384, 65536)),
        weight_scratchpad_bytes=source.choice((4096, 16384, 65536)),
        acc_scratchpad_bytes=source.choice((4096, 16384, 65536)),
        scratchpad_banks=source.choice((2, 4, 8) if double_buffered else (1, 2, 4, 8)),
        double_buffered=double_buffered,
        dram_bytes_per_cycle=source.choice((4, 8, 16, 32)),
    )


def measure(designs: Sequence[tuple[str, Design]], store: Path, n_workers: int = 2) -> None:
    """Synthesize (name, design) pairs that `store` lacks and add them to it, each as soon as it is there."""
    known = load(store)
    missing = [(name, design) for name, design in designs if name not in known]
    with ProcessPoolExecutor(n_workers) as pool:
        running = {pool.submit(synthesized, design): name for name, design in missing}
        for done in as_completed(running):
            known[running[done]] = done.result()
            save(store, known)
            print(f"{running[done]}: {known[running[done]]['nand2']:,.0f} NAND2", flush=True)


def load(store: Path = MEASUREMENTS) -> dict[str, dict[str, Any]]:
    """Name of a point -> its design, NAND2 equivalents by module, memories and the tool's version."""
    return json.loads(store.read_text()) if store.exists() else {}


def save(store: Path, measurements: dict[str, dict[str, Any]]) -> None:
    """Written whole or not at all."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(found)}" for name, found in sorted(measurements.items()))
    partial = store.with_suffix(".partial")
    partial.write_text(f"{{\n{lines}\n}}\n")
    partial.replace(store)


def synthesized(design: Design) -> dict[str, Any]:
    """One measurement, from the cache where the same Verilog was synthesized before."""
    from designs.cache import cache_dir
    from hw.families.tensor import build
    from hw.synthesis import synthesize
    from hw.verilog import emit_verilog

    design.check()
    verilog = emit_verilog(build(design), top="tensor")
    digest = hashlib.sha256(verilog.encode()).hexdigest()[:16]
    cached = cache_dir() / "area_fit" / f"{digest}.json"
    if cached.exists():
        return json.loads(cached.read_text())
    found = synthesize(verilog, "tensor")
    answer = {
        "design": dataclasses.asdict(design),
        "verilog": digest,
        "tool": found.tool,
        "nand2": found.gate_equivalents,
        "modules": {name: [module.count, module.gate_equivalents] for name, module in sorted(found.modules.items())},
        "memories": [[m.module, m.name, m.count, m.n_words, m.width_bits] for m in found.memories],
    }
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.write_text(json.dumps(answer))
    return answer


def fit_and_write(measurements: Mapping[str, Measurement], path: Path = FITTED) -> None:
    """Fit on the points named `fit_*`, judge on all, write both to the technology table at `path`."""
    chosen = {name: found for name, found in sorted(measurements.items()) if name.startswith("fit_")}
    coefficients = area_coefficients.fit(list(chosen.values()))
    tools = sorted({found["tool"] for found in measurements.values()})
    literature = load_technology(45, logic="literature")
    technology = dataclasses.replace(literature, nand2={**literature.nand2, **coefficients})
    ran = f"python -m explore.area_fit --fit, seed {SEED}, {len(chosen)} points, {', '.join(tools)}"
    lines = [
        "# NAND2 equivalents of logic parts, fitted to synthesis of the tensor machine: coefficient x",
        "# feature, features as in logic.yaml. Written by explore/area_fit.py; every point is in synthesized.json.",
        "certainty: fitted",
        f'source: "{ran}"',
    ]
    lines += [f"{kind}: {_flow(features)}" for kind, features in coefficients.items()]
    lines += ["# |model / synthesized - 1| of whole designs, memories apart.", "errors:"]
    for group, found in error_groups(measurements, technology).items():
        lines.append(f"  {group}: {_flow({key: round(value, 4) for key, value in dataclasses.asdict(found).items()})}")
    path.write_text("\n".join(lines) + "\n")


def error_groups(measurements: Mapping[str, Measurement], technology: Technology) -> dict[str, Errors]:
    """`fit` and `held_out`, and each of them by dataflow."""
    groups: dict[str, list[float]] = {}
    for name, found in sorted(measurements.items(), reverse=True):
        off = area_coefficients.error(found, technology)
        role = "held_out" if name.startswith("held_out") else "fit"
        for group in (role, f"{role}_{found['design']['dataflow']}"):
            groups.setdefault(group, []).append(off)
    return {group: area_coefficients.summary(errors) for group, errors in sorted(groups.items())}


def table(measurements: Mapping[str, Measurement], technology: Technology) -> str:
    """Errors by group, by slice, and of every held-out point."""
    lines = [f"{technology.logic} coefficients", f"{'points':32}{'n':>4}{'median':>9}{'90 %':>9}{'worst':>9}"]
    for group, errors in error_groups(measurements, technology).items():
        columns = "".join(f"{value:9.1%}" for value in (errors.median, errors.percentile_90, errors.worst))
        lines.append(f"{group:32}{errors.n_points:4}{columns}")
    lines += ["", f"{'slice, held out':32}{'share':>9}{'median':>9}{'worst':>9}"]
    held_out = {name: found for name, found in sorted(measurements.items()) if name.startswith("held_out")}
    by_slice: dict[str, list[tuple[float, float]]] = {}
    for found in held_out.values():
        model = area_coefficients.model_slices(Design(**found["design"]), technology)
        for name, nand2 in area_coefficients.synthesized_slices(found).items():
            by_slice.setdefault(name, []).append((nand2 / found["nand2"], model.get(name, 0.0) / nand2 - 1))
    for name, pairs in by_slice.items():
        errors, share = area_coefficients.summary(error for _, error in pairs), sum(s for s, _ in pairs) / len(pairs)
        lines.append(f"{name:32}{share:9.1%}{errors.median:9.1%}{errors.worst:9.1%}")
    lines += ["", f"{'held-out point':44}{'NAND2':>11}{'model':>9}"]
    for name, found in held_out.items():
        d = found["design"]
        what = f"{name} {d['array_rows']}x{d['array_cols']} {d['dataflow']} a{d['act_bits']} w{d['weight_bits']}"
        lines.append(f"{what:44}{found['nand2']:11,.0f}{area_coefficients.error(found, technology):+9.1%}")
    return "\n".join(lines)


def _flow(numbers: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{key}: {value:g}" for key, value in numbers.items()) + "}"


def main() -> None:
    """The command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for action in ("measure", "fit", "check"):
        parser.add_argument(f"--{action}", action="store_true")
    parser.add_argument("--n-fit", type=int, default=N_FIT)
    parser.add_argument("--n-held-out", type=int, default=N_HELD_OUT)
    parser.add_argument("--logic", choices=get_args(Logic), default="fitted", help="coefficients to check")
    chosen = parser.parse_args()
    if not (chosen.measure or chosen.fit or chosen.check):
        parser.error("wanted --measure, --fit or --check, got none of them")
    if chosen.measure:
        roles: tuple[tuple[Role, int], ...] = (("fit", chosen.n_fit), ("held_out", chosen.n_held_out))
        pairs = [(f"{role}_{n:02}", design) for role, count in roles for n, design in enumerate(draw(role, count))]
        pairs.sort(key=lambda pair: (int(pair[0][-2:]) * (2 if pair[0].startswith("held") else 1), pair[0]))
        measure(pairs, MEASUREMENTS)
    if chosen.fit:
        fit_and_write(load())
    if chosen.check:
        print(table(load(), load_technology(45, logic=chosen.logic)))


if __name__ == "__main__":
    main()
