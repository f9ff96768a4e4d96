"""The house keeps its order: who imports whom, and that nobody executes what a user wrote."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What each folder may import of ours (itself always): `sim` and `hw` are two independent readings of one design.
ALLOWED = {
    "designs": set(),
    "workloads": {"designs"},
    "sim": {"designs", "workloads"},
    "hw": {"designs", "workloads"},
    "explore": {"designs", "workloads", "sim", "hw"},
    "reports": {"designs", "workloads", "sim", "hw", "explore"},
    "lockstep": {"designs", "workloads", "sim", "hw", "explore", "reports"},
}
FORBIDDEN_CALLS = {"eval", "exec"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
SOURCES = sorted(path for folder in ALLOWED for path in (ROOT / folder).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, dotted module) of each import, also those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def layer_faults(folder: str, tree: ast.AST) -> list[str]:
    outside = set(ALLOWED) | {"tests", "benchmarks"}
    faults = []
    for line, module in imports(tree):
        first = module.split(".")[0]
        if module.startswith("."):
            faults.append(f"{line}: relative import {module}: write the whole name")
        elif first in outside and first != folder and first not in ALLOWED[folder]:
            faults.append(f"{line}: {folder} imports {module}")
    return faults


def execution_faults(tree: ast.AST) -> list[str]:
    faults = [f"{line}: imports {name}" for line, name in imports(tree) if name.split(".")[0] in FORBIDDEN_MODULES]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
            faults.append(f"{node.lineno}: calls {node.func.id}")
        for keyword in node.keywords:
            if keyword.arg == "allow_pickle" and not (
                isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            ):
                faults.append(f"{node.lineno}: allows pickle")
    return faults


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_left_and_nothing_is_executed(path: Path) -> None:
    tree = ast.parse(path.read_text(), str(path))
    folder = path.relative_to(ROOT).parts[0]
    assert layer_faults(folder, tree) + execution_faults(tree) == []


def test_every_folder_is_there() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in SOURCES} == set(ALLOWED)


@pytest.mark.parametrize(
    ("folder", "code"),
    [
        ("sim", "import hw.verilog"),
        ("hw", "def f():\n    from sim.run import Run"),
        ("designs", "from workloads.layer import Layer"),
        ("explore", "import reports"),
        ("sim", "from tests.hw import circuits"),
        ("sim", "from . import run"),
    ],
)
def test_a_wrong_import_is_seen(folder: str, code: str) -> None:
    assert len(layer_faults(folder, ast.parse(code))) == 1


@pytest.mark.parametrize(
    "code", ["eval('1')", "exec('x')", "import pickle", "from joblib import load", "np.load(f, allow_pickle=True)"]
)
def test_execution_of_content_is_seen(code: str) -> None:
    assert len(execution_faults(ast.parse(code))) == 1
