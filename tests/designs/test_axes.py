"""Axes under conditions: counted and listed as by hand, whatever depends on what."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.axes import Axis, count, product
from designs.errors import InputError
from designs.fields import Value
from designs.space import Space
from tests import toy_family

HEAD = "family: toy\ndesign:\n"


@pytest.fixture(autouse=True)
def toy() -> None:
    toy_family.install()


CONDITIONAL = HEAD + (
    "  pipelined: [true, false]\n"
    "  order: {values: [columns_first, rows_first], when: {pipelined: true}}\n"
    "  clock_mhz: {range: [7, 9], when: {order: [columns_first]}}\n"
)


def test_a_point_is_counted_once_where_its_condition_is_not_met(write) -> None:  # type: ignore[no-untyped-def]
    space = write(CONDITIONAL)
    assert [(p["pipelined"], p["order"], p["clock_mhz"]) for p in space.points()] == [
        (True, "columns_first", 7),
        (True, "columns_first", 8),
        (True, "columns_first", 9),
        (True, "rows_first", 1000),
        (False, "rows_first", 1000),  # order is not active and counts with its default, so neither is the clock
    ]
    assert space.n_points == 5
    assert [axis.scale for axis in space.axes] == ["categorical", "categorical", "integer"]
    assert {str(point) for point in space.random_points(5, 1)} == {str(point) for point in space.points()}


def test_an_axis_that_is_not_active_counts_with_its_default(write) -> None:  # type: ignore[no-untyped-def]
    space = write(
        HEAD
        + "  lanes: [8, 16]\n  banks: {values: [4], when: {lanes: 16}}\n  label: {values: [a, b], when: {banks: 2}}\n"
    )
    assert [(p["lanes"], p["banks"], p["label"]) for p in space.points()] == [
        (8, 2, "a"),
        (8, 2, "b"),
        (16, 4, "plain"),
    ]


def test_axes_are_asked_for_one_by_one(write) -> None:  # type: ignore[no-untyped-def]
    asked: list[str] = []

    def choose(axis: Axis) -> Value:
        asked.append(axis.name)
        return axis.values[-1]

    point = write(CONDITIONAL).compose(choose)
    assert asked == ["pipelined"]
    assert list(point) == ["lanes", "banks", "order", "pipelined", "label", "clock_mhz", "node_nm"]
    asked.clear()
    assert write(CONDITIONAL).pin({"pipelined": "true"}).compose(choose)["order"] == "rows_first"
    assert asked == ["pipelined", "order"]


def test_pinning_a_condition_decides_it_and_pinning_under_one_ends_it(write) -> None:  # type: ignore[no-untyped-def]
    space = write(CONDITIONAL)
    assert space.pin({"pipelined": "false"}).n_points == 1
    assert space.pin({"order": "columns_first"}).n_points == 6  # in every point: 2 x 3
    fixed = space.pin({"clock_mhz": "5"})
    assert fixed.n_points == 3 and {p["clock_mhz"] for p in fixed.points()} == {5}
    with pytest.raises(InputError, match="--set lanes=0: wanted 1 to 64, got 0"):
        space.pin({"lanes": "0"})


def test_a_value_under_a_condition_is_judged_where_it_is_met(write) -> None:  # type: ignore[no-untyped-def]
    ladder = "  lanes: {range: [1, 64]}\n  clock_mhz: {range: [1, 4000]}\n"
    assert write(HEAD + ladder + "  banks: {values: [7], when: {lanes: [9, 14]}}\n").n_points == 64 * 4000
    with pytest.raises(InputError, match=r"s.yaml:5:20: banks: wanted a divisor of lanes \(9\), got 7"):
        write(HEAD + ladder + "  banks: {values: [7], when: {lanes: [9]}}\n")


def test_huge_spaces_are_counted_exactly_and_never_listed(write) -> None:  # type: ignore[no-untyped-def]
    space = write(
        HEAD + "  node_nm: [45, 28]\n  clock_mhz: {range: [1, 999999999999]}\n  lanes: {range: [1, 64]}\n"
        "  banks: {values: [1, 2], when: {clock_mhz: [5, 7], node_nm: 28}}\n"
    )
    assert space.n_points == 64 * (2 * 999999999999 + 2)
    assert len({str(point) for point in space.random_points(20, 3)}) == 20
    assert len(space.points(limit=3)) == 3
    with pytest.raises(InputError, match=f"wanted at most 2000000 points to list, got {space.n_points}"):
        space.points()


def test_counting_does_not_grow_with_the_number_of_independent_conditions() -> None:
    axes = [Axis(f"a{i}", (0, 1, 2)) for i in range(40)]
    axes += [Axis(f"b{i}", range(10), (((f"a{i}", (1, 2))),)) for i in range(40)]
    assert count(axes, {axis.name: 0 for axis in axes}) == 21**40


ERRORS = [
    ("  banks: {values: [1], when: {lane: [8]}}\n", ":4:31: banks: wanted an axis above it (lanes), got 'lane' (did you mean 'lanes'?)"),
    ("  banks: {values: [1], when: {order: rows_first}}\n  order: [rows_first]\n", ":4:31: banks: wanted an axis above it (lanes), got 'order', which stands below; move it up"),
    ("  banks: {values: [1], when: {banks: [1]}}\n", ":4:31: banks: wanted an axis above it (lanes), got 'banks', the axis itself"),
    ("  banks: {values: [1], when: {lanes: [8, 9]}}\n", ":4:42: banks: wanted a value that lanes takes (8, 16), got 9"),
    ("  banks: {values: [1], when: {lanes: eight}}\n", ":4:38: lanes: wanted a whole number, got 'eight'"),
    ("  banks: {values: [1], when: {lanes: [8, 8]}}\n", ":4:42: banks: wanted each value of lanes once, got 8 again"),
    ("  banks: {values: [1], when: {lanes: []}}\n", ":4:38: banks: wanted at least one value of lanes, got an empty list"),
    ("  banks: {values: [1], when: [lanes]}\n", ":4:30: banks: wanted when: {axis: [values]}, got a list"),
    ("  banks: {values: [1], when: {}}\n", ":4:30: banks: wanted when: {axis: [values]}, got an empty mapping"),
    ("  banks: {values: 1, when: {lanes: 8}}\n", ":4:19: banks: wanted a list of values, got 1"),
    ("  banks: {value: [1], when: {lanes: 8}}\n", ":4:11: wanted a key of an axis under a condition (values, range, scale, when), got 'value' (did you mean 'values'?)"),
    ("  banks: {values: [1], scale: log2}\n", ":4:24: wanted a key of an axis under a condition (values, when), got 'scale'"),
    ("  banks: {when: {lanes: 8}}\n", ":4:10: banks: wanted values: [...] or range: [low, high] beside 'when', got neither"),
    ("  banks: {values: [1], when: {lanes: 16}}\n  label: {values: [a], when: {lanes: 8, banks: 1}}\n", ":5:30: label: wanted a condition that some point meets, got one that none does"),
    ("  banks: {values: [1], when: {lanes: 16}}\n  label: {values: [a], when: {banks: 4}}\n", ":5:38: label: wanted a value that banks takes (1; 2 where it is not active), got 4"),
    ("  clock_mhz: {range: [1, 500]}\n  label: {values: [a], when: {clock_mhz: 501}}\n", ":5:42: label: wanted a value that clock_mhz takes (1 to 500), got 501"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), ERRORS)
def test_bad_conditions_are_named_with_their_place(write, text: str, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError) as caught:
        write(HEAD + "  lanes: [8, 16]\n" + text)
    assert str(caught.value).partition(".yaml")[2] == message


def test_a_condition_on_nothing_above_says_so(write) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=r"wanted an axis above it \(there is none\), got 'lanes'"):
        write(HEAD + "  banks: {values: [1], when: {lanes: 8}}\n")


@st.composite
def conditional_axes(draw: st.DrawFn) -> tuple[list[Axis], dict[str, Value]]:
    """A few axes of few values; conditions on any axes above, which may never be met; defaults in or out of the axis."""
    axes: list[Axis] = []
    defaults: dict[str, Value] = {"fixed": -1}
    for number in range(draw(st.integers(0, 6))):
        values = tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True)))
        parents = draw(st.lists(st.sampled_from(axes), max_size=3, unique=True)) if axes else []
        when = tuple(
            (axis.name, tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True))))
            for axis in parents
        )
        axes.append(Axis(f"x{number}", values, when))
        defaults[f"x{number}"] = draw(st.integers(0, 3))
    return axes, defaults


@given(conditional_axes())
@settings(max_examples=200, deadline=None)
def test_the_product_is_the_set_of_what_all_choices_come_to(drawn: tuple[list[Axis], dict[str, Value]]) -> None:
    axes, defaults = drawn
    by_hand: list[dict[str, Value]] = []
    for choice in itertools.product(*(axis.values for axis in axes)):  # of inactive axes too: the same point again
        point = dict(defaults)
        for axis, value in zip(axes, choice, strict=True):
            if all(point[name] in allowed for name, allowed in axis.when):
                point[axis.name] = value
        if point not in by_hand:
            by_hand.append(point)
    listed = list(product(axes, defaults))
    assert listed == by_hand  # also in file order
    assert count(axes, defaults) == len(listed)
    for axis in axes:
        assert count(axes, defaults, active=axis.name) == sum(axis.is_active(point) for point in listed)


@given(st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_pinned_spaces_are_what_is_left_of_a_space(seed: int) -> None:
    toy_family.install()
    draw = random.Random(seed)
    space = Space(
        name="s",
        family="toy",
        axes=(
            Axis("pipelined", (True, False)),
            Axis("lanes", (8, 16), (("pipelined", (draw.random() < 0.5,)),)),
            Axis("banks", (1, 2, 4), (("lanes", (draw.choice((8, 16)),)),)),
            Axis("label", ("a", "b"), (("banks", (1, draw.choice((2, 4)))),)),
        ),
    )
    whole = list(product(space.axes, space.defaults))
    pinned = space.pin({"pipelined": draw.choice(("true", "false"))})  # an axis without condition: some of the points
    value = pinned.axes[0].values[0]
    assert list(product(pinned.axes, pinned.defaults)) == [p for p in whole if p["pipelined"] is value]
    fixed = space.pin({"banks": "4"})
    left = list(product(fixed.axes, fixed.defaults))
    assert {p["banks"] for p in left} == {4} and len({str(p) for p in left}) == len(left) == fixed.n_points
