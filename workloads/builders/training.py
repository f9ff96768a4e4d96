"""A training step of a dense layer as three matrix products, with weights pruned in n:m patterns where a mask allows.

A name is `training_step:MxKxN`, for M tokens, K inputs and N outputs, then for each pruned product its pattern, as in
`training_step:4096x1024x1024:forward=2:4:backward=2:4`:

- `forward`: Y = X W, W pruned along its inputs; any mask of magnitudes does (one way).
- `backward`: dX = dY W^T, W pruned along its outputs; together with `forward` the mask must be transposable
  (Hubara et al., NeurIPS 2021).
- `weights`: dW = X^T dY, dY pruned along the tokens by a minimum-variance unbiased estimate (Chmiel et al., ICLR 2023).

The operand that may be pruned lies where the machine has weights.
"""

from __future__ import annotations

import re
from dataclasses import replace

from designs.errors import InputError
from designs.spelling import nearest, shown
from workloads.builders.shapes import matrix_product
from workloads.layer import Layer
from workloads.pruning.n_of_m import NOfM

NAME = "training_step"
PRODUCTS = ("forward", "backward", "weights")
EXAMPLE = f"{NAME}:1024x1024x1024:forward=2:4"
MOST_OF_AN_AXIS = 1 << 20

_SIZES = re.compile(r"([0-9]{1,7})x([0-9]{1,7})x([0-9]{1,7})")


def names() -> tuple[str, ...]:
    """A name of which `build` knows any sizes and patterns."""
    return (EXAMPLE,)


def build(name: str) -> tuple[Layer, ...] | None:
    """The three products of a name as above; None where it is another workload's, InputError where it is wrong."""
    head, _, rest = name.partition(":")
    if head != NAME:
        return None
    sizes, *parts = re.split(r":(?=[a-z])", rest)
    match = _SIZES.fullmatch(sizes)
    if match is None:
        raise InputError(f"workload {name}: wanted sizes MxKxN as in {EXAMPLE}, got {shown(sizes)}")
    m, k, n = (int(size) for size in match.groups())
    if not all(1 <= size <= MOST_OF_AN_AXIS for size in (m, k, n)):
        raise InputError(f"workload {name}: wanted sizes of 1 to {MOST_OF_AN_AXIS}, got {sizes}")
    return training_step(m, k, n, _patterns(name, parts))


def training_step(m: int, k: int, n: int, patterns: dict[str, NOfM] | None = None) -> tuple[Layer, ...]:
    """Y (m, n) = X (m, k) W (k, n), its dX and dW; `patterns` are those of the PRODUCTS that are pruned."""
    found = []
    for product, (rows, depth, columns) in zip(PRODUCTS, ((m, k, n), (m, n, k), (k, m, n)), strict=True):
        pattern = (patterns or {}).get(product, NOfM(1, 1))
        layer = matrix_product(product, rows, depth, columns)
        found.append(replace(layer, weight_n_of_m=(pattern.n, pattern.m)))
    return tuple(found)


def _patterns(name: str, parts: list[str]) -> dict[str, NOfM]:
    found: dict[str, NOfM] = {}
    for part in parts:
        product, _, text = part.partition("=")
        if product not in PRODUCTS or product in found:
            wanted = f"each of {', '.join(PRODUCTS)} at most once, as forward=2:4"
            raise InputError(f"workload {name}: wanted {wanted}, got {shown(part)}{nearest(product, PRODUCTS)}")
        try:
            found[product] = NOfM.parse(text)
        except InputError as error:
            raise InputError(f"workload {name}: {product}: {error}") from error
    return found
