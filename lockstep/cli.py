"""The command line: reads arguments, calls the API, prints. Exit codes: 0 good, 1 a check failed, 2 bad input.

Results go to stdout; progress and errors to stderr. With `--json`, stdout carries one JSON document and nothing else.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from designs.errors import InputError, Interrupted, is_interrupt
from lockstep import (
    allocate_commands,
    cluster_commands,
    compress_commands,
    encrypted_commands,
    scenario_commands,
    search_commands,
)
from lockstep.options import (
    ClusterOption,
    DaskWorkersOption,
    ReportOption,
    ScalingOption,
    SetOption,
    SpaceArgument,
    StoreOption,
    WorkloadOption,
)
from lockstep.terminal import JsonOption, drop_stdout, make_folder, pairs_of, print_result, steps
from lockstep.workload_help import WorkloadCommand

if TYPE_CHECKING:
    from designs.space import Space

app = typer.Typer(
    name="lockstep",
    help="Explore accelerator designs: exact cycles for every point, and RTL that is shown to agree.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(encrypted_commands.app)
app.add_typer(cluster_commands.app)
app.add_typer(search_commands.app)
app.add_typer(scenario_commands.app)
app.add_typer(allocate_commands.app)
app.add_typer(compress_commands.app)

WorkersOption = Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core.")]


@app.command(
    cls=WorkloadCommand,
    epilog="Example: lockstep simulate tensor --workload digits_cnn --set array_rows=8 --set array_cols=8",
)
def simulate(
    space: SpaceArgument,
    workload: WorkloadOption = None,
    set_: SetOption = None,
    scaling: ScalingOption = "stillmaker_baas",
    tile: Annotated[
        list[str] | None,
        typer.Option("--tile", metavar="LAYER=TILING", help="Pin a tiling, as conv1=rows=4,blocks=1,channels=32."),
    ] = None,
    timeline: Annotated[Path | None, typer.Option(help="Also write the run as Chrome/Perfetto trace JSON.")] = None,
    json_: JsonOption = False,
) -> None:
    """Simulate one design point: cycles by layer and cause, latency, area, energy.

    Axes that are not pinned take the first values that can be built.
    """
    from lockstep import api, show

    chosen = _space(space, set_)
    loaded = api.workload_of(chosen, workload)
    row = api.simulate(chosen, loaded, tiles=_tiles(tile), timeline=timeline, scaling=scaling)
    _note_open_axes(chosen)
    print_result(row, json_, lambda: show.simulation(row))


@app.command(
    cls=WorkloadCommand,
    epilog="Example: lockstep sweep designs/tensor.yaml --workload digits_cnn --store results.sqlite",
)
def sweep(
    space: SpaceArgument,
    workload: WorkloadOption = None,
    set_: SetOption = None,
    store: StoreOption = None,
    report: ReportOption = None,
    workers: DaskWorkersOption = None,
    cluster: ClusterOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N points that can be built.")] = None,
    scaling: ScalingOption = "stillmaker_baas",
    json_: JsonOption = False,
) -> None:
    """Simulate all points of a design space; print the Pareto front, keep a results store, write a page.

    A sweep that was interrupted goes on where it stopped when it is run again.
    """
    from lockstep import api, show

    chosen = _space(space, set_)
    loaded = api.workload_of(chosen, workload)
    folder = Path("out") / chosen.name
    file = store if store is not None else folder / "results.sqlite"
    make_folder(file.parent)
    found = api.sweep(
        chosen,
        loaded,
        store=file,
        workers=workers,
        cluster=cluster,
        limit=limit,
        progress=not json_ or sys.stderr.isatty(),
        scaling=scaling,
    )
    page = report if report is not None or json_ else folder
    if page is not None:
        remark = show.limit_remark(limit, chosen.n_points)
        api.write_page(found.rows, file, page, _command_line(), chosen.subject_to, remark, chosen.objectives)
    document = {
        "space": chosen.name,
        "workload": loaded.name,
        "store": str(file),
        "points": found.points,
        "computed": found.computed,
        "cached": found.cached,
        "failed": found.failed,
        "refused": found.refused,
        "seconds": found.seconds,
        "objectives": list(chosen.objectives),
        "pareto_front": found.pareto_front,
    }
    print_result(document, json_, lambda: show.swept(chosen, loaded.name, found, file, page))


@app.command(cls=WorkloadCommand, epilog="Example: lockstep rtl tensor --set array_rows=4 --set array_cols=4 -o rtl")
def rtl(
    space: SpaceArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")],
    workload: WorkloadOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Write the Verilog of one design point; the workload matters where it is burned into the circuit."""
    from lockstep import api

    chosen = _space(space, set_)
    loaded = None if workload is None else api.workload_of(chosen, workload)  # a wrong one leaves no folder behind
    make_folder(output)
    print("rtl: building the machine and its Verilog; arrays of thousands of PEs take minutes", file=sys.stderr)
    written = [str(path) for path in api.rtl(chosen, output, workload=loaded)]
    _note_open_axes(chosen)
    print_result({"files": written, "point": chosen.first_point()}, json_, lambda: "\n".join(written))


@app.command(
    epilog="Examples: lockstep verify tensor --points 10 --seed 1, lockstep verify tensor -w digits_cnn --images 3"
)
def verify(
    space: SpaceArgument,
    workload: Annotated[
        str | None,
        typer.Option("--workload", "-w", help="Run this whole, on one point, instead of random cases."),
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="Images, or other samples, for --workload.")] = 3,
    points: Annotated[int, typer.Option(min=1, help="Random design points.")] = 10,
    seed: Annotated[int, typer.Option(help="Chooses points, layers and numbers; the same seed, the same cases.")] = 0,
    set_: SetOption = None,
    simulator: Annotated[
        Literal["icarus", "verilator", "cxxrtl"] | None, typer.Option(help="Default: what is installed.")
    ] = None,
    waves: Annotated[Path | None, typer.Option(help="Folder for the waveforms of points that differ.")] = None,
    workers: WorkersOption = None,
    json_: JsonOption = False,
) -> None:
    """Run random cases on random points in simulator, interpreter and RTL; any difference exits with 1."""
    from explore.progress import progress_for
    from lockstep import api, show

    chosen = _space(space, set_)
    if workload is not None:
        with progress_for(f"verify {workload}", images, 0, wanted=not json_ or sys.stderr.isatty()) as shown:
            network = api.verify_network(
                chosen, workload, images, simulator=simulator, progress=lambda n_new, n_all: shown.advance(n_new)
            )
        _note_open_axes(chosen)
        print_result(show.network_document(network), json_, lambda: show.network_verification(network, images))
        if network.differences:
            raise typer.Exit(1)
        return
    with progress_for(f"verify {chosen.name}", points, 0, wanted=not json_ or sys.stderr.isatty()) as shown:
        found = api.verify(
            chosen,
            points=points,
            seed=seed,
            workers=workers,
            simulator=simulator,
            waves_dir=waves,
            progress=lambda n_done, n_all: shown.advance(1),
        )
    print_result(show.verification_document(found), json_, lambda: show.verification(found))
    if found.differences:
        raise typer.Exit(1)


@app.command(cls=WorkloadCommand, epilog="Example: lockstep synth tensor --set array_rows=4 --set array_cols=4")
def synth(
    space: SpaceArgument,
    workload: WorkloadOption = None,
    set_: SetOption = None,
    target: Annotated[
        Literal["gates", "lut4", "lut6", "xilinx", "ecp5", "ice40"],
        typer.Option(help="Generic gates, generic LUTs of 4 or 6 inputs, or an FPGA family."),
    ] = "gates",
    liberty: Annotated[Path | None, typer.Option(help="Map to the cells of this liberty file.")] = None,
    place: Annotated[bool, typer.Option("--place", help="Also place and route, for the clock (ecp5, ice40).")] = False,
    json_: JsonOption = False,
) -> None:
    """Synthesize one design point with yosys, beside the area model."""
    from lockstep import api, show

    chosen = _space(space, set_)
    found = api.synth(chosen, workload=workload, target=target, liberty=liberty, place=place)
    _note_open_axes(chosen)
    print_result(found, json_, lambda: show.synthesis(found))


@app.command(epilog="Example: lockstep report results.sqlite -o page")
def report(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="Results store of a sweep.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")],
    parquet: Annotated[bool, typer.Option("--parquet", help="Also results.parquet (needs duckdb).")] = False,
    json_: JsonOption = False,
) -> None:
    """Write the page, figures and tables of a results store."""
    from lockstep import api

    written = [str(path) for path in api.report(store, output, parquet=parquet, command=_command_line())]
    print_result({"files": written}, json_, lambda: "\n".join(written))


@app.command(epilog="Example: lockstep trace model.onnx -o model.npz --bind batch=1")
def trace(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Quantized ONNX model (QDQ, QOperator, QONNX), a circuit of tables (.blif, .v) or of gates (.bench, "
            ".aig, .aag, .c).",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write: .npz, .json for a model, .gates for gates.")
    ],
    bind: Annotated[
        list[str] | None, typer.Option("--bind", metavar="DIM=N", help="Size of a dynamic dimension.")
    ] = None,
    samples: Annotated[Path | None, typer.Option(help="Features and labels (.npz) to run a circuit on.")] = None,
    json_: JsonOption = False,
) -> None:
    """Trace a quantized network, or a circuit of look-up tables or gates, into a workload that every command takes."""
    from lockstep import api, show

    found = api.trace(file, output, bind=_bindings(bind), samples=samples)
    print_result(found, json_, lambda: show.traced(found, api.space_for(output)))


@app.command(
    cls=WorkloadCommand,
    epilog="Example: lockstep train lut --workload digits --set tree_inputs=6 -o classifier.npz",
)
def train(
    space: SpaceArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .npz.")],
    workload: WorkloadOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Train what one design point burns into its circuit, and write it as a workload that every command takes."""
    from lockstep import api, show

    chosen = _space(space, set_)
    api.spare_inputs(output, workload)
    loaded = api.workload_of(chosen, workload)
    with steps(f"train {chosen.name}", wanted=not json_ or sys.stderr.isatty()) as progress:
        found = api.train(chosen, output, workload=loaded, progress=progress)
    _note_open_axes(chosen)
    print_result(found, json_, lambda: show.trained(found, api.space_for(loaded)))


@app.command(epilog="Examples: lockstep reproduce --list, lockstep reproduce poetbin -o page")
def reproduce(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="What to reproduce; see --list.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Say what can be reproduced.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for a page and a CSV file.")] = None,
    place: Annotated[bool, typer.Option("--place", help="Also place and route circuits, for their clock.")] = False,
    json_: JsonOption = False,
) -> None:
    """Set the numbers of a publication beside ours, each with its source and why the two differ."""
    from lockstep import api, show

    if list_:
        known = api.reproductions()
        print_result(known, json_, lambda: show.reproductions(known))
        return
    if name is None:
        raise InputError("reproduce: wanted a NAME, got none; lockstep reproduce --list tells which there are")
    with steps(f"reproduce {name}", wanted=not json_ or sys.stderr.isatty()) as progress:
        found = api.reproduce(name, output, place=place, progress=progress)
    print_result(found, json_, lambda: show.reproduction(found))


@app.command(epilog="Example: lockstep formats weights.npz --value-bits 8")
def formats(
    matrix: Annotated[
        str, typer.Argument(metavar="MATRIX", help="scipy.sparse .npz, .npy or .npz with one array, or .mtx.")
    ],
    value_bits: Annotated[int, typer.Option(help="Width of a value, two's complement: 1 to 64.")] = 8,
    pattern: Annotated[bool, typer.Option("--pattern", help="Any numbers: only places of non-zeros count.")] = False,
    n_macs: Annotated[int | None, typer.Option(min=1, help="MACs of the engine whose utilization is told.")] = None,
    n_sets: Annotated[int | None, typer.Option(min=1, help="Its sets (sa_rcsc), a divisor of its MACs.")] = None,
    json_: JsonOption = False,
) -> None:
    """Set the sizes of a matrix in all sparse formats beside dense, the smallest first, and how busy MACs are on it."""
    from lockstep import api, show

    found = api.formats(matrix, value_bits=value_bits, pattern=pattern, n_macs=n_macs, n_sets=n_sets)
    print_result(found, json_, lambda: show.formats(found))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code. Bad input and wrong usage print one line on stderr and give 2."""
    try:
        given = list(sys.argv[1:] if arguments is None else arguments)
        code = app(args=given or ["--help"], prog_name="lockstep", standalone_mode=False)
        if code == 130:  # how newer typers tell of Ctrl-C
            raise KeyboardInterrupt
        if sys.stdout is not None:  # None: closed before we were started
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except InputError as error:
        return _complain(str(error), 2)
    except Interrupted as error:
        return _complain(str(error), 130)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted", 130)
    except BrokenPipeError:  # `lockstep ... | head`: the reader has enough
        drop_stdout()
        return 0
    except Exception as error:
        if is_interrupt(error):
            return _complain("interrupted", 130)
        usage = _usage_message(error)
        if usage is None:
            raise
        return _complain(usage, 2)


def _usage_message(error: Exception) -> str | None:
    """The message of a command line that typer could not read; None for any other error."""
    message = getattr(error, "format_message", None)  # what typer's usage errors have in all versions
    if message is None:
        return None
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "lockstep"
    return f"{message()} (see {command} --help)"


def _complain(message: str, code: int) -> int:
    print("lockstep: " + " ".join(message.split()), file=sys.stderr)
    return code


def _space(space: str, settings: Sequence[str] | None) -> Space:
    from designs.space import load_space

    return load_space(space).pin(pairs_of(settings, "--set", "array_rows=8"))


def _command_line() -> str:
    return shlex.join(["lockstep", *sys.argv[1:]])


def _tiles(pairs: Sequence[str] | None) -> dict[str, str]:
    return pairs_of(pairs, "--tile", "conv1=rows=4,blocks=1,channels=32")


def _bindings(pairs: Sequence[str] | None) -> dict[str, int]:
    sizes = pairs_of(pairs, "--bind", "batch=1")
    for name, size in sizes.items():
        if not (size.isascii() and size.isdigit() and 0 < int(size[:18]) < 1 << 31 and len(size) < 11):
            raise InputError(f"--bind {name}={size}: wanted a whole number of 1 or more, got {size!r}")
    return {name: int(size) for name, size in sizes.items()}


def _note_open_axes(space: Space) -> None:
    if space.open_axes:
        point = space.first_point()
        chosen = ", ".join(f"{axis.name}={_shown(point[axis.name])}" for axis in space.open_axes)
        print(f"open axes take their first value: {chosen} (pin them with --set)", file=sys.stderr)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.exit(main())
