"""Vector programs run on bytes: what they store is what the interpreter says, and what the packer of weights packs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from designs.families.tensor import Design
from tests.families.vector_twin import VectorMachine, random_case
from workloads.builders.shapes import matrix_product
from workloads.layer import Place
from workloads.mapping.memory import pack_activations, put_bytes, put_constants, unpack_activations
from workloads.mapping.program import TileField
from workloads.mapping.tensor import Regions, Tiling, build_program, line_bytes
from workloads.mapping.vector import build_vector_program
from workloads.mapping.vector_memory import put_vector_constants, read_vector_output, vector_image
from workloads.mapping.vector_numbers import vector_arithmetic
from workloads.mapping.vector_program import VectorField
from workloads.reference_vector_layer import run_vector_layer
from workloads.vector_layer import VectorLayer

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=150)
@given(SEEDS)
def test_programs_store_what_the_interpreter_says(seed: int) -> None:
    design, layer, x, z, product, tiling = random_case(seed)
    program = build_vector_program(design, layer, product=product, tiling=tiling)
    image = vector_image(design, layer, program, x, z)
    VectorMachine(design, program, image).run()
    expected = run_vector_layer(layer, x, z, vector_arithmetic(design))
    if layer.kind != "to_weights":
        assert np.array_equal(read_vector_output(design, layer, program, image), expected)
        return
    assert product is not None and product.numbers is not None and tiling is not None
    constant = replace(product, numbers=replace(product.numbers, weights=expected))
    of_product = build_program(design, constant, tiling, Regions(act=0, residual=0, out=0, constants=program.y_base))
    packed = np.zeros(program.end, dtype=np.uint8)
    put_constants(packed, design, constant, tiling, of_product)
    made = program.steps[:, [VectorField.Y_ADDR, VectorField.Y_WORDS]].tolist()
    for address, n_words in made:
        line = slice(address, address + line_bytes(n_words, design.weight_word_bits, design.dram_burst_bytes))
        assert np.array_equal(image[line], packed[line])
    loaded = of_product.tiles[of_product.tiles[:, TileField.LOAD_WEIGHTS] == 1]
    sizes = dict(loaded[:, [TileField.WEIGHT_ADDR, TileField.WEIGHT_WORDS]].tolist())
    assert sizes == dict(made) if layer.first_token == 0 else dict(made).items() <= sizes.items()


@settings(max_examples=60)
@given(SEEDS)
def test_parts_of_stored_tensors(seed: int) -> None:
    """x and y as images, channels and lines out of the middle of larger tensors; what lies around y stays."""
    design, layer, x, z, _, _ = next(
        case for case in map(random_case, range(seed, seed + 1000)) if case[1].kind not in ("gather", "to_weights")
    )
    rows, numbers = design.array_rows, layer.numbers
    assert numbers is not None
    blocks = -(-layer.channels // rows)
    place = Place(
        n_images=layer.n_images + 2, channels=(blocks + 2) * rows, lines=layer.in_h + 3, image=1, channel=rows, line=2
    )
    layer = replace(layer, in_place=place, out_place=place)
    around = (slice(1, 1 + layer.n_images), slice(rows, rows + layer.channels), slice(2, 2 + layer.in_h))
    whole = np.full((place.n_images, place.channels, place.lines, layer.in_w), numbers.x_high, dtype=np.int64)
    whole[around] = x
    program = build_vector_program(design, layer)
    image = np.zeros(program.end, dtype=np.uint8)
    put_bytes(image, program.x_base, pack_activations(design, whole, numbers.x_zero, layer.in_bits))
    if z is not None:
        put_bytes(image, program.z_base, pack_activations(design, z, numbers.z_zero, layer.z_bits))
    put_vector_constants(image, design, layer, program)
    VectorMachine(design, program, image).run()
    found = unpack_activations(
        design, image[program.y_base :], whole.shape, numbers.out_low < 0, layer.out_bits
    )
    assert np.array_equal(found[around], run_vector_layer(layer, x, z, vector_arithmetic(design)))
    blocks_of_y = (around[0], slice(rows, (blocks + 1) * rows), around[2])
    found[blocks_of_y] = 0  # unused lanes of its last block hold the zero point
    assert not found.any()


def test_a_cache_remakes_the_tiles_of_new_tokens() -> None:
    """Tiles of 4 tokens; tokens 0 to 5 lie there: the second tile (4 to 7) and the third (8 to 10) are made."""
    design = Design(array_rows=4, array_cols=4, vector_lanes=4)
    layer = VectorLayer(
        name="keys", kind="to_weights", role="keys", in_h=3, in_w=4, channels=8, n_tokens=11, product="scores",
        first_token=6,
    )  # fmt: skip
    product = matrix_product("scores", 1, 8, 11)
    tiling = Tiling(rows=1, blocks=2, channels=4)
    program = build_vector_program(design, layer, product=product, tiling=tiling)
    assert program.steps[:, VectorField.N_TOKENS].tolist() == [4, 3]
    assert program.steps[:, VectorField.FIRST_TOKEN].tolist() == [4, 8]


@pytest.mark.parametrize(
    ("design", "layer", "said"),
    [
        ({"vector_lanes": 0}, {}, "vector_lanes: wanted a vector unit for softmax, got 0 lanes"),
        ({"vector_words": 31}, {}, "vector_words: wanted at least 32 for one step, got 31"),
        ({"vector_rows": 7}, {}, "vector_rows: wanted at least 8 for one step, got 7"),
        ({"vector_param_words": 15}, {"kind": "layer_norm"}, "vector_param_words: wanted at least 16"),
        ({}, {"kind": "to_weights", "product": "scores"}, "wanted the product 'scores' that reads its weights"),
    ],
)
def test_what_does_not_fit_is_refused(design: dict[str, Any], layer: dict[str, Any], said: str) -> None:
    machine = Design(array_rows=4, array_cols=4, **({"vector_lanes": 1} | design))
    of_layer = VectorLayer(name="layer", in_h=2, in_w=8, channels=16, **({"kind": "softmax"} | layer))
    with pytest.raises(InputError, match=said):
        build_vector_program(machine, of_layer)
