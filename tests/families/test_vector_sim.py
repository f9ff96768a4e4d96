"""The simulator of the vector unit: a case by hand, the cycle-by-cycle twin, networks of both kinds of layers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.families.tensor import Design
from sim.families import tensor
from sim.run import Run
from sim.vector_layers import run_vector_program
from tests.families.vector_twin import difference
from workloads.builders.shapes import matrix_product
from workloads.layer import Layer, Place
from workloads.mapping.tensor import Tiling
from workloads.mapping.vector import build_vector_program
from workloads.vector_layer import Job, VectorLayer

SEEDS = st.integers(0, 2**32 - 1)
DESIGN = Design(
    array_rows=4, array_cols=4, vector_lanes=2, vector_stages=3, vector_divider_bits=16, dram_bytes_per_cycle=4,
    dram_burst_bytes=4, dram_latency_cycles=5,
)  # fmt: skip
SOFTMAX = VectorLayer(name="softmax", kind="softmax", in_h=1, in_w=2, channels=6)


@settings(max_examples=150)
@given(SEEDS)
def test_closed_form_equals_the_twin(seed: int) -> None:
    assert difference(seed) is None


def test_softmax_by_hand() -> None:
    """Two lines of two words: 5 + 4 cycles. Three passes over 2 x 2 x 2 items, a division of 33 bits in three cycles."""
    run = run_vector_program(DESIGN, build_vector_program(DESIGN, SOFTMAX), SOFTMAX)
    a_pass, divisions = 8 + 3 + 2, 2 * (3 + 2)
    assert run.phases == {
        "start": 1, "vector_load": 5 + 4, "vector_compute": 3 * a_pass + divisions, "vector_store": 1 + 4,
    }  # fmt: skip
    assert run.cycles == 1 + 9 + 49 + 5
    counted = {key: count for key, count in run.activity.items() if count}
    assert counted == {
        "vector_ops": 48, "vector_row_ops": 2, "vector_reads": 24, "vector_writes": 8, "vector_loads": 4,
        "vector_stores": 4, "dram_read_bytes": 16, "dram_write_bytes": 16, "dram_requests": 4,
    }  # fmt: skip
    assert run.roofline_cycles == 3 * 12 // 2


def attention(
    n_tokens: int, *, n_heads: int = 2, head: int = 8, first_token: int = 0, cached: bool = False
) -> tuple[Job, ...]:
    """Shapes of attention over a matrix of tokens: scores, softmax and values of one head, as often as there are heads."""
    lines = -(-n_tokens // 4)
    n_new = n_tokens - first_token
    product = matrix_product("scores", n_new, head, n_tokens, repeat=n_heads)
    source = VectorLayer(
        name="keys", kind="to_weights", role="keys", product="scores", in_h=lines, in_w=4, channels=head,
        n_tokens=n_tokens, first_token=first_token, cached=cached, repeat=n_heads,
    )  # fmt: skip
    softmax = VectorLayer(
        name="softmax", kind="softmax", n_images=n_heads, in_h=product.out_h, in_w=product.out_w, channels=n_tokens
    )
    values = replace(source, name="values", role="values", product="context")
    context = matrix_product("context", n_new, n_tokens, head, repeat=n_heads)
    return source, product, softmax, values, context


@pytest.mark.parametrize("dataflow", ["weight_stationary", "input_stationary", "output_stationary"])
def test_a_network_is_the_sum_of_its_jobs(dataflow: str) -> None:
    design = replace(DESIGN, dataflow=dataflow)  # type: ignore[arg-type]
    layers = attention(11)
    (run,) = tensor.simulate_layers([design], layers)
    assert run.failure is None
    assert run.cycles == sum(layer.cycles * layer.repeat for layer in run.layers) == sum(run.phases.values())
    assert all(layer.activity.keys() == run.activity.keys() for layer in run.layers)
    for index, layer in enumerate(layers):
        found = run.layers[index]
        assert found.roofline_cycles <= found.cycles
        if isinstance(layer, Layer):
            assert found.cycles == tensor.simulate_layers([design], [layer], [found.tiling])[0].layers[0].cycles
        else:
            product = next((i for i, job in enumerate(layers) if job.name == layer.product), None)
            of_product = None if product is None else layers[product]
            tiling = None if product is None else run.layers[product].tiling
            assert not isinstance(of_product, VectorLayer)
            program = build_vector_program(design, layer, product=of_product, tiling=tiling)
            assert found.cycles == run_vector_program(design, program).cycles


def test_the_tiling_of_a_product_leaves_room_for_its_weights() -> None:
    """32 keys of 8 channels may lie in nine lines of four pixels; 15 words hold the three lines of eight keys."""
    design = replace(DESIGN, array_rows=8, array_cols=8, dram_latency_cycles=200)
    layers = attention(64)[:2]
    of_small, of_large = tensor.simulate_layers([replace(design, vector_words=15), design], layers)
    assert of_small.failure is None and of_large.failure is None
    assert (of_small.layers[1].tiling.channels, of_large.layers[1].tiling.channels) == (8, 32)


def test_the_tiling_of_a_product_is_best_for_both() -> None:
    """Alone the product would rather have 16 keys a tile: loads overlap. Making 32 a line costs fewer latencies."""
    design = replace(DESIGN, array_rows=8, array_cols=8, dram_latency_cycles=200)
    layers = attention(64)[:2]
    (run,) = tensor.simulate_layers([design], layers)
    assert tensor.simulate_layers([design], layers[1:])[0].layers[0].tiling.channels == 16
    pinned = [
        tensor.simulate_layers([design], layers, [None, Tiling(rows=rows, blocks=1, channels=channels, order=order)])[0]
        for rows in (1, 8, 16)
        for channels in (8, 16, 24, 32, 40, 48, 56, 64)
        for order in ("rows_outer", "channels_outer")
    ]
    assert run.cycles == min(found.cycles for found in pinned if found.failure is None)


def test_a_cached_product_has_whole_groups_of_tokens() -> None:
    design = replace(DESIGN, array_rows=8, array_cols=8)
    (run,) = tensor.simulate_layers([design], attention(150, head=16, first_token=149, cached=True))
    assert run.failure is None
    keys, values = run.layers[1].tiling, run.layers[4].tiling
    assert (keys.channels, keys.blocks) == (64, 2)
    assert (values.blocks, values.channels) == (8, 16)
    assert run.layers[0].activity["vector_moves"] == 2 * 24  # tokens 128 to 149, in groups of 8; 2 blocks
    assert run.layers[3].activity["vector_moves"] == 2 * 24


def failure(design: Design, *layers: Job) -> str:
    (run,) = tensor.simulate_layers([design], layers)
    assert run.failure is not None and run == Run(failure=run.failure)
    return run.failure


def test_what_does_not_fit_is_said() -> None:
    layers = attention(11)
    assert "vector_lanes: wanted a vector unit" in failure(replace(DESIGN, vector_lanes=0), *layers)
    assert "wanted the product 'scores'" in failure(DESIGN, layers[0])
    assert "array_cols: wanted array_rows (4)" in failure(replace(DESIGN, array_cols=8), *layers)
    assert "weight_bits: wanted at least 2" in failure(replace(DESIGN, weight_bits=1), *layers)
    assert "vector_words: wanted at least" in failure(replace(DESIGN, vector_words=4), *layers)
    assert "vector_rows: wanted at least 2" in failure(replace(DESIGN, vector_rows=1), SOFTMAX)
    odd = replace(layers[1], in_place=Place(n_images=1, channels=16, channel=6))
    assert "array_rows: wanted a divisor of 6" in failure(DESIGN, layers[0], odd)
    cached = attention(150, first_token=149, cached=True)
    assert "array_rows: wanted room for 16 words of a tile" in failure(DESIGN, *cached)
    larger = replace(DESIGN, array_rows=8, array_cols=8, vector_words=60)
    assert "vector_words: wanted at least 68 for the weights of scores, got 60" in failure(larger, *cached)


def test_a_pinned_tiling_of_a_product_is_kept() -> None:
    layers = attention(11)
    pinned = Tiling(rows=1, blocks=1, channels=4)
    (run,) = tensor.simulate_layers([DESIGN], layers[:2], [None, pinned])
    assert run.layers[1].tiling == pinned
    assert run.layers[0].activity["dram_requests"] == 6 * (1 + 1)  # 3 tiles of tokens, 2 blocks: a line in, a line out


def test_timeline_of_a_vector_layer_is_its_phases() -> None:
    layer = replace(SOFTMAX, in_h=5)
    design = replace(DESIGN, vector_rows=4)
    events = tensor.timeline(design, layer)
    (run,) = tensor.simulate_layers([design], [layer])
    for name in ("load", "compute", "store"):
        spans = [e["end_cycle"] - e["start_cycle"] for e in events if e["name"].startswith(name)]
        assert sum(spans) == run.phases[f"vector_{name}"] and len(spans) == 3
    assert max(event["end_cycle"] for event in events) == run.cycles
