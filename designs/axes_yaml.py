"""Axes as a space's YAML writes them: a scalar, a list, a range, or a list or range under a condition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from designs import yaml_strict
from designs.axes import Axis, Condition, Scale, count
from designs.fields import Field, Value
from designs.spelling import nearest, shown

Places: TypeAlias = dict[tuple[str, Value], yaml_strict.Place]

_MOST_SHOWN = 8


def read_axes(node: yaml_strict.Node | None, fields: dict[str, Field], family: str) -> tuple[tuple[Axis, ...], Places]:
    """The axes under `design:`, and where each value that the file names stands in it (of a range, both ends)."""
    if node is None or (isinstance(node, yaml_strict.Scalar) and node.value is None):
        return (), {}
    if not isinstance(node, yaml_strict.Mapping):
        raise node.place.error(f"wanted a mapping of parameters under 'design', got {yaml_strict.describe(node)}")
    node.expect_keys(fields, f"family {family}")
    defaults = {name: field.default for name, field in fields.items()}
    found: list[Axis] = []
    places: Places = {}
    for name, entry in node.entries.items():
        values, scale, named = _values(entry, fields[name])
        places |= {(name, value): place for value, place in named.items()}
        when_node = entry.entries.get("when") if isinstance(entry, yaml_strict.Mapping) else None
        when = () if when_node is None else _Conditions(name, found, fields, list(node.entries)).read(when_node)
        found.append(Axis(name, values, when, scale))
        if when_node is not None and not count(found, defaults, active=name):
            raise when_node.place.error(f"{name}: wanted a condition that some point meets, got one that none does")
    return tuple(found), places


def _values(node: yaml_strict.Node, field: Field) -> tuple[Sequence[Value], Scale, dict[Value, yaml_strict.Place]]:
    """The values of an axis, their scale, and those that the file names with their places."""
    if isinstance(node, yaml_strict.Scalar):
        value = accept(node, field)
        return (value,), "categorical", {value: node.place}
    if isinstance(node, yaml_strict.Mapping) and "when" in node.entries and not {"values", "range"} & set(node.entries):
        node.expect_keys(("values", "range", "scale", "when"), "an axis under a condition")
        raise node.place.error(f"{field.name}: wanted values: [...] or range: [low, high] beside 'when', got neither")
    if isinstance(node, yaml_strict.Mapping) and "values" not in node.entries:
        counted, scale = _range(node, field)
        return counted, scale, {counted[0]: node.place, counted[-1]: node.place}
    if isinstance(node, yaml_strict.Mapping):
        node.expect_keys(("values", "when"), "an axis under a condition")
        node = node.entries["values"]
    named = _listed(node, field)
    return tuple(named), "categorical", named


def _listed(node: yaml_strict.Node, field: Field) -> dict[Value, yaml_strict.Place]:
    if not isinstance(node, yaml_strict.Sequence):
        raise node.place.error(f"{field.name}: wanted a list of values, got {yaml_strict.describe(node)}")
    if not node.items:
        raise node.place.error(f"{field.name}: wanted at least one value, got an empty list")
    found: dict[Value, yaml_strict.Place] = {}
    for item in node.items:
        value = accept(item, field)
        if value in found:
            raise item.place.error(f"{field.name}: wanted each value once, got {shown(value)} again")
        found[value] = item.place
    return found


def _range(node: yaml_strict.Mapping, field: Field) -> tuple[Sequence[int], Scale]:
    node.expect_keys(("range", "scale", "when"), "a range")
    if field.type is not int or field.choices:
        raise node.place.error(f"{field.name}: wanted {field.wanted}, got a range; list the values")
    ends = node.entries.get("range")
    if not isinstance(ends, yaml_strict.Sequence) or len(ends.items) != 2:
        got = "none" if ends is None else yaml_strict.describe(ends)
        if isinstance(ends, yaml_strict.Sequence):
            got = f"a list of {len(ends.items)}"
        raise (ends or node).place.error(f"{field.name}: wanted range: [lowest, highest], got {got}")
    low, high = (int(accept(item, field)) for item in ends.items)
    if low > high:
        raise ends.place.error(f"{field.name}: wanted the lowest value first, got [{low}, {high}]")
    scale_node = node.entries.get("scale")
    scale = "integer" if scale_node is None else yaml_strict.text_of(scale_node, "log2, linear or integer")
    if scale not in ("log2", "linear", "integer"):
        assert scale_node is not None
        raise scale_node.place.error(f"{field.name}: wanted the scale log2, linear or integer, got {shown(scale)}")
    if scale == "log2":
        if low < 1:
            raise ends.place.error(f"{field.name}: wanted a lowest value of 1 or more for the scale log2, got {low}")
        return tuple(low << step for step in range((high // low).bit_length())), "log2"
    return range(low, high + 1), "integer"


class _Conditions:
    """Reads the conditions of the axis `name`, which may name axes `above` it."""

    def __init__(self, name: str, above: list[Axis], fields: dict[str, Field], named: list[str]) -> None:
        self._name = name
        self._above = {axis.name: axis for axis in above}
        self._fields = fields
        self._named = named

    def read(self, node: yaml_strict.Node) -> tuple[Condition, ...]:
        """InputError, with its place, for anything that is not a mapping of axes above to values they take."""
        if not isinstance(node, yaml_strict.Mapping) or not node.entries:
            got = "an empty mapping" if isinstance(node, yaml_strict.Mapping) else yaml_strict.describe(node)
            raise node.place.error(f"{self._name}: wanted when: {{axis: [values]}}, got {got}")
        return tuple(self._condition(node.keys[parent], entry) for parent, entry in node.entries.items())

    def _condition(self, key: yaml_strict.Scalar, node: yaml_strict.Node) -> Condition:
        parent = str(key.value)
        if parent not in self._above:
            raise key.place.error(
                f"{self._name}: wanted an axis above it ({_some(self._above)}), got {shown(parent)}"
                f"{self._why_not(parent) or nearest(parent, self._above)}"
            )
        items = node.items if isinstance(node, yaml_strict.Sequence) else (node,)
        if not items:
            raise node.place.error(f"{self._name}: wanted at least one value of {parent}, got an empty list")
        axis, field = self._above[parent], self._fields[parent]
        found: list[Value] = []
        for item in items:
            value = accept(item, field)
            if value not in axis.values and not (axis.when and value == field.default):
                takes = _shown_values(axis, field)
                hint = nearest(str(value), map(str, axis.values)) if field.type is str else ""
                raise item.place.error(
                    f"{self._name}: wanted a value that {parent} takes ({takes}), got {shown(value)}{hint}"
                )
            if value in found:
                raise item.place.error(f"{self._name}: wanted each value of {parent} once, got {shown(value)} again")
            found.append(value)
        return parent, tuple(found)

    def _why_not(self, parent: str) -> str:
        if parent == self._name:
            return ", the axis itself"
        return ", which stands below; move it up" if parent in self._named else ""


def accept(node: yaml_strict.Node, field: Field) -> Value:
    """A scalar as the value of a field; InputError with its place where it is none."""
    if not isinstance(node, yaml_strict.Scalar):
        raise node.place.error(f"{field.name}: wanted {field.wanted}, got {yaml_strict.describe(node)}")
    try:
        return field.accept(node.value)
    except ValueError as error:
        raise node.place.error(f"{field.name}: {error}") from error


def _shown_values(axis: Axis, field: Field) -> str:
    """The values of an axis, of a long one its ends; with the default where it may be inactive."""
    if axis.scale == "integer" and len(axis.values) > 2:
        text = f"{axis.values[0]} to {axis.values[-1]}"
    else:
        text = _some(axis.values)
    outside = axis.when and field.default not in axis.values
    return f"{text}; {field.default} where it is not active" if outside else text


def _some(words: Iterable[Value]) -> str:
    listed = [str(word) for word in words]
    if not listed:
        return "there is none"
    return ", ".join(listed) if len(listed) <= _MOST_SHOWN else ", ".join(listed[: _MOST_SHOWN - 1]) + ", ..."
