"""The parameters of a family, read from its dataclass: name, type, default, and strict reading of values."""

from __future__ import annotations

import dataclasses
import math
import re
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

from designs.spelling import nearest, shown

Value: TypeAlias = int | float | bool | str

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?[0-9]{1,18}(\.[0-9]{1,18})?(e[-+]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Field:
    """One parameter. `choices` are the values of a Literal, else empty."""

    name: str
    type: type
    default: Value
    choices: tuple[Value, ...] = ()

    @property
    def wanted(self) -> str:
        """What the field takes, for error messages."""
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices))
        return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[self.type]

    def accept(self, value: object) -> Value:
        """The value, where it is of the field's very type; ValueError with `wanted ..., got ...` otherwise.

        A whole number does for a field of other numbers too.
        """
        if value is None:
            raise ValueError(f"wanted {self.wanted}, got nothing")
        if self.type is float and type(value) is int:
            value = float(value)
        if type(value) is not self.type or (type(value) is float and not math.isfinite(value)):
            raise ValueError(f"wanted {self.wanted}, got {shown(value)}")
        if self.choices and value not in self.choices:
            hint = nearest(str(value), [str(choice) for choice in self.choices]) if self.type is str else ""
            raise ValueError(f"wanted {self.wanted}, got {shown(value)}{hint}")
        return typing.cast(Value, value)

    def parse(self, text: str) -> Value:
        """Read command-line text strictly: `8` for a whole number, `true` or `false` for a switch."""
        if self.type is int and _INTEGER.fullmatch(text):
            return self.accept(int(text))
        if self.type is float and _NUMBER.fullmatch(text):
            return self.accept(float(text))
        if self.type is bool and text in ("true", "false"):
            return text == "true"
        return self.accept(text)


@cache
def fields_of(design_class: type) -> dict[str, Field]:
    """The fields of a family's `Design` in order.

    TypeError where one is not an int, float, bool, str or Literal of whole numbers or text.
    """
    hints = typing.get_type_hints(design_class)
    return {field.name: _field(field, hints[field.name]) for field in dataclasses.fields(design_class)}


def _field(field: dataclasses.Field[Any], hint: Any) -> Field:
    if field.default is dataclasses.MISSING:
        raise TypeError(f"{field.name}: a design parameter needs a default")
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        return Field(field.name, type(choices[0]), field.default, choices)
    if hint not in (int, float, bool, str):
        raise TypeError(f"{field.name}: wanted int, float, bool, str or a Literal, got {hint}")
    return Field(field.name, hint, field.default)
