"""The best circuit of a graph of words: our own gates, and what ABC makes of them, the best kept."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from designs.errors import InputError
from designs.yosys import YosysError
from workloads.circuits.abc import resynthesized
from workloads.circuits.circuit import Circuit
from workloads.circuits.inverted_edges import Gates, TooManyGates
from workloads.circuits.levels import shape_of
from workloads.circuits.muxes import with_muxes
from workloads.circuits.simplify import simplified
from workloads.programs.blast import Blaster
from workloads.programs.translate import Translation

OBJECTIVES = ("gates", "depth")
MOST_GATES = 2_000_000
MOST_GATES_FOR_ABC = 150_000  # beyond, its minutes are not worth what it finds
SECONDS_A_SCRIPT = 90.0
# `amap -m` finds multiplexers; aliases such as resyn2 are not defined in the wheel.
SCRIPTS = {
    "gates": (
        ("strash", "dch", "amap -m"),
        ("strash", "ifraig", "dc2", "dc2", "resub -K 8", "rewrite", "dc2", "refactor -z", "dch", "amap -m"),
        ("strash", "dch", "dch", "amap -m -F 3 -A 3"),
    ),
    "depth": (
        ("strash", "balance", "dch", "amap -m"),
        ("strash", "dc2 -b", "balance", "dch", "amap -m"),
        ("strash", "dch", "amap -m"),
    ),
}

Progress = Callable[[str], None]


def cost(circuit: Circuit, objective: str) -> tuple[int, int]:
    """What is made small: bootstraps, or levels of them; then the other."""
    shape = shape_of(circuit)
    figures = (shape.n_bootstraps, shape.depth)
    return figures if objective == "gates" else figures[::-1]


def best_circuit(name: str, where: str, translation: Translation, objective: str, progress: Progress) -> Circuit:
    """The cheapest circuit found for a translation; InputError where it has more than MOST_GATES gates."""
    best: Circuit | None = None
    for candidate in _candidates(name, where, translation, objective, progress):
        if best is None or cost(candidate, objective) < cost(best, objective):
            best = candidate
    assert best is not None
    return best


def _candidates(
    name: str, where: str, translation: Translation, objective: str, progress: Progress
) -> Iterator[Circuit]:
    built = [_built(name, where, translation, False, progress)]
    if objective == "depth":
        built.append(_built(name, where, translation, True, progress))
    yield from built
    start = min(built, key=lambda circuit: cost(circuit, objective))
    if start.n_gates > MOST_GATES_FOR_ABC or not start.n_gates:
        return
    yield with_muxes(start)
    for number, commands in enumerate(SCRIPTS[objective], 1):
        progress(f"ABC script {number} of {len(SCRIPTS[objective])} on {start.n_bootstraps:,} bootstraps")
        source = built[0] if commands in SCRIPTS["gates"] else start  # scripts for gates begin with the fewest
        try:
            found = resynthesized(source, commands, seconds=SECONDS_A_SCRIPT, with_mux=True)
        except (TimeoutError, YosysError) as error:
            progress(f"{error}; the circuit stays as it is")
            continue
        yield found
        yield with_muxes(found)


def _built(name: str, where: str, translation: Translation, fast: bool, progress: Progress) -> Circuit:
    gates = Gates(
        sum(port.n_bits for port in translation.inputs), MOST_GATES, lambda count: progress(f"{count:,} gates built")
    )
    try:
        outputs = Blaster(gates, translation.places, fast=fast).outputs(translation.roots)
    except TooManyGates:
        raise InputError(
            f"{where}: wanted a circuit of {MOST_GATES:,} gates at most, got more; let it do less"
        ) from None
    return simplified(name, translation.inputs, translation.outputs, *gates.circuit_arrays(outputs))


def to_stderr(message: str) -> None:
    """Progress for people."""
    print(f"[compile] {message}", file=sys.stderr, flush=True)
