"""ISCAS netlists: the meaning of each gate, ports, registers, and faults in one line."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from tests.designs.test_mutated_files import damaged
from workloads.circuits.checks import check_circuit
from workloads.circuits.circuit import NAND, Circuit
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.levels import shape_of
from workloads.importers.bench import import_bench

# ISCAS-85's smallest: six NANDs, three levels.
C17 = """# c17
INPUT(1)
INPUT(2)
INPUT(3)
INPUT(6)
INPUT(7)

OUTPUT(22)
OUTPUT(23)

10 = NAND(1, 3)
11 = NAND(3, 6)
16 = NAND(2, 11)
19 = NAND(11, 7)
22 = NAND(10, 16)
23 = NAND(16, 19)
"""


def read(tmp_path: Path, text: str) -> Circuit:
    path = tmp_path / "c.bench"
    path.write_text(text)
    return import_bench(path)


def vectors(n: int) -> np.ndarray:
    return np.array(list(itertools.product((0, 1), repeat=n)), np.uint8)


def test_c17(tmp_path: Path) -> None:
    circuit = read(tmp_path, C17)
    shape = shape_of(circuit)
    assert (shape.n_gates, shape.n_bootstraps, shape.depth) == (6, 6, 3)
    assert set(circuit.ops.tolist()) == {NAND}
    inputs = vectors(5)
    a, b, c, d, e = inputs.T
    n11 = 1 - (c & d)
    n16 = 1 - (b & n11)
    wanted = np.stack([1 - ((1 - (a & c)) & n16), 1 - (n16 & (1 - (n11 & e)))], axis=1)
    assert np.array_equal(run_circuit(circuit, inputs), wanted)


@pytest.mark.parametrize(
    ("gate", "function"),
    [
        ("AND(a,b,c)", lambda x: x.all(1)), ("NAND(a, b, c)", lambda x: ~x.all(1)), ("or(a,b,c)", lambda x: x.any(1)),
        ("NOR(a,b,c)", lambda x: ~x.any(1)), ("XOR(a,b,c)", lambda x: x.sum(1) % 2), ("XNOR(a,b,c)", lambda x: x.sum(1) % 2 ^ 1),
        ("NOT(b)", lambda x: ~x[:, 1]), ("BUFF(c)", lambda x: x[:, 2]), ("NAND(b)", lambda x: ~x[:, 1]), ("vdd", lambda x: x[:, 0] | True),
    ],
)  # fmt: skip
def test_gates_of_any_number_of_inputs(tmp_path: Path, gate: str, function: Callable[[np.ndarray], np.ndarray]) -> None:
    circuit = read(tmp_path, f"INPUT(a)\nINPUT(b)\nINPUT(c)\nOUTPUT(y)\ny = {gate}\n")
    assert run_circuit(circuit, vectors(3))[:, 0].tolist() == [int(v) for v in function(vectors(3).astype(bool))]


def test_names_with_indices_become_ports_and_order_does_not_matter(tmp_path: Path) -> None:
    text = "OUTPUT(y[1])\nOUTPUT(y[0])\ny[0] = AND(x[0], m)\ny[1] = OR(x[1], m)\nm = NOT(s)\nINPUT(x[1])\nINPUT(x[0])\nINPUT(s)\n"
    circuit = read(tmp_path, text)
    assert [(port.name, port.bits) for port in (*circuit.inputs, *circuit.output_ports)] == [("x", 2), ("s", 1), ("y", 2)]
    assert run_circuit(circuit, np.array([[1, 0, 0], [1, 0, 1]])).tolist() == [[1, 1], [0, 0]]


def test_registers_are_cut_into_state_and_next_state(tmp_path: Path) -> None:
    circuit = read(tmp_path, "INPUT(a)\nOUTPUT(q)\nq = DFF(d)\nd = XOR(q, a)\n")
    assert [port.name for port in (*circuit.inputs, *circuit.output_ports)] == ["a", "state", "q", "next_state"]
    assert run_circuit(circuit, vectors(2)).tolist() == [[0, 0], [1, 1], [0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("INPUT(a)\n", "", "wanted OUTPUT(name), got no output"),
        ("INPUT(a)\nOUTPUT(y)\ny = NAD(a, a)", ":3", "got 'NAD' (did you mean 'NAND'?)"),
        ("INPUT(a)\nOUTPUT(y)\ny = NOT(a, a)", ":3", "wanted NOT of 1 inputs"),
        ("INPUT(a)\nOUTPUT(y)\ny = AND()", ":3", "wanted AND of one input or more"),
        ("INPUT(a)\nOUTPUT(y)\ny = AND(a,)", ":3", "wanted AND of one input or more"),
        ("INPUT(a)\nOUTPUT(y)\ny = AND(a, b)", ":3", "'b': wanted a driver, got none"),
        ("INPUT(a)\nOUTPUT(y)", "", "'y': wanted a driver, got none"),
        ("INPUT(a)\nOUTPUT(y)\ny = AND(a, z)\nz = NOT(y)", ":4", "wanted a circuit without loops"),
        ("INPUT(a)\nOUTPUT(y)\ny = NOT(a)\ny = BUF(a)", ":4", "'y': wanted one driver, got a second beside line 3"),
        ("INPUT(a)\nINPUT(a)\nOUTPUT(a)", ":2", "wanted one driver"),
        ("INPUT(a)\nOUTPUT(a)\nOUTPUT(a)", "", "'a': wanted an output once"),
        ("module m;", ":1", "wanted INPUT(a), OUTPUT(y) or y = GATE(a, b), got 'module m;'"),
    ],
)
def test_faults_are_one_line(tmp_path: Path, text: str, where: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    said = str(error.value)
    assert said.startswith(f"{tmp_path / 'c.bench'}{where}: ") and message in said and "\n" not in said


def test_long_chains_need_no_recursion(tmp_path: Path) -> None:
    chain = "\n".join(f"n{i} = AND(n{i - 1}, b)" for i in range(5000, 0, -1))
    circuit = read(tmp_path, f"INPUT(n0)\nINPUT(b)\nOUTPUT(n5000)\n{chain}\n")
    assert shape_of(circuit).depth == 5000


def test_damaged_files_give_one_line_or_a_sound_circuit(tmp_path: Path) -> None:
    draw = random.Random(2)
    path = tmp_path / "c.bench"
    for _ in range(400):
        path.write_bytes(damaged(C17.encode(), draw))
        try:
            check_circuit(import_bench(path))
        except InputError as error:
            assert re.fullmatch(r"[^\n]*c\.bench(:\d+)?: [^\n]*wanted [^\n]+", str(error))
