"""The LUT simulator against cases computed by hand, the cycle-by-cycle twin, and the definition of a netlist."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from designs.families.lut import Design
from designs.technology import load_technology
from sim.cost import area_um2, energy_pj, unpriced_activity
from sim.families import lut
from sim.parts.lut import luts_by_role
from tests.families.lut_twin import difference, random_case, run_twin
from workloads.classifiers.classifier import Classifier
from workloads.kinds.classification import Classification
from workloads.mapping.lut import circuit_of
from workloads.netlist import Netlist
from workloads.netlist_builder import NetlistBuilder

SEEDS = st.integers(0, 2**32 - 1)
SMALL = Design(lut_inputs=3)


def three_luts() -> Netlist:
    """(a and b and e) xor nor(c, d, f), and a: no two of the three fit into one LUT of 3 inputs."""
    builder = NetlistBuilder(tuple("abcdef"))
    all_of = builder.lut((0, 1, 4), (0, 0, 0, 0, 0, 0, 0, 1), "tree")
    none_of = builder.lut((2, 3, 5), (1, 0, 0, 0, 0, 0, 0, 0), "mat")
    differ = builder.lut((all_of, none_of), (0, 1, 1, 0), "score")
    return builder.finish((("y", differ), ("z", 0)))


SAMPLES = np.array([[1, 1, 0, 0, 1, 0], [1, 1, 1, 0, 1, 0], [0, 1, 1, 0, 1, 0], [0, 1, 0, 0, 1, 0]], dtype=np.uint8)


def classification(netlist: Netlist, samples: np.ndarray, **fields: object) -> Classification:
    classifier = Classifier(netlist=netlist, samples=samples, **({"labels": None, "answer": "bits"} | fields))  # type: ignore[arg-type]
    digest = f"{netlist.n_luts} {samples.tobytes().hex()} {sorted(fields)}"
    return Classification(name="test", digest=digest, data=None, classifier=classifier)


BY_HAND = classification(three_luts(), SAMPLES)


def activity(tree: int, mat: int, score: int, register_toggles: int, register_loads: int) -> dict[str, int]:
    return {
        "lut_toggles": tree + mat + score,
        "lut_toggles_encoder": 0,
        "lut_toggles_tree": tree,
        "lut_toggles_mat": mat,
        "lut_toggles_score": score,
        "lut_toggles_sum": 0,
        "lut_toggles_argmax": 0,
        "lut_toggles_logic": 0,
        "register_toggles": register_toggles,
        "register_loads": register_loads,
        "inferences": 4,
    }


# and: 0 then 1 1 0 0. nor: 1 then 1 0 0 1. xor: 0 1 0 1 after 1 (one stage) or 0 (its bank is zeros).
# Bank 0: a 1 1 0 0, b 1 1 1 1, c 0 1 1 0, d 0, e 1, f 0: 6 changes. Last bank: xor 3, a 2. Between: a 2, and 2, nor (from 0) 3.
@pytest.mark.parametrize(
    ("fields", "cycles", "latency_cycles", "counted", "flip_flops"),
    [
        ({}, 4 + 2, 2, activity(2, 2, 4, 6 + 5, 4 * (6 + 2)), 6 + 2 + 2),
        ({"levels_per_stage": 1}, 4 + 3, 3, activity(2, 2, 3, 6 + 7 + 5, 4 * (6 + 3 + 2)), 6 + 3 + 2 + 3),
        # Samples 0 and 2, 1 and 3: and 1 0, 1 0; nor 1 0, 0 1 after 1; xor 0 0, 1 1 after 1.
        # Bank 0: a 1 0, 1 0, b 1 1, 1 1, c 0 1, 1 0, e: 4 + 2 + 3 + 2. Last bank: xor 0 0, 1 1, a 1 0, 1 0: 1 + 4.
        ({"copies": 2}, 2 + 2, 2, activity(4, 3, 1, 11 + 5, 4 * (6 + 2)), 2 * (6 + 2 + 2)),
    ],
)
def test_three_luts_by_hand(
    fields: dict[str, int], cycles: int, latency_cycles: int, counted: dict[str, int], flip_flops: int
) -> None:
    design = replace(SMALL, **fields)  # type: ignore[arg-type]
    (run,) = lut.simulate([design], BY_HAND)
    assert run.failure is None
    assert run.cycles == cycles
    assert run.phases == {"fill": latency_cycles, "compute": cycles - latency_cycles}
    assert run.roofline_cycles == 4 // design.copies
    assert (run.latency_cycles, run.initiation_interval, run.n_inferences) == (latency_cycles, 1 / design.copies, 4)
    assert run.activity == counted
    assert run.layers[0].activity == counted and run.layers[0].utilization == 4 / (design.copies * cycles)
    assert run.figures == {
        "luts": 3 * design.copies,
        "flip_flops": flip_flops,
        "lut_levels": 2,
        "throughput_per_s": 1e8 * design.copies,
    }


def test_answers_by_hand() -> None:
    assert BY_HAND.classifier is not None
    run = lut.run_with_numbers(SMALL, BY_HAND.classifier)
    assert run.outputs.tolist() == [[0, 1], [1, 1], [0, 0], [1, 0]]
    assert run.accept_cycles.tolist() == [0, 1, 2, 3]
    assert run.answer_cycles.tolist() == [2, 3, 4, 5]


def test_stalls_by_hand() -> None:
    # Bank 0, bank 1, reader. Sample 0: 0, 1, 3. Sample 1: 1, then bank 1 is free in 3, and the reader ready in 7.
    # Sample 2 gets into bank 0 in 3, into bank 1 in 7. Sample 3: 7, 11, 15.
    assert BY_HAND.classifier is not None
    run = lut.run_with_numbers(SMALL, BY_HAND.classifier, ready=np.array([0, 0, 0, 1]))
    assert run.accept_cycles.tolist() == [0, 1, 3, 7]
    assert run.answer_cycles.tolist() == [3, 7, 11, 15]
    paused = lut.run_with_numbers(SMALL, BY_HAND.classifier, gaps=np.array([2, 0, 3, 1]))
    assert paused.accept_cycles.tolist() == [2, 3, 7, 9]
    assert paused.answer_cycles.tolist() == [4, 5, 9, 11]
    assert run.activity == paused.activity == lut.simulate([SMALL], BY_HAND)[0].activity


@settings(max_examples=30)
@given(SEEDS)
def test_simulator_equals_the_twin(seed: int) -> None:
    assert difference(seed) is None


@settings(max_examples=15)
@given(SEEDS)
def test_a_run_back_to_back_takes_the_cycles_of_the_twin(seed: int) -> None:
    design, classifier, _, _ = random_case(seed)
    (run,) = lut.simulate([design], classification(classifier.netlist, classifier.samples, facts={"seed": seed}))
    circuit = circuit_of(design, classifier.netlist)
    none, always = np.zeros(len(classifier.samples), dtype=np.int64), np.ones(1, dtype=np.uint8)
    twin = run_twin(circuit, design.copies, classifier.samples, none, always)
    assert run.cycles == twin.answer_cycles.max() + 1
    assert sum(run.phases.values()) == run.cycles >= run.roofline_cycles
    assert run.activity == twin.activity


def test_accuracy_is_that_of_the_circuit() -> None:
    # Read as a class, least significant bit first: y + 2 z = 2, 3, 0, 1.
    known = classification(three_luts(), SAMPLES, labels=np.array([2, 3, 0, 0]), answer="class", n_classes=4)
    (run,) = lut.simulate([SMALL], known)
    measured = lut.accuracy(SMALL, run, known)
    assert measured is not None
    assert (measured.accuracy, measured.overflows, measured.n_images) == (0.75, None, 4)
    assert lut.accuracy(SMALL, run, BY_HAND) is None


def test_inventory_prices_everything_that_is_counted() -> None:
    prices = load_technology(45)
    design = replace(SMALL, copies=2, levels_per_stage=1)
    (run,) = lut.simulate([design], BY_HAND)
    parts = lut.inventory(design, BY_HAND)
    unpriced = unpriced_activity(parts, run.activity)
    assert [key for key in unpriced if run.activity[key]] == ["lut_toggles"]  # the sum of those of the roles
    assert set(parts) == {"tree", "mat", "score", "register", "control"}
    assert sum(part.count for name in ("tree", "mat", "score") for part in parts[name]) == run.figures["luts"]
    assert sum(part.count * part.bits for part in parts["register"]) == run.figures["flip_flops"]
    energy = energy_pj(parts, run.activity, 1.0, prices)
    a_toggle = prices.fabric["lut"].toggle_pj["constant"] + 8 * prices.fabric["lut"].toggle_pj["cells"]
    loads = run.activity["register_loads"] + 4 * 3  # and the valid bits of 3 banks
    assert energy["register"] == pytest.approx(loads * 0.009 + run.activity["register_toggles"] * 0.06075)
    assert energy["tree"] == pytest.approx(run.activity["lut_toggles_tree"] * a_toggle)
    assert energy["leakage"] > 0
    more = area_um2(lut.inventory(replace(design, copies=3), BY_HAND), prices)
    assert all(more[name] > size for name, size in area_um2(parts, prices).items())


def test_shared_luts_are_spread_over_the_roles() -> None:
    circuit = circuit_of(SMALL, three_luts())
    for n_physical, by_role in ((3, [0, 1, 1, 1, 0, 0, 0]), (2, [0, 1, 1, 0, 0, 0, 0])):
        assert luts_by_role(replace(circuit, n_luts_physical=n_physical)) == by_role


def test_a_finished_circuit_is_not_trained_again() -> None:
    designs = [SMALL, replace(SMALL, tree_inputs=4), replace(SMALL, output="scores"), replace(SMALL, copies=4)]
    assert lut.misfits(designs, BY_HAND) == [
        None,
        None,
        "output: wanted the default (class) on a circuit that is finished, got scores",
        None,
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gaps": np.array([1, 2])}, "gaps: wanted 4 numbers of 0 or more, one a sample"),
        ({"gaps": np.array([0, 0, 0, -1])}, "gaps: wanted 4 numbers of 0 or more"),
        ({"ready": np.array([0, 0])}, "ready: wanted a pattern with a cycle in which the reader is ready"),
    ],
)
def test_impossible_stalls_are_refused(arguments: dict[str, np.ndarray], message: str) -> None:
    assert BY_HAND.classifier is not None
    with pytest.raises(InputError, match=message):
        lut.run_with_numbers(SMALL, BY_HAND.classifier, **arguments)


def test_no_samples_are_refused() -> None:
    with pytest.raises(InputError, match="samples: wanted at least one"):
        lut.run_with_numbers(SMALL, Classifier(netlist=three_luts(), samples=SAMPLES[:0], labels=None, answer="bits"))
