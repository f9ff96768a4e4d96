"""Skipping redundant computation in a decoder: multiplications against the formula, cycles of a simulated machine."""

from __future__ import annotations

from collections.abc import Iterator

from designs.families.tensor import Design
from explore.reproduce import Progress, Quantity, Table
from sim.families import tensor
from workloads.builders.shapes import network_macs
from workloads.builders.transformers import TRANSFORMER_BASE, encode, kv_cache_bytes, translate
from workloads.kinds.network import network_of
from workloads.vector_layer import Job

TITLE = "Skipping redundant computation in the decoder of Transformer-base"
SUMMARY = (
    "Translating n tokens into n with a KV cache and without: multiplications of our jobs beside the closed formula, "
    "and cycles of a tensor machine with a vector unit. That OPTIMUS' skipping is this is our reconstruction; the "
    "arithmetic is exact."
)

# n: encoder, decoder naive, decoder cached, in 10^9 multiplications without embedding and logits
TOTALS = {
    10: (0.189, 1.531, 0.253),
    20: (0.380, 5.926, 0.507),
    27: (0.514, 10.722, 0.686),
    30: (0.572, 13.214, 0.763),
    50: (0.959, 36.595, 1.281),
}
_FORMULA = (
    "closed formula, per layer and step: t (6 d^2 + 2 d f) + 2 n d^2 + 2 t^2 d + 2 t n d; "
    "cached 6 d^2 + 2 d f + 2 (t + n) d"
)
_ROUNDED = "The totals are given in millions."

DESIGN = Design(
    array_rows=32, array_cols=32, vector_lanes=16, wide_bits=16, vector_words=4096, vector_param_words=1024,
    act_scratchpad_bytes=1 << 17, weight_scratchpad_bytes=1 << 17, acc_scratchpad_bytes=1 << 17,
    dram_bytes_per_cycle=64, dram_burst_bytes=64,
)  # fmt: skip


def reproduce(progress: Progress | None = None) -> Table:
    """Multiplications, their ratio, cycles and theirs, for each length."""
    rows: list[Quantity] = []
    for done, n_tokens in enumerate(TOTALS):
        if progress:
            progress(f"{n_tokens} tokens", done, len(TOTALS))
        rows += _rows(n_tokens)
    if progress:
        progress("done", len(TOTALS), len(TOTALS))
    rows.append(
        Quantity(
            quantity="KV cache of 64 positions and 64 of the source, 16 bits", unit="bytes", published=3 * 2**19,
            certainty="arithmetic", source="2 x 6 layers x (64 + 64) x 512 x 2 bytes",
            ours=kv_cache_bytes(TRANSFORMER_BASE, 64, 16, n_source=64),
        )
    )  # fmt: skip
    return Table(
        rows=tuple(rows),
        remarks=(
            f"Cycles: {DESIGN.array_rows} x {DESIGN.array_cols} array, {DESIGN.vector_lanes} vector lanes, "
            f"{DESIGN.dram_bytes_per_cycle} bytes of DRAM a cycle; whole translations, embedding, softmax, norms and "
            "logits among them. They shrink less than multiplications: a step of one token still brings all weights "
            "into the array, for one row of activations.",
        ),
    )


def macs(n_tokens: int, *, naive: bool) -> tuple[int, int]:
    """(encoder, decoder) multiplications of products, logits left out."""
    encoder = network_macs(encode(TRANSFORMER_BASE, n_tokens))
    return encoder, network_macs(_without_logits(_jobs(n_tokens, naive))) - encoder


def cycles(n_tokens: int, *, naive: bool) -> int:
    """Cycles of a whole translation on DESIGN."""
    (run,) = tensor.simulate([DESIGN], network_of(_jobs(n_tokens, naive), f"translate {n_tokens}"))
    if run.failure is not None:
        raise RuntimeError(run.failure)
    return run.cycles


def _jobs(n_tokens: int, naive: bool) -> tuple[Job, ...]:
    return translate(TRANSFORMER_BASE, n_tokens, n_tokens, naive=naive)


def _without_logits(jobs: tuple[Job, ...]) -> list[Job]:
    return [job for job in jobs if not job.name.endswith("logits")]


def _rows(n_tokens: int) -> Iterator[Quantity]:
    encoder, naive = macs(n_tokens, naive=True)
    _, cached = macs(n_tokens, naive=False)
    for what, ours, published in zip(
        ("encoder", "decoder, all positions anew", "decoder, cached"), (encoder, naive, cached), TOTALS[n_tokens],
        strict=True,
    ):  # fmt: skip
        yield _counted(n_tokens, f"{what}: multiplications", "10^9", ours / 1e9, published)
    by_table = (TOTALS[n_tokens][0] + TOTALS[n_tokens][1]) / (TOTALS[n_tokens][0] + TOTALS[n_tokens][2])
    ratio = (encoder + naive) / (encoder + cached)
    yield _counted(n_tokens, "fewer multiplications, whole model", "x", ratio, by_table)
    naive_cycles, cached_cycles = cycles(n_tokens, naive=True), cycles(n_tokens, naive=False)
    for what, found, unit in (
        ("all positions anew: cycles", naive_cycles / 1e6, "10^6"), ("cached: cycles", cached_cycles / 1e6, "10^6"),
        ("fewer cycles", naive_cycles / cached_cycles, "x"),
    ):  # fmt: skip
        yield Quantity(
            quantity=f"{n_tokens} tokens, {what}", unit=unit, published=None, certainty="", source="", ours=found
        )


def _counted(n_tokens: int, what: str, unit: str, ours: float, published: float) -> Quantity:
    return Quantity(
        quantity=f"{n_tokens} tokens, {what}", unit=unit, published=published, certainty="arithmetic", source=_FORMULA,
        ours=ours, differs_because="" if round(ours, 3) == round(published, 3) else _ROUNDED,
    )  # fmt: skip
