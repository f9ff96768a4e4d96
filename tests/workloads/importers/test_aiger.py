"""AIGER, text and binary: the function of each literal, names, registers, and faults in one line."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from tests.designs.test_mutated_files import damaged
from workloads.circuits.checks import check_circuit
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.levels import shape_of
from workloads.importers.aiger import import_aiger

# The format's own half adder: s = x xor y, c = x and y.
HALF_ADDER = "aag 7 2 0 2 3\n2\n4\n6\n12\n6 13 15\n12 2 4\n14 3 5\ni0 x\ni1 y\no0 s\no1 c\nc\nhalf adder\n"


def vectors(n: int) -> np.ndarray:
    return np.array(list(itertools.product((0, 1), repeat=n)), np.uint8).reshape(1 << n, n)


def random_aiger(draw: random.Random, binary: bool) -> tuple[bytes, int, Callable[[list[int]], list[int]]]:
    """(file, inputs with registers, function of their bits -> outputs and next states)."""
    n_inputs, n_latches, n_ands, n_outputs = (draw.randint(*span) for span in ((0, 5), (0, 3), (0, 30), (1, 5)))
    n = n_inputs + n_latches
    ands = []
    for gate in range(n_ands):
        literal = 2 * (n + gate + 1)
        ands.append((literal, *sorted((draw.randrange(literal), draw.randrange(literal)), reverse=True)))
    next_states, outputs = ([draw.randrange(2 * (n + n_ands) + 2) for _ in range(k)] for k in (n_latches, n_outputs))
    head = f"{n + n_ands} {n_inputs} {n_latches} {n_outputs} {n_ands}\n"
    if binary:
        data = ("aig " + head + "".join(f"{literal}\n" for literal in next_states + outputs)).encode()
        data += b"".join(packed(literal - a) + packed(a - b) for literal, a, b in ands)
    else:
        lines = [f"{2 * i + 2}" for i in range(n_inputs)]
        lines += [f"{2 * (n_inputs + i) + 2} {literal}" for i, literal in enumerate(next_states)]
        lines += [str(literal) for literal in outputs]
        lines += [f"{literal} {b} {a}" for literal, a, b in draw.sample(ands, len(ands))]
        data = ("aag " + head + "\n".join(lines)).encode()

    def function(bits: list[int]) -> list[int]:
        values = [0, *bits]
        for _, a, b in ands:
            values.append((values[a >> 1] ^ a & 1) & (values[b >> 1] ^ b & 1))
        return [values[literal >> 1] ^ literal & 1 for literal in outputs + next_states]

    return data, n, function


def packed(number: int) -> bytes:
    """Seven bits a byte, least first, the top bit where more follow."""
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


def test_the_half_adder(tmp_path: Path) -> None:
    path = tmp_path / "half.aag"
    path.write_text(HALF_ADDER)
    circuit = import_aiger(path)
    assert [port.name for port in (*circuit.inputs, *circuit.output_ports)] == ["x", "y", "s", "c"]
    assert run_circuit(circuit, vectors(2)).tolist() == [[0, 0], [1, 0], [1, 0], [0, 1]]
    assert (shape_of(circuit).n_bootstraps, shape_of(circuit).n_nots) == (3, 0)  # inverters are in the gates


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_random_files(tmp_path_factory: pytest.TempPathFactory, seed: int, binary: bool) -> None:
    data, n, function = random_aiger(random.Random(seed), binary)
    path = tmp_path_factory.mktemp("aiger") / "c.aig"
    path.write_bytes(data)
    circuit = import_aiger(path)
    assert run_circuit(circuit, vectors(n)).tolist() == [function(bits) for bits in vectors(n).tolist()]


def test_a_register_is_cut_and_names_become_ports(tmp_path: Path) -> None:
    path = tmp_path / "c.aag"
    path.write_text("aag 4 2 1 1 1\n2\n4\n6 9 0\n7\n8 6 2\ni0 a[1]\ni1 a[0]\nl0 count\no0 y\n")
    circuit = import_aiger(path)
    assert [(port.name, port.bits) for port in circuit.inputs] == [("a", 2), ("state", 1)]
    assert [(port.name, port.bits) for port in circuit.output_ports] == [("y", 1), ("next_state", 1)]
    assert run_circuit(circuit, np.array([[0, 1, 1], [1, 0, 1]])).tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("module m;\n", ":1", "wanted aag or aig and five numbers"),
        ("aag 1 1 0 1\n2\n2\n", ":1", "wanted aag or aig and five numbers"),
        ("aag 1 1 0 1 0 1\n2\n2\n2\n", ":1", "got properties"),
        ("aag 0 1 0 1 0\n2\n2\n", ":1", "wanted M to be I + L + A = 1, got 0"),
        ("aag 9 1 0 999999 0\n2\n2\n", ":1", "wanted counts that the file can hold"),
        ("aig 900000000 900000000 0 0 0\n", ":1", "wanted counts that the file can hold"),
        ("aag 1 1 0 1 0\n2\n", ":2", "wanted the literal of an output, got the end of the file"),
        ("aag 1 1 0 1 0\n2\n4\n", ":3", "literals up to 3, got 4"),
        ("aag 1 1 0 1 0\n2\nx\n", ":3", "wanted the literal of an output, 1 numbers"),
        ("aag 2 1 0 1 0\n2\n4\n", "", "literal 4: wanted a driver, got none"),
        ("aag 1 1 0 1 0\n3\n2\n", "", "wanted inputs, registers and ANDs as even literals"),
        ("aag 2 1 0 1 1\n2\n2\n2 2 2\n", "", "literal 2: wanted one driver, got two"),
        ("aag 3 1 0 1 2\n2\n4\n4 6 2\n6 4 2\n", "", "wanted a circuit without loops"),
        ("aag 1 1 0 1 0\n2\n2\ni1 a\n", ":4", "wanted a symbol as `i0 name`"),
        ("aag 1 1 0 1 0\n2\n2\ni0 a\ni0 b\n", ":5", "wanted one name without spaces for i0"),
        ("aag 2 2 0 1 0\n2\n4\n2\ni0 a\ni1 a\n", "", "wanted different names, got 'a' twice"),
        ("aig 2 1 0 1 1\n4\n\x05\x00", ": byte 17", "AND 0: wanted two differences"),
        ("aig 2 1 0 1 1\n4\n\x02", ": byte 17", "AND 0: wanted two differences"),
    ],
)
def test_faults_are_one_line(tmp_path: Path, text: str, where: str, message: str) -> None:
    path = tmp_path / "c.aig"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError) as error:
        import_aiger(path)
    said = str(error.value)
    assert said.startswith(f"{path}{where}: ") and message in said and "\n" not in said


@pytest.mark.parametrize("binary", [False, True])
def test_damaged_files_give_one_line_or_a_sound_circuit(tmp_path: Path, binary: bool) -> None:
    draw = random.Random(binary)
    path = tmp_path / "c.aig"
    for _ in range(300):
        path.write_bytes(damaged(random_aiger(draw, binary)[0], draw))
        try:
            check_circuit(import_aiger(path))
        except InputError as error:
            assert re.fullmatch(r"[^\n]*c\.aig(:\d+|: byte \d+)?: [^\n]*wanted [^\n]+", str(error))
