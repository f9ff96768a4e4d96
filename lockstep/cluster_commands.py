"""`lockstep worker`, and the options of commands that run on a cluster."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

ClusterOption = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Run on the workers of this Dask scheduler, as tcp://10.0.0.1:8786."),
]
DaskWorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Dask workers to start here, where that pays; default: plain processes, one a core."),
]

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog="Example: lockstep worker tcp://10.0.0.1:8786 --workers 8")
def worker(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Address of a Dask scheduler.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes, of one thread each.")] = 1,
) -> None:
    """Serve a Dask scheduler with this installation, until it ends or Ctrl-C.

    This is `dask worker` of this Python, with one thread a process: what sweeps and searches with --cluster need.
    """
    options = ["--nworkers", str(workers), "--nthreads", "1", "--no-dashboard", "--memory-limit", "0"]
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, *options]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # signals, exit code and log are Dask's own
