"""What the comparison with compiled C says when it cannot compare."""

from __future__ import annotations

from pathlib import Path

import pytest

from designs.errors import InputError
from workloads.programs import check
from workloads.programs.clang import ClangError
from workloads.programs.compile import compile_c


def test_a_program_that_does_not_link_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "both.c"
    source.write_text("unsigned char both(unsigned char a, unsigned char b) { return a & b; }\n")
    program = compile_c(source)

    def unlinked(source: object, folder: Path) -> Path:
        raise ClangError(0, "undefined symbol: ghost")

    monkeypatch.setattr(check, "native_library", unlinked)
    with pytest.raises(InputError, match=r"both\.c: wanted C that compiles and links, got: undefined symbol: ghost"):
        check.check_program(program, n_inputs=1)
