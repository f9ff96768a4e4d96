"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lockstep.workload_help import NAMES

SpaceArgument = Annotated[
    str, typer.Argument(metavar="SPACE", help="Design space: a .yaml file or its name, as tensor.")
]
WorkloadOption = Annotated[
    str | None, typer.Option("--workload", "-w", help=f"{NAMES}, or a path; default: the space's own.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Pin a parameter; repeat for more.")
]
ScalingOption = Annotated[
    Literal["stillmaker_baas", "whole_operation"], typer.Option(help="How energies scale from 45 nm to other nodes.")
]
StoreOption = Annotated[
    Path | None, typer.Option(help="Results store, made or resumed; default: out/<space>/results.sqlite.")
]
ReportOption = Annotated[
    Path | None, typer.Option(help="Folder of the page; default: out/<space>; with --json only where given.")
]
ClusterOption = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Run on the workers of this Dask scheduler, as tcp://10.0.0.1:8786."),
]
DaskWorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Dask workers to start here, where that pays; default: plain processes, one a core."),
]
