"""Commands that run programs on encrypted inputs; part of the command line (lockstep/cli.py)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from designs.errors import InputError
from lockstep.terminal import JsonOption, print_result, steps

app = typer.Typer(add_completion=False, rich_markup_mode=None)

ProgramArgument = Annotated[
    str, typer.Argument(metavar="PROGRAM", help="A C program (.c), a circuit (.gates, .blif, .v, ...), or a name.")
]
EntryOption = Annotated[str | None, typer.Option(metavar="FUNCTION", help="The function of a C file that has several.")]
ObjectiveOption = Annotated[
    Literal["gates", "depth"] | None,
    typer.Option(help="What is made small of a C program: bootstraps (default), or levels of them."),
]
InputsOption = Annotated[
    list[str] | None,
    typer.Option("--inputs", metavar="NAME=VALUE ...", help="Integers, arrays as 1,2,3 in C's order, or a JSON file."),
]
MoreInputs = Annotated[
    list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Inputs, with --inputs before them or without.")
]
ParametersOption = Annotated[
    str | None, typer.Option(help="tfhe_lib_128 (default), tfhe_lib_80, tfhe_rs_boolean, or a .yaml file of them.")
]
ArithmeticOption = Annotated[
    Literal["fast", "exact"], typer.Option(help="Floating point with a checked margin, or exact. The same bits.")
]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="Default: one a core.")]
BatchOption = Annotated[int | None, typer.Option(min=1, help="Bootstraps that share a pass over the key; default: 32.")]
SecretArgument = Annotated[Path, typer.Argument(metavar="KEY.secret", help="The secret key.")]
OutputOption = Annotated[Path, typer.Option("--output", "-o", help="File to write.")]


@app.command(
    epilog="Examples: lockstep run adder:8 --inputs a=23 b=42, lockstep run crc.c --inputs data=1,2,3,4 --threads 2"
)
def run(
    program: ProgramArgument,
    more: MoreInputs = None,
    inputs: InputsOption = None,
    entry: EntryOption = None,
    objective: ObjectiveOption = None,
    parameters: ParametersOption = None,
    arithmetic: ArithmeticOption = "fast",
    threads: ThreadsOption = None,
    batch: BatchOption = None,
    key: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keys of `lockstep keygen NAME`; default: made and forgotten.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Keys, noise and random inputs from this: INSECURE, for tests.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Folder for ciphertexts, and to go on after an interrupt; with --key or --seed.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Run a program on encrypted inputs, decrypt, and compare with clear text; a difference exits with 1.

    Without inputs, random ones. Keys live in memory only, unless --key names some.
    """
    from lockstep import encrypted, show_encrypted

    with steps(f"run {program}", wanted=not json_ or sys.stderr.isatty()) as progress:
        found = encrypted.run(
            program,
            _words(inputs, more),
            entry=entry,
            objective=objective,
            parameters=parameters,
            arithmetic=arithmetic,
            threads=threads,
            batch=batch,
            key=key,
            seed=seed,
            keep=keep,
            progress=progress,
        )
    print_result(found, json_, lambda: show_encrypted.run(found))
    if not found["equal"]:
        raise typer.Exit(1)


@app.command(epilog="Example: lockstep compile sort.c -o sort.gates")
def compile(
    program: ProgramArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write: .gates.")] = None,
    entry: EntryOption = None,
    objective: ObjectiveOption = None,
    json_: JsonOption = False,
) -> None:
    """Compile a C program to a circuit of TFHE gates, and tell its gates, depth and widths."""
    from lockstep import encrypted, show_encrypted

    wanted = not json_ or sys.stderr.isatty()
    told = _told if wanted else None
    found = encrypted.compile(program, output, entry=entry, objective=objective, progress=told)
    print_result(found, json_, lambda: show_encrypted.compiled(found))


@app.command(epilog="Example: lockstep keygen mine --parameters tfhe_lib_128")
def keygen(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Files to write: NAME.secret and NAME.evaluation.")],
    parameters: ParametersOption = None,
    seed: Annotated[int | None, typer.Option(min=0, help="INSECURE keys for tests: always the same.")] = None,
    json_: JsonOption = False,
) -> None:
    """Make keys: one that encrypts and decrypts and stays here (mode 600), one to give to who computes."""
    from lockstep import encrypted, show_encrypted

    found = encrypted.keygen(name, parameters=parameters or encrypted.DEFAULT_PARAMETERS, seed=seed)
    print_result(found, json_, lambda: show_encrypted.keys(found))


@app.command(epilog="Example: lockstep encrypt mine.secret adder:8 --inputs a=23 b=42 -o inputs.ct")
def encrypt(
    secret_key: SecretArgument,
    program: ProgramArgument,
    output: OutputOption,
    more: MoreInputs = None,
    inputs: InputsOption = None,
    entry: EntryOption = None,
    json_: JsonOption = False,
) -> None:
    """Encrypt the inputs of a program, bit by bit (the client's side)."""
    from lockstep import encrypted, show_encrypted

    words = _words(inputs, more)
    if not words:
        raise InputError("--inputs: wanted values such as --inputs a=23 b=42, got none; give one for each input")
    found = encrypted.encrypt(secret_key, program, words, output, entry=entry)
    print_result(found, json_, lambda: show_encrypted.encrypted(found))


@app.command(epilog="Example: lockstep evaluate mine.evaluation adder:8 inputs.ct -o outputs.ct")
def evaluate(
    evaluation_key: Annotated[Path, typer.Argument(metavar="KEY.evaluation", help="The evaluation key.")],
    program: ProgramArgument,
    ciphertexts: Annotated[Path, typer.Argument(metavar="INPUTS", help="What `lockstep encrypt` wrote.")],
    output: OutputOption,
    entry: EntryOption = None,
    arithmetic: ArithmeticOption = "fast",
    threads: ThreadsOption = None,
    batch: BatchOption = None,
    json_: JsonOption = False,
) -> None:
    """Run a program on encrypted inputs, without the secret key (the server's side).

    A run that was interrupted goes on where it stopped when it is run again (OUTPUT.checkpoint).
    """
    from lockstep import encrypted, show_encrypted

    with steps(f"evaluate {program}", wanted=not json_ or sys.stderr.isatty()) as progress:
        found = encrypted.evaluate(
            evaluation_key,
            program,
            ciphertexts,
            output,
            entry=entry,
            arithmetic=arithmetic,
            threads=threads,
            batch=batch,
            progress=progress,
        )
    print_result(found, json_, lambda: show_encrypted.evaluated(found))


@app.command(epilog="Example: lockstep decrypt mine.secret adder:8 outputs.ct")
def decrypt(
    secret_key: SecretArgument,
    program: ProgramArgument,
    ciphertexts: Annotated[Path, typer.Argument(metavar="OUTPUTS", help="What `lockstep evaluate` wrote.")],
    entry: EntryOption = None,
    json_: JsonOption = False,
) -> None:
    """Decrypt the outputs of a program (the client's side)."""
    from lockstep import encrypted, show_encrypted

    found = encrypted.decrypt(secret_key, program, ciphertexts, entry=entry)
    print_result(found, json_, lambda: show_encrypted.decrypted(found))


def _told(what: str, n_done: int, n_all: int) -> None:
    """Compiling says itself what it does."""


def _words(inputs: list[str] | None, more: list[str] | None) -> list[str]:
    """`--inputs a=1 b=2`: the option takes the first, the rest are arguments."""
    return [*(inputs or ()), *(more or ())]
