"""A family FOR TESTS ONLY, as small as the contracts allow: a row of `lanes` multipliers, one layer after the other."""

from __future__ import annotations

from pathlib import Path

import designs.families
import hw.families
import sim.families

_HERE = Path(__file__).parent
SPACE = _HERE / "space.yaml"


def install() -> None:
    """Let `designs.families` and `sim.families` find the family `toy` in this folder."""
    for package, folder in ((designs.families, "designs"), (sim.families, "sim"), (hw.families, "hw")):
        path = str(_HERE / folder)
        if path not in package.__path__:
            package.__path__.append(path)


def dask_setup(worker: object) -> None:
    """What Dask calls in workers that have this module as a preload."""
    install()
