"""Design points under load: the public API behind `lockstep scenario`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designs.arguments import expect_whole
from designs.errors import InputError
from designs.fields import Value
from designs.space import Point, Space
from designs.technology import Scaling
from designs.whole_file import whole_file
from lockstep.api import pinned, workload_of
from lockstep.terminal import make_folder, pairs_of

if TYPE_CHECKING:
    from explore.evaluate import Row
    from explore.progress import Steps
    from explore.scenarios.outcome import SystemOutcome
    from explore.scenarios.run import Settings
    from explore.scenarios.service import Service
    from workloads.load import Workload


MOST_ACCELERATORS = 1024  # of each design in a system


@dataclass(frozen=True, kw_only=True)
class ScenarioResult:
    """What became of each system, with the service times of the accelerators that they are made of."""

    systems: tuple[SystemOutcome, ...]
    services: tuple[Service, ...]  # each accelerator once, in the order in which they were named
    settings: Settings


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """A design point that was named, and what it runs."""

    name: str
    family: str
    point: Point
    workload: Workload


def scenario(
    designs: Space | str | Path | Sequence[Space | str | Path],
    workload: Workload | str | Path | None = None,
    *,
    scenarios: Sequence[str] | None = None,
    together: bool = False,
    accelerators: int = 1,
    max_batch: int = 1,
    window_us: float = 0.0,
    bound_ms: float = 15.0,
    interval_ms: float = 50.0,
    percentile: float = 99.0,
    queries: int | None = None,
    seed: int = 0,
    curve: bool = False,
    scaling: Scaling = "stillmaker_baas",
    progress: Steps = lambda what, n_done, n_all: None,
    **parameters: Value,
) -> ScenarioResult:
    """Design points in MLPerf-style scenarios (docs/scenarios.md); each is a system, or all are one with `together`.

    A design is a space, whose open axes take the first values that can be built, maybe with parameters behind it and a
    name before it (`small=tensor:array_rows=8,array_cols=8`), or a results store: then all points of its Pareto front
    of latency and area.
    A system has `accelerators` of each of its designs behind one queue. `scenarios` are names of
    `explore.scenarios.run.SCENARIOS`, None all of them; `curve` adds latencies of the server at many rates.
    InputError for what is none of this, and where a design cannot run batches of 1 to `max_batch`.
    """
    from explore.scenarios.run import SCENARIOS, Settings, expect_scenarios, run_system

    settings = Settings(
        max_batch=max_batch, window_us=window_us, bound_ms=bound_ms, interval_ms=interval_ms,
        percentile=percentile, queries=queries, seed=seed,
    )  # fmt: skip
    asked = tuple(SCENARIOS if scenarios is None else scenarios)
    expect_scenarios(asked)
    expect_whole("--accelerators", accelerators, 1, MOST_ACCELERATORS)
    if not asked:
        raise InputError(f"--scenario: wanted one of {', '.join(SCENARIOS)} or more, got none")
    listed = [designs] if isinstance(designs, Space | str | Path) else list(designs)
    chosen = [found for design in listed for found in _chosen(design, workload, parameters)]
    if not chosen:
        raise InputError("designs: wanted one or more, got none; name a design space")
    runs_together = _one_workload(chosen) if together else ""
    services = _services(chosen, settings, scaling, progress)
    systems = [(one.name, one.workload.name, [service]) for one, service in zip(chosen, services, strict=True)]
    if together:
        systems = [(" + ".join(one.name for one in chosen), runs_together, services)]
    return ScenarioResult(
        systems=tuple(
            run_system(
                _name(name, accelerators), runs, [service for service in behind for _ in range(accelerators)], asked,
                settings, curve=curve, progress=_named(progress, name),
            )
            for name, runs, behind in systems
        ),
        services=tuple(services),
        settings=settings,
    )  # fmt: skip


def _chosen(
    design: Space | str | Path, workload: Workload | str | Path | None, parameters: dict[str, Value]
) -> list[_Chosen]:
    if isinstance(design, str | Path) and Path(design).suffix in (".sqlite", ".db"):
        if parameters:
            raise InputError(f"{design}: wanted a design space to set parameters of, got a results store")
        return _of_store(Path(design), workload)
    space, name = _space(design, parameters)
    loaded = workload_of(space, workload)
    return [_Chosen(name=name, family=space.family, point=space.first_point(), workload=loaded)]


def _space(design: Space | str | Path, parameters: dict[str, Value]) -> tuple[Space, str]:
    """The space of `[NAME=]SPACE[:KEY=VALUE,KEY=VALUE]`, and what to call it."""
    if isinstance(design, Space):
        return pinned(design, parameters), design.name
    name, equals, text = str(design).partition("=")
    if not equals or not name.isidentifier():
        name, text = "", str(design)
    path, colon, behind = text.rpartition(":")
    if not colon or "=" not in behind:
        space = pinned(text, parameters)
        return space, name or space.name
    space = pinned(path, {**parameters, **pairs_of(behind.split(","), f"{path}:", "array_rows=8")})
    return space, name or f"{space.name}:{behind}"


def _of_store(path: Path, workload: Workload | str | Path | None) -> list[_Chosen]:
    """The Pareto front of latency and area of a store's rows of one workload."""
    from explore.pareto import pareto_front
    from explore.store import Store
    from workloads.load import Workload, load_workload

    with Store(path, must_exist=True) as opened:
        rows = [row for row in opened.rows() if row["failure"] is None]
    names = sorted({row["workload"] for row in rows})
    listed = ", ".join(names) or "none"
    if workload is None and len(names) != 1:
        raise InputError(f"{path}: wanted rows of one workload, got {listed}; choose with --workload")
    wanted = names[0] if workload is None else workload
    loaded = wanted if isinstance(wanted, Workload) else load_workload(str(wanted))
    found = [row for row in rows if row["workload_digest"] == loaded.digest]
    if not found:
        raise InputError(f"{path}: wanted rows of {loaded.name}, got rows of {listed}")
    front = pareto_front(_newest(found), ("latency_ns", "area_um2"))
    return [
        _Chosen(name=name, family=row["family"], point=row["point"], workload=loaded)
        for row, name in zip(front, _names(front), strict=True)
    ]


def _newest(rows: Sequence[Row]) -> list[Row]:
    """Each design point once: what has changed in the model since is simulated again anyway."""
    return list({(row["family"], *sorted(row["point"].items())): row for row in rows}.values())


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The parameters in which points differ, as `--set` takes them."""
    differing = [key for key in rows[0]["point"] if len({str(row["point"].get(key)) for row in rows}) > 1]
    return [
        f"{row['space'] or row['family']}:" + ",".join(f"{key}={row['point'].get(key)}" for key in differing)
        for row in rows
    ]


def _services(chosen: Sequence[_Chosen], settings: Settings, scaling: Scaling, progress: Steps) -> list[Service]:
    """In the order of `chosen`; points of one family that run the same are simulated together."""
    from explore.scenarios.service import services_of

    groups: dict[tuple[str, str], list[int]] = {}
    for index, one in enumerate(chosen):
        groups.setdefault((one.family, one.workload.digest), []).append(index)
    found: dict[int, Service] = {}
    for (family, _), members in groups.items():
        these = [chosen[index] for index in members]
        services = services_of(
            family, [one.point for one in these], [one.name for one in these], these[0].workload,
            settings.max_batch, scaling, _named(progress, family),
        )  # fmt: skip
        found |= dict(zip(members, services, strict=True))
    return [found[index] for index in range(len(chosen))]


def _one_workload(chosen: Sequence[_Chosen]) -> str:
    names = sorted({one.workload.name for one in chosen})
    if len(names) > 1:
        raise InputError(f"--together: wanted one workload, got {', '.join(names)}; choose with --workload")
    return names[0]


def _name(name: str, accelerators: int) -> str:
    return name if accelerators == 1 else f"{accelerators} x {name}"


def _named(progress: Steps, name: str) -> Steps:
    return lambda what, n_done, n_all: progress(f"{name}: {what}", n_done, n_all)


def draw(found: ScenarioResult, folder: str | Path) -> list[Path]:
    """Write the figure of tail latency against rate; the paths. `found` is to have curves."""
    from reports.figures import tail_latency
    from reports.page import expect_folder
    from reports.style import house_style, settle, svg_text, write_png

    data = tail_latency.tail_latency_data(found.systems, found.settings.percentile)
    if data is None:
        raise InputError("--report: wanted latencies at several rates, got none; ask for the curve")
    to = expect_folder(folder)
    make_folder(to)
    svg, png = to / "tail_latency.svg", to / "tail_latency.png"
    with house_style():
        figure = tail_latency.draw(data)
        settle(figure)
    with whole_file(svg) as path:
        path.write_text(svg_text(figure), encoding="utf-8", newline="")
    with whole_file(png) as path:
        write_png(figure, path)
    return [svg, png]
