"""Networks that run in stages (prefill, decode): how rows tell them; layers that differ from step to step as one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reports.study import Row, layer_total

DECODE = "decode"  # whose steps each make a token
_STEP = re.compile(r"^([^.]+)\.[0-9]+\.")


class Share(NamedTuple):
    """What one stage takes: of a decode a token's share, of others all of it."""

    name: str
    per_token: bool
    latency_ns: float
    energy_pj: float
    phases: Mapping[str, float]  # ns
    energy_breakdown_pj: Mapping[str, float]


def stages_of(row: Row) -> list[Mapping[str, Any]]:
    """The row's stages, in their order; none where the network has none."""
    return list(row.get("stages") or [])


def share(stage: Mapping[str, Any]) -> Share:
    """A stage as people ask for it. A token's latency is that of a step; its energy is shared by the sequences."""
    per_token = stage["name"] == DECODE
    n_steps = stage["n_steps"] if per_token else 1
    n_tokens = n_steps * stage["n_sequences"] if per_token else 1
    ns_per_cycle = stage["latency_ns"] / stage["cycles"]
    return Share(
        stage["name"],
        per_token,
        stage["latency_ns"] / n_steps,
        stage["energy_pj"] / n_tokens,
        {name: n * ns_per_cycle / n_steps for name, n in stage["phases"].items()},
        {name: pj / n_tokens for name, pj in stage["energy_breakdown_pj"].items()},
    )


def stage_of(layer: Mapping[str, Any], stages: Sequence[Mapping[str, Any]]) -> str:
    """The stage of a layer; "" where it is none's."""
    name = str(layer["name"]).partition(".")[0]
    return name if any(stage["name"] == name for stage in stages) else ""


def joined_steps(layers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Layers that differ from step to step (`decode.129.self_scores`, `decode.130.self_scores` ...) as one.

    It has the place of the first, the mean of one run in each number, and all runs as `repeat`. Others stay themselves.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for layer in layers:
        groups.setdefault(_STEP.sub(r"\1.", str(layer["name"])), []).append(layer)
    return [group[0] if len(group) == 1 else _mean(name, group) for name, group in groups.items()]


def _mean(name: str, group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    n_runs = sum(int(layer.get("repeat") or 1) for layer in group)

    def mean(key: str) -> float:
        return sum(layer_total(layer, key) for layer in group) / n_runs

    def means(key: str) -> dict[str, float]:
        counted = [(layer[key], int(layer.get("repeat") or 1)) for layer in group]
        return {what: sum(of[what] * n for of, n in counted) / n_runs for what in group[0][key]}

    cycles = mean("cycles")
    busy = sum(layer["utilization"] * layer_total(layer, "cycles") for layer in group)
    tilings = [layer.get("tiling") for layer in group]
    return {
        "name": name,
        "repeat": n_runs,
        "cycles": cycles,
        "phases": means("phases"),
        "activity": means("activity"),
        "roofline_cycles": mean("roofline_cycles"),
        "n_macs": mean("n_macs"),
        "utilization": busy / (cycles * n_runs),
        "tiling": tilings[0] if all(tiling == tilings[0] for tiling in tilings) else None,
    }
