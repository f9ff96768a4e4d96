"""The tables of docs/bitwidths.md, measured: about five minutes on a core of its own.

    python -m benchmarks.bitwidths mobilenet    # variants of MobileNetV1 under 2,048,000 and 512,000 bytes
    python -m benchmarks.bitwidths digits       # the four methods on the digits networks, test images
    python -m benchmarks.bitwidths additivity   # every choice of weight widths measured whole: do losses add up?
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr

from designs.space import Point
from explore.bitwidths.brute_force import fitting
from explore.bitwidths.integer_program import integer_program
from explore.bitwidths.losses import LossMeter, Samples, measured, measured_losses
from explore.bitwidths.rule import rule
from explore.bitwidths.search import search
from explore.evaluate import evaluate
from lockstep.allocating import allocate
from workloads.bitwidths.networks import problem_of_graph, problem_of_layers
from workloads.bitwidths.noise import noise_losses
from workloads.bitwidths.problem import Bits, Problem
from workloads.builders.convnets import MOBILENET_RESOLUTIONS, MOBILENET_WIDTHS, in_order
from workloads.kinds.network import Network, load
from workloads.load import load_workload

FLASH_BYTES, RAM_BYTES = 2_048_000, 512_000
DIGITS = (("digits_cnn", (8_000, 6_500, 5_500)), ("digits_cnn_w4", (5_500,)))
WEIGHT_FLASH = (12_000, 9_000, 7_500, 6_500, 6_000, 5_500)
# with the family's defaults: 8 bits, 64 KiB scratchpads, 16 bytes a cycle
MACHINE: Point = {"array_rows": 16, "array_cols": 16}


def mobilenet() -> None:
    """Rule and optimum of the proxy for each variant, with the cycles of one image."""
    for width in MOBILENET_WIDTHS[::-1]:
        for resolution in MOBILENET_RESOLUTIONS[::-1]:
            name = f"mobilenet_v1:{width}:{resolution}"
            layers = in_order(name)
            assert layers is not None
            problem = problem_of_layers(layers, name)
            problem = replace(problem, losses=noise_losses(problem), flash_bytes=FLASH_BYTES, ram_bytes=RAM_BYTES)
            (row,) = evaluate("tensor", [MACHINE], load_workload(name))
            for method in (rule, integer_program):
                found = method(problem)
                narrow = " ".join(f"{n.replace('.weights', '.w')}={b}" for n, b in found.bits.items() if b < 8)
                print(
                    f"| {width} | {resolution} | {found.method} | {narrow or 'none'} | {found.flash_bytes:,} | "
                    f"{found.ram_bytes:,} | {found.loss:.3g} | {row['cycles']:,} |",
                    flush=True,
                )


def digits() -> None:
    """The four methods beside each other; no limit of RAM but the largest."""
    for name, limits in DIGITS:
        for flash in limits:
            found = allocate(name, flash_bytes=flash, ram_bytes=900, method="all")
            for answer in found["answers"]:
                if answer["shortfall"] is not None:
                    print(f"| {name} | {flash:,} | {answer['method']} | infeasible {answer['shortfall']} |", flush=True)
                    continue
                free = [t["name"] for t in found["tensors"] if len(t["widths"]) > 1 and not t["same_as"]]
                bits = "".join(str(answer["bits"][tensor]) for tensor in free)
                told = answer["measured"]
                print(
                    f"| {name} | {flash:,} | {answer['method']} | {bits} | {answer['flash_bytes']:,} | "
                    f"{answer['loss']:.4f} | {told['loss']:.4f} | {told['test_accuracy']:.2%} | "
                    f"{answer['seconds']:.2f} |",
                    flush=True,
                )


def additivity() -> None:
    """All 81 choices of the weights' widths of digits_cnn, activations at 8 bits: the sum of losses and the loss."""
    problem, meter = _weights_only()
    test = Samples.test_digits()
    sums, losses, choices = [], [], []
    for widths, predicted in fitting(problem):
        for row, total in zip(widths.tolist(), predicted.tolist(), strict=True):
            bits = {tensor.name: width for tensor, width in zip(problem.free, row, strict=True)}
            choices.append(bits)
            sums.append(total)
            losses.append(meter.loss(bits))
    print(f"{len(sums)} choices: rank correlation {spearmanr(sums, losses).statistic:.3f}")
    off = np.array([loss / total for loss, total in zip(losses, sums, strict=True) if total >= 0.01])
    print(f"{len(off)} sums of 0.01 and more: loss / sum {off.min():.2f}-{off.max():.2f}, median {np.median(off):.2f}")
    for flash in WEIGHT_FLASH:
        tight = replace(problem, flash_bytes=flash)
        fits = [i for i, bits in enumerate(choices) if tight.fits(tight.complete(bits))]
        best = min(fits, key=lambda i: losses[i])
        answers: dict[str, Bits] = {
            "rule": rule(tight).bits,
            "integer_program": integer_program(tight).bits,
            "search": search(tight, meter.loss, budget=min(20, len(fits))).bits,
            "best of all": tight.complete(choices[best]),
        }
        for name, answer in answers.items():
            print(_line(name, tight, answer, meter, test, len(fits)), flush=True)


def _line(name: str, problem: Problem, bits: Bits, meter: LossMeter, test: Samples, n_fits: int) -> str:
    if not bits:
        return f"| {problem.flash_bytes:,} | {n_fits} | {name} | none |"
    told = measured(meter.requantized(bits), test)
    text = "".join(str(bits[tensor.name]) for tensor in problem.free)
    return (
        f"| {problem.flash_bytes:,} | {n_fits} | {name} | {text} | {problem.flash_needed(bits):,} | "
        f"{problem.loss(bits):.4f} | {meter.loss(bits):.4f} | {told.accuracy:.2%} |"
    )


def _weights_only() -> tuple[Problem, LossMeter]:
    network = load("digits_cnn")
    assert isinstance(network, Network) and network.graph is not None
    problem = problem_of_graph(network.graph, normalization="per_channel")
    tensors = tuple(replace(t, bits=t.bits[-1:]) if t.role == "activations" else t for t in problem.tensors)
    problem = replace(problem, tensors=tensors)
    meter = LossMeter(network.graph, Samples.training_digits(512))
    return replace(problem, losses=measured_losses(problem, meter)), meter


if __name__ == "__main__":
    for chosen in sys.argv[1:] or ("mobilenet", "digits", "additivity"):
        {"mobilenet": mobilenet, "digits": digits, "additivity": additivity}[chosen]()
