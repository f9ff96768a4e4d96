"""Values of inputs from command lines and files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designs.errors import InputError
from workloads.circuits.circuit import Port
from workloads.circuits.inputs import parse_values, random_values
from workloads.circuits.values import encode_inputs

PORTS = (Port(name="a", bits=3, signed=True), Port(name="b", bits=8, shape=(2, 2)), Port(name="c", bits=8, shape=(1,)))


def test_command_lines_and_files(tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text('{"a": -4}')
    wanted = {"a": -4, "b": [[0, 1], [255, 3]], "c": [7]}
    assert parse_values(PORTS, [str(file), "b=0,1, 0xff,3", "c=7"]) == wanted
    file.write_text(json.dumps(wanted))
    assert parse_values(PORTS, [str(file)]) == wanted
    file.write_text('{"a": -4, "b": [0, 1, 255, 3], "c": 7}')
    assert parse_values(PORTS, [str(file)]) == wanted


def test_what_does_not_fit_is_left_for_who_encodes() -> None:
    assert parse_values(PORTS, ["b=1,2,3", "d=1"]) == {"b": [1, 2, 3], "d": 1}
    with pytest.raises(InputError):
        encode_inputs(PORTS, parse_values(PORTS, ["a=1", "b=1,2,3", "c=1"]))


@given(
    st.lists(st.tuples(st.integers(1, 200), st.booleans(), st.lists(st.integers(1, 3), max_size=3)), max_size=4),
    st.integers(0, 1000),
)
def test_random_values_fit_and_survive_json(kinds: list[tuple[int, bool, list[int]]], seed: int) -> None:
    ports = [
        Port(name=f"p{place}", bits=bits, signed=signed, shape=tuple(shape))
        for place, (bits, signed, shape) in enumerate(kinds)
    ]
    values = random_values(ports, seed)
    assert values == random_values(ports, seed) == json.loads(json.dumps(values))
    assert len(encode_inputs(ports, values)) == sum(port.n_bits for port in ports)


@pytest.mark.parametrize(
    ("given_words", "said"),
    [
        (["a=one"], "a: wanted integers such as a=5"),
        (["a="], "a: wanted integers"),
        (["a=1_0"], "a: wanted integers"),
        (["a=" + "9" * 5000], "a: wanted integers"),
        (["a=1", "a=2"], "a: wanted one value for each input, got two"),
        (["twice.json"], "got: 'a' twice"),
        (["missing.json"], "wanted NAME=VALUE or a JSON file of one object, got: No such file"),
        (["list.json"], "got [1]"),
        (["broken.json"], "wanted NAME=VALUE or a JSON file"),
        (["deep.json"], "wanted NAME=VALUE or a JSON file"),
        (["\0"], "wanted NAME=VALUE or a JSON file"),
    ],
)
def test_words_that_say_nothing(
    given_words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.json").write_text("[1]")
    Path("twice.json").write_text('{"a": 1, "a": 2}')
    Path("broken.json").write_bytes(b'{"a":\n \xff')
    Path("deep.json").write_text("[" * 100_000)
    with pytest.raises(InputError) as caught:
        parse_values(PORTS, given_words)
    assert said in str(caught.value) and "\n" not in str(caught.value)
