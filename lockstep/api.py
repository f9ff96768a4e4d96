"""The public Python API: what the command line does, as functions that return plain data.

Everything that is given by name may also be given as the object: a space as `Space`, a workload as `Workload`.
Bad input raises InputError with a message of one line.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from designs.errors import InputError
from designs.fields import Value
from designs.space import Point, Space, load_space
from designs.whole_file import whole_file

if TYPE_CHECKING:
    from designs.objectives import Constraint
    from designs.technology import Scaling
    from explore.store import Store
    from explore.sweep import SweepResult
    from explore.verify import NetworkResult, Verification
    from hw.synthesis import Synthesis
    from workloads.load import Workload

Row: TypeAlias = dict[str, Any]
SpaceLike: TypeAlias = Space | str | Path
WorkloadLike: TypeAlias = "Workload | str | Path | None"
PLACED_TARGETS = ("ecp5", "ice40")  # of which place and route is known


def simulate(
    space: SpaceLike,
    workload: WorkloadLike = None,
    *,
    tiles: Mapping[str, str] | None = None,
    timeline: str | Path | None = None,
    scaling: Scaling = "stillmaker_baas",
    **parameters: Value,
) -> Row:
    """One result row, with its layers. `parameters` pin axes; axes left open take the first values that can be built.

    `workload` is the space's own where None. `tiles` pins tilings, layer -> `rows=4,blocks=1,channels=32`; the mapper
    chooses the others. `timeline` is a file for the run as Chrome/Perfetto trace JSON. Raises InputError where the
    point cannot be built or a layer does not fit.
    """
    from explore.evaluate import evaluate
    from explore.tilings import pinned_tilings

    chosen = pinned(space, parameters)
    loaded = workload_of(chosen, workload)
    point = chosen.first_point()
    tilings = pinned_tilings(chosen.family, loaded, tiles) if tiles else None
    row = evaluate(chosen.family, [point], loaded, space=chosen.name, scaling=scaling, tilings=tilings)[0]
    if row["failure"] is not None:
        raise InputError(f"{chosen.name} on {loaded.name}: {row['failure']}")
    if timeline is not None:
        _write_timeline(chosen, point, loaded, row, tilings, timeline)
    return row


def _write_timeline(
    space: Space, point: Point, workload: Workload, row: Row, tilings: list[Any] | None, file: str | Path
) -> None:
    """All layers one after the other, or all of a workload that has none; of a layer that repeats, the first run."""
    from explore.evaluate import simulator
    from reports.timeline import write_timeline

    module, layers = simulator(space.family), getattr(workload, "layers", (workload,))
    if not hasattr(module, "timeline"):
        raise InputError(f"timeline: wanted a family whose simulator tells when things happen, got {space.family}")
    design = space.design(point)
    events = []
    start = 0
    for index, (layer, done) in enumerate(zip(layers, row["layers"], strict=True)):
        for event in module.timeline(design, layer, tilings[index] if tilings else None):
            moved = {"start_cycle": event["start_cycle"] + start, "end_cycle": event["end_cycle"] + start}
            events.append(event | moved)
        start += done["cycles"] * done["repeat"]
    try:
        write_timeline(events, file, clock_mhz=design.clock_mhz, name=f"{workload.name} on {space.name}")
    except OSError as error:
        raise InputError(f"{file}: wanted a file to write to, got: {error.strerror}; name another") from error


def sweep(
    space: SpaceLike,
    workload: WorkloadLike = None,
    *,
    store: str | Path | None = None,
    workers: int | None = None,
    limit: int | None = None,
    progress: bool = False,
    scaling: Scaling = "stillmaker_baas",
    cluster: str | None = None,
    **parameters: Value,
) -> SweepResult:
    """Simulate every buildable point of a space; see `explore.sweep.sweep`. `store` is a file that keeps them."""
    from explore.store import Store
    from explore.sweep import sweep as run

    chosen = pinned(space, parameters)
    loaded = workload_of(chosen, workload)
    if store is None:
        return run(chosen, loaded, None, workers, limit, progress, scaling, cluster)
    with Store(store) as opened:
        return run(chosen, loaded, opened, workers, limit, progress, scaling, cluster)


def verify(
    space: SpaceLike,
    *,
    points: int = 10,
    seed: int = 0,
    workers: int | None = None,
    simulator: str | None = None,
    waves_dir: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    **parameters: Value,
) -> Verification:
    """Compare simulator and RTL on random points of a space; see `explore.verify.verify`."""
    from explore.verify import verify as run

    return run(
        pinned(space, parameters),
        points=points,
        seed=seed,
        workers=workers,
        simulator=simulator,
        waves_dir=None if waves_dir is None else Path(waves_dir),
        progress=progress,
    )


def verify_network(
    space: SpaceLike,
    workload: WorkloadLike,
    n_images: int,
    *,
    simulator: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    **parameters: Value,
) -> NetworkResult:
    """Run a traced network whole on the RTL of the first point; see `explore.verify.verify_network`."""
    from explore.verify import verify_network as run

    chosen = pinned(space, parameters)
    loaded = workload_of(chosen, workload)
    return run(chosen, loaded, n_images, simulator=simulator, progress=progress)


def rtl(space: SpaceLike, directory: str | Path, *, workload: WorkloadLike = None, **parameters: Value) -> list[Path]:
    """Write the Verilog of one point, and `design.json` that says which, into a folder; the paths written.

    `workload` is the space's own where None; a machine that is made for its workload cannot do without. The same
    design and workload give the same files byte for byte.
    """
    chosen = pinned(space, parameters)
    point = chosen.first_point()
    loaded = _workload_for_rtl(chosen, workload)
    top, verilog = _verilog(chosen, point, loaded)
    described: dict[str, Any] = {"family": chosen.family, "top": top, "design": point}
    if loaded is not None:
        described |= {"workload": loaded.name, "workload_digest": loaded.digest}
    texts = {f"{top}.v": verilog, "design.json": json.dumps(described, indent=2) + "\n"}
    folder = Path(directory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with whole_file(folder / name) as part:
                part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{directory}: wanted a folder to write to, got: {error.strerror}; name another -o") from error
    return [folder / name for name in texts]


def synth(
    space: SpaceLike,
    *,
    workload: WorkloadLike = None,
    target: str = "gates",
    liberty: str | Path | None = None,
    place: bool = False,
    **parameters: Value,
) -> dict[str, Any]:
    """Synthesize one point with yosys and set it beside the area model: `model`, `synthesized`, `error`.

    `workload` is the space's own where None. `error` is model / synthesized - 1, for each quantity that both tell.
    Where the family predicts what a target's synthesis gives (`explore/families/<family>/synthesis.py`), that is the
    model, and `remarks` say why the two differ. Elsewhere the model tells NAND2 equivalents of the logic (`logic_um2`
    with a liberty file) and memory bits, nothing of FPGA targets; with the target gates each of the three then also has
    `slices`: the same for each slice of the machine's logic, in NAND2 or um2, and `coefficients` names what the model's
    numbers come from and how far they are off elsewhere.

    `place` also places and routes (targets ecp5 and ice40): `placed` has fmax_mhz, luts, flip_flops, tool, seconds.
    """
    if place and target not in PLACED_TARGETS:
        raise InputError(f"--place: wanted the target {' or '.join(PLACED_TARGETS)}, got {target}")
    from hw.synthesis import synthesize

    chosen = pinned(space, parameters)
    point = chosen.first_point()
    design = chosen.design(point)
    loaded = _workload_for_rtl(chosen, workload)
    own = _of_family(chosen.family, "synthesis")
    model = dict(own.predicted(design, loaded, target)) if own else _model_size(chosen, design, loaded)
    top, verilog = _verilog(chosen, point, loaded)
    found = synthesize(verilog, top, target=target, liberty=None if liberty is None else Path(liberty))  # type: ignore[arg-type]
    counted = {
        "nand2": found.gate_equivalents,
        "logic_um2": found.area_um2,
        "memory_bits": found.memory_bits if target == "gates" else None,
        "flip_flops": found.flip_flops,
        "luts": found.luts,
        "dsps": found.dsps,
        "brams": found.brams,
    }
    synthesized = {name: value for name, value in counted.items() if value is not None}
    answer: dict[str, Any] = {
        "family": chosen.family,
        "point": point,
        "workload": loaded.name if loaded is not None else None,
        "target": target,
        "tool": found.tool,
        "coefficients": None if own else _coefficients(),
        "model": model,
        "synthesized": synthesized,
        "error": {name: model[name] / synthesized[name] - 1 for name in model if synthesized.get(name)},
    }
    if target == "gates":
        _add_slices(answer, chosen, loaded, found)
    if place:
        from hw.place import place_and_route

        answer["placed"] = dataclasses.asdict(place_and_route(verilog, top, target=target))  # type: ignore[arg-type]
    answer["remarks"] = list(own.remarks(design, loaded, target, found)) if own else []
    return answer


def _workload_for_rtl(space: Space, workload: WorkloadLike) -> Workload | None:
    """The workload that a machine may be made for, of the kind that its family runs; None where nobody named one.

    A family whose `build` has no default for the workload cannot do without.
    """
    needed = inspect.signature(_circuits(space.family).build).parameters["workload"].default is inspect.Parameter.empty
    if workload is None and space.workload is None and not needed:
        return None
    return workload_of(space, workload)


def _of_family(family: str, name: str) -> ModuleType | None:
    """`explore/families/<family>/<name>.py`, what a family may add to a command; None where it does not."""
    folder = f"explore.families.{family}"
    try:
        return importlib.import_module(f"{folder}.{name}")
    except ModuleNotFoundError as error:
        if error.name not in (folder, f"{folder}.{name}"):
            raise
        return None


def _coefficients() -> dict[str, Any]:
    from designs.technology import area_errors, fitted_source

    return {"logic": "fitted", "source": fitted_source(), "held_out": dataclasses.asdict(area_errors())}


def _add_slices(answer: dict[str, Any], space: Space, workload: Workload | None, found: Synthesis) -> None:
    """Logic by slice of the inventory, where the family says which circuit belongs to which slice."""
    slices = _of_family(space.family, "slices")
    if slices is None:
        return
    from designs.technology import load_technology
    from explore.evaluate import simulator
    from sim.cost import nand2_equivalents

    design = space.design(answer["point"])
    technology = load_technology(design.node_nm)
    in_um2 = found.area_um2 is not None
    synthesized = slices.by_slice(
        {name: m.count * ((m.area_um2 if in_um2 else m.gate_equivalents) or 0.0) for name, m in found.modules.items()}
    )
    unit = technology.nand2_um2 if in_um2 else 1.0
    model = {
        name: unit * sum(p.count * nand2_equivalents(p, technology) for p in parts if p.kind not in ("sram", "dram"))
        for name, parts in simulator(space.family).inventory(design, workload).items()
    }
    answer["model"]["slices"] = {name: model.get(name, 0.0) for name in synthesized}
    answer["synthesized"]["slices"] = synthesized
    answer["error"]["slices"] = {name: model.get(name, 0.0) / size - 1 for name, size in synthesized.items()}


def trace(
    file: str | Path,
    output: str | Path,
    *,
    bind: Mapping[str, int] | None = None,
    samples: str | Path | None = None,
) -> dict[str, Any]:
    """Import a quantized model (.onnx) or a circuit (.blif, .v) and write it as a file that commands take as workload.

    `bind` gives dynamic dimensions of a model their size; `samples` is an .npz of features and labels for a circuit.
    Raises InputError, naming node or line, for what cannot be imported.
    """
    from workloads import kinds
    from workloads.load import load_workload

    spare_inputs(output, file, samples)
    tracers = kinds.tracers()
    tracer = tracers.get(Path(file).suffix, tracers[".onnx"])  # a model may have any name
    counts = importlib.import_module(tracer).trace(file, output, bind=bind, samples=samples)
    loaded = load_workload(str(output))
    return {"output": str(output), "workload": loaded.name, "kind": loaded.kind(), "digest": loaded.digest, **counts}


def spare_inputs(output: str | Path, *inputs: str | Path | None) -> None:
    """Raise InputError where the output is a file that is read: what the user had in it would be gone."""
    for name in inputs:
        if name is not None and Path(name).exists() and Path(name).resolve() == Path(output).resolve():
            raise InputError(f"{output}: wanted another file to write to than the one that is read; name another -o")


def train(
    space: SpaceLike,
    output: str | Path,
    *,
    workload: WorkloadLike = None,
    progress: Callable[[str, int, int], None] | None = None,
    **parameters: Value,
) -> dict[str, Any]:
    """Make what the first point of a space burns into its circuit out of a data set, and write it to `output`.

    The file is a workload for every command. `progress` is told (what is done, steps done, steps in all). Raises
    InputError where the family's machines are not trained.
    """
    spare_inputs(output, workload if isinstance(workload, str | Path) else None)
    chosen = pinned(space, parameters)
    training = _of_family(chosen.family, "training")
    if training is None:
        raise InputError(f"train: wanted a family whose machines are trained, got {chosen.family}")
    loaded = workload_of(chosen, workload)
    point = chosen.first_point()
    facts = training.train(chosen.design(point), loaded, Path(output), progress)
    return {"output": str(output), "workload": loaded.name, "point": point, **facts}


def reproductions() -> dict[str, dict[str, str]]:
    """Name -> title and summary of everything that `reproduce` knows."""
    from explore import reproduce as package

    modules = {name: package.load(name) for name in package.names()}
    return {name: {"title": module.TITLE, "summary": module.SUMMARY} for name, module in modules.items()}


def reproduce(
    name: str,
    directory: str | Path | None = None,
    *,
    place: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """A published result beside ours: name, title, summary, `rows`, `remarks`, and the `files` written to `directory`.

    A row has quantity, unit, published, certainty, source, ours, error and differs_because; of a comparison, which also
    has `measures`, it is a design: design, origin, remark, and <measure> and <measure>_sd of each. `place` also places
    and routes circuits, where the reproduction has some. `progress` is told (what is done, steps done, steps in all).
    """
    from explore import reproduce as package
    from reports.reproduction import write_reproduction

    module = package.load(name)
    if place and "place" not in inspect.signature(module.reproduce).parameters:
        raise InputError(f"--place: wanted a reproduction that makes circuits, got {name}; leave --place out")
    table = module.reproduce(progress, place=True) if place else module.reproduce(progress)
    found = {"name": name, "title": module.TITLE, "summary": module.SUMMARY, **table.document()}
    try:
        written = [] if directory is None else write_reproduction(found, directory)
    except OSError as error:
        raise InputError(f"{directory}: wanted a folder to write to, got: {error.strerror}; name another -o") from error
    return found | {"files": [str(path) for path in written]}


def formats(
    matrix: Any,
    *,
    value_bits: int = 8,
    pattern: bool = False,
    n_macs: int | None = None,
    n_sets: int | None = None,
) -> dict[str, Any]:
    """The bits of a matrix in every sparse format, the smallest first, beside dense, and the utilization of an engine.

    `matrix` is a file (scipy.sparse .npz, .npy or .npz with one array, Matrix Market .mtx), a numpy array or a
    scipy.sparse matrix of signed integers of `value_bits` bits; with `pattern`, of any numbers, and only the places of
    the non-zeros count. The answer has matrix, shape, nnz, density (None without elements), value_bits, `formats`
    (format, stored_bits, metadata_bits, ratio_to_dense, n_padding, utilization), `refused` (format, reason), n_macs and
    n_sets. Formats that are dealt to lanes are those of an engine of `n_macs` lanes in `n_sets` sets, by default those
    of the default sparse machine. `utilization` is nnz / (n_macs * longest list): what the engine reaches where its
    lanes never wait for activations; None for formats that do not say which lane takes what.
    """
    from designs.families.sparse import Design
    from workloads.sparse import formats as known_formats
    from workloads.sparse import nonzeros
    from workloads.sparse.read import read_matrix
    from workloads.sparse.sizes import size_table

    is_file = isinstance(matrix, str | Path)
    take = nonzeros.pattern if pattern else nonzeros.nonzeros
    given = read_matrix(matrix) if is_file else matrix
    try:
        taken = take(given, value_bits)
    except InputError as error:
        raise InputError(f"{matrix}: {error}" if is_file else str(error)) from error
    n_macs = Design.n_macs if n_macs is None else n_macs
    n_sets = Design.n_sets if n_sets is None else n_sets
    if n_macs < 1 or n_sets < 1 or n_macs % n_sets:
        raise InputError(f"--n-sets: wanted a divisor of the {n_macs} MACs, got {n_sets}; all sets have as many lanes")
    table = size_table(taken, [point.on_engine(n_macs, n_sets) for point in known_formats.points()])
    return {
        "matrix": str(matrix) if is_file else "matrix",
        "shape": list(taken.shape),
        "nnz": taken.nnz,
        "density": taken.nnz / taken.n_places if taken.n_places else None,
        "value_bits": value_bits,
        "formats": table.rows,
        "refused": table.refused,
        "n_macs": n_macs,
        "n_sets": n_sets,
    }


def space_for(workload: Workload | str | Path) -> str | None:
    """The name of a shipped design space whose family runs this kind of workload; None where there is none."""
    from designs import families
    from explore.evaluate import simulator
    from workloads.load import Workload, load_workload

    loaded = workload if isinstance(workload, Workload) else load_workload(str(workload))
    for family in families.names():
        try:
            found = load_space(family)
        except InputError:  # a family without a space of its own name
            continue
        if isinstance(loaded, simulator(found.family).RUNS):
            return family
    return None


def report(
    store: str | Path, directory: str | Path, *, parquet: bool = False, command: str = "lockstep report"
) -> list[Path]:
    """Write the page, its figures and `points.csv` of everything in a store; the paths of page and tables.

    `parquet` adds `points.parquet` and needs the extra of that name; `command` is shown on the page.
    """
    from explore.export import export_parquet
    from explore.store import Store

    with Store(store, must_exist=True) as opened:
        rows = opened.rows()
        if not rows:
            raise InputError(
                f"{store}: wanted a store with results, got an empty one; `lockstep sweep --store` fills it"
            )
        written = _write_page(rows, opened, directory, command)
    if parquet:
        written.append(Path(directory) / "points.parquet")
        export_parquet(rows, written[-1])
    return written


def pinned(space: SpaceLike, parameters: Mapping[str, str | Value]) -> Space:
    """The space of a name or path with parameters fixed."""
    loaded = space if isinstance(space, Space) else load_space(space)
    return loaded.pin(parameters) if parameters else loaded


def workload_of(space: Space, workload: WorkloadLike) -> Workload:
    """The workload of a name or path; the space's own where None. InputError where the family runs another kind."""
    from explore.evaluate import simulator
    from workloads.load import Workload, expect_kind, load_workload

    name = workload if workload is not None else space.workload
    if name is None:
        raise InputError(f"{space.name}: wanted a workload, got none; give --workload, or 'workload:' in the file")
    loaded = name if isinstance(name, Workload) else load_workload(str(name))
    expect_kind(loaded, simulator(space.family).RUNS, space.family)
    return loaded


def write_page(
    rows: list[Row],
    store: str | Path,
    directory: str | Path,
    command: str,
    constraints: Sequence[Constraint] = (),
    remark: str = "",
    objectives: Sequence[str] | None = None,
) -> list[Path]:
    """Write the page of some rows of a store; see `report`. Points that break a constraint are on no front.

    `remark` is a sentence for the top of the page, `objectives` are the metrics of the front; without them latency,
    area and energy, and accuracy where points differ in it.
    """
    from explore.store import Store

    with Store(store, must_exist=True) as opened:
        return _write_page(rows, opened, directory, command, constraints, remark, objectives)


def _write_page(
    rows: list[Row],
    store: Store,
    directory: str | Path,
    command: str,
    constraints: Sequence[Constraint] = (),
    remark: str = "",
    objectives: Sequence[str] | None = None,
) -> list[Path]:
    from reports.page import write_report

    spaces = sorted({f"{row['space']} on {row['workload']}" for row in rows})
    title = ", ".join(spaces[:3]) + (", ..." if len(spaces) > 3 else "")
    try:
        page = write_report(
            with_details(rows, store, constraints, objectives),
            directory,
            title=title,
            command=command,
            store_path=store.path,
            constraints=constraints,
            objectives=objectives,
            remark=remark,
        )
    except OSError as error:
        raise InputError(f"{directory}: wanted a folder to write to, got: {error.strerror}; name another") from error
    return [page, page.with_name("points.csv")]


def with_details(
    rows: list[Row], store: Store, constraints: Sequence[Constraint], objectives: Sequence[str] | None
) -> list[Row]:
    """Rows; those that the page names with their layers, which of all rows would not fit in memory, and what else
    the family tells of them (`explore/families/<family>/details.py`).
    """
    from explore.store import key_of
    from reports.study import named_points, studies

    named: dict[str, dict[str, Any]] = {}
    for study in studies(rows, constraints, objectives):
        points = {key_of(point.row): point.row for point in named_points(study)}
        layers = store.get(sorted(points), layers=True)
        named |= {key: {"layers": layers[key]["layers"]} if key in layers else {} for key in points}
        if (own := _of_family(study.family, "details")) is not None:
            for key, details in zip(points, own.details(list(points.values())), strict=True):
                named[key]["details"] = details
    return [row | named.get(key_of(row), {}) for row in rows]


def _verilog(space: Space, point: Point, workload: Workload | None) -> tuple[str, str]:
    """(top module, Verilog) of a point."""
    from hw.verilog import emit_verilog

    top = f"{space.family}_machine"
    return top, emit_verilog(_circuits(space.family).build(space.design(point), workload), top=top)


def _circuits(family: str) -> ModuleType:
    """`hw.families.<family>`; InputError where the family has no RTL."""
    import hw.families

    known = sorted(module.name for module in pkgutil.iter_modules(hw.families.__path__))
    if family not in known:
        raise InputError(f"family: wanted one that has RTL ({', '.join(known)}), got {family}")
    return importlib.import_module(f"hw.families.{family}")


def _model_size(space: Space, design: Any, workload: Workload | None) -> dict[str, float]:
    from designs.technology import load_technology
    from explore.evaluate import simulator
    from sim.cost import nand2_equivalents

    technology = load_technology(design.node_nm)
    parts = [part for parts in simulator(space.family).inventory(design, workload).values() for part in parts]
    if any(part.kind not in technology.nand2 and part.kind not in ("sram", "dram") for part in parts):
        return {}  # made of cells of a fabric, which have no NAND2 equivalents
    nand2 = sum(p.count * nand2_equivalents(p, technology) for p in parts if p.kind not in ("sram", "dram"))
    return {
        "nand2": nand2,
        "logic_um2": nand2 * technology.nand2_um2,
        "memory_bits": sum(part.count * part.bits * part.words for part in parts if part.kind == "sram"),
    }
