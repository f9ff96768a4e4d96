"""Verification of LUT machines: `verify_point` (random circuits), `verify_network` (a classifier's test samples)."""

from explore.families.lut.cases import verify_point
from explore.families.lut.network import verify_network

__all__ = ["verify_network", "verify_point"]
