"""Tilings that the user pins: text such as `rows=4,blocks=1,channels=32`, read by the fields of the family's Tiling."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import typing
from collections.abc import Mapping
from typing import Any, Literal

import workloads.mapping
from designs.errors import InputError
from designs.fields import Field
from designs.spelling import nearest, shown
from workloads.kinds.network import Network
from workloads.load import Workload


def pinned_tilings(family: str, workload: Workload, tiles: Mapping[str, str]) -> list[Any]:
    """One tiling a layer, None where the mapper is to search; `tiles` is layer name -> text. InputError if bad."""
    if not isinstance(workload, Network):
        raise InputError(f"--tile: wanted a network, whose layers are cut, got {workload.name}, a {workload.kind()}")
    names = [layer.name for layer in workload.layers]
    for name in tiles:
        if name not in names:
            known = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
            raise InputError(f"--tile {name}: wanted a layer ({known}), got {shown(name)}{nearest(name, names)}")
    return [_tiling(family, name, tiles[name]) if name in tiles else None for name in names]


def _tiling(family: str, layer: str, text: str) -> Any:
    where = f"--tile {layer}={text}"
    if family not in {module.name for module in pkgutil.iter_modules(workloads.mapping.__path__)}:
        raise InputError(f"{where}: wanted a family that has tilings, got {family}")
    kind = importlib.import_module(f"workloads.mapping.{family}").Tiling
    fields = _fields(kind)
    values: dict[str, Any] = {}
    for pair in text.split(","):
        name, _, value = pair.partition("=")
        if name not in fields:
            raise InputError(f"{where}: wanted {', '.join(fields)}, got {shown(name)}{nearest(name, fields)}")
        try:
            values[name] = fields[name].parse(value)
        except ValueError as error:
            raise InputError(f"{where}: {name}: {error}") from error
    missing = [f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING and f.name not in values]
    if missing:
        raise InputError(f"{where}: wanted {', '.join(fields)}, got no {', '.join(missing)}")
    return kind(**values)


def _fields(kind: Any) -> dict[str, Field]:
    found = {}
    for name, hint in typing.get_type_hints(kind).items():
        is_choice = typing.get_origin(hint) is Literal
        found[name] = Field(name, str if is_choice else hint, 0, typing.get_args(hint) if is_choice else ())
    return found
