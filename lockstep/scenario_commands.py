"""The command that puts design points under load; part of the command line (lockstep/cli.py)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lockstep.options import ScalingOption, SetOption, WorkloadOption
from lockstep.terminal import JsonOption, pairs_of, print_result, steps
from lockstep.workload_help import WorkloadCommand

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    cls=WorkloadCommand,
    epilog="Examples: lockstep scenario resnet50_arrays:array_rows=32,array_cols=32 --bound-ms 30, "
    "lockstep scenario out/tensor/results.sqlite --scenario server --bound-ms 1",
)
def scenario(
    designs: Annotated[
        list[str],
        typer.Argument(
            metavar="DESIGN...",
            help="[NAME=]SPACE[:KEY=VALUE,KEY=VALUE], or a results store, for its Pareto front.",
        ),
    ],
    scenarios: Annotated[
        list[str] | None,
        typer.Option(
            "--scenario", help="single_stream, multi_stream, server, offline or all (default); repeat for several."
        ),
    ] = None,
    workload: WorkloadOption = None,
    set_: SetOption = None,
    together: Annotated[bool, typer.Option("--together", help="All designs behind one queue, as one system.")] = False,
    accelerators: Annotated[int, typer.Option(metavar="N", min=1, help="So many of each design in a system.")] = 1,
    max_batch: Annotated[int, typer.Option(metavar="B", min=1, help="Queries that a batch may have.")] = 1,
    window_us: Annotated[
        float, typer.Option(metavar="T", min=0, help="How long the first query of a batch may wait for more.")
    ] = 0.0,
    bound_ms: Annotated[float, typer.Option(metavar="T", help="Server: latency that the percentile keeps.")] = 15.0,
    interval_ms: Annotated[float, typer.Option(metavar="T", help="Multi-stream: time from query to query.")] = 50.0,
    percentile: Annotated[float, typer.Option(metavar="P", help="Of server and multi-stream: 99, 97, ...")] = 99.0,
    queries: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Default: by MLPerf Inference's rule; 270,336 for 99.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the arrivals: the same seed, the same run.")] = 0,
    report: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Also draw tail latency against rate, as SVG and PNG.")
    ] = None,
    scaling: ScalingOption = "stillmaker_baas",
    json_: JsonOption = False,
) -> None:
    """Put design points under load, as MLPerf Inference does: one query at a time, streams, a server, all at once."""
    from explore.scenarios.run import expect_scenarios
    from lockstep import scenarios as api
    from lockstep import show_scenarios
    from reports.page import expect_folder

    named = list(dict.fromkeys(scenarios or ["all"]))
    expect_scenarios([name for name in named if name != "all"])
    asked = None if "all" in named else named
    if report is not None:
        expect_folder(report)
    with steps("scenario", wanted=not json_ or sys.stderr.isatty()) as progress:
        found = api.scenario(
            designs,
            workload,
            scenarios=asked,
            together=together,
            accelerators=accelerators,
            max_batch=max_batch,
            window_us=window_us,
            bound_ms=bound_ms,
            interval_ms=interval_ms,
            percentile=percentile,
            queries=queries,
            seed=seed,
            curve=report is not None,
            scaling=scaling,
            progress=progress,
            **pairs_of(set_, "--set", "array_rows=8"),
        )
    written = [] if report is None else api.draw(found, report)
    print_result(show_scenarios.document(found, written), json_, lambda: show_scenarios.scenarios(found, written))
