"""Circuits on encrypted bits: independent copies side by side, so that their gates can share passes over the key."""

from __future__ import annotations

from dataclasses import replace

from workloads.circuits.circuit import Circuit
from workloads.circuits.copies import side_by_side


def batch(workload: Circuit, n: int, name: str) -> Circuit:
    """`n` copies that share nothing."""
    return replace(side_by_side(workload, n), name=name)
