"""`lockstep worker`, and the options of commands that run on a cluster."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from designs.errors import InputError
from designs.spelling import shown

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog="Example: lockstep worker tcp://10.0.0.1:8786 --workers 8")
def worker(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Address of a Dask scheduler.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes, of one thread each.")] = 1,
) -> None:
    """Serve a Dask scheduler with this installation, until it ends or Ctrl-C.

    This is `dask worker` of this Python, with one thread a process: what sweeps and searches with --cluster need.
    """
    expect_address(address)
    options = ["--nworkers", str(workers), "--nthreads", "1", "--no-dashboard", "--memory-limit", "0"]
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, *options]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # signals, exit code and log are Dask's own


def expect_address(address: str) -> None:
    """InputError for what Dask cannot take for the address of a scheduler."""
    from distributed.comm.addressing import parse_address, parse_host_port

    try:
        scheme, place = parse_address(address)
        host, port = parse_host_port(place)
        is_one = scheme in ("tcp", "tls", "ws", "wss", "ucx") and bool(host) and 0 < port < 1 << 16
    except ValueError:
        is_one = False
    if not is_one:
        raise InputError(f"address: wanted a Dask scheduler's, as tcp://10.0.0.1:8786, got {shown(address)}")
