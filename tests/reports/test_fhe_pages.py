"""Pages of bootstrapping machines: what they show, and the arithmetic behind it."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from explore.evaluate import evaluate
from explore.families.fhe.details import details
from reports.figures import memory_wall, stations, wavefronts
from reports.page import write_report
from reports.study import named_points, studies
from sim.parts.fhe_rotation import first_jobs, length, shape_of
from tests.families.fhe_cases import SMALLEST
from tests.reports.test_page import parsed
from workloads.load import load_workload

NAME = "adder:2"
OBJECTIVES = ("area_um2", "bootstraps_per_s", "energy_pj")
BASE = replace(SMALLEST, lwe_dimension=6, key_columns=2, batch=4, key_rows=2, key_residues_per_cycle=4)
POINTS = [
    asdict(replace(BASE, batch=batch, key_residues_per_cycle=residues, cores=cores))
    for batch in (2, 4)
    for residues in (1, 4)
    for cores in (1, 2)
]


@pytest.fixture(scope="module")
def rows() -> list:
    found = evaluate("fhe", POINTS, load_workload(NAME), space="small")
    return [{**row, "details": told} for row, told in zip(found, details(found), strict=True)]


def test_the_page_says_what_a_bootstrapping_page_should(rows: list, tmp_path) -> None:
    path = write_report(rows, tmp_path, title="Bootstraps", command="c", objectives=OBJECTIVES)
    text = " ".join("".join(parsed(path.read_text(encoding="utf-8")).text).split())
    for said in (
        "8 points of the fhe family",
        "The memory wall",
        "One bootstrap: point",
        "The first 3 steps of a rotation of",
        "The circuit: point",
        "their security is not rated",
        "exact ones modulo a prime",
        "stall operands",
    ):
        assert said in text, said


def test_the_wall_is_where_the_key_says(rows: list) -> None:
    (study,) = studies(rows, (), OBJECTIVES)
    wall = memory_wall.wall_data(study.ran, named_points(study))
    assert wall is not None and wall.n_resident == 0 and len(wall.machines) == len(POINTS)
    row_bytes = 4 * 16 * BASE.residue_bytes  # (k + 1)^2 l N residues
    beat = BASE.residue_bytes
    assert wall.bandwidths == [beat * 1e9, 4 * beat * 1e9]
    for machine in wall.machines:
        assert machine.per_second <= machine.per_byte * machine.bytes_per_second * (1 + 1e-9)
        assert machine.per_byte <= 8 / (6 * row_bytes)  # no row serves more than 2 cores of 4 slots
    for _, _, reached, possible in wall.marks:
        assert reached <= possible


def test_resident_keys_have_no_wall() -> None:
    resident = evaluate("fhe", [asdict(replace(BASE, key_rows=6, cores=c)) for c in (1, 2)], load_workload(NAME))
    assert memory_wall.wall_data(resident, ()) is None


def test_stations_of_the_first_steps(rows: list) -> None:
    found = first_jobs(shape_of(BASE), 4, 6)
    assert max(job.end_cycle for job in found) <= length(shape_of(BASE), 4).cycles
    rotations = [job for job in found if job.station == "ROT"]
    assert len(rotations) == 6 * 4 * BASE.n_groups and [job.step for job in rotations[:: 4 * BASE.n_groups]] == list(range(6))
    told = stations.stations_data("A", rows[0]["details"]["bootstrap"], 1000)
    assert {track for track, *_ in told.batches} == {"load", "rotation", "extract", "key switch", "store"}
    assert told.stations[0][:2] == ("ROT", 2 * 8) and 0 < told.busiest[1] <= 1  # INIT stores two slots of 8 words


def test_cells_at_work_add_up(rows: list) -> None:
    for row in rows:
        circuit = row["details"]["circuit"]
        data = wavefronts.wavefronts_data("A", circuit, 1000)
        work = sum(cells * (end - start) for start, end, cells in circuit["batches"])
        assert data.filled.mean() * circuit["cycles"] == pytest.approx(work)
        assert np.all(data.filled <= data.n_cells + 1e-9)
        assert sum(circuit["widths"]) == row["activity"]["bootstraps"] == sum(cells for *_, cells in circuit["batches"])


def test_rows_of_another_version_have_no_details(rows: list) -> None:
    assert details([{**rows[0], "model_version": "fhe-0"}]) == [{"missing": "the rows were made by another version"}]
