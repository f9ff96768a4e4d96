"""The memory-driven rule: MobileNets under the authors' limits, its two sweeps by hand, and that it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from explore.bitwidths.rule import rule
from workloads.bitwidths.networks import problem_of_layers
from workloads.bitwidths.problem import Problem, Step, TensorChoice
from workloads.builders.convnets import in_order

FLASH, RAM = 2_048_000, 512_000  # of the authors' example
WIDE = {"pw7": 4, "pw8": 4, "pw9": 4, "pw10": 4, "pw12": 4, "pw13": 2, "fc": 2}
NARROW = {"pw13": 4, "fc": 4}

# width, resolution -> outputs below 8 bits, weights below 8 bits, peak RAM in KiB
# as a re-implementation of the authors' code has them, per-layer mode; the paper does not list them
VARIANTS = {
    ("1.0", 224): ({"conv0": 4, "dw1": 4, "pw1": 2, "pw2": 4, "dw3": 4, "pw3": 4}, WIDE, 392),
    ("1.0", 192): ({"dw1": 4, "pw1": 4, "dw3": 4}, WIDE, 432),
    ("1.0", 160): ({"pw1": 4}, WIDE, 400),
    ("1.0", 128): ({}, WIDE, 384),
    ("0.75", 224): ({"dw1": 4, "pw1": 4, "dw3": 4}, NARROW, 441),
    ("0.75", 192): ({"pw1": 4}, NARROW, 432),
    ("0.75", 160): ({}, NARROW, 450),
    ("0.75", 128): ({}, NARROW, 288),
    ("0.5", 224): ({"pw1": 4}, {}, 392),
    ("0.5", 192): ({}, {}, 432),
    ("0.5", 160): ({}, {}, 300),
    ("0.5", 128): ({}, {}, 192),
    ("0.25", 224): ({}, {}, 294),
    ("0.25", 192): ({}, {}, 216),
    ("0.25", 160): ({}, {}, 150),
    ("0.25", 128): ({}, {}, 96),
}


def mobilenet(width: str = "0.75", resolution: int = 224, flash: int = FLASH, ram: int = RAM) -> Problem:
    layers = in_order(f"mobilenet_v1:{width}:{resolution}")
    assert layers is not None
    return replace(problem_of_layers(layers, "mobilenet"), flash_bytes=flash, ram_bytes=ram)


@pytest.mark.parametrize(("width", "resolution"), list(VARIANTS))
def test_variants_of_the_authors_code(width: str, resolution: int) -> None:
    outputs, weights, ram = VARIANTS[width, resolution]
    found = rule(mobilenet(width, resolution))
    assert found.shortfall is None
    expected = outputs | {f"{name}.weights": bits for name, bits in weights.items()}
    assert {name: bits for name, bits in found.bits.items() if bits < 8} == expected
    assert found.ram_bytes is not None and found.ram_bytes // 1024 == ram
    assert found.flash_bytes is not None and found.flash_bytes <= FLASH


def test_the_authors_example() -> None:
    """0.75 at 224: outputs of layers 1, 2 and 5 (from 0), the last pointwise layer and the classifier to 4 bits."""
    problem = mobilenet()
    found = rule(problem)
    layers = [step for step in problem.steps if step.weights]
    assert [i for i, step in enumerate(layers) if found.bits[step.output] == 4] == [1, 2, 5]
    assert [i for i, step in enumerate(layers) if found.bits[step.weights] == 4] == [26, 27]
    assert len(layers) == 28


def test_binary_limits_change_only_the_widest_network() -> None:
    for width, resolution in VARIANTS:
        decimal, binary = rule(mobilenet(width, resolution)), rule(mobilenet(width, resolution, 2 << 20, 512 << 10))
        weights = {
            n: (a, binary.bits[n]) for n, a in decimal.bits.items() if n.endswith("weights") and a != binary.bits[n]
        }
        assert weights == ({"pw10.weights": (4, 8)} if width == "1.0" else {})


def chain(*sizes: int, ram: int | None, flash: int | None = None, weights: tuple[int, ...] = ()) -> Problem:
    """Steps in a row over activations of these sizes; the first and last have 8 bits."""
    names = [f"a{i}" for i in range(len(sizes))]
    tensors = [
        TensorChoice(
            name=name, role="activations", n_elements=size, bits=(8,) if i in (0, len(sizes) - 1) else (2, 4, 8)
        )
        for i, (name, size) in enumerate(zip(names, sizes, strict=True))
    ]
    tensors += [TensorChoice(name=f"w{i}", role="weights", n_elements=size) for i, size in enumerate(weights)]
    steps = [
        Step(name=f"s{i}", output=names[i + 1], held=(names[i],), weights=f"w{i}" if i < len(weights) else "")
        for i in range(len(sizes) - 1)
    ]
    return Problem(name="chain", tensors=tuple(tensors), steps=tuple(steps), ram_bytes=ram, flash_bytes=flash)


def test_forward_halves_outputs_backward_halves_inputs() -> None:
    # s0 halves a1 going forward; s1 fits; s2 reads the larger a2 and writes a3: left for the way back
    found = rule(chain(10, 100, 60, 40, 10, ram=95))
    assert {name: found.bits[name] for name in ("a1", "a2", "a3")} == {"a1": 4, "a2": 4, "a3": 8}


def test_of_equally_wide_and_large_the_output_is_halved() -> None:
    found = rule(chain(1, 50, 50, 1, ram=80))
    assert (found.bits["a1"], found.bits["a2"]) == (8, 4)


def test_weights_within_five_points_the_earliest() -> None:
    # shares 30, 34 and 36 %: the second is within five points of the last, the first is not
    found = rule(chain(1, 1, 1, 1, ram=None, flash=84, weights=(30, 34, 36)))
    assert [found.bits[f"w{i}"] for i in range(3)] == [8, 4, 8]


def test_infeasible_ram_names_the_step_and_ends() -> None:
    found = rule(chain(10, 100, 60, 10, ram=30))
    assert found.bits == {} and found.shortfall is not None
    told = found.shortfall
    assert (told.limit, told.step, told.needed_bytes, told.over_bytes, told.proven) == ("ram", "s0", 35, 5, True)


def test_infeasible_flash() -> None:
    found = rule(chain(1, 1, ram=None, flash=9, weights=(40,)))
    assert found.shortfall is not None
    assert (found.shortfall.limit, found.shortfall.needed_bytes, found.shortfall.proven) == ("flash", 10, True)


def test_one_mebibyte_does_not_hold_the_widest_network() -> None:
    found = rule(mobilenet("1.0", flash=1 << 20))
    assert found.shortfall is not None and found.shortfall.limit == "flash"


def test_a_start_is_only_made_narrower() -> None:
    problem = chain(10, 100, 60, 40, 10, ram=95)
    start = problem.widest() | {"a1": 2}
    found = rule(problem, start)
    assert found.bits["a1"] == 2 and problem.fits(found.bits)
