"""BLIF as gates on bits."""

from __future__ import annotations

from pathlib import Path

from workloads.circuits.circuit import Circuit
from workloads.circuits.tables import circuit_of_netlist
from workloads.importers.blif import load_blif


def import_gate_blif(path: str | Path) -> Circuit:
    """Read a circuit from a BLIF file, which `import_blif` says: a table of two inputs is one gate, larger ones are
    split (`workloads.circuits.tables`)."""
    path = Path(path)
    return circuit_of_netlist(path.stem, load_blif(path))
