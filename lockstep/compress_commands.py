"""The command that compresses a network; part of the command line (lockstep/cli.py)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from lockstep.options import SetOption
from lockstep.terminal import JsonOption, pairs_of, print_result, steps

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog="Example: lockstep compress digits_cnn --floor 0.95 --minimize cycles -o compressed.npz")
def compress(
    network: Annotated[
        str, typer.Argument(metavar="NETWORK", help="digits_cnn, digits_cnn_w4, or the path of a network of digits.")
    ],
    floor: Annotated[float, typer.Option(metavar="SHARE", help="Accuracy to keep, on validation images.")],
    on: Annotated[
        str,
        typer.Option(
            metavar="SPACE",
            help="Design space of 64 points at most: the best one counts. The shipped "
            "one, `compression`, is an 8 x 8 array, dense or 2:4, with weights of 3 to 8 bits.",
        ),
    ] = "compression",
    minimize: Annotated[Literal["cycles", "bytes", "energy"], typer.Option(help="What is to be small.")] = "cycles",
    budget: Annotated[int, typer.Option(metavar="N", help="Trainings, 10 at most.")] = 10,
    trainer: Annotated[
        Literal["straight_through", "lc", "none"], typer.Option(help="How the compressed network is trained.")
    ] = "straight_through",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write: .npz or .json.")] = None,
    set_: SetOption = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same search.")] = 0,
    json_: JsonOption = False,
) -> None:
    """Compress a network: fewer channels, zeros, narrower weights by layer, at an accuracy that is kept.

    Trains at most ten networks; what was trained is kept, so that an interrupted search goes on where it stopped. The
    floor is checked on a fifth of the training images, and the best of ten there is partly luck: expect less on others,
    as the test images show that are read once, in the end.
    """
    from lockstep import compressing, show_compress

    with steps(f"compress {network}", wanted=not json_ or sys.stderr.isatty()) as progress:
        found = compressing.compress(
            network,
            on,
            output,
            accuracy_floor=floor,
            minimize=minimize,
            budget=budget,
            trainer=trainer,
            seed=seed,
            progress=progress,
            **pairs_of(set_, "--set", "array_rows=8"),
        )
    print_result(found, json_, lambda: show_compress.compressed(found))
    if found["compressed"] is None:
        raise typer.Exit(1)
