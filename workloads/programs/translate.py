"""A program's graph of words: executed on encrypted inputs, and the ports that enter and leave."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from designs.errors import InputError
from workloads.circuits.circuit import Port
from workloads.programs.execute import Execution
from workloads.programs.frontend import Source
from workloads.programs.llvm_ir import IrError, read_ir
from workloads.programs.memory import Address, Array
from workloads.programs.words import TooManyWords, Word, Words, in_order

MOST_WORDS = 2_000_000


@dataclass(frozen=True)
class Translation:
    """Inputs and outputs of a program; each root is a word and the number of its low bits that leave.

    `places` maps the first bit of an input word, counted over all parameters, to its place among the bits of `inputs`.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    roots: Sequence[tuple[Word, int]]
    places: Mapping[int, int]


def translate(source: Source, progress: Callable[[int], None] | None = None) -> Translation:
    """The graph of a program.

    Inputs are the scalars and arrays that the entry takes, outputs what it returns and the arrays that are not const;
    such an array is an input too where an output depends on what stood in it. InputError with file and line for what is
    outside the subset.
    """
    words = Words(MOST_WORDS)
    execution: Execution | None = None
    try:
        execution = Execution(read_ir(source.ir), words, progress)
        return _translate(source, execution, words)
    except IrError as error:
        line = error.line or (execution.line if execution else 0)
        place = f"{source.path}:{line}" if line else source.path
        raise InputError(f"{place}: wanted a program of integers and arrays of them, got {error.message}") from error
    except TooManyWords:
        raise InputError(
            f"{source.path}: wanted a circuit of {MOST_WORDS} words at most, got more; let it do less"
        ) from None


def _translate(source: Source, execution: Execution, words: Words) -> Translation:
    if sum(math.prod(parameter.port.shape) for parameter in source.parameters) > MOST_WORDS:
        raise TooManyWords  # at once: no array is made of them
    arguments: list[Word | Address] = []
    arrays: list[tuple[Port, Array]] = []
    kept: list[bool] = []
    n_bits = 0
    for parameter in source.parameters:
        port = parameter.port
        inputs = [words.input(at, port.bits, port.signed) for at in range(n_bits, n_bits + port.n_bits, port.bits)]
        n_bits += port.n_bits
        kept.append(parameter.is_constant or not parameter.is_array)
        if parameter.is_array:
            array = Array(port.name, max(port.bits // 8, 1), inputs, parameter.is_constant)
            arguments.append(Address(array, words.zero))
            if not parameter.is_constant:
                arrays.append((port, array))
        else:
            arguments.append(inputs[0])
    result, cells = execution.run(f"@{source.entry}", arguments, {})
    outputs: list[Port] = []
    roots: list[tuple[Word, int]] = []
    if source.result is not None:
        assert result is not None
        outputs.append(source.result)
        roots.append((result, source.result.bits))
    for port, array in arrays:
        outputs.append(port)
        roots += [(execution.cell(cells, array, index), port.bits) for index in range(len(array.initial))]
    input_ports, places = _inputs_read(source, kept, roots)
    return Translation(input_ports, tuple(outputs), roots, places)


def _inputs_read(
    source: Source, kept: list[bool], roots: list[tuple[Word, int]]
) -> tuple[tuple[Port, ...], dict[int, int]]:
    """Input ports without the arrays that only leave, and the places of their words."""
    read = {word.args[0] for word in in_order(root for root, _ in roots) if word.op == "input"}
    inputs: list[Port] = []
    at, dropped = 0, 0
    moved: dict[int, int] = {}
    for parameter, is_input in zip(source.parameters, kept, strict=True):
        port = parameter.port
        firsts = range(at, at + port.n_bits, port.bits)
        if is_input or any(first in read for first in firsts):
            inputs.append(port)
            moved |= {first: first - dropped for first in firsts}
        else:
            dropped += port.n_bits
        at += port.n_bits
    return tuple(inputs), moved
