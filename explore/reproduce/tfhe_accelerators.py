"""Published bootstrapping accelerators: bootstraps a second and latency, beside machines of ours in their manner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from designs.families.fhe import Design
from designs.space import load_space
from explore.reproduce import Progress, Quantity, Table
from sim.families import fhe
from sim.parts.fhe_rotation import length, shape_of
from workloads.circuits.named import independent_nands

TITLE = "TFHE accelerators: Strix, Morphling, FPT, HPU, MATCHA"
SUMMARY = (
    "Each in the manner of its publication (designs/*_like.yaml): as many coefficients a cycle, ciphertexts side by "
    "side and bytes of key a second, on our machine of exact transforms. Throughput is the steady one of independent "
    "gates. How wide Morphling and FPT are was inferred from these very figures. Papers were not read again: what is "
    "recalled or inferred says so."
)

RECALLED, INFERRED = "recalled", "recalled; parallelism inferred"
N_BATCHES = (24, 72)  # their difference is steady: filling and draining are in both

_MORE_BATCH = "A deeper pipeline needs more ciphertexts to fill: steps of one ciphertext wait for each other."
_SAME = (
    "Both follow from coefficients a cycle; what is left is filling and extraction between our batches (less) or "
    "losses of the published machine (more)."
)
_ALONE = (
    "Ours is the blind rotation of one ciphertext alone; what the published figure holds is not known. Each rank of "
    "our transforms waits for half a polynomial (constant geometry), which no batch hides here; stages of a streaming "
    "FFT wait for less and less."
)
_BATCH = (
    "Ours is a full batch from operands read to results written. Its key switch runs after its rotation, beside that "
    "of the next batch; the HPU's runs beside the rotation. Batches of less than 12 do not fill our pipeline."
)


@dataclass(frozen=True, kw_only=True)
class Published:
    """A row of a publication: the space that stands for the machine, and what of it is other than in the space."""

    machine: str
    space: str
    what: str  # parameter set, batch
    changes: Mapping[str, Any] = field(default_factory=dict)
    per_s: float
    latency_us: float | None = None
    certainty: str
    source: str
    because: str = _SAME
    latency_because: str = _ALONE
    full_batch: bool = False  # what latency is of; else one ciphertext


_STRIX, _MORPHLING, _HPU = "Strix, MICRO 2023", "Morphling, HPCA 2024", "tfhe-rs 1.7 documentation, V80"
_SET_3: dict[str, Any] = {  # key switch and bits of digits are not known: those of the TFHE library's default
    "lwe_dimension": 592, "ring_degree": 2048, "decomposition_levels": 3, "decomposition_base_bits": 7, "ntt_ranks": 11,
}  # fmt: skip
_SET_4: dict[str, Any] = {
    "lwe_dimension": 991, "ring_degree": 16384, "decomposition_levels": 2, "decomposition_base_bits": 10,
    "ntt_ranks": 14,
}  # fmt: skip
# A polynomial is 4 words here: with more than 2 registers in a multiplier, two places of a buffer would hold ranks up.
_FPT_SET: dict[str, Any] = {
    "lwe_dimension": 586, "glwe_dimension": 2, "ring_degree": 512, "key_columns": 3, "ntt_ranks": 9,
    "key_residues_per_cycle": 96, "batch": 20, "multiplier_stages": 2,
}  # fmt: skip

PUBLISHED = (
    Published(machine="Strix", space="strix_like", what="set I (500, 1, 1024, 2)",
              changes={"parameter_set": "tfhe_lib_110"}, per_s=74_696, latency_us=160, certainty=RECALLED,
              source=_STRIX),
    Published(machine="Strix", space="strix_like", what="set II (630, 1, 1024, 3)",
              changes={"parameter_set": "tfhe_lib_128"}, per_s=39_600, latency_us=230, certainty=RECALLED,
              source=_STRIX),
    Published(machine="Strix", space="strix_like", what="set III (592, 1, 2048, 3)",
              changes={"parameter_set": "tfhe_lib_128", **_SET_3}, per_s=21_104, latency_us=440, certainty=RECALLED,
              source=_STRIX),
    Published(machine="Strix", space="strix_like", what="set IV (991, 1, 16384, 2)",
              changes={"parameter_set": "tfhe_lib_128", **_SET_4}, per_s=2_368, latency_us=3_310, certainty=RECALLED,
              source=_STRIX),
    Published(machine="Morphling", space="morphling_like", what="set I",
              changes={"parameter_set": "tfhe_lib_110"}, per_s=147_615, latency_us=110, certainty=INFERRED,
              source=_MORPHLING),
    Published(machine="Morphling", space="morphling_like", what="set II",
              changes={"parameter_set": "tfhe_lib_128"}, per_s=78_692, latency_us=200, certainty=INFERRED,
              source=_MORPHLING),
    Published(machine="Morphling", space="morphling_like", what="set III",
              changes={"parameter_set": "tfhe_lib_128", **_SET_3}, per_s=41_850, latency_us=380, certainty=INFERRED,
              source=_MORPHLING),
    Published(machine="FPT", space="fpt_like", what="(500, 1, 1024, 2)", per_s=25_000, certainty=INFERRED,
              source="FPT, CCS 2023"),
    Published(machine="FPT", space="fpt_like", what="its own set (586, 2, 512)", changes=_FPT_SET, per_s=1e6 / 35,
              certainty="abstract: 35 us; parallelism inferred", source="FPT, CCS 2023"),
    Published(machine="HPU", space="hpu_like", what="batch 12", changes={"batch": 12}, per_s=14_167, latency_us=847,
              certainty="in its documentation", source=_HPU, full_batch=True,
              latency_because=_BATCH),
    Published(machine="HPU", space="hpu_like", what="batch 9", changes={"batch": 9}, per_s=14_150, latency_us=636,
              certainty="in its documentation", source=_HPU, full_batch=True,
              latency_because=_BATCH, because=_MORE_BATCH),
    Published(machine="HPU", space="hpu_like", what="batch 2", changes={"batch": 2}, per_s=3_273, latency_us=611,
              certainty="in its documentation", source=_HPU, full_batch=True,
              latency_because=_BATCH, because=_MORE_BATCH),
    Published(machine="MATCHA", space="matcha_like", what="(500, 1, 1024, 3), gate by gate",
              changes={"batch": 1, "cores": 1}, per_s=10_000, latency_us=200, certainty="recalled; unproven",
              source="MATCHA, DAC 2022",
              because="MATCHA unrolls the key by three, so that it has a third of the steps with more key each, and "
              "works on eight gates; our machine has all steps, one after the other.",
              latency_because="Ours is the blind rotation alone, the key at 672 GB/s for a single gate; MATCHA's eight "
              "gates share 640 GB/s (recalled)."),
)  # fmt: skip


def reproduce(progress: Progress | None) -> Table:
    """Throughput and latency of every row of PUBLISHED."""
    rows: list[Quantity] = []
    for done, published in enumerate(PUBLISHED):
        if progress is not None:
            progress(f"{published.machine}, {published.what}", done, len(PUBLISHED))
        rows.extend(_rows(published))
    if progress is not None:
        progress("done", len(PUBLISHED), len(PUBLISHED))
    return Table(rows=tuple(rows), remarks=_REMARKS)


_REMARKS = (
    "A complex point of a machine with FFTs is two coefficients of our transform; residues of ours have 7 or 8 bytes, "
    "theirs are of floating or fixed point.",
    "The HPU has words of 64 bits and switches keys before it rotates; ours has 32 and switches after. Throughput "
    "depends on neither; its noise does, and is not claimed.",
    "Sets III and IV of Strix and Morphling name no digits and no key switch here: 7 bits (IV: 10) and the TFHE "
    "library's key switch are ours; throughput depends on neither while key switches hide behind rotations.",
    "FPT's own set: two levels are assumed; it computes all at once, so throughput does not depend on them.",
)


def design_of(published: Published) -> Design:
    """The machine in the manner of a published one."""
    space = load_space(published.space)
    return space.design({**space.first_point(), **published.changes})


def steady_per_s(design: Design) -> float:
    """Bootstraps a second while batches of independent gates follow one another."""
    first, second = (fhe.simulate([design], independent_nands(n * design.cores * design.batch))[0] for n in N_BATCHES)
    n_more = second.activity["bootstraps"] - first.activity["bootstraps"]
    return float(n_more * design.clock_mhz * 1e6 / (second.cycles - first.cycles))


def latency_us(design: Design, *, full_batch: bool) -> float:
    """Of a full batch from load to store, or of one ciphertext's blind rotation alone, keys in time."""
    if full_batch:
        return fhe.bootstrap_latency_cycles(design) / design.clock_mhz
    return length(shape_of(design), 1).cycles / design.clock_mhz


def _rows(published: Published) -> Iterator[Quantity]:
    design = design_of(published)
    design.check()
    per_s, name = steady_per_s(design), f"{published.machine}, {published.what}"
    yield Quantity(
        quantity=f"{name}: bootstraps", unit="1/s", published=published.per_s, certainty=published.certainty,
        source=published.source, ours=per_s, differs_because=published.because,
    )  # fmt: skip
    if published.latency_us is not None:
        yield Quantity(
            quantity=f"{name}: latency", unit="us", published=published.latency_us, certainty=published.certainty,
            source=published.source, ours=latency_us(design, full_batch=published.full_batch),
            differs_because=published.latency_because,
        )  # fmt: skip
