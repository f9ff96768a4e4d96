"""Constant factors between a product and its QuantizeLinear, folded into the scale of weights before the product."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from designs.errors import InputError
from workloads.ir import SAME_VALUES, Op, Tensor


def fold_gains(tensors: dict[str, Tensor], ops: list[Op], gains: Mapping[str, float], outputs: Iterable[str]) -> None:
    """Make each op whose output is in `gains` answer its result times that factor, and change no other number.

    An integer has no factor: what an operand means is multiplied instead. Its scale, back through moves, and that of
    the weights it comes from are multiplied (in float32), which leaves the integers of both as they are. InputError
    where no operand comes from weights on a path that nothing else reads.
    """
    outputs = set(outputs)
    for output, gain in gains.items():
        op = next(op for op in ops if op.output == output)
        paths = (_path(name, ops, tensors, outputs) for name in op.inputs[:2])
        path = next((path for path in paths if path is not None), None)
        if path is None:
            raise InputError(
                f"op {op.name} ({op.kind}): wanted an operand that comes from weights and that nothing else reads, to "
                f"fold the factor {gain:g} into, got none; multiply weights by it before quantizing"
            )
        names, product = path
        for name in names:
            tensors[name] = _times(tensors[name], gain)
        weights = product.inputs[1]
        if len(_readers(weights, ops)) > 1:
            copied = f"{weights}*{gain:g}"
            while copied in tensors:
                copied += "'"
            tensors[copied] = replace(tensors[weights], name=copied)
            inputs = (product.inputs[0], copied, *product.inputs[2:])
            ops[ops.index(product)] = replace(product, inputs=inputs)
            weights = copied
        tensors[weights] = _times(tensors[weights], gain)


def _path(
    name: str, ops: list[Op], tensors: Mapping[str, Tensor], outputs: set[str]
) -> tuple[list[str], Op] | None:
    """(tensors from `name` back to the result of a product with weights, that product), or None."""
    names = []
    makers = {op.output: op for op in ops}
    while name in makers and len(_readers(name, ops)) == 1 and name not in outputs:
        names.append(name)
        op = makers[name]
        if op.kind in ("matmul", "conv"):
            return (names, op) if tensors[op.inputs[1]].data is not None else None
        if op.kind not in SAME_VALUES or len(op.inputs) > 1:
            return None
        name = op.inputs[0]
    return None


def _readers(name: str, ops: list[Op]) -> list[Op]:
    return [op for op in ops for read in op.inputs if read == name]


def _times(tensor: Tensor, gain: float) -> Tensor:
    return replace(tensor, scale=(tensor.scale * np.float32(gain)).astype(np.float32))
