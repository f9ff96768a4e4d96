"""Programs of the tests: compiled without ABC, which has tests of its own, and with a cache of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from workloads.programs import optimize
from workloads.programs.compile import Program, compile_c

Compile = Callable[..., Program]


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compile:
    """compile_c of a text, as program.c."""
    monkeypatch.setattr(optimize, "SCRIPTS", {"gates": (), "depth": ()})
    monkeypatch.setenv("LOCKSTEP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def compile_text(text: str, **options: str) -> Program:
        Path("program.c").write_text(text)
        return compile_c("program.c", progress=lambda message: None, **options)

    return compile_text
