"""OPTIMUS (MLSys 2020): what skipping, the format and overlap each earn on a pruned translation model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.stats import lognorm

from designs.families.sparse import Design
from designs.technology import load_technology
from explore.reproduce import Progress, Quantity, Table
from sim import cost
from sim.families import sparse
from workloads.builders.shapes import network_macs
from workloads.builders.transformers import TRANSFORMER_BASE, translate
from workloads.kinds.matrices import Matrices
from workloads.sparse.transformer import PrunedTransformer, pruned_transformer, runs

TITLE = "OPTIMUS: from a dense decoder to SA-RCSC, step by step"
SUMMARY = (
    "Transformer-base, 77 % of the weights pruned, sentences of WMT-like lengths; the same lanes, clock and memories "
    "in each step, nothing fitted. The public record has the ratios over a baseline in hardware, and neither the "
    "number of multipliers, the memories, the clock, the pruning rate nor what the baseline does; the format's rule is "
    "our reconstruction."
)

SPARSITY = 0.77
LANES = (256, 1024)
# Lengths of source and target: log-normal, our stand-in for WMT's; quantiles, equally likely.
MEDIAN_TOKENS, SPREAD, N_LENGTHS = 24, 0.5, 16

_SOURCE = "OPTIMUS, MLSys 2020"
_ABSTRACT = "in the abstract"
_PUBLISHED = (("latency", 16.01), ("throughput", 19.00), ("energy", 19.01))


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One step of the ladder."""

    name: str
    sparse: bool = True
    skipping: bool = True
    sets: int = 0  # 0: one for each lane
    sort_rows: bool = True
    overlap: bool = False

    def design(self, n_macs: int) -> Design:
        """The machine: 16 bytes of activations a cycle, weights in the lanes, results in dealt order."""
        return Design(
            n_macs=n_macs, n_sets=self.sets or n_macs, sort_rows=self.sort_rows, double_buffered=self.overlap,
            window=64, accumulators=64, lane_entries=16384, act_words=2048, weights="resident", output_order="folded",
            acc_bits=24, dram_latency_cycles=1, clock_mhz=200, node_nm=28,
        )  # fmt: skip


LADDER = (
    Rung(name="dense", sparse=False, skipping=False, sort_rows=False),
    Rung(name="CSC", skipping=False, sort_rows=False),
    Rung(name="+ skipping", sort_rows=False),
    Rung(name="RCSC"),
    Rung(name="SA-RCSC, 32 sets", sets=32),
    Rung(name="+ load beside multiply", sets=32, overlap=True),
)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One sentence, on average over the lengths."""

    cycles: float
    energy_nj: float
    utilization: float  # of the lanes, while they multiply


def reproduce(progress: Progress | None = None) -> Table:
    """Cycles of every rung, the ratio of each step, and the whole beside the published ratios."""
    rows: list[Quantity] = []
    n_steps = len(LANES) * len(LADDER)
    for n_macs in LANES:
        found: list[Cost] = []
        for rung in LADDER:
            if progress:
                progress(f"{rung.name}, {n_macs} lanes", len(found) + LANES.index(n_macs) * len(LADDER), n_steps)
            found.append(measure(rung, n_macs))
        rows += _ladder_rows(n_macs, found)
    if progress:
        progress("ladder", n_steps, n_steps)
    return Table(rows=tuple(rows), remarks=_remarks())


def sentence_lengths() -> tuple[int, ...]:
    """Tokens of equally likely sentences; source and target have the same."""
    quantiles = (np.arange(N_LENGTHS) + 0.5) / N_LENGTHS
    return tuple(int(n) for n in np.rint(lognorm.ppf(quantiles, SPREAD, scale=MEDIAN_TOKENS)))


def measure(rung: Rung, n_macs: int) -> Cost:
    """What a rung costs: runs of equal matrices and equally many vectors are simulated once and counted."""
    design, pruned = rung.design(n_macs), _pruned(SPARSITY if rung.sparse else 0.0)
    layers = []
    for (stack, role), layer in pruned.layers.items():
        counted: Counter[int] = Counter()
        for n_tokens in sentence_lengths():
            for n_vectors, n_runs in runs(stack, role, n_tokens, n_tokens, skipping=rung.skipping):
                counted[n_vectors] += n_runs
        layers += [
            replace(layer, n_vectors=n_vectors, repeat=layer.repeat * n_runs)
            for n_vectors, n_runs in sorted(counted.items())
        ]
    workload = Matrices(name=rung.name, digest="", layers=tuple(layers))
    (run,) = sparse.simulate([design], workload)
    if run.failure is not None:
        raise RuntimeError(f"{rung.name}: {run.failure}")
    latency_ns = run.cycles * 1000 / design.clock_mhz
    parts = cost.energy_pj(sparse.inventory(design), run.activity, latency_ns, load_technology(design.node_nm))
    return Cost(
        cycles=run.cycles / N_LENGTHS, energy_nj=sum(parts.values()) / 1000 / N_LENGTHS,
        utilization=run.figures["multiply_utilization"],
    )  # fmt: skip


@cache
def _pruned(sparsity: float) -> PrunedTransformer:
    return pruned_transformer(TRANSFORMER_BASE, sparsity)


def _ladder_rows(n_macs: int, found: list[Cost]) -> Iterator[Quantity]:
    def row(quantity: str, unit: str, ours: float, published: float | None = None, because: str = "") -> Quantity:
        return Quantity(
            quantity=f"{n_macs} lanes: {quantity}", unit=unit, published=published,
            certainty=_ABSTRACT if published else "", source=_SOURCE if published else "", ours=ours,
            differs_because=because,
        )  # fmt: skip

    for index, (rung, one) in enumerate(zip(LADDER, found, strict=True)):
        yield row(f"{rung.name}: cycles a sentence", "kcycles", one.cycles / 1000)
        yield row(f"{rung.name}: lanes in use while multiplying", "%", 100 * one.utilization)
        if index:
            yield row(f"{rung.name}: faster than the step before", "x", found[index - 1].cycles / one.cycles)
    skipping = found[1].cycles / found[2].cycles
    lanes = found[2].cycles / found[-1].cycles
    unknown = "the record tells neither these nor what the baseline does"
    because = {
        "latency": f"Of ours skipping earns {skipping:.1f}, which grows with the sentences, and the format with "
        f"overlap {lanes:.2f}, which grows with the lanes: {unknown}.",
        "throughput": f"Sentences run one after the other here, so throughput is 1 / latency ({skipping:.1f} x "
        f"{lanes:.2f}); the published two differ, so that several sentences may run at a time there.",
        "energy": "Published energy follows throughput (19.01 and 19.00), as if an idle lane drew as much power as a "
        "busy one; here a lane that waits costs its leakage only, so that energy falls with the multiplications, which "
        "only skipping makes fewer, and with leakage.",
    }
    of_dense = "The whole ladder, for comparison: nothing says that the published baseline multiplies zeros."
    from_csc = {
        "latency": found[1].cycles / found[-1].cycles,
        "throughput": found[1].cycles / found[-1].cycles,
        "energy": found[1].energy_nj / found[-1].energy_nj,
    }
    for name, published in _PUBLISHED:
        yield row(f"{name}, all steps after CSC without skipping", "x", from_csc[name], published, because[name])
    yield row("latency, all steps after dense", "x", found[0].cycles / found[-1].cycles, 16.01, of_dense)


def _remarks() -> tuple[str, ...]:
    lengths = sentence_lengths()
    share = _attention_share(27)
    return (
        f"Lengths: {N_LENGTHS} equally likely sentences of {min(lengths)} to {max(lengths)} tokens, "
        f"{np.mean(lengths):.1f} on average, source and target alike: our stand-in for WMT's distribution.",
        "Weights are random (no pruned translation model is public), rows and columns of different scale, pruned by "
        "magnitude; they lie in the lanes' memories (the abstract: no DRAM access for what is local). "
        "`designs/optimus.yaml` also streams them.",
        "Dense: zeros are stored and multiplied like all weights, on the same lanes. A row of a matrix belongs to one "
        "lane up to RCSC, and most matrices have 512 rows: with 1024 lanes half of them have nothing to do, which is "
        "what SA-RCSC mends.",
        f"Products of two activations in attention are left out in all steps: {100 * share:.1f} % of the "
        "multiplications at 27 tokens with skipping.",
        "The published ratios imply a power ratio of 1.0005 between baseline and design: the same array at the same "
        "clock (an inference, not a statement of the paper).",
    )


def _attention_share(n_tokens: int) -> float:
    """Multiplications by activations of all but the logits, with skipping."""
    jobs = [job for job in translate(TRANSFORMER_BASE, n_tokens, n_tokens) if not job.name.endswith("logits")]
    mixed = [job for job in jobs if job.name.endswith(("_scores", "_mix"))]
    return network_macs(mixed) / network_macs(jobs)
