"""Kinds of workload: one module each, found by listing this folder.

A kind's module has its `Workload` class and

- `names() -> tuple[str, ...]`: the names that it knows, for help texts; `gemm:MxKxN` stands for many;
- `load(name) -> Workload | None`: the workload of a name or path, None where that is not this kind's; InputError where
  it is but cannot be read. An `.npz` is told by its arrays (`array_names`), so two kinds may share the ending.

and may have

- `FILES`: ending of a file -> what it is of this kind, for the message about a file that no kind takes;
- `TRACES`: ending of a foreign file -> the module whose `trace(file, output, *, bind, samples) -> dict` writes it as a
  file of this kind and says what it imported, counted (`lockstep trace`); an option it has no use for is an InputError.
"""

from __future__ import annotations

import importlib
import pkgutil
import zipfile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from designs.errors import InputError

if TYPE_CHECKING:
    from workloads.load import Workload


def modules() -> tuple[ModuleType, ...]:
    """The modules of all kinds, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(importlib.import_module(f"{__name__}.{name}") for name in names)


def module_for(workload: Workload, folder: ModuleType, can_be: str, remedy: str) -> ModuleType:
    """The module of a folder that is named as the workload's kind; InputError, with a remedy, where there is none.

    Modules of the folder that are named as no kind are the folder's own.
    """
    there = {module.name for module in pkgutil.iter_modules(folder.__path__)}
    known = {name: module for module in modules() if (name := module.__name__.rpartition(".")[2]) in there}
    for name, module in known.items():
        if getattr(module, type(workload).__name__, None) is type(workload):
            return importlib.import_module(f"{folder.__name__}.{name}")
    raise InputError(
        f"{workload.name}: wanted a workload that can be {can_be} ({', '.join(sorted(known))}), got a "
        f"{workload.kind()}; {remedy}"
    )


def tracers() -> dict[str, str]:
    """Ending of a foreign file -> the module that imports it."""
    return {ending: module for kind in modules() for ending, module in getattr(kind, "TRACES", {}).items()}


def array_names(path: str | Path) -> tuple[str, ...] | None:
    """The names of the arrays in an .npz, none of them read; None where there is no such archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist())
    except (OSError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile):  # whoever reads it says why
        return None
