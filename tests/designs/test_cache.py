"""The cache keeps what is used and runs a first use once."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from designs import cache


def test_unused_neighbours_are_removed(tmp_path: Path) -> None:
    ages_days = {"old": cache.UNUSED_DAYS + 1, "young": cache.UNUSED_DAYS - 1, "used": cache.UNUSED_DAYS + 1}
    for name, days in ages_days.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
        os.utime(tmp_path / name, (time.time() - days * 86400,) * 2)
    cache.mark_used(tmp_path / "used")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["used", "young"]


def test_a_first_use_runs_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCKSTEP_CACHE_DIR", str(tmp_path))
    count = tmp_path / "count"
    command = [sys.executable, "-c", f"open({str(count)!r}, 'a').write('x')"]
    for _ in range(2):
        cache.warm_up("numpy", command, seconds=3)
    assert count.read_text() == "x"
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("first use of numpy: compiling it, about 3 s") == 1
