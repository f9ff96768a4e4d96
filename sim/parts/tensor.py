"""What a tensor machine is made of."""

from __future__ import annotations

from designs.families.tensor import Design
from sim.inventory import Inventory


def tensor_inventory(design: Design) -> Inventory:
    raise NotImplementedError
