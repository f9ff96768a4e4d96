"""Workloads by name or path. What kinds there are is found by listing `workloads/kinds/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from designs.errors import InputError
from designs.spelling import nearest, shown
from workloads import kinds


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a machine runs. Its kinds (`workloads/kinds/`) say what that is."""

    name: str
    digest: str  # content hash, hex: equal for equal work

    @classmethod
    def kind(cls) -> str:
        """What messages call this kind of workload: `network`."""
        return cls.__name__.lower()


def workload_names() -> tuple[str, ...]:
    """Names that `load_workload` knows, besides paths; `gemm:MxKxN` stands for any three sizes."""
    return tuple(name for module in kinds.modules() for name in module.names())


def load_workload(name: str) -> Workload:
    """The workload of a name in `workload_names()`, or of a path.

    InputError for a name that is not known, with the nearest that is, or a file that cannot be read.
    """
    for module in kinds.modules():
        found: Workload | None = module.load(name)
        if found is not None:
            return found
    if wanted := _wanted_of(Path(name).suffix):
        arrays = ", ".join(kinds.array_names(name) or ()) or "nothing known"
        raise InputError(f"{name}: wanted {' or '.join(wanted)}, got a file of {shown(arrays)}")
    hint = nearest(name, workload_names())
    raise InputError(f"workload: wanted a path or one of {', '.join(workload_names())}, got {shown(name)}{hint}")


def expect_kind(workload: Workload, wanted: type[Workload], family: str) -> None:
    """Raise InputError, naming both kinds and what would do, where `family` does not run this workload."""
    if isinstance(workload, wanted):
        return
    names = next(module.names() for module in kinds.modules() if getattr(module, wanted.__name__, None) is wanted)
    raise InputError(
        f"{workload.name}: wanted a {wanted.kind()} for the family {family} ({', '.join(names)}, or a path), "
        f"got a {workload.kind()}"
    )


def _wanted_of(suffix: str) -> list[str]:
    """What files with this ending may hold, kind by kind."""
    files = [getattr(module, "FILES", {}) for module in kinds.modules()]
    return [of_kind[suffix] for of_kind in files if suffix in of_kind]
