"""What commands share: printing results, showing steps, making folders."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from designs.errors import InputError

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def print_result(document: Any, as_json: bool, text: Callable[[], str]) -> None:
    """One result to stdout, as JSON or as text; InputError where stdout has no room."""
    try:
        print(json.dumps(document, allow_nan=False) if as_json else text(), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_stdout()
        raise InputError(f"stdout: wanted room for the result, got: {error.strerror}; send it elsewhere") from error


def drop_stdout() -> None:
    """Let what is still buffered go nowhere, so that the interpreter's last flush does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def steps(title: str, *, wanted: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A callback that is told (what is done, steps done, steps in all) and shows it; quiet until then."""
    from explore.progress import Progress, progress_for

    with ExitStack() as stack:
        shown: Progress | None = None
        now = "", 0

        def tell(what: str, n_done: int, n_all: int) -> None:
            nonlocal shown, now
            if shown is None or what != now[0]:
                stack.close()  # the last step's own
                shown = stack.enter_context(progress_for(f"{title}: {what}", n_all, 0, wanted=wanted))
                now = what, 0
            shown.advance(n_done - now[1])
            now = what, n_done

        yield tell


def make_folder(folder: Path) -> None:
    """Make a folder with all above it; InputError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: wanted a folder to write to, got: {error.strerror}; name another") from error


def pairs_of(pairs: Sequence[str] | None, option: str, example: str) -> dict[str, str]:
    """KEY=VALUE options as a mapping; InputError for what is none, and for a name that comes twice."""
    found: dict[str, str] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not (equals and name and value):
            raise InputError(f"{option} {pair}: wanted {option} {example}, got {pair!r}")
        if name in found:
            raise InputError(f"{option} {pair}: wanted each name once, got {name!r} twice")
        found[name] = value
    return found
