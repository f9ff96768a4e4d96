"""Verification of tensor machines: `verify_point` (random layers), `verify_network` (a traced network, whole)."""

from explore.families.tensor.cases import verify_point
from explore.families.tensor.network import verify_network

__all__ = ["verify_network", "verify_point"]
