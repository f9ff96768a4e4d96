"""Circuits as text: they come back as they were, and damaged files are refused in one line with the place."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from tests.designs.test_mutated_files import damaged
from workloads.circuits.checks import check_circuit, circuit_of
from workloads.circuits.circuit import AND, CONSTANT_0, CONSTANT_1, MUX, NOT, Port
from workloads.circuits.files import load_circuit, save_circuit
from workloads.circuits.random_circuits import random_circuit

TEXT = """lockstep-gates 1
# a comment
input a 2
input s 1 signed 1 2
output y 5
gates 3
and 0 1
not 4
mux 2 4 5
outputs 6 zero one
outputs 0 6
end
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.gates"
    path.write_text(text)
    return path


def test_a_file_by_hand(tmp_path: Path) -> None:
    circuit = load_circuit(written(tmp_path, TEXT))
    assert circuit.name == "c"
    assert circuit.inputs == (Port(name="a", bits=2), Port(name="s", bits=1, signed=True, shape=(1, 2)))
    assert circuit.ops.tolist() == [AND, NOT, MUX]
    assert circuit.operands.tolist() == [[0, 1, -1], [4, -1, -1], [2, 4, 5]]
    assert circuit.outputs.tolist() == [6, CONSTANT_0, CONSTANT_1, 0, 6]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 60))
def test_circuits_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, seed: int, n_gates: int) -> None:
    circuit = random_circuit(seed, n_gates)
    path = tmp_path_factory.mktemp("files") / "c.gates"
    save_circuit(circuit, path)
    assert load_circuit(path).digest == circuit.digest


def test_a_digest_is_that_of_ports_and_gates(tmp_path: Path) -> None:
    first = load_circuit(written(tmp_path, TEXT)).digest
    assert load_circuit(written(tmp_path, TEXT.replace("# a comment\n", ""))).digest == first
    for old, new in (("and 0 1", "and 1 0"), ("mux 2", "mux 3"), ("input a", "input b"), ("6 zero", "5 zero"), (" signed", "")):
        assert load_circuit(written(tmp_path, TEXT.replace(old, new))).digest != first


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("lockstep-gates 1", "lockstep-gates 2", 1, "wanted version 1, got '2'"),
        ("lockstep-gates 1", ".model m", 1, "wanted lockstep-gates 1 first"),
        ("input a 2", "input a", 3, "wanted input NAME BITS"),
        ("input a 2", "input a 0", 3, "wanted 1 to"),
        ("input a 2", "input a 99999999999", 3, "wanted a number of 0 to"),
        ("signed 1 2", "signed 9999 9999", 4, "wanted 1 to"),
        ("input a 2", "inputs a 2", 3, "wanted input, output or gates COUNT"),
        ("gates 3", "gates 3000000", 6, "wanted as many lines as gates"),
        ("gates 3", "gates 4", 10, "wanted 4 gates, got 3; was the file cut?"),
        ("gates 3", "gates 2", 9, "wanted outputs, then end, got 'mux 2 4 5'"),
        ("and 0 1", "nandd 0 1", 7, "got 'nandd' (did you mean 'nand'?)"),
        ("and 0 1", "and 0", 7, "and: wanted 2 signals, got 1"),
        ("and 0 1", "and 0 4", 7, "and: wanted signals of 0 to 3, got '4'"),
        ("and 0 1", "and 0 -1", 7, "and: wanted signals of 0 to 3, got '-1'"),
        ("and 0 1", "and 0 \u0661", 7, "and: wanted signals of 0 to 3, got"),
        ("outputs 0 6", "outputs 0", 12, "wanted 5 outputs, as the ports say, got 4"),
        ("outputs 0 6", "outputs 0 7", 11, "outputs: wanted a number of 0 to 6, got '7'"),
        ("end", "", 13, "got the end of the file; was the file cut?"),
        ("end", "end\nmore", 13, "wanted nothing after end"),
        ("input s", "input a", None, "wanted inputs of different names, got 'a' twice"),
    ],
)
def test_malformed_files_are_refused_with_the_line(
    tmp_path: Path, old: str, new: str, line: int | None, message: str
) -> None:
    path = written(tmp_path, TEXT.replace(old, new))
    with pytest.raises(InputError) as error:
        load_circuit(path)
    text = str(error.value)
    assert text.startswith(f"{path}:{line}: " if line else f"{path}: ") and message in text and "\n" not in text


def test_files_that_are_no_text_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "c.gates"
    with pytest.raises(InputError, match=r"c\.gates: wanted a file of gates, got: No such file"):
        load_circuit(path)
    path.write_bytes(b"lockstep-gates 1\n\xff\xfe")
    with pytest.raises(InputError, match=r"c\.gates:2: wanted a file of gates, which is text"):
        load_circuit(path)
    with pytest.raises(InputError, match="got a folder"):
        load_circuit(tmp_path)


def test_damaged_files_give_one_line_or_a_sound_circuit(tmp_path: Path) -> None:
    draw = random.Random(1)
    save_circuit(random_circuit(1, 30), tmp_path / "whole.gates")
    whole = (tmp_path / "whole.gates").read_bytes()
    path = tmp_path / "c.gates"
    n_refused = 0
    for _ in range(300):
        path.write_bytes(damaged(whole, draw))
        try:
            check_circuit(load_circuit(path))
        except InputError as error:
            n_refused += 1
            assert re.fullmatch(r"[^\n]*c\.gates(:\d+)?: [^\n]*wanted [^\n]+", str(error))
    assert n_refused > 150


def test_names_that_the_format_cannot_hold_are_refused(tmp_path: Path) -> None:
    circuit = circuit_of("c", (Port(name="a b", bits=1),), (Port(name="y", bits=1),), [], [], [0])
    with pytest.raises(InputError, match="port 'a b': wanted a name without spaces"):
        save_circuit(circuit, tmp_path / "c.gates")
    assert not (tmp_path / "c.gates").exists()
