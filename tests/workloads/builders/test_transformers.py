"""Transformers against published totals (facts: workloads.md, section 6) and the formulas of skipping."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designs.errors import InputError
from workloads.builders import network_macs
from workloads.builders import transformers as t
from workloads.builders.transformer_blocks import expert_loads, largest_share, network_parameters, token_lines
from workloads.layer import Layer
from workloads.load import load_workload
from workloads.vector_layer import Job, VectorLayer

MACS = [
    ("minilm", 1_434_451_968),
    ("bert_base", 11_173_625_856),  # published as 11,174 M
    ("bert_base:encode=384", 35_332_816_896),
    ("gpt2_small:score=1024", 145_824_153_600),
    ("gpt2_small:decode=1024", 142_406_400),
    ("gpt2_small:decode=128", 125_891_328),
    ("transformer_base:encode=128", 2_516_582_400),
    ("transformer_base:decode=128", 42_536_960),
    ("transformer_xl", 8_245_920_000),
    ("transformer_xl_moe", 22_548_578_304 + 201_326_592 + 12_884_901_888),  # attention, gates, experts
]
# (n = m, encoder GMAC, decoder naive, decoder cached), transformer_sparse.md 1.3: no logits
SKIPPING = [
    (10, 0.189, 1.531, 0.253),
    (20, 0.380, 5.926, 0.507),
    (27, 0.514, 10.722, 0.686),
    (30, 0.572, 13.214, 0.763),
    (50, 0.959, 36.595, 1.281),
]


def jobs_of(name: str) -> tuple[Job, ...]:
    jobs = t.build(name)
    assert jobs is not None
    return jobs


@pytest.mark.parametrize(("name", "macs"), MACS)
def test_published_macs(name: str, macs: int) -> None:
    assert network_macs(jobs_of(name)) == macs


@pytest.mark.parametrize(
    ("name", "parameters", "others"),
    [
        ("minilm", 22_713_216, 384 * 385),  # the pooler
        ("bert_base", 109_482_240, 768 * 769),  # the pooler
        ("gpt2_small:score=8", 124_439_808, -(768 + 1) * 50_257),  # logits share the vocabulary's table, without bias
        ("transformer_xl", 41_066_400, -16 * 5 * 410),  # attention has no biases
    ],
)
def test_published_parameters(name: str, parameters: int, others: int) -> None:
    assert network_parameters(jobs_of(name)) + others == parameters


@pytest.mark.parametrize(("n", "encoder", "naive", "cached"), SKIPPING)
def test_skipping_against_the_table_and_the_formula(n: int, encoder: float, naive: float, cached: float) -> None:
    d, f, layers = 512, 2048, 6
    by_formula = {
        False: sum(layers * (6 * d * d + 2 * d * f + 2 * s * d + 2 * n * d) for s in range(1, n + 1))
        + layers * 2 * n * d * d,
        True: sum(
            layers * (s * (6 * d * d + 2 * d * f) + 2 * n * d * d + 2 * s * s * d + 2 * s * n * d)
            for s in range(1, n + 1)
        ),
    }
    encoding = network_macs(t.encode(t.TRANSFORMER_BASE, n))
    assert round(encoding / 1e9, 3) == encoder
    for is_naive, published in ((True, naive), (False, cached)):
        jobs = t.translate(t.TRANSFORMER_BASE, n, n, naive=is_naive)
        without_logits = [job for job in jobs if not job.name.endswith("logits")]
        decoder = network_macs(without_logits) - encoding
        assert decoder == by_formula[is_naive]
        assert abs(decoder / 1e9 - published) < 6e-4


def test_cache_bytes() -> None:
    assert t.kv_cache_bytes(t.GPT2_SMALL, 1, 8) == 18_432
    assert t.kv_cache_bytes(t.TRANSFORMER_BASE, 64, 16, n_source=64) == 3 * 2**19  # 1.5 MiB


@pytest.mark.parametrize(
    "name", [*t.names(), "gpt2_small:generate=16+4:batch=2:beam=3", "transformer_base:translate=5x3:beam=4"]
)
def test_products_and_their_weights_find_each_other(name: str) -> None:
    jobs = jobs_of(name)
    products = {job.name: job for job in jobs if isinstance(job, Layer)}
    makers = [job for job in jobs if isinstance(job, VectorLayer) and job.kind == "to_weights"]
    assert len({job.name for job in jobs}) == len(jobs)
    for maker in makers:
        product = products[maker.product]
        sizes = (maker.channels, maker.n_tokens) if maker.role == "keys" else (maker.n_tokens, maker.channels)
        assert (product.in_channels, product.out_channels) == sizes
        assert 0 <= maker.in_h * maker.in_w - maker.n_tokens < 16
    assert {p.weights_from for p in products.values()} - {""} <= {maker.output for maker in makers}
    assert load_workload(name).name == name


def test_batch_and_beam() -> None:
    alone, batch = network_macs(jobs_of("gpt2_small:decode=64")), network_macs(jobs_of("gpt2_small:decode=64:batch=4"))
    assert batch == 4 * alone
    beams = jobs_of("transformer_base:decode=9:beam=4")
    by_name = {job.name: job for job in beams}
    own, cross = by_name["decode.9.self_scores"], by_name["decode.9.cross_scores"]
    assert isinstance(own, Layer) and isinstance(cross, Layer)
    assert (own.in_h * own.in_w, own.repeat) == (1, 6 * 4 * 8)  # each hypothesis has keys of its own
    assert (cross.in_h * cross.in_w, cross.repeat) == (4, 6 * 8)  # and all share the source's


@given(st.integers(1, 200))
def test_lines_hold_the_tokens(n_tokens: int) -> None:
    lines, pixels = token_lines(n_tokens)
    assert n_tokens <= lines * pixels < n_tokens + 16
    assert n_tokens > 64 or lines * pixels == n_tokens


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12), st.floats(0, 3))
def test_expert_loads(n_tokens: int, n_experts: int, top_k: int, skew: float) -> None:
    top_k = min(top_k, n_experts)
    loads = expert_loads(n_tokens, n_experts, top_k, skew)
    assert sum(loads) == n_tokens * top_k and len(loads) == n_experts
    assert 0 <= min(loads) and max(loads) <= n_tokens
    assert list(loads) == sorted(loads, reverse=True)


def test_experts_by_hand() -> None:
    assert expert_loads(8, 4, 1) == (2, 2, 2, 2)
    assert expert_loads(6, 3, 1, 1.0) == (3, 2, 1)  # 6/11, 3/11 and 2/11 of 6: 3.27, 1.64, 1.09
    assert largest_share((3, 2, 1)) == 1.5
    balanced = network_macs(jobs_of("planer:m:segment=64+0"))
    dense = network_macs(jobs_of("planer:f:segment=64+0"))
    assert balanced == 2 * dense + 64 * 512 * 8  # two experts a token, and the gate


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bert_base:decode=3", "wanted encode=128, got 'decode=3'"),
        ("gpt2_small:generate=3", "wanted generate=128+32, got 'generate=3'"),
        ("gpt2_small:decode=0", "decode: wanted 1 to 16384 tokens, got 0"),
        ("gpt2_small:decode=4:bach=2", "wanted batch=1 to 4096 or beam=1 to 4096, got 'bach=2'"),
        ("planer:a3+f", "wanted blocks a1, a2, a4, a8, f, m or s with + between, got 'a3'"),
        ("planer:s+s", "wanted a block that is not skipped, got 's+s'"),
        ("planer", "wanted blocks a1, a2, a4, a8, f, m or s with + between, got ''"),
        ("planer:m:segment=0+4", "segment: wanted 1 to 16384 tokens after 0 or more, got 0+4"),
        ("gpt2_small:decode=4:batch=4097", "wanted batch=1 to 4096 or beam=1 to 4096, got 'batch=4097'"),
        ("gpt2_small:decode=4:batch=2:batch=3", "wanted batch once, got it twice; leave one out"),
        ("transformer_xl:segment=4+4:skew=x", "wanted batch=1 to 4096 or skew=0 to 9999, got 'skew=x'"),
        ("gpt2_small:generate=4+5000", "5000: generate: wanted at most 4096 new tokens, got 5000; generate fewer"),
        ("transformer_base:translate_naive=4x513", "translate_naive: wanted at most 512 target tokens, got 513"),
    ],
)
def test_bad_names(name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        t.build(name)
    assert message in str(caught.value) and "\n" not in str(caught.value)
