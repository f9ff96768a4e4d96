"""Ready circuits by name: random gates, adders, multipliers; for demonstrations and measurements without any file."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from designs.errors import InputError
from designs.spelling import shown
from workloads.circuits.builder import CircuitBuilder
from workloads.circuits.checks import circuit_of
from workloads.circuits.circuit import NAND, Circuit, Port
from workloads.circuits.random_circuits import random_circuit

NAMES = ("adder:BITS", "multiplier:BITS", "random_gates:N[:WIDTH]")
_NUMBERS = re.compile(r"[0-9]{1,9}(:[0-9]{1,9})?")
_MOST_BITS = {"adder": 1 << 20, "multiplier": 1 << 9}
_MOST_GATES = 1 << 25
_SEED = 1


def named_circuit(name: str) -> Circuit | None:
    """The circuit of a name in NAMES; None where it is none of them, InputError where its sizes are not."""
    kind, _, sizes = name.partition(":")
    builders: dict[str, Callable[[str, list[int]], Circuit]] = {
        "adder": _adder, "multiplier": _multiplier, "random_gates": _random
    }  # fmt: skip
    if kind not in builders:
        return None
    wanted = next(text for text in NAMES if text.startswith(kind))
    if not _NUMBERS.fullmatch(sizes) or (":" in sizes and kind != "random_gates"):
        raise InputError(f"workload {shown(name)}: wanted {wanted}, such as {kind}:16; mend it")
    return builders[kind](name, [int(size) for size in sizes.split(":")])


def independent_nands(n_gates: int) -> Circuit:
    """So many NANDs of the same two input bits, all of them outputs: nothing waits for anything."""
    return circuit_of(
        "nands", (Port(name="x", bits=2),), (Port(name="y", bits=n_gates),), np.full(n_gates, NAND),
        np.tile([0, 1, -1], (n_gates, 1)), 2 + np.arange(n_gates),
    )  # fmt: skip


def _checked(name: str, kind: str, bits: int) -> tuple[Port, Port]:
    most = _MOST_BITS[kind]
    if not 1 <= bits <= most:
        raise InputError(f"workload {name}: wanted 1 to {most} bits, got {bits}; choose another size")
    return Port(name="a", bits=bits), Port(name="b", bits=bits)


def _adder(name: str, sizes: list[int]) -> Circuit:
    builder = CircuitBuilder(_checked(name, "adder", sizes[0]))
    total = builder.add(builder.input_bits(0), builder.input_bits(1))
    return builder.finish(name, [(Port(name="sum", bits=sizes[0] + 1), total)])


def _multiplier(name: str, sizes: list[int]) -> Circuit:
    builder = CircuitBuilder(_checked(name, "multiplier", sizes[0]))
    product = builder.multiply(builder.input_bits(0), builder.input_bits(1))
    return builder.finish(name, [(Port(name="product", bits=2 * sizes[0]), product)])


def _random(name: str, sizes: list[int]) -> Circuit:
    n_gates, width = sizes if len(sizes) == 2 else (sizes[0], max(1, int(sizes[0] ** 0.5)))
    if not (1 <= n_gates <= _MOST_GATES and width):
        raise InputError(f"workload {name}: wanted 1 to 2^25 gates and a width, got {n_gates} and {width}")
    circuit = random_circuit(_SEED, n_gates, width=width, n_inputs=64, n_outputs=64)
    return type(circuit)(**{**vars(circuit), "name": name})
