"""Values of a circuit's inputs as people give them: NAME=VALUE, JSON files, random ones."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from designs.errors import InputError
from designs.spelling import shown
from workloads.circuits.circuit import Port
from workloads.circuits.values import decode_outputs

_INTEGER = re.compile(r"-?([0-9]{1,4000}|0[xX][0-9a-fA-F]{1,4000})")
_MOST_JSON_BYTES = 1 << 28


def parse_values(ports: Sequence[Port], given: Sequence[str]) -> dict[str, Any]:
    """Values of words such as `a=5`, `table=1,2,-3`, `mask=0xff`, or names of JSON files that hold one object of them.

    An array may be flat, in C's order; it is returned in lists of its port's shape where it has as many elements.
    InputError for anything else. Which names and values there must be, values.encode_inputs says.
    """
    found: dict[str, Any] = {}
    for word in given:
        name, equals, text = word.partition("=")
        for key, value in ({name: _parse(name, text)} if equals else _of_json(word)).items():
            if key in found:
                raise InputError(f"{key}: wanted one value for each input, got two; leave one out")
            found[key] = value
    shapes = {port.name: port.shape for port in ports}
    return {name: _shaped(value, shapes.get(name, ())) for name, value in found.items()}


def random_values(ports: Sequence[Port], seed: int | None) -> dict[str, Any]:
    """Uniform values of every port; the same for the same seed."""
    n_bits = sum(port.n_bits for port in ports)
    return decode_outputs(ports, np.random.default_rng(seed).integers(0, 2, n_bits, np.uint8))


def _parse(name: str, text: str) -> int | list[int]:
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not _INTEGER.fullmatch(word):
            wanted = f"wanted integers such as {name}=5 or {name}=1,-2,0xff"
            raise InputError(f"{name}: {wanted}, got {shown(word)}; mend it")
    numbers = [int(word, 16) if "x" in word.lower() else int(word) for word in words]
    return numbers if len(numbers) > 1 else numbers[0]


def _of_json(path: str) -> dict[str, Any]:
    wanted = f"{path}: wanted NAME=VALUE or a JSON file of one object"
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MOST_JSON_BYTES + 1)
        if len(data) > _MOST_JSON_BYTES:
            raise ValueError(f"more than {_MOST_JSON_BYTES} bytes")
        found = json.loads(data, object_pairs_hook=_object)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{wanted}, got: {' '.join(str(reason).split())[:200]}; mend it") from error
    if not isinstance(found, dict):
        raise InputError(f"{wanted}, got {shown(found)}; write names with their values")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError for a name twice, of which json would take the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise ValueError(f"{shown(twice)} twice")
    return found


def _shaped(value: Any, shape: tuple[int, ...]) -> Any:
    """A flat list, or an integer for an array of one, in lists of the shape; anything else as it is."""
    flat = [value] if shape and isinstance(value, int) else value
    n_elements = int(np.prod(shape, dtype=np.int64))
    if not isinstance(flat, list) or len(flat) != n_elements or any(isinstance(item, list) for item in flat):
        return value
    for size in reversed(shape[1:]):
        flat = [flat[at : at + size] for at in range(0, len(flat), size)]
    return flat
