import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from designs.errors import InputError
from workloads.circuits.circuit import Port
from workloads.circuits.values import decode_outputs, encode_inputs

PORTS = (Port(name="a", bits=4, signed=True), Port(name="m", bits=3, shape=(2, 2)), Port(name="b", bits=1))


def test_bits_are_least_significant_first() -> None:
    bits = encode_inputs(PORTS, {"b": 1, "a": -7, "m": [[1, 2], [4, 7]]})
    assert bits.dtype == np.uint8
    assert bits.tolist() == [1, 0, 0, 1, *[1, 0, 0], *[0, 1, 0], *[0, 0, 1], *[1, 1, 1], 1]


@given(st.integers(-8, 7), st.lists(st.integers(0, 7), min_size=4, max_size=4), st.integers(0, 1))
def test_decoding_gives_back(a: int, m: list[int], b: int) -> None:
    values = {"a": a, "m": [m[:2], m[2:]], "b": b}
    assert decode_outputs(PORTS, encode_inputs(PORTS, values)) == values


def test_arrays_of_numpy_do() -> None:
    values = {"a": np.int8(-1), "m": np.array([[1, 2], [3, 4]]), "b": np.uint8(0)}
    assert decode_outputs(PORTS, encode_inputs(PORTS, values)) == {"a": -1, "m": [[1, 2], [3, 4]], "b": 0}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": 1, "m": [[1, 2], [3, 4]]}, "inputs: b: wanted bit, got nothing; give it a value"),
        ({"a": 8, "m": [[1, 2], [3, 4]], "b": 0}, "inputs: a: wanted int4, integers -8 to 7, got 8; mend it"),
        ({"a": 1, "m": [[1, 2], [3]], "b": 0}, "inputs: m: wanted uint3[2][2], got [[1, 2], [3]]; give 2 in each list"),
        ({"a": 1, "m": 5, "b": 0}, "inputs: m: wanted uint3[2][2], got 5; give 2 in each list"),
        ({"a": 1, "m": [[1, 2], [3, 9]], "b": 0}, "inputs: m: wanted uint3[2][2], integers 0 to 7, got 9; mend it"),
        ({"a": 0.5, "m": [[1, 2], [3, 4]], "b": 0}, "inputs: a: wanted int4, integers -8 to 7, got 0.5; mend it"),
        ({"a": 1, "mm": 1, "b": 0}, "inputs: wanted values for a, m, b, got 'mm' (did you mean 'm'?)"),
    ],
)
def test_refusals(values: dict, message: str) -> None:
    with pytest.raises(InputError) as refused:
        encode_inputs(PORTS, values)
    assert str(refused.value) == message
