"""Verification of sparse machines: `verify_point` (random matrices), `verify_network` (the matrices of a workload)."""

from explore.families.sparse.cases import verify_point
from explore.families.sparse.network import verify_network

__all__ = ["verify_network", "verify_point"]
