"""Progress: a bar on a terminal, lines elsewhere, nothing where not wanted or nothing is left to do."""

from __future__ import annotations

import io
import threading

import pytest

from explore import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, *, wanted: bool = True, n_done: int = 2) -> str:
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with progress.progress_for("toy", 10, n_done, wanted=wanted) as bar:
        for n in (0, 3, 5):
            bar.advance(n)
    return stream.getvalue()


def test_lines_where_stderr_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(io.StringIO(), monkeypatch)
    assert text.startswith("toy: 2 of 10\ntoy: 10 of 10 (") and text.count("\n") == 2
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    assert [line.split(" (")[0] for line in shown(io.StringIO(), monkeypatch).splitlines()] == [
        "toy: 2 of 10",
        "toy: 5 of 10",
        "toy: 10 of 10",
    ]


def test_a_bar_on_a_terminal_without_a_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    n_threads = threading.active_count()
    monkeypatch.setattr("sys.stderr", Terminal())
    with progress.progress_for("toy", 10, 2, wanted=True):
        assert threading.active_count() == n_threads  # so that workers may be forked
    text = shown(Terminal(), monkeypatch)
    assert "toy" in text and "10/10" in text and "5/10" in text


def test_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(Terminal(), monkeypatch, wanted=False) == ""
    assert shown(Terminal(), monkeypatch, n_done=10) == ""


def test_slow_work_is_told_in_seconds_each() -> None:
    assert progress._rate(312, 1.0) == "312/s"
    assert progress._rate(2, 16.8) == "8.4 s each"
