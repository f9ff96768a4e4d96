"""Which of our source files a module depends on, read from its imports without running anything."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

OURS = ("designs", "workloads", "sim", "hw", "explore")
_ROOT = Path(__file__).parent.parent


def sources_of(*modules: str) -> dict[str, Path]:
    """Module -> file, sorted: these modules and all of ours that they import, directly or not, also inside functions.

    Imports for type checking only do not count. A name that is put together at run time is not seen.
    """
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        path = _file_of(module)
        if path is not None:
            found[module] = path
            waiting += _imports_of(path)
    return dict(sorted(found.items()))


def _file_of(module: str) -> Path | None:
    """None where the name is no module of ours: what `from package import name` may well be."""
    parent, _, name = module.rpartition(".")
    for folder in _folders_of(parent) if parent else [_ROOT]:
        for file in (folder / name / "__init__.py", folder / f"{name}.py"):
            if file.is_file():
                return file
    return None


def _folders_of(package: str) -> list[Path]:
    """Where the modules of a package lie; none for a module that is no package."""
    loaded = sys.modules.get(package)
    if loaded is not None:
        return [Path(folder) for folder in getattr(loaded, "__path__", ())]
    file = _file_of(package)
    return [file.parent] if file is not None and file.name == "__init__.py" else []


@cache
def _imports_of(path: Path) -> tuple[str, ...]:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return tuple(dict.fromkeys(name for name in _imported(tree) if name.split(".")[0] in OURS))


def _imported(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (name for alias in child.names for name in _with_parents(alias.name))
        elif isinstance(child, ast.ImportFrom) and child.module is not None:
            yield from _with_parents(child.module)
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.stmt):
            yield from _imported(child)


def _with_parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    yield from (".".join(parts[: n + 1]) for n in range(len(parts)))
