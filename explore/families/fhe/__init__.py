"""Verification of bootstrapping machines: `verify_point` (random gates), `verify_network` (a circuit, encrypted)."""

from explore.families.fhe.cases import verify_point
from explore.families.fhe.network import verify_network

__all__ = ["verify_network", "verify_point"]
