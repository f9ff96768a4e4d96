"""Lockstep: design-space exploration of accelerators, with RTL that is shown to agree with its simulator.

    import lockstep
    row = lockstep.simulate("tensor", workload="digits_cnn", array_rows=8)
    found = lockstep.sweep("tensor", workload="digits_cnn")
    pandas.DataFrame(lockstep.flat_table(found.rows))

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from designs.errors import DesignError, InputError
    from designs.space import Space, load_space
    from explore.export import flat_table
    from explore.search.result import SearchResult
    from explore.sweep import SweepResult
    from lockstep.allocating import allocate
    from lockstep.api import formats, report, reproduce, rtl, simulate, sweep, synth, trace, train, verify
    from lockstep.compressing import compress
    from lockstep.encrypted import compile, decrypt, encrypt, evaluate, keygen, run
    from lockstep.scenarios import scenario
    from lockstep.searching import search
    from workloads.load import Workload, load_workload

_HOME = {
    "DesignError": "designs.errors",
    "InputError": "designs.errors",
    "SearchResult": "explore.search.result",
    "Space": "designs.space",
    "SweepResult": "explore.sweep",
    "Workload": "workloads.load",
    "allocate": "lockstep.allocating",
    "compile": "lockstep.encrypted",
    "compress": "lockstep.compressing",
    "decrypt": "lockstep.encrypted",
    "encrypt": "lockstep.encrypted",
    "evaluate": "lockstep.encrypted",
    "flat_table": "explore.export",
    "formats": "lockstep.api",
    "keygen": "lockstep.encrypted",
    "load_space": "designs.space",
    "load_workload": "workloads.load",
    "report": "lockstep.api",
    "reproduce": "lockstep.api",
    "rtl": "lockstep.api",
    "run": "lockstep.encrypted",
    "scenario": "lockstep.scenarios",
    "search": "lockstep.searching",
    "simulate": "lockstep.api",
    "sweep": "lockstep.api",
    "synth": "lockstep.api",
    "trace": "lockstep.api",
    "train": "lockstep.api",
    "verify": "lockstep.api",
}

__all__ = [
    "DesignError",
    "InputError",
    "SearchResult",
    "Space",
    "SweepResult",
    "Workload",
    "allocate",
    "compile",
    "compress",
    "decrypt",
    "encrypt",
    "evaluate",
    "flat_table",
    "formats",
    "keygen",
    "load_space",
    "load_workload",
    "report",
    "reproduce",
    "rtl",
    "run",
    "scenario",
    "search",
    "simulate",
    "sweep",
    "synth",
    "trace",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lockstep' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
