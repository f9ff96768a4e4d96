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
      n_of_m: {values: ["1:1", "2:4"], when: {dataflow: [weight_stationary]}}   # an axis only where a condition is met

A condition names axes above; where it is not met the field keeps its default, and the point is counted once. Fields,
types and defaults are those of the family's `Design`; a field that is not named keeps its default. Metrics may be named
in other units: latency_ms, energy_mj, area_mm2.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from designs import families, technology, yaml_strict
from designs.axes import Axis, count, product
from designs.axes_yaml import read_axes
from designs.errors import DesignError, InputError
from designs.fields import Field, Value, fields_of
from designs.objectives import Constraint, parse_constraint, parse_objective
from designs.spelling import nearest, shown

Point: TypeAlias = dict[str, Value]

MAX_POINTS = 2_000_000  # what points() lists; random_points() draws from spaces of any size
_PROBES = 200  # combinations of the other axes tried before a value is called impossible


@dataclass(frozen=True)
class Refusal:
    """A point of the product that cannot be built, and why."""

    point: Point
    reason: str


@dataclass(frozen=True, kw_only=True)
class Space:
    """A family and its axes. Points are the cartesian product in file order: the last axis changes fastest.

    Objectives are metrics of a result row, in its units.
    """

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

    @cached_property
    def defaults(self) -> Point:
        """The family's default of each field."""
        return {name: field.default for name, field in self.fields.items()}

    @property
    def objectives(self) -> tuple[str, ...]:
        """What a Pareto front of the space is made of: what to minimize, then what to maximize."""
        return (*self.minimize, *self.maximize)

    @cached_property
    def n_points(self) -> int:
        """Points of the product, buildable or not, each counted once; exact for any size."""
        return count(self.axes, self.defaults)

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
        for point in product(self.axes, self.defaults):
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
        for point in itertools.islice(product(self.axes, self.defaults), MAX_POINTS):
            if self.refusal(point) is None:
                return point
        raise InputError(f"{self.name}: wanted a point that can be built, got none: {self._first_reason()}")

    def compose(self, choose: Callable[[Axis], Value]) -> Point:
        """The point, buildable or not, of which `choose` names the value of each active axis, asked in file order.

        An axis is asked for once what its conditions name is chosen, so `choose` may be an optimizer's.
        """
        point = dict(self.defaults)
        for axis in self.axes:
            if axis.is_active(point):
                point[axis.name] = choose(axis)
        return point

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
            point = self.compose(lambda axis: draw.choice(axis.values))
            if self.refusal(point) is None:
                found.setdefault(tuple(point.values()), point)
        raise InputError(f"{self.name}: wanted {n} points that can be built, found {len(found)} in {1000 * n} draws")

    def pin(self, settings: MappingType[str, str | Value]) -> Space:
        """This space with fields fixed, in every point. Text, as on the command line, is read by the field's type."""
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
        first: str | None = None
        for point in self._around(name, value):
            reason = self.refusal(point)
            if reason is None or reason.field != name:
                return None
            first = first or reason.message
        return first

    def _around(self, name: str, value: Value) -> Iterator[Point]:
        """Points in which the axis `name` is active and has this value: all of them, or a fixed sample."""
        (asked,) = (axis for axis in self.axes if axis.name == name)
        wanted = dict(asked.when)
        narrowed = []
        for axis in self.axes:
            values = tuple(v for v in wanted.get(axis.name, ()) if v in axis.values) or axis.values
            narrowed.append(dataclasses.replace(axis, values=(value,) if axis is asked else values))
        others = dataclasses.replace(self, axes=tuple(narrowed))
        if others.n_points <= _PROBES:
            found = product(others.axes, self.defaults)
        else:
            draw = random.Random(0)
            found = (others.compose(lambda axis: draw.choice(axis.values)) for _ in range(_PROBES))
        return (point for point in found if asked.is_active(point))

    def _first_reason(self) -> DesignError | None:
        return self.refusal(next(product(self.axes, self.defaults)))


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
    family = yaml_strict.text_of(top.entries["family"], "the name of a family")
    try:
        fields = fields_of(families.load(family).Design)
    except InputError as error:
        raise top.entries["family"].place.error(str(error)) from error
    own_metrics = families.metrics(family)
    axes, places = read_axes(top.entries.get("design"), fields, family)
    named = top.entries.get("workload")
    space = Space(
        name=path.stem,
        family=family,
        axes=axes,
        workload=None if named is None else yaml_strict.text_of(named, "the name of a workload"),
        minimize=_objectives(top, "minimize", own_metrics) or Space.minimize,
        maximize=_objectives(top, "maximize", own_metrics),
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


def _objectives(top: yaml_strict.Mapping, key: str, own_metrics: Sequence[str]) -> tuple[str, ...]:
    """Canonical names of metrics, each once in whatever unit."""
    written: dict[str, str] = {}

    def parse(text: str) -> str:
        metric = parse_objective(text, own_metrics, maximize=key == "maximize")
        if metric in written:
            raise InputError(f"wanted each metric once, got {text} beside {written[metric]}")
        written[metric] = text
        return metric

    return _texts(top, key, parse)


def _texts(top: yaml_strict.Mapping, key: str, parse: Callable[[str], Any]) -> tuple[Any, ...]:
    node = top.entries.get(key)
    if node is None:
        return ()
    if not isinstance(node, yaml_strict.Sequence):
        raise node.place.error(f"{key}: wanted a list, got {yaml_strict.describe(node)}")
    found = []
    for item in node.items:
        text = yaml_strict.text_of(item, f"text under {key}")
        try:
            found.append(parse(text))
        except InputError as error:
            raise item.place.error(f"{key}: {error}") from error
    return tuple(found)
