"""Scenarios as text and as a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from explore.scenarios.outcome import PS_PER_NS, SystemOutcome
from explore.scenarios.service import Service
from lockstep.scenarios import ScenarioResult
from reports.tables import Cell, cell, make_table
from reports.units import digits, percent, quantity


def document(found: ScenarioResult, written: Sequence[Path] = ()) -> dict[str, Any]:
    """The JSON document of `lockstep scenario`."""
    return {
        "settings": asdict(found.settings) | {"queries": found.settings.n_queries},
        "designs": [_design(service) for service in found.services],
        "systems": [asdict(system) for system in found.systems],
        "files": [str(path) for path in written],
    }


def _design(service: Service) -> dict[str, Any]:
    assert service.row is not None
    return {
        "name": service.name,
        "family": service.row["family"],
        "workload": service.row["workload"],
        "point": service.row["point"],
        "area_um2": service.row["area_um2"],
        "energy_pj": service.row["energy_pj"],  # of an inference alone
        "busy_ns": [ps / PS_PER_NS for ps in service.busy_ps],  # by size of batch
        "answer_ns": [ps / PS_PER_NS for ps in service.answer_ps],
        "capacity_per_s": service.capacity_per_s,
    }


def scenarios(found: ScenarioResult, written: Sequence[Path] = ()) -> str:
    """A line a system, then what the columns mean."""
    areas = {service.name: service.row["area_um2"] for service in found.services if service.row is not None}
    columns = [("design", False), ("area", True)]
    first, settings = found.systems[0], found.settings
    remarks = [f"{first.workload}; batches of up to {first.max_batch}, window {quantity(first.window_ns, 'ns')}"]
    if first.single_stream:
        columns.append(("single stream", True))
        remarks.append("single stream: 90th percentile of the latency, one query after the other")
    if stream := first.multi_stream:
        columns.append(("streams", True))
        remarks.append(f"streams: samples a query, one query every {quantity(stream.interval_ns, 'ns')}")
    if server := first.server:
        columns += [("server", True), (f"p{settings.percentile:g}", True), ("batch", True), ("busy", True)]
        remarks.append(
            f"server: Poisson arrivals, the largest rate at which {settings.percentile:g} % of {server.n_queries:,} "
            f"queries take at most {quantity(server.bound_ns, 'ns')} (seed {server.seed})"
        )
    if all_at_once := first.offline:
        columns.append(("offline", True))
        remarks.append(f"offline: {all_at_once.n_samples:,} samples at once")
    table = make_table(columns, [_line(system, areas) for system in found.systems])
    return "\n".join([table.console(), "", *remarks, *(f"written: {path}" for path in written)])


def _line(system: SystemOutcome, areas: dict[str, float]) -> list[Cell]:
    area = sum(areas[name] for name in system.accelerators)
    line = [cell(system.name), cell(area, quantity(area, "um2"))]
    if found := system.single_stream:
        line.append(cell(found.latency_ns, quantity(found.latency_ns, "ns")))
    if stream := system.multi_stream:
        line.append(cell(stream.n_streams, f"{'' if stream.is_largest else '>= '}{stream.n_streams:,}"))
    if server := system.server:
        line.append(cell(server.rate_per_s, f"{digits(server.rate_per_s)} /s"))
        if server.latency_ns is None or server.mean_batch is None or server.utilization is None:
            line += [cell("-")] * 3
        else:
            line += [
                cell(server.latency_ns, quantity(server.latency_ns, "ns")),
                cell(server.mean_batch, f"{server.mean_batch:.2f}"),
                cell(server.utilization, percent(server.utilization)),
            ]
    if offline := system.offline:
        line.append(cell(offline.throughput_per_s, f"{digits(offline.throughput_per_s)} /s"))
    return line
