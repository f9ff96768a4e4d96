"""PoET-BiN (MLSys 2020): what its formulas determine - LUTs, multiplications, energies - beside our counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from designs.families.lut import Design
from designs.technology import Technology, load_technology
from explore.reproduce import Progress, Quantity, Table
from sim import baselines, cost
from sim.families import lut
from workloads.builders.poetbin import CIFAR10, MNIST, N_CLASSES, SCORE_BITS, SVHN, PoetBin, stand_in
from workloads.classifiers.classifier import Classifier
from workloads.kinds.classification import classification_of
from workloads.mapping.lut import map_netlist
from workloads.netlist import ROLES
from workloads.optimize import optimize

TITLE = "PoET-BiN: classifiers of look-up tables on MNIST, CIFAR-10 and SVHN"
SUMMARY = (
    "Reproduced are LUT counts, multiplications and energies, as far as shapes and formulas determine them. Not "
    "reproducible here: accuracies (they need the data sets and a teacher trained on a GPU), watts and nanoseconds of "
    "the FPGA (they need its vendor's tool). Published numbers marked as recalled were not checked against the paper."
)

CODE = "in the authors' released code"
ABSTRACT = "in the abstract"
RECALLED = "recalled, medium certainty"
UNSURE = "recalled, low certainty"
ESTIMATE = "our estimate from recalled prices"
_RELEASE = "onsabbatical/PoET-BiN, April 2020"
_PAPER = "PoET-BiN, MLSys 2020"

# Horowitz, ISSCC 2014, 45 nm, in pJ: what the literature prices a float network with.
_FP32_MAC_PJ, _SRAM_WORD_PJ, _DRAM_WORD_PJ = 3.7 + 0.9, 5.0, 640.0
_HOROWITZ = "operations x Horowitz, ISSCC 2014"
_N_SAMPLES = 500


@dataclass(frozen=True, kw_only=True)
class Published:
    """What is known of one classifier of the paper; see the certainties where they are used."""

    shape: PoetBin
    nodes: int  # tables of P inputs
    n_macs: int
    luts: int
    period_ns: float
    period_certainty: str
    latency_ns: float
    energy_nj: float
    accuracy: float
    input_toggle_rate: float  # measured on the golden vectors of the released circuit


PUBLISHED = (
    Published(
        shape=MNIST, nodes=3_040, n_macs=303_184, luts=11_899, period_ns=16, period_certainty=CODE,
        latency_ns=9.11, energy_nj=8.2, accuracy=0.9815, input_toggle_rate=0.38,
    ),
    Published(
        shape=SVHN, nodes=2_660, n_macs=1_634_364, luts=2_660, period_ns=10, period_certainty=CODE,
        latency_ns=5.85, energy_nj=4.1, accuracy=0.9513, input_toggle_rate=0.24,
    ),
    Published(
        shape=CIFAR10, nodes=3_760, n_macs=19_202_128, luts=9_650, period_ns=16, period_certainty=UNSURE,
        latency_ns=9.48, energy_nj=5.8, accuracy=0.9264, input_toggle_rate=0.35,
    ),
)  # fmt: skip

_REMARKS = (
    "Circuits are built, mapped and simulated by Lockstep with tables that stand in for the trained ones: random "
    "trees, votes that are threshold functions of random weights, rounded weighted sums as scores.",
    "Measured on the circuits that the authors released (not part of this project): of SVHN's 2,660 LUTs only 944 are "
    "left after exact simplification. In 38 of 60 neurons the first module's weight exceeds the sum of the others, so "
    "that the vote is a wire and the other modules are never read. CIFAR-10 loses 34 % of its tables to duplicates and "
    "dead logic, MNIST less than 1 %.",
)


def reproduce(progress: Progress | None = None) -> Table:
    """The paper's figures for its three data sets, and the claims of its abstract."""
    rows: list[Quantity] = []
    for n_done, one in enumerate(PUBLISHED):
        if progress:
            progress("circuits", n_done, len(PUBLISHED))
        rows += rows_of(one)
    if progress:
        progress("circuits", len(PUBLISHED), len(PUBLISHED))
    return Table(rows=tuple(rows), remarks=_REMARKS)


def rows_of(one: Published) -> Iterator[Quantity]:
    """All about one classifier; the abstract's claims with the largest of them."""
    circuit = stand_in(one.shape, n_samples=_N_SAMPLES, toggle_rate=one.input_toggle_rate)
    energy_nj = fabric_nj(circuit, one.period_ns)
    yield from _lut_rows(one, circuit)
    yield from _teacher_rows(one)
    yield from _circuit_rows(one, energy_nj)
    if one.shape is CIFAR10:
        yield from _claims(one, energy_nj)


def luts_with_wide_muxes(circuit: Classifier) -> int:
    """6-input LUTs where multiplexers behind them join 2 to a table of 7 inputs and 4 to one of 8 (F7, F8)."""
    widths = np.diff(optimize(circuit.netlist).fanin_start)
    return int(np.sum(1 << np.maximum(widths - 6, 0)))


def fabric_nj(circuit: Classifier, period_ns: float) -> float:
    """Energy of a classification in nJ on our fabric of 6-input LUTs, switching of the samples and leakage."""
    design, workload = Design(output="scores"), classification_of(circuit)
    (run,) = lut.simulate([design], workload)
    technology = load_technology(design.node_nm)
    parts = cost.energy_pj(lut.inventory(design, workload), run.activity, run.cycles * period_ns, technology)
    return sum(parts.values()) / run.n_inferences / 1000


def teacher_uj(shape: PoetBin, technology: Technology, weights: baselines.Weights, *, binary: bool = False) -> float:
    """Energy of the teacher's dense layers and of the classes that read their own neurons, in uJ."""
    price = baselines.binary_mlp_pj if binary else baselines.float_mlp_pj
    dense = price(shape.layer_sizes, technology, weights=weights)
    a_class = price((shape.n_neurons // N_CLASSES, 1), technology, weights=weights)
    return (sum(dense.values()) + N_CLASSES * sum(a_class.values())) * 1e-6


def _lut_rows(one: Published, circuit: Classifier) -> Iterator[Quantity]:
    shape, netlist = one.shape, circuit.netlist
    kind, data = f"LUT{shape.tree_inputs}", shape.data
    n_trees, n_votes, n_scores = (int(np.sum(netlist.roles == ROLES.index(r))) for r in ("tree", "mat", "score"))
    nodes = f"{n_trees:,} trees, {n_votes:,} MATs, {n_scores} score bits"
    yield Quantity(
        quantity=f"{data}: {kind} of the circuit ({nodes})", unit="", published=one.nodes, certainty=CODE,
        source=f"shapes of {_RELEASE}", ours=netlist.n_luts,
    )  # fmt: skip
    joined, mapped = luts_with_wide_muxes(circuit), map_netlist(netlist, 6).n_luts
    if shape.tree_inputs <= 6:
        yield Quantity(
            quantity=f"{data}: LUT6", unit="", published=one.luts, certainty=RECALLED, source=_PAPER, ours=mapped
        )
        return
    cause = {
        "MNIST": "Trained tables do not always need all inputs; random ones do.",
        "CIFAR-10": "The trained circuit has over 1,000 identical tables, which our random ones have not.",
    }[data]
    yield Quantity(
        quantity=f"{data}: LUT6, a LUT8 being 4 with F7 and F8 multiplexers", unit="", published=one.luts,
        certainty=RECALLED, source=_PAPER, ours=joined, differs_because=cause,
    )  # fmt: skip
    yield Quantity(
        quantity=f"{data}: LUT6 of our fabric", unit="", published=one.luts, certainty=RECALLED, source=_PAPER,
        ours=mapped, differs_because="Besides, our fabric has no such multiplexers: a random LUT8 takes a fifth LUT6.",
    )  # fmt: skip


def _teacher_rows(one: Published) -> Iterator[Quantity]:
    shape, technology = one.shape, load_technology(45)
    data, n_macs = shape.data, shape.n_macs
    layers = "-".join(map(str, (*shape.layer_sizes, N_CLASSES)))
    yield Quantity(
        quantity=f"{data}: multiplications of the float classifier {layers}", unit="",
        published=one.n_macs, certainty=CODE, source=f"layer sizes of {_RELEASE}", ours=n_macs,
    )  # fmt: skip
    arithmetic = n_macs * (technology.fp32_multiply_pj + technology.fp32_add_pj) * 1e-6
    yield Quantity(
        quantity=f"{data}: float classifier, arithmetic only", unit="uJ", published=one.n_macs * _FP32_MAC_PJ * 1e-6,
        certainty=ESTIMATE, source=_HOROWITZ, ours=arithmetic,
    )  # fmt: skip
    yield Quantity(
        quantity=f"{data}: float classifier, weights in SRAM", unit="uJ",
        published=one.n_macs * (_FP32_MAC_PJ + _SRAM_WORD_PJ) * 1e-6, certainty=ESTIMATE, source=_HOROWITZ,
        ours=teacher_uj(shape, technology, "sram"),
        differs_because="Our table prices a 32-bit read of a 32 KB macro at "
        f"{technology.sram_read_pj.at(32, 32):.2g} pJ instead of {_SRAM_WORD_PJ:.0f}.",
    )  # fmt: skip
    yield Quantity(
        quantity=f"{data}: float classifier, weights in DRAM", unit="uJ",
        published=one.n_macs * (_FP32_MAC_PJ + _DRAM_WORD_PJ) * 1e-6, certainty=ESTIMATE, source=_HOROWITZ,
        ours=teacher_uj(shape, technology, "dram"),
        differs_because=f"Our default is {technology.dram_kind.upper()} at {technology.dram_pj_per_bit:g} pJ a bit "
        f"instead of {_DRAM_WORD_PJ / 32:g}.",
    )  # fmt: skip


def _circuit_rows(one: Published, energy_nj: float) -> Iterator[Quantity]:
    data, shape = one.shape.data, one.shape
    yield Quantity(
        quantity=f"{data}: energy of a classification at {one.period_ns:g} ns", unit="nJ", published=one.energy_nj,
        certainty=UNSURE, source=_power(one), ours=energy_nj,
        differs_because="Published is all power of the FPGA times the clock period; ours is switching (random samples, "
        f"inputs that change at the measured rate {one.input_toggle_rate}) and leakage of the LUTs and registers in "
        "use, without the static, clock and I/O power of the chip.",
    )  # fmt: skip
    yield Quantity(
        quantity=f"{data}: clock", unit="MHz", published=1000 / one.period_ns, certainty=one.period_certainty,
        source=f"constraints of {_RELEASE}" if one.period_certainty == CODE else _PAPER, ours=None,
        differs_because="A design's clock is an input here; place and route for that FPGA needs its vendor's tool.",
    )  # fmt: skip
    yield Quantity(
        quantity=f"{data}: latency", unit="ns", published=one.latency_ns, certainty=UNSURE, source=_PAPER, ours=None,
        differs_because="LUT counts carry over from one FPGA to another, nanoseconds do not.",
    )  # fmt: skip
    yield Quantity(
        quantity=f"{data}: accuracy", unit="%", published=100 * one.accuracy, certainty=RECALLED, source=_PAPER,
        ours=None,
        differs_because="The images and a teacher trained on a GPU are not here; with them: lockstep train "
        f"poetbin_digits -o {data.lower()}.npz -w {data.replace('-', '').lower()}:FOLDER --set rinc_levels=2 "
        f"--set tree_inputs={shape.tree_inputs} --set neurons_per_class={shape.n_neurons // N_CLASSES} "
        f"--set top_modules={shape.top_modules} --set score_bits={SCORE_BITS}",
    )  # fmt: skip


def _power(one: Published) -> str:
    return f"{_PAPER}: 0.513 W x 16 ns" if one.shape is MNIST else _PAPER


def _claims(one: Published, energy_nj: float) -> Iterator[Quantity]:
    """The abstract's two factors, on the classifier that they are largest for; a binary network has the same layers."""
    data, technology = one.shape.data, load_technology(45)
    for published, binary, name in ((1e6, False, "float"), (1e3, True, "binary")):
        off_chip, on_chip = (1000 * teacher_uj(one.shape, technology, w, binary=binary) for w in ("dram", "sram"))
        ratio = f"{data}: energy of the {name} classifier / PoET-BiN's"
        for place, teacher_nj, weights in (
            ("off", off_chip, "Weights come from DRAM for every image, the assumption that the claim needs"),
            ("on", on_chip, "Without the assumption: all weights lie in SRAM on the chip and are read once"),
        ):
            yield Quantity(
                quantity=f"{ratio}, weights {place} chip", unit="", published=published, certainty=ABSTRACT,
                source=f"{_PAPER}: up to", ours=teacher_nj / one.energy_nj,
                differs_because=f"{weights}; divided by the recalled {one.energy_nj} nJ.",
            )  # fmt: skip
        yield Quantity(
            quantity=f"{ratio} on our fabric, weights on chip", unit="", published=None, certainty="", source="",
            ours=on_chip / energy_nj,
            differs_because=f"Both from our tables: {energy_nj:.2g} nJ, without the power of a whole FPGA.",
        )  # fmt: skip
