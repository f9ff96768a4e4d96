"""From design points to result rows: simulate a batch, then price it."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from functools import cache
from numbers import Integral
from types import ModuleType
from typing import Any, TypeAlias

from designs import families, technology
from designs.objectives import STAGE_METRICS
from designs.space import Point
from explore.sources import sources_of
from sim import cost
from sim.inventory import Inventory
from sim.run import LayerRun, Run, StageRun
from workloads.load import Workload, expect_kind

Row: TypeAlias = dict[str, Any]

DECODE = "decode"  # the stage whose steps each make a token


def simulator(family: str) -> ModuleType:
    """The simulator of a family, `sim.families.<family>`; InputError where there is no such family."""
    families.load(family)
    return importlib.import_module(f"sim.families.{family}")


@cache
def model_version(family: str) -> str:
    """Names the model that made a row: the family's MODEL_VERSION, its sources and the technology tables.

    Sources are the family's modules and all of ours that they import, so one family's rows stay valid when another one
    changes. Rows of another version are computed again rather than taken from a store.
    """
    found = hashlib.sha256()
    for module, path in sources_of(f"designs.families.{family}", f"sim.families.{family}", __name__).items():
        found.update(module.encode() + b"\0" + path.read_bytes() + b"\0")
    declared = getattr(simulator(family), "MODEL_VERSION", "1")
    return f"{family}-{declared}-{found.hexdigest()[:12]}-{technology.digest()}"


def evaluate(
    family: str,
    points: Sequence[Point],
    workload: Workload,
    *,
    space: str = "",
    scaling: technology.Scaling = "stillmaker_baas",
    tilings: Sequence[Any] | None = None,
) -> list[Row]:
    """One result row a point, in order, through one call of the family's simulator.

    `tilings` pins how layers are cut, one a layer; None, there or altogether, leaves it to the family's mapper.
    A point on which the workload does not fit becomes a failed row: `failure` says why, its numbers are None. A layer
    with numbers must also fit the machine's bits; a layer that is a shape only is timed at whatever bits the machine
    has. Latency and energy are those of one inference, cycles and activity those of the whole run.
    Raises DesignError where a point cannot be built, InputError where the family runs another kind of workload.
    """
    module = simulator(family)
    expect_kind(workload, module.RUNS, family)
    design_class = families.load(family).Design
    designs = [design_class(**point) for point in points]
    for design in designs:
        design.check()
    misfits = module.misfits(designs, workload)
    wide = [design for design, failure in zip(designs, misfits, strict=True) if failure is None]
    found = iter(module.simulate(wide, workload, *([] if tilings is None else [tilings])))
    runs = [next(found) if failure is None else Run(failure=failure) for failure in misfits]
    head = {
        "family": family,
        "space": space,
        "workload": workload.name,
        "workload_digest": workload.digest,
        "model_version": model_version(family),
        "scaling": scaling,
        "seed": None,
    }
    columns = families.metrics(family)
    rows = []
    for point, design, run in zip(points, designs, runs, strict=True):
        numbers = _numbers(design, run, module.inventory(design, workload), scaling)
        accuracy = _accuracy(module, design, run, workload)
        rows.append(head | {"point": dict(point)} | numbers | accuracy | _figures(columns, run, numbers))
    return rows


def _accuracy(module: ModuleType, design: Any, run: Run, workload: Workload) -> Row:
    """How often the machine is right, where the family can tell and the workload has labels."""
    measured = None
    if run.failure is None and hasattr(module, "accuracy"):
        measured = module.accuracy(design, run, workload)
    if measured is None:
        return {"accuracy": None, "overflows": None}
    return {"accuracy": measured.accuracy, "overflows": measured.overflows}


def _figures(names: Sequence[str], run: Run, numbers: Row) -> Row:
    """The family's own columns, None in a failed row."""
    if run.failure is not None:
        return dict.fromkeys(names)
    found = dict(run.figures)
    for name, n_shares in run.energies_pj.items():
        found[name] = numbers["energy_pj"] * run.n_inferences / n_shares
    return {name: _plain(found[name]) for name in names}


def _numbers(design: Any, run: Run, inventory: Inventory, scaling: technology.Scaling) -> Row:
    prices = technology.load_technology(design.node_nm, scaling=scaling)
    area = cost.area_um2(inventory, prices)
    found: Row = {"area_um2": sum(area.values()), "area_breakdown_um2": area, "failure": run.failure}
    if run.failure is not None:
        return found | dict.fromkeys(_MEASURED)
    run_ns = run.cycles * 1000 / design.clock_mhz
    latency_ns = run_ns if run.latency_cycles is None else run.latency_cycles * 1000 / design.clock_mhz
    stages_ns = [stage.cycles * 1000 / design.clock_mhz for stage in run.stages]
    priced = [(run.activity, run_ns), *((s.activity, ns) for s, ns in zip(run.stages, stages_ns, strict=True))]
    of_run, *of_stages = cost.energies_pj(inventory, priced, prices)
    stages = [_stage(*told) for told in zip(run.stages, stages_ns, of_stages, strict=True)]
    energy = {name: value / run.n_inferences for name, value in of_run.items()}
    energy_pj = sum(energy.values())
    return found | {
        "cycles": int(run.cycles),
        "n_inferences": int(run.n_inferences),
        "initiation_interval": None if run.initiation_interval is None else _plain(run.initiation_interval),
        "phases": _integers(run.phases),
        "activity": _integers(run.activity),
        "latency_ns": latency_ns,
        "energy_pj": energy_pj,
        "energy_breakdown_pj": energy,
        "edp_pj_ns": energy_pj * latency_ns,
        "utilization": _utilization(run),
        "roofline_cycles": int(run.roofline_cycles),
        "layers": _layers(run.layers),
        "stages": stages,
        **_stage_metrics(stages),
    }


_MEASURED = (
    "cycles",
    "n_inferences",
    "initiation_interval",
    "phases",
    "activity",
    "latency_ns",
    "energy_pj",
    "energy_breakdown_pj",
    "edp_pj_ns",
    "utilization",
    "roofline_cycles",
    "layers",
    "stages",
)


def _stage(stage: StageRun, latency_ns: float, energy: Mapping[str, float]) -> Row:
    """A stage of a row: all its steps and sequences together."""
    return {
        "name": stage.name,
        "n_steps": stage.n_steps,
        "n_sequences": stage.n_sequences,
        "cycles": int(stage.cycles),
        "phases": _integers(stage.phases),
        "latency_ns": latency_ns,
        "energy_pj": sum(energy.values()),
        "energy_breakdown_pj": dict(energy),
        "roofline_cycles": int(stage.roofline_cycles),
        "n_macs": int(stage.n_macs),
        "dram_bytes": sum(stage.activity.get(name, 0) for name in ("dram_read_bytes", "dram_write_bytes")),
    }


def _stage_metrics(stages: Sequence[Row]) -> Row:
    """Columns of STAGE_METRICS, for the stages that there are: of a decode by token, of others as a whole."""
    found: Row = {}
    for stage in stages:
        if stage["name"] == DECODE:
            n_tokens = stage["n_steps"] * stage["n_sequences"]
            found["decode_ns_per_token"] = stage["latency_ns"] / stage["n_steps"]
            found["decode_pj_per_token"] = stage["energy_pj"] / n_tokens
            found["tokens_per_s"] = n_tokens * 1e9 / stage["latency_ns"]
        for metric, value in ((f"{stage['name']}_ns", "latency_ns"), (f"{stage['name']}_pj", "energy_pj")):
            if metric in STAGE_METRICS:
                found[metric] = stage[value]
    return found


def _layers(layers: Sequence[LayerRun]) -> list[Row]:
    """Layers of equal counts, which may share them in the run, share them in the row."""
    counted = {id(found): found for layer in layers for found in (layer.phases, layer.activity)}
    counts = {key: _integers(found) for key, found in counted.items()}
    return [
        {
            "name": layer.name,
            "repeat": int(layer.repeat),
            "cycles": int(layer.cycles),
            "phases": counts[id(layer.phases)],
            "roofline_cycles": int(layer.roofline_cycles),
            "n_macs": int(layer.n_macs),
            "utilization": float(layer.utilization),
            "activity": counts[id(layer.activity)],
            "tiling": layer.tiling if layer.tiling is None else dict(vars(layer.tiling)),
        }
        for layer in layers
    ]


def _utilization(run: Run) -> float | None:
    """Of layers, theirs weighted with their cycles; without layers, the share of cycles in which a sample is taken."""
    if not run.layers:
        interval = run.initiation_interval
        return None if interval is None else float(run.n_inferences * interval / run.cycles)
    busy = sum(layer.utilization * layer.cycles * layer.repeat for layer in run.layers)
    return float(busy / run.cycles) if run.cycles else 0.0


def _plain(value: Any) -> int | float:
    """A number as JSON has it, whole numbers as such."""
    return int(value) if isinstance(value, Integral) else float(value)


def _integers(counts: Any) -> dict[str, int]:
    return {name: int(count) for name, count in counts.items()}
