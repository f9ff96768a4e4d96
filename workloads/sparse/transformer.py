"""The weight matrices of a pruned encoder-decoder transformer, as layers of a sparse machine.

No pruned translation model is public, so the weights are random ones of the right shapes, pruned by magnitude
(`random_layers.pruned_weights`). Matrices of the same role in other layers of a stack are drawn once and repeated.
The products of two activations in attention have no weights and are not among the layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from workloads.builders.transformers import Model
from workloads.sparse.layer import SparseLayer
from workloads.sparse.random_layers import numbers_for, pruned_weights, quantized

ENCODER_ROLES = ("query", "key", "value", "output", "up", "down")
DECODER_ROLES = (*ENCODER_ROLES, "cross_query", "cross_key", "cross_value", "cross_output")
_PROJECTED_ONCE = ("cross_key", "cross_value")  # of the source, for all target tokens


@dataclass(frozen=True, kw_only=True, eq=False)
class PrunedTransformer:
    """Layers of one vector each, by stack and role, and how often the stack has them."""

    layers: Mapping[tuple[str, str], SparseLayer]

    def weights(self) -> int:
        """Non-zero weights of the whole model."""
        return sum(layer.matrix.nnz * layer.repeat for layer in self.layers.values())


def pruned_transformer(model: Model, sparsity: float, kind: str = "rowvar", value_bits: int = 8) -> PrunedTransformer:
    """The matrices of `model` at a share of zeros; each has a seed of its own."""
    shapes = {"up": (model.inner, model.width), "down": (model.width, model.inner)}
    layers: dict[tuple[str, str], SparseLayer] = {}
    for stack, roles, repeat in (
        ("encoder", ENCODER_ROLES, model.n_layers),
        ("decoder", DECODER_ROLES, model.n_decoder_layers),
    ):
        for role in roles:
            seed = len(layers) + 1
            weights = pruned_weights(*shapes.get(role, (model.width, model.width)), sparsity, kind, seed)
            matrix = quantized(weights, value_bits)
            layers[stack, role] = SparseLayer(
                name=f"{stack}.{role}", matrix=matrix, repeat=repeat,
                numbers=numbers_for(np.random.default_rng(seed), matrix),
            )  # fmt: skip
    return PrunedTransformer(layers=layers)


def translation(
    pruned: PrunedTransformer, n_source: int, n_target: int, *, skipping: bool = True
) -> tuple[SparseLayer, ...]:
    """What translating `n_source` tokens into `n_target` runs, as layers of several vectors.

    `skipping`: a decoder step runs its own token only, and projects the source once. Otherwise step t runs tokens
    1 to t, and the source, anew.
    """
    return tuple(
        replace(layer, n_vectors=n_vectors, repeat=layer.repeat * n_runs)
        for (stack, role), layer in pruned.layers.items()
        for n_vectors, n_runs in runs(stack, role, n_source, n_target, skipping=skipping)
    )


def runs(stack: str, role: str, n_source: int, n_target: int, *, skipping: bool) -> Iterator[tuple[int, int]]:
    """(vectors, runs) of one matrix: it is loaded once a run."""
    if stack == "encoder":
        yield n_source, 1
    elif role in _PROJECTED_ONCE:
        yield n_source, 1 if skipping else n_target
    elif skipping:
        yield 1, n_target
    else:
        yield from ((step, 1) for step in range(1, n_target + 1))
