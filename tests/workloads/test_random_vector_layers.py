"""Random vector layers: every kind, both widths, all that a machine must bear; and refusals of machines too small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from designs.families.tensor import Design
from workloads.mapping.vector import vector_refusal
from workloads.mapping.vector_numbers import bind_vector_numbers, vector_arithmetic
from workloads.random_vector_layers import KINDS, random_product, random_source, random_vector_layer
from workloads.reference_vector_layer import run_vector_layer
from workloads.vector_layer import VectorKind

SEEDS = st.integers(0, 2**32 - 1)
DESIGN = Design(array_rows=4, array_cols=4, vector_lanes=2, wide_bits=16, vector_words=128)


@settings(max_examples=20)
@given(SEEDS, st.sampled_from(KINDS))
def test_layers_fit_the_machine_and_run(seed: int, kind: VectorKind) -> None:
    rng = np.random.default_rng(seed)
    layer, x, z = random_vector_layer(rng, DESIGN, kind=kind)
    assert layer.kind == kind and layer.numbers is not None and (z is not None) == (kind == "add")
    product, tiling = random_product(rng, DESIGN, layer) if kind == "to_weights" else (None, None)
    assert vector_refusal(DESIGN, layer, product, tiling) is None
    bind_vector_numbers(DESIGN, layer)
    y = run_vector_layer(layer, x, z, vector_arithmetic(DESIGN))
    assert layer.numbers.out_low <= y.min() and y.max() <= layer.numbers.out_high
    more, _ = random_source(rng, layer)
    assert more.shape == x.shape


def test_every_oddity_is_drawn() -> None:
    rng = np.random.default_rng(0)
    layers = [random_vector_layer(rng, DESIGN)[0] for _ in range(300)]
    assert {layer.kind for layer in layers} == set(KINDS)
    assert {DESIGN.is_wide(layer.in_bits) for layer in layers} == {False, True}
    assert {DESIGN.is_wide(layer.out_bits) for layer in layers if layer.kind != "to_weights"} == {False, True}
    assert {layer.role for layer in layers} == {"", "keys", "values"}
    assert any(layer.causal and layer.causal_offset < 0 for layer in layers)
    assert any(layer.channels % DESIGN.array_rows for layer in layers)
    assert any(layer.n_images > 1 for layer in layers)


def test_a_machine_too_small_is_refused() -> None:
    with pytest.raises(InputError, match="vector_param_words: wanted at least"):
        small = Design(array_rows=256, array_cols=4, vector_lanes=1, vector_param_words=1)
        random_vector_layer(np.random.default_rng(0), small, kind="layer_norm")
    with pytest.raises(InputError, match="vector_lanes: wanted a vector unit"):
        random_vector_layer(np.random.default_rng(0), Design())
