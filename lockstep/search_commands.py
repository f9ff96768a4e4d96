"""The command that searches a design space; part of the command line (lockstep/cli.py)."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from lockstep.options import (
    ClusterOption,
    ReportOption,
    ScalingOption,
    SetOption,
    SpaceArgument,
    StoreOption,
    WorkloadOption,
)
from lockstep.terminal import JsonOption, make_folder, pairs_of, print_result
from lockstep.workload_help import WorkloadCommand

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    cls=WorkloadCommand,
    epilog="Examples: lockstep search resnet50_search --budget 300, "
    "lockstep search tensor --budget 100 --sampler random --sampler tpe --seeds 3",
)
def search(
    space: SpaceArgument,
    budget: Annotated[float, typer.Option(metavar="N", help="Evaluations; a part of a workload counts as its share.")],
    sampler: Annotated[
        list[str] | None,
        typer.Option(help="surrogate (default), tpe, nsga2, nsga3, gp, random or qmc; repeat to compare."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same search.")] = 0,
    seeds: Annotated[int, typer.Option(metavar="K", min=1, help="Search K times, from this seed on.")] = 1,
    asha: Annotated[
        bool, typer.Option("--asha", help="Simulate parts of the workload first, the whole for the best (ASHA).")
    ] = False,
    eta: Annotated[int, typer.Option(min=2, help="With --asha: one in ETA goes on, to ETA times the share.")] = 4,
    in_flight: Annotated[
        int, typer.Option(metavar="W", min=1, help="Points asked for before the first is answered; part of the search.")
    ] = 1,
    workload: WorkloadOption = None,
    set_: SetOption = None,
    store: StoreOption = None,
    report: ReportOption = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: what pays for --in-flight.")] = None,
    cluster: ClusterOption = None,
    scaling: ScalingOption = "stillmaker_baas",
    json_: JsonOption = False,
) -> None:
    """Search a design space that is too large to sweep; print the Pareto front, keep a results store, write a page.

    A search that was interrupted goes on where it stopped when it is run again.
    """
    from designs.space import load_space
    from explore.search import DEFAULT_SAMPLER
    from lockstep import api, searching, show_search
    from reports.page import expect_folder

    samplers = list(dict.fromkeys(sampler or [DEFAULT_SAMPLER]))
    chosen = load_space(space).pin(pairs_of(set_, "--set", "array_rows=8"))
    loaded = api.workload_of(chosen, workload)
    searching.expect_searchable(samplers, budget, eta, seed + seeds - 1)
    if report is not None:
        expect_folder(report)
    folder = Path("out") / chosen.name
    file = store if store is not None else folder / "results.sqlite"
    make_folder(file.parent)
    results = [
        searching.search(
            chosen,
            loaded,
            budget=budget,
            sampler=name,
            seed=one,
            asha=asha,
            eta=eta,
            in_flight=in_flight,
            store=file,
            workers=workers,
            cluster=cluster,
            progress=not json_ or sys.stderr.isatty(),
            scaling=scaling,
        )
        for name in samplers
        for one in range(seed, seed + seeds)
    ]
    page = report if report is not None or json_ else folder
    if page is not None:
        searching.write_page(results, page, chosen, file, shlex.join(["lockstep", *sys.argv[1:]]))
    print_result(
        show_search.document(results, chosen, file), json_, lambda: show_search.searched(results, chosen, file, page)
    )
