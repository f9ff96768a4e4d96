"""From design points to result rows: simulate a batch, then price it."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from designs import families, technology
from designs.space import Point
from sim import accuracy, cost
from sim.inventory import Inventory
from sim.run import LayerRun, Run

if TYPE_CHECKING:
    from workloads.load import Workload

Row: TypeAlias = dict[str, Any]

# Whatever changes a number in a row: the sources of the model and the technology tables.
_MODEL_SOURCES = (
    "sim",
    "workloads/mapping",
    "workloads/layer.py",
    "designs/families",
    "designs/technology.py",
    "explore/evaluate.py",
)
_ROOT = Path(__file__).parent.parent


def simulator(family: str) -> ModuleType:
    """The simulator of a family, `sim.families.<family>`; InputError where there is no such family."""
    families.load(family)
    return importlib.import_module(f"sim.families.{family}")


@cache
def model_version(family: str) -> str:
    """Names the model that made a row: the family's MODEL_VERSION, its sources and the technology tables.

    Rows of another version are computed again rather than taken from a store.
    """
    found = hashlib.sha256()
    for path in _sources(family):
        found.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
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
    A point on which a layer does not fit becomes a failed row: `failure` says why, its numbers are None. A layer with
    numbers must also fit the machine's bits; a layer that is a shape only is timed at whatever bits the machine has.
    Raises DesignError where a point cannot be built.
    """
    module = simulator(family)
    design_class = families.load(family).Design
    designs = [design_class(**point) for point in points]
    for design in designs:
        design.check()
    misfits = module.misfits(designs, workload.layers)
    wide = [design for design, failure in zip(designs, misfits, strict=True) if failure is None]
    found = iter(module.simulate(wide, workload.layers, *([] if tilings is None else [tilings])))
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
    return [
        head
        | {"point": dict(point)}
        | _numbers(design, run, module.inventory(design), scaling)
        | _accuracy(module, design, run, workload)
        for point, design, run in zip(points, designs, runs, strict=True)
    ]


def _accuracy(module: ModuleType, design: Any, run: Run, workload: Workload) -> Row:
    """What the workload answers in the machine's arithmetic, where it has labelled images."""
    if run.failure is not None or not accuracy.has_labels(workload):
        return {"accuracy": None, "overflows": None}
    measured = accuracy.measure(workload, module.arithmetics(design, run))
    return {"accuracy": measured.accuracy, "overflows": measured.overflows}


def _numbers(design: Any, run: Run, inventory: Inventory, scaling: technology.Scaling) -> Row:
    prices = technology.load_technology(design.node_nm, scaling=scaling)
    area = cost.area_um2(inventory, prices)
    found: Row = {"area_um2": sum(area.values()), "area_breakdown_um2": area, "failure": run.failure}
    if run.failure is not None:
        return found | dict.fromkeys(_MEASURED)
    latency_ns = run.cycles * 1000 / design.clock_mhz
    energy = cost.energy_pj(inventory, run.activity, latency_ns, prices)
    energy_pj = sum(energy.values())
    return found | {
        "cycles": int(run.cycles),
        "phases": _integers(run.phases),
        "activity": _integers(run.activity),
        "latency_ns": latency_ns,
        "energy_pj": energy_pj,
        "energy_breakdown_pj": energy,
        "edp_pj_ns": energy_pj * latency_ns,
        "utilization": _utilization(run),
        "roofline_cycles": int(run.roofline_cycles),
        "layers": [_layer(layer) for layer in run.layers],
    }


_MEASURED = (
    "cycles",
    "phases",
    "activity",
    "latency_ns",
    "energy_pj",
    "energy_breakdown_pj",
    "edp_pj_ns",
    "utilization",
    "roofline_cycles",
    "layers",
)


def _layer(layer: LayerRun) -> Row:
    return {
        "name": layer.name,
        "repeat": int(layer.repeat),
        "cycles": int(layer.cycles),
        "phases": _integers(layer.phases),
        "roofline_cycles": int(layer.roofline_cycles),
        "n_macs": int(layer.n_macs),
        "utilization": float(layer.utilization),
        "activity": _integers(layer.activity),
        "tiling": layer.tiling if layer.tiling is None else dict(vars(layer.tiling)),
    }


def _utilization(run: Run) -> float:
    """Utilization of the whole run: that of the layers, weighted with their cycles."""
    busy = sum(layer.utilization * layer.cycles * layer.repeat for layer in run.layers)
    return float(busy / run.cycles) if run.cycles else 0.0


def _integers(counts: Any) -> dict[str, int]:
    return {name: int(count) for name, count in counts.items()}


def _sources(family: str) -> list[Path]:
    found: set[Path] = set()
    for name in _MODEL_SOURCES:
        path = _ROOT / name
        found |= set(path.rglob("*.py")) if path.is_dir() else {path}
    return sorted(path for path in found if path.parent.name != "families" or path.stem in (family, "__init__"))
