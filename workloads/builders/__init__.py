"""Shapes of published networks, as layers without numbers. A module of this folder is a family of networks."""

from workloads.builders.shapes import network_macs, network_weights

__all__ = ["network_macs", "network_weights"]
