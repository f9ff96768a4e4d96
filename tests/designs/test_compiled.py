"""Compiled kernels follow their sources, those of inner functions in other files too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from designs.compiled import sources_digest

ROOT = Path(__file__).parent.parent.parent
FILES = {
    "kernels/__init__.py": "",
    "kernels/compiled.py": """
        from pathlib import Path
        from numba import njit
        from designs.compiled import entry_of
        entry = entry_of(Path(__file__).parent)
        inner = njit
        """,
    "kernels/inside.py": "from kernels.compiled import inner\n@inner\ndef step(x):\n    return x + 1\n",
    "kernels/outside.py": """
        from kernels.compiled import entry
        from kernels.inside import step
        @entry
        def twice(x):
            return step(step(x))
        """,
}


def result(folder: Path) -> tuple[int, int]:
    """What the kernel says, and how many compiled functions were taken from the cache."""
    code = "from kernels.outside import twice; print(twice(5), sum(twice.stats.cache_hits.values()))"
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "LOCKSTEP_CACHE_DIR": str(folder / "cache")}
    environment.pop("NUMBA_CACHE_DIR", None)
    run = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    value, hits = run.stdout.split()
    return int(value), int(hits)


def test_an_inner_function_of_another_file_is_compiled_again(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.replace("\n        ", "\n"))
    assert result(tmp_path) == (7, 0)
    assert result(tmp_path) == (7, 1)
    inside = tmp_path / "kernels/inside.py"
    inside.write_text(inside.read_text().replace("x + 1", "x + 3"))
    assert result(tmp_path) == (11, 0)


def test_digest_knows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    first = sources_digest(tmp_path)
    (tmp_path / "b.py").write_text("")
    second = sources_digest(tmp_path)
    (tmp_path / "a.py").write_text("2")
    assert len({first, second, sources_digest(tmp_path)}) == 3
