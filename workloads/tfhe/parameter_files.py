"""Parameter sets by name, or from a YAML file with every field of Parameters."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from designs import yaml_strict
from designs.errors import InputError
from designs.spelling import nearest, shown
from designs.tfhe_parameters import SETS, Parameters
from workloads.tfhe.keys import check_parameters

_NOISES = ("lwe_noise", "glwe_noise")


def load_parameters(name: str) -> Parameters:
    """The set of a name in SETS, or of a .yaml file. InputError for anything else, and for what no key can have."""
    if name in SETS:
        return SETS[name].parameters
    if not name.endswith((".yaml", ".yml")):
        known = ", ".join(SETS)
        raise InputError(f"parameters: wanted {known} or a .yaml file, got {shown(name)}{nearest(name, SETS)}")
    top = yaml_strict.load(Path(name))
    names = [field.name for field in fields(Parameters)]
    top.expect_keys(names, "TFHE parameters")
    if missing := [key for key in names if key not in top.entries]:
        raise InputError(f"{name}: wanted every parameter ({', '.join(names)}), got none for {', '.join(missing)}")
    parameters = Parameters(**{key: _number(top.entries[key], key) for key in names})
    try:
        check_parameters(parameters)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return parameters


def name_of(parameters: Parameters) -> str:
    """The name in SETS of these parameters, of two names the one that claims less; or `custom`."""
    return min((name for name, named in SETS.items() if named.parameters == parameters), key=_claim, default="custom")


def _claim(name: str) -> int:
    """Bits of security that a name claims; many where it claims none."""
    last = name.rpartition("_")[2]
    return int(last) if last.isdecimal() else 1 << 10


def _number(node: yaml_strict.Node, key: str) -> Any:
    value = node.value if isinstance(node, yaml_strict.Scalar) else None
    kinds: tuple[type, ...] = (int, float) if key in _NOISES else (int,)
    if type(value) not in kinds:
        wanted = "a number such as 3.0e-5" if key in _NOISES else "a whole number"
        raise node.place.error(f"{key}: wanted {wanted}, got {yaml_strict.describe(node)}")
    return value
