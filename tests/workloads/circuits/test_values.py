"""Values as bits and back, and what the command line says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designs.errors import InputError
from workloads.circuits.circuit import Port
from workloads.circuits.values import Value, bits_of, parse_values, random_values, values_of

A, B = Port(name="a", bits=3, signed=True), Port(name="b", bits=2, shape=(2, 2))
PORTS = (A, B)


def test_bits_by_hand() -> None:
    bits = bits_of(PORTS, {"a": -3, "b": [[0, 1], [2, 3]]})
    assert bits.tolist() == [1, 0, 1, 0, 0, 1, 0, 0, 1, 1, 1]
    assert bits_of(PORTS, {"b": [0, 1, 2, 3], "a": -3}).tolist() == bits.tolist()
    assert values_of(PORTS, bits) == {"a": -3, "b": [[0, 1], [2, 3]]}
    assert bits_of((), {}).tolist() == []


@given(
    st.lists(st.tuples(st.integers(1, 200), st.booleans(), st.lists(st.integers(1, 3), max_size=3)), max_size=4),
    st.integers(0, 1000),
)
def test_values_are_their_bits(kinds: list[tuple[int, bool, list[int]]], seed: int) -> None:
    ports = [
        Port(name=f"p{place}", bits=bits, signed=signed, shape=tuple(shape))
        for place, (bits, signed, shape) in enumerate(kinds)
    ]
    values = random_values(ports, seed)
    assert values == random_values(ports, seed)
    assert values_of(ports, bits_of(ports, values)) == values
    assert json.loads(json.dumps(values)) == values


def test_command_lines_and_files(tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text('{"a": -4}')
    one = Port(name="c", bits=8, shape=(1,))
    assert parse_values((*PORTS, one), [str(file), "b=0,1, 0x2,3", "c=7"]) == {"a": -4, "b": [0, 1, 2, 3], "c": [7]}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"a": 1}, "b: wanted a value for every input"),
        ({"a": 1, "b": [0] * 4, "aa": 1}, "aa: wanted one of a, b, got 'aa' (did you mean 'a'?)"),
        ({"a": 4, "b": [0] * 4}, "a: wanted signed 3-bit integers (-4 to 3), got 4"),
        ({"a": 0, "b": [0, 0, 0, -1]}, "b: wanted unsigned 2-bit integers (0 to 3), got -1"),
        ({"a": 0, "b": [0] * 5}, "b: wanted b[2][2], got [0, 0, 0, 0, 0]"),
        ({"a": 0, "b": [[0, 0, 0], [0]]}, "b: wanted b[2][2], got"),
        ({"a": 0, "b": [[0, 0], 0]}, "b: wanted b[2][2], got"),
        ({"a": 0, "b": 3}, "b: wanted b[2][2], got 3"),
        ({"a": [0], "b": [0] * 4}, "a: wanted signed 3-bit integers (-4 to 3), got [0]"),
        ({"a": True, "b": [0] * 4}, "got True"),
        ({"a": 1.0, "b": [0] * 4}, "got 1.0"),
        ({"a": "1", "b": [0] * 4}, "got '1'"),
    ],
)
def test_values_that_do_not_fit(values: dict[str, Value], said: str) -> None:
    with pytest.raises(InputError) as caught:
        bits_of(PORTS, values)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["a=one"], "a: wanted integers such as a=5"),
        (["a="], "a: wanted integers"),
        (["a=1_0"], "a: wanted integers"),
        (["a=1", "a=2"], "a: wanted one value for each input, got two"),
        (["missing.json"], "wanted NAME=VALUE or a JSON file of one object, got: No such file"),
        (["list.json"], "got [1]"),
        (["broken.json"], "wanted NAME=VALUE or a JSON file"),
        (["deep.json"], "wanted NAME=VALUE or a JSON file"),
    ],
)
def test_command_lines_that_say_nothing(
    pairs: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.json").write_text("[1]")
    Path("broken.json").write_bytes(b'{"a":\n \xff')
    Path("deep.json").write_text("[" * 100_000)
    with pytest.raises(InputError) as caught:
        parse_values(PORTS, pairs)
    assert said in str(caught.value) and "\n" not in str(caught.value)
