"""Design spaces: a YAML file names a family and its axes; a space answers with design points.

    family: tensor
    workload: digits_cnn                # default workload (optional)
    minimize: [latency_ns, area_um2]    # objectives (optional)
    maximize: [accuracy]                # ... of which more is better (optional)
    subject_to: [area_um2 <= 8e6]       # constraints (optional)
    design:
      dataflow: weight_stationary       # a scalar is fixed
      array_rows: [4, 8, 16]            # a list is an axis
      array_cols: {range: [4, 16], scale: log2}   # a range is an axis: log2 doubles, integer and linear count up

Fields, types and defaults are those of the family's `Design`; a field that is not named keeps its default.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from collections.abc import Callable, Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from designs import families, technology, yaml_strict
from designs.errors import DesignError, InputError
from designs.fields import Field, Value, fields_of
from designs.objectives import Constraint, parse_constraint, parse_objective
from designs.spelling import nearest, shown

Point: TypeAlias = dict[str, Value]

MAX_AXIS_VALUES = 4096
MAX_POINTS = 2_000_000  # what points() lists; random_points() draws from spaces of any size
_PROBES = 200  # combinations of the other axes tried before a value is called impossible


@dataclass(frozen=True)
class Axis:
    """One field and the values it takes, in file order."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Refusal:
    """A point of the product that cannot be built, and why."""

    point: Point
    reason: str


@dataclass(frozen=True, kw_only=True)
class Space:
    """A family and its axes. Points are the cartesian product in file order: the last axis changes fastest."""

    name: str
    family: str
    axes: tuple[Axis, ...]
    workload: str | None = None
    minimize: tuple[str, ...] = ("latency_ns", "area_um2")
    maximize: tuple[str, ...] = ()
    subject_to: tuple[Constraint, ...] = ()

    @cached_property
    def fields(self) -> dict[str, Field]:
        """The family's fields by name, in the order of its dataclass."""
        return fields_of(self.design_class)

    @cached_property
    def design_class(self) -> Any:
        """The family's `Design`."""
        return families.load(self.family).Design

    @property
    def objectives(self) -> tuple[str, ...]:
        """What a Pareto front of the space is made of: what to minimize, then what to maximize."""
        return (*self.minimize, *self.maximize)

    @property
    def n_points(self) -> int:
        """Points of the product, buildable or not."""
        return math.prod(len(axis.values) for axis in self.axes)

    @property
    def open_axes(self) -> tuple[Axis, ...]:
        """Axes with more than one value."""
        return tuple(axis for axis in self.axes if len(axis.values) > 1)

    def points(self, limit: int | None = None) -> list[Point]:
        """The buildable points in file order, each with every field of the design; the first `limit` of them."""
        return self.expand(limit)[0]

    def expand(self, limit: int | None = None) -> tuple[list[Point], list[Refusal]]:
        """Buildable points and refused ones, in file order; stops after `limit` buildable points."""
        if limit is None and self.n_points > MAX_POINTS:
            raise InputError(
                f"{self.name}: wanted at most {MAX_POINTS} points to list, got {self.n_points}; "
                f"pin an axis with --set or take the first ones with --limit"
            )
        good: list[Point] = []
        refused: list[Refusal] = []
        for point in self._product():
            if limit is not None and len(good) >= limit:
                break
            reason = self.refusal(point)
            if reason is None:
                good.append(point)
            else:
                refused.append(Refusal(point, str(reason)))
        return good, refused

    def first_point(self) -> Point:
        """The first buildable point in file order; InputError with the first reason where there is none."""
        for point in itertools.islice(self._product(), MAX_POINTS):
            if self.refusal(point) is None:
                return point
        raise InputError(f"{self.name}: wanted a point that can be built, got none: {self.refusal(self._first())}")

    def random_points(self, n: int, seed: int) -> list[Point]:
        """`n` buildable points, the same for the same seed; different from each other while the space has enough.

        Small spaces are listed and sampled; large ones are drawn axis by axis, without listing.
        """
        draw = random.Random(seed)
        if self.n_points <= max(4 * n, 20_000):
            good = self.points()
            if not good:
                self.first_point()
            whole, rest = divmod(n, len(good))
            return good * whole + draw.sample(good, rest)
        found: dict[tuple[Value, ...], Point] = {}
        for _ in range(1000 * n + 1000):
            if len(found) >= n:
                return list(found.values())
            point = self._point(draw.choice(axis.values) for axis in self.axes)
            if self.refusal(point) is None:
                found.setdefault(tuple(point.values()), point)
        raise InputError(f"{self.name}: wanted {n} points that can be built, found {len(found)} in {1000 * n} draws")

    def pin(self, settings: MappingType[str, str | Value]) -> Space:
        """This space with fields fixed. Text, as on the command line, is read strictly by the field's type."""
        axes = {axis.name: axis for axis in self.axes}
        for name, value in settings.items():
            field = self.fields.get(name)
            if field is None:
                known = ", ".join(self.fields)
                raise InputError(
                    f"--set {name}: wanted a parameter of {self.family} ({known}), "
                    f"got {shown(name)}{nearest(name, self.fields)}"
                )
            try:
                axes[name] = Axis(name, (field.parse(value) if isinstance(value, str) else field.accept(value),))
            except ValueError as error:
                raise InputError(f"--set {name}={value}: {error}") from error
        pinned = dataclasses.replace(self, axes=tuple(axes.values()))
        for name in settings:
            if (reason := pinned.impossible(name, axes[name].values[0])) is not None:
                raise InputError(f"--set {name}={settings[name]}: {reason}")
        return pinned

    def design(self, point: Point) -> Any:
        """The family's `Design` of a point, checked; DesignError where it cannot be built."""
        design = self.design_class(**point)
        check_design(design)
        return design

    def refusal(self, point: Point) -> DesignError | None:
        """Why a point cannot be built, or None where it can."""
        try:
            self.design(point)
        except DesignError as error:
            return error
        return None

    def impossible(self, name: str, value: Value) -> str | None:
        """Why no point with this value can be built, or None where one can or other fields are to blame.

        Spaces too large to try are probed with a fixed sample of the other axes.
        """
        others = dataclasses.replace(
            self, axes=tuple(Axis(a.name, (value,)) if a.name == name else a for a in self.axes)
        )
        if others.n_points <= _PROBES:
            tried: Iterator[Point] = others._product()
        else:
            draw = random.Random(0)
            tried = (others._point(draw.choice(a.values) for a in others.axes) for _ in range(_PROBES))
        first: str | None = None
        for point in tried:
            reason = self.refusal(point)
            if reason is None or reason.field != name:
                return None
            first = first or reason.message
        return first

    def _product(self) -> Iterator[Point]:
        return (self._point(values) for values in itertools.product(*(axis.values for axis in self.axes)))

    def _first(self) -> Point:
        return self._point(axis.values[0] for axis in self.axes)

    def _point(self, values: Iterator[Value] | tuple[Value, ...]) -> Point:
        chosen = dict(zip((axis.name for axis in self.axes), values, strict=True))
        return {name: chosen.get(name, field.default) for name, field in self.fields.items()}


def check_design(design: Any) -> None:
    """Raise DesignError where the family cannot build the design or no technology table knows its node."""
    design.check()
    if design.node_nm not in technology.nodes_nm():
        known = ", ".join(str(node) for node in technology.nodes_nm())
        raise DesignError("node_nm", f"wanted one of {known}, got {design.node_nm}")


def load_space(path_or_name: str | Path) -> Space:
    """Read a design space: a path, or the name of a file in this folder (`tensor` is `designs/tensor.yaml`).

    Raises InputError, one line `file:line:col: what was wanted, what came, how to mend it`, for anything that is
    not a design space.
    """
    path = _find(path_or_name)
    top = yaml_strict.load(path)
    top.expect_keys(("family", "workload", "minimize", "maximize", "subject_to", "design"), "a design space")
    if "family" not in top.entries:
        known = ", ".join(families.names())
        raise top.place.error(f"wanted the key 'family' (one of {known}), got none; add 'family: ...'")
    family = _text(top.entries["family"], "the name of a family")
    try:
        fields = fields_of(families.load(family).Design)
    except InputError as error:
        raise top.entries["family"].place.error(str(error)) from error
    own_metrics = families.metrics(family)
    axes, places = _axes(top.entries.get("design"), fields, family)
    space = Space(
        name=path.stem,
        family=family,
        axes=axes,
        workload=_text(top.entries["workload"], "the name of a workload") if "workload" in top.entries else None,
        minimize=_texts(top, "minimize", lambda text: parse_objective(text, own_metrics)) or Space.minimize,
        maximize=_texts(top, "maximize", lambda text: parse_objective(text, own_metrics, maximize=True)),
        subject_to=_texts(top, "subject_to", lambda text: parse_constraint(text, own_metrics)),
    )
    for (name, value), place in places.items():
        if (reason := space.impossible(name, value)) is not None:
            raise place.error(f"{name}: {reason}")
    return space


def _find(path_or_name: str | Path) -> Path:
    path = Path(path_or_name)
    try:
        if path.suffix in (".yaml", ".yml") or path.exists():
            return path
    except OSError:  # a name that no file can have, as one that is too long: reading it says so
        return path
    folder = Path(__file__).parent
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    if str(path_or_name) in known:
        return folder / f"{path_or_name}.yaml"
    raise InputError(
        f"{path_or_name}: wanted a design space: a .yaml file or one of {', '.join(known)}"
        f"{nearest(str(path_or_name), known)}"
    )


def _axes(
    node: yaml_strict.Node | None, fields: dict[str, Field], family: str
) -> tuple[tuple[Axis, ...], dict[tuple[str, Value], yaml_strict.Place]]:
    """The axes under `design:`, and where each value that the file names stands in it (of a range, both ends)."""
    if node is None or (isinstance(node, yaml_strict.Scalar) and node.value is None):
        return (), {}
    if not isinstance(node, yaml_strict.Mapping):
        raise node.place.error(f"wanted a mapping of parameters under 'design', got {yaml_strict.describe(node)}")
    node.expect_keys(fields, f"family {family}")
    axes = []
    places: dict[tuple[str, Value], yaml_strict.Place] = {}
    for name, entry in node.entries.items():
        found = _axis_values(entry, fields[name])
        named = (found[0], found[-1]) if isinstance(entry, yaml_strict.Mapping) else found
        places |= {(name, value): place for value, place in named}
        axes.append(Axis(name, tuple(value for value, _ in found)))
    return tuple(axes), places


def _axis_values(node: yaml_strict.Node, field: Field) -> list[tuple[Value, yaml_strict.Place]]:
    if isinstance(node, yaml_strict.Scalar):
        return [(_accept(node, field), node.place)]
    if isinstance(node, yaml_strict.Mapping):
        return [(value, node.place) for value in _range_values(node, field)]
    if not node.items:
        raise node.place.error(f"{field.name}: wanted at least one value, got an empty list")
    found: dict[Value, yaml_strict.Place] = {}
    for item in node.items:
        value = _accept(item, field)
        if value in found:
            raise item.place.error(f"{field.name}: wanted each value once, got {shown(value)} again")
        found[value] = item.place
    return list(found.items())


def _range_values(node: yaml_strict.Mapping, field: Field) -> list[int]:
    node.expect_keys(("range", "scale"), "a range")
    if field.type is not int or field.choices:
        raise node.place.error(f"{field.name}: wanted {field.wanted}, got a range; list the values")
    ends = node.entries.get("range")
    if not isinstance(ends, yaml_strict.Sequence) or len(ends.items) != 2:
        raise (ends or node).place.error(f"{field.name}: wanted range: [lowest, highest]")
    low, high = (int(_accept(item, field)) for item in ends.items)
    if low > high:
        raise ends.place.error(f"{field.name}: wanted the lowest value first, got [{low}, {high}]")
    scale_node = node.entries.get("scale")
    scale = "integer" if scale_node is None else _text(scale_node, "log2, linear or integer")
    if scale not in ("log2", "linear", "integer"):
        assert scale_node is not None
        raise scale_node.place.error(f"{field.name}: wanted the scale log2, linear or integer, got {shown(scale)}")
    if scale == "log2":
        if low < 1:
            raise ends.place.error(f"{field.name}: wanted a lowest value of 1 or more for the scale log2, got {low}")
        return [low << step for step in range((high // low).bit_length())]
    if high - low >= MAX_AXIS_VALUES:
        raise ends.place.error(f"{field.name}: wanted at most {MAX_AXIS_VALUES} values, got {high - low + 1}; use log2")
    return list(range(low, high + 1))


def _accept(node: yaml_strict.Node, field: Field) -> Value:
    if not isinstance(node, yaml_strict.Scalar):
        raise node.place.error(f"{field.name}: wanted {field.wanted}, got {yaml_strict.describe(node)}")
    try:
        return field.accept(node.value)
    except ValueError as error:
        raise node.place.error(f"{field.name}: {error}") from error


def _text(node: yaml_strict.Node, wanted: str) -> str:
    if isinstance(node, yaml_strict.Scalar) and isinstance(node.value, str):
        return node.value
    raise node.place.error(f"wanted {wanted}, got {yaml_strict.describe(node)}")


def _texts(top: yaml_strict.Mapping, key: str, parse: Callable[[str], Any]) -> tuple[Any, ...]:
    node = top.entries.get(key)
    if node is None:
        return ()
    if not isinstance(node, yaml_strict.Sequence):
        raise node.place.error(f"{key}: wanted a list, got {yaml_strict.describe(node)}")
    found = []
    for item in node.items:
        text = _text(item, f"text under {key}")
        try:
            found.append(parse(text))
        except InputError as error:
            raise item.place.error(f"{key}: {error}") from error
    return tuple(found)
