"""The command that chooses a width for each tensor of a network; part of the command line (lockstep/cli.py)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from lockstep.terminal import JsonOption, print_result, steps

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    epilog="Examples: lockstep allocate mobilenet_v1:0.75:224 --flash 2MB --ram 512kB --method all, "
    "lockstep allocate digits_cnn --flash 7kB -o narrow.npz"
)
def allocate(
    network: Annotated[
        str, typer.Argument(metavar="NETWORK", help="digits_cnn, mobilenet_v1:WIDTH:RESOLUTION, vgg16, ..., or a path.")
    ],
    flash: Annotated[
        str | None, typer.Option(metavar="BYTES", help="For weights and constants, as 2MB or 1MiB; default: no limit.")
    ] = None,
    ram: Annotated[
        str | None, typer.Option(metavar="BYTES", help="For what a layer reads and writes; default: no limit.")
    ] = None,
    method: Annotated[
        Literal["rule", "integer_program", "brute_force", "search", "all"], typer.Option(help="Who chooses.")
    ] = "integer_program",
    normalization: Annotated[
        Literal["per_channel", "per_layer"], typer.Option(help="What has a weight scale of its own.")
    ] = "per_channel",
    scales: Annotated[
        Literal["free", "power_of_two"], typer.Option(help="power_of_two: rescaling is a shift (requant=shift).")
    ] = "free",
    budget: Annotated[int, typer.Option(min=1, help="Choices that the search measures.")] = 60,
    seed: Annotated[int, typer.Option(help="Of the search; the same seed, the same answer.")] = 0,
    images: Annotated[
        int, typer.Option(min=1, help="Training images that scales are fitted to and losses measured on.")
    ] = 512,
    time_limit: Annotated[float, typer.Option(min=0.1, help="Seconds of the integer program.")] = 60.0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the network in these widths: .npz, .json.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Choose 2, 4 or 8 bits for each tensor so that a network fits flash and RAM; exits with 1 where none do."""
    from lockstep import allocating, show_allocate

    flash_bytes = None if flash is None else allocating.bytes_of(flash, "--flash")
    ram_bytes = None if ram is None else allocating.bytes_of(ram, "--ram")
    with steps(f"allocate {network}", wanted=not json_ or sys.stderr.isatty()) as progress:
        found = allocating.allocate(
            network,
            flash_bytes=flash_bytes,
            ram_bytes=ram_bytes,
            method=method,
            normalization=normalization,
            scales=scales,
            budget=budget,
            seed=seed,
            images=images,
            time_limit_s=time_limit,
            output=output,
            progress=progress,
        )
    print_result(found, json_, lambda: show_allocate.allocated(found))
    if not found["feasible"]:
        raise typer.Exit(1)
