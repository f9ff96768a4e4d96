"""What a page tells of named bootstrapping machines beside their rows: when stations and batches work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from designs.errors import InputError
from designs.families.fhe import Design
from explore.evaluate import model_version
from sim.families import fhe
from sim.parts.fhe_rotation import first_jobs, shape_of
from workloads.circuits.circuit import Circuit
from workloads.circuits.levels import widths_of
from workloads.load import load_workload
from workloads.mapping.fhe import program_of

Row = Mapping[str, Any]

_STEPS, _BATCHES = 3, 4  # of a rotation and of a run, that a figure has room for


def details(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For each row `bootstrap` and `circuit`, or `missing`: why they cannot be told any more.

    `bootstrap`: events {track, start_cycle, end_cycle, tile} of the `stations` in the first steps of a full batch (tile
    is the step) and of the parts of the first `batches`. `circuit`: `widths` of its levels in bootstraps; `batches`,
    the first cycle of each rotation, the cycle after its last and its cells; `cycles`; `n_cells` of the machine.
    """
    return [_details(row) for row in rows]


def _details(row: Row) -> dict[str, Any]:
    if row["model_version"] != model_version("fhe"):
        return {"missing": "the rows were made by another version"}
    try:
        circuit = load_workload(row["workload"])
    except InputError as error:
        return {"missing": f"the workload is not at hand: {error}"}
    if not isinstance(circuit, Circuit) or circuit.digest != row["workload_digest"]:
        return {"missing": f"{row['workload']} is another workload now"}
    design = Design(**row["point"])
    program, events = program_of(design, circuit), fhe.timeline(design, circuit)
    cells = np.add.reduceat(program.valid.astype(np.int64), program.first_cell[:-1])
    rotations = [event for event in events if event["track"] == "rotation"]
    return {
        "bootstrap": {
            "stations": _stations(design, int(program.slots.max())),
            "batches": [event for event in events if event["tile"] < _BATCHES],
        },
        "circuit": {
            "widths": widths_of(circuit).tolist(),
            "batches": [[e["start_cycle"], e["end_cycle"], int(cells[e["tile"]])] for e in rotations],
            "cycles": row["cycles"],
            "n_cells": design.cores * design.batch,
        },
    }


def _stations(design: Design, n_slots: int) -> list[dict[str, Any]]:
    return [
        {"track": job.station, "start_cycle": job.first_cycle, "end_cycle": job.end_cycle, "tile": job.step}
        for job in first_jobs(shape_of(design), n_slots, _STEPS)
    ]
