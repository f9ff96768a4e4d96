"""Progress on stderr: a bar on a terminal, a plain line every few seconds elsewhere, nothing where not wanted."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

LINE_SECONDS = 5.0


Steps: TypeAlias = Callable[[str, int, int], None]  # is told what is done, its steps done, its steps in all


class Progress(Protocol):
    """Counts what is done."""

    def advance(self, n: int, note: str = "") -> None:
        """`n` more are done; 0 shows that the work begins. `note` is what there is to say of it now."""


@contextmanager
def progress_for(title: str, n_total: int, n_done: int, *, wanted: bool) -> Iterator[Progress]:
    """Show `title` and how many of `n_total` are done, beginning with `n_done`."""
    if not wanted or n_done == n_total:
        yield _Silent()
    elif sys.stderr.isatty():
        with _bar(title, n_total, n_done) as bar:
            yield bar
    else:
        lines = _Lines(title, n_total, n_done)
        yield lines
        lines.end()


class _Silent:
    def advance(self, n: int, note: str = "") -> None:
        return


class _Lines:
    """`title: 400 of 2000 (312/s)` at most every LINE_SECONDS, at an advance by 0, and at the end."""

    def __init__(self, title: str, n_total: int, n_done: int) -> None:
        self._title, self._n_total, self._n_done = title, n_total, n_done
        self._n_new = 0
        self._note = ""
        self._began = self._said = time.monotonic()

    def advance(self, n: int, note: str = "") -> None:
        self._note = note
        self._n_done += n
        self._n_new += n
        is_due = n == 0 or time.monotonic() - self._said >= LINE_SECONDS
        if is_due and self._n_done < self._n_total:
            self._say()

    def end(self) -> None:
        self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        rate = f" ({_rate(self._n_new, self._said - self._began)})" if self._n_new else ""
        note = f", {self._note}" if self._note else ""
        print(f"{self._title}: {self._n_done} of {self._n_total}{note}{rate}", file=sys.stderr, flush=True)


def _rate(n_done: int, seconds: float) -> str:
    """`312/s`, or `8.4 s each` where one takes longer than a second."""
    if seconds <= n_done:
        return f"{n_done / max(seconds, 1e-9):.0f}/s"
    return f"{seconds / n_done:.1f} s each"


@contextmanager
def _bar(title: str, n_total: int, n_done: int) -> Iterator[Progress]:
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TextColumn("{task.fields[note]}"),
        progress.TimeRemainingColumn(),
    )
    # Drawn at each advance, not by a thread of its own: the sweep may still fork its workers.
    with progress.Progress(*columns, console=Console(stderr=True), auto_refresh=False) as drawn:
        task = drawn.add_task(title, total=n_total, completed=n_done, rate="-", note="")
        yield _Bar(drawn, task)


class _Bar:
    def __init__(self, drawn: Any, task: Any) -> None:
        self._drawn, self._task = drawn, task
        self._n_new, self._began = 0, time.monotonic()

    def advance(self, n: int, note: str = "") -> None:
        self._n_new += n
        rate = _rate(self._n_new, time.monotonic() - self._began) if self._n_new else "-"
        self._drawn.update(self._task, advance=n, rate=rate, note=note, refresh=True)
