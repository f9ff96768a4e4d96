"""Parameter sets by name and from files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from designs.errors import InputError
from designs.tfhe_parameters import SETS
from tests.workloads.tfhe.small import TINY
from workloads.tfhe.parameter_files import load_parameters, name_of


def write(path: Path, **changes: object) -> str:
    entries = {key: value for key, value in (asdict(TINY) | changes).items() if value is not None}
    path.write_text("".join(f"{key}: {value}\n" for key, value in entries.items()))
    return str(path)


def test_names_and_files(tmp_path: Path) -> None:
    assert load_parameters("tfhe_lib_128") is SETS["tfhe_lib_128"].parameters
    assert load_parameters(write(tmp_path / "tiny.yaml")) == TINY
    assert name_of(SETS["tfhe_lib_110"].parameters) == "tfhe_lib_80"
    assert name_of(TINY) == "custom" and name_of(SETS["tfhe_rs_boolean"].parameters) == "tfhe_rs_boolean"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lwe_noise": None}, "tiny.yaml: wanted every parameter (lwe_dimension, "),
        ({"lwe_nose": 1}, "tiny.yaml:10:1: wanted a key of TFHE parameters"),
        ({"ring_degree": 48}, "tiny.yaml: ring_degree: wanted a power of two"),
        ({"ring_degree": "true"}, "ring_degree: wanted a whole number, got True"),
        ({"ring_degree": "64.0"}, "ring_degree: wanted a whole number, got 64.0"),
        ({"lwe_noise": "[1]"}, "lwe_noise: wanted a number such as 3.0e-5, got a list"),
        ({"lwe_noise": 0.5}, "tiny.yaml: lwe_noise: wanted a share of the torus"),
    ],
)
def test_bad_files(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_parameters(write(tmp_path / "tiny.yaml", **changes))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_unknown_names() -> None:
    with pytest.raises(InputError, match=r"got 'tfhe_lib_129' \(did you mean 'tfhe_lib_128'\?\)"):
        load_parameters("tfhe_lib_129")
    with pytest.raises(InputError, match="none.yaml: wanted a readable YAML file"):
        load_parameters("none.yaml")
