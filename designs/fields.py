"""The parameters of a family, read from its dataclass: name, type, default, and strict reading of values."""

from __future__ import annotations

import dataclasses
import re
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

from designs.spelling import nearest, shown

Value: TypeAlias = int | bool | str

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")


@dataclass(frozen=True)
class Field:
    """One parameter. `choices` are the values of a Literal, else empty."""

    name: str
    type: type
    default: Value
    choices: tuple[str, ...] = ()

    @property
    def wanted(self) -> str:
        """What the field takes, for error messages."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        return {int: "a whole number", bool: "true or false", str: "text"}[self.type]

    def accept(self, value: object) -> Value:
        """The value, where it is of the field's very type; ValueError with `wanted ..., got ...` otherwise."""
        if value is None:
            raise ValueError(f"wanted {self.wanted}, got nothing")
        if type(value) is not self.type:
            raise ValueError(f"wanted {self.wanted}, got {shown(value)}")
        if self.choices and value not in self.choices:
            raise ValueError(f"wanted {self.wanted}, got {shown(value)}{nearest(str(value), self.choices)}")
        return typing.cast(Value, value)

    def parse(self, text: str) -> Value:
        """Read command-line text strictly: `8` for a whole number, `true` or `false` for a switch."""
        if self.type is int and _INTEGER.fullmatch(text):
            return int(text)
        if self.type is bool and text in ("true", "false"):
            return text == "true"
        return self.accept(text)


@cache
def fields_of(design_class: type) -> dict[str, Field]:
    """The fields of a family's `Design` in order. TypeError where one is not an int, bool, str or Literal of text."""
    hints = typing.get_type_hints(design_class)
    return {field.name: _field(field, hints[field.name]) for field in dataclasses.fields(design_class)}


def _field(field: dataclasses.Field[Any], hint: Any) -> Field:
    if field.default is dataclasses.MISSING:
        raise TypeError(f"{field.name}: a design parameter needs a default")
    if typing.get_origin(hint) is Literal:
        return Field(field.name, str, field.default, typing.get_args(hint))
    if hint not in (int, bool, str):
        raise TypeError(f"{field.name}: wanted int, bool, str or a Literal of text, got {hint}")
    return Field(field.name, hint, field.default)
