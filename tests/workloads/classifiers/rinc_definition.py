"""RINC-L and boosted trees in plain Python, written from their rules alone: what the compiled kernels must equal.

Where sums of real numbers decide, both agree by construction: samples' weights are rounded to multiples of a power of two
first, and sums of those are exact (here they are Python integers); a node's entropy is rounded to 1/2^32 bit, far above
what two ways to compute a logarithm differ by, and sums of those are exact too. Changes of weights are the same
operations on the same float64 one by one; gains are the same operations in the same order, node by node.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

Bits = list[list[int]]  # one row a sample


def integer_weights(weights: list[float]) -> tuple[list[int], float]:
    """Weights in multiples of the power of two that leaves as many samples of the largest weight below 2^51."""
    exponent = 51 - math.frexp(max(weights))[1] - len(weights).bit_length()
    return [round(Fraction(weight) * Fraction(2) ** exponent) for weight in weights], 2.0**-exponent


def entropy(masses: tuple[int, int]) -> float:
    """Bits of a binary variable with these masses."""
    whole = sum(masses)
    return -sum(mass / whole * math.log2(mass / whole) for mass in masses if mass)


def score(
    bits: Bits, target: list[int], masses: list[int], nodes: list[list[int]], feature: int, mode: str
) -> Fraction:
    found = Fraction(0)
    for node in nodes:
        mass = sum(masses[i] for i in node)
        if mass == 0:
            continue
        conditional = 0.0
        for bit in (0, 1):
            child = [i for i in node if bits[i][feature] == bit]
            of_child = tuple(sum(masses[i] for i in child if target[i] == y) for y in (0, 1))
            if sum(of_child):
                conditional += sum(of_child) / mass * entropy(of_child)
        share = mass / sum(masses) if mode == "by_mass" else 1
        found += Fraction(round(share * conditional * 2**32), 2**32)
    return found


def children(bits: Bits, nodes: list[list[int]], feature: int) -> list[list[int]]:
    return [[i for i in node if bits[i][feature] == bit] for node in nodes for bit in (0, 1)]


def tree(bits: Bits, target: list[int], weights: list[float], n_inputs: int, mode: str) -> tuple[list[int], list[int]]:
    """(features, table) of RINC-0."""
    masses, _ = integer_weights(weights)
    nodes = [list(range(len(bits)))]
    offered = list(range(len(bits[0])))
    chosen = []
    for level in range(n_inputs):
        smallest, best = Fraction(2**level), offered[0]
        for feature in offered:
            found = score(bits, target, masses, nodes, feature, mode)
            if found < smallest:
                smallest, best = found, feature
        chosen.append(best)
        offered.remove(best)
        nodes = children(bits, nodes, best)
    table = [
        int(sum(masses[i] for i in node if target[i]) > sum(masses[i] for i in node if not target[i])) for node in nodes
    ]
    return chosen, table


def says(module: Any, row: list[int]) -> int:
    """A module is (features, table) of a tree or (members, alphas, table) of a vote."""
    inputs = [row[f] for f in module[0]] if len(module) == 2 else [says(member, row) for member in module[0]]
    return module[-1][int("".join(map(str, inputs)), 2)]


def reweighed(weights: list[float], wrong: list[bool]) -> tuple[float, list[float]]:
    masses, unit = integer_weights(weights)
    error = sum(mass for mass, is_wrong in zip(masses, wrong, strict=True) if is_wrong) * unit
    of_wrong = 0.5 / error if error > 0 else 1.0
    of_right = 0.5 / (1 - error) if error < 1 else 1.0
    return error, [w * (of_wrong if is_wrong else of_right) for w, is_wrong in zip(weights, wrong, strict=True)]


def module(
    bits: Bits, target: list[int], weights: list[float], n_inputs: int, levels: int, n_members: int, mode: str
) -> Any:
    if levels == 0:
        return tree(bits, target, weights, n_inputs, mode)
    members, alphas = [], []
    for _ in range(n_members):
        member = module(bits, target, weights, n_inputs, levels - 1, n_inputs, mode)
        error, weights = reweighed(weights, [says(member, row) != y for row, y in zip(bits, target, strict=True)])
        members.append(member)
        alphas.append(10.36 if error <= 0 else 0.5 * math.log2((1 - error) / error) if error < 1 else -10.36)
    exact = [Fraction(alpha) for alpha in alphas]
    table = [
        int(sum(a * h for a, h in zip(exact, said, strict=True)) > sum(exact) / 2)
        for said in itertools.product((0, 1), repeat=n_members)
    ]
    return members, alphas, table
