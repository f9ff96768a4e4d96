"""Design spaces: axes, points, pinning, random points, and errors with their place."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import designs.families
from designs.errors import DesignError, InputError
from designs.fields import fields_of
from designs.objectives import parse_constraint
from designs.space import load_space
from tests import toy_family

TOY = Path(__file__).parent.parent / "toy_family" / "space.yaml"
FAMILIES = ", ".join(sorted({*designs.families.names(), "toy"}))  # as messages list them


@pytest.fixture(autouse=True)
def toy() -> None:
    toy_family.install()


def test_points_are_the_product_in_file_order() -> None:
    space = load_space(TOY)
    assert space.n_points == 24 and space.name == "space" and space.workload == "gemm:6x5x4"
    points = space.points()
    assert [(p["lanes"], p["banks"], p["pipelined"], p["order"]) for p in points[:5]] == [
        (8, 1, True, "rows_first"),
        (8, 1, True, "columns_first"),
        (8, 1, False, "rows_first"),
        (8, 1, False, "columns_first"),
        (8, 2, True, "rows_first"),
    ]
    assert list(points[0]) == ["lanes", "banks", "order", "pipelined", "label", "clock_mhz", "node_nm"]
    assert points[0]["label"] == "plain"  # not named in the file: the default


def test_points_that_cannot_be_built_are_refused_with_a_reason(write) -> None:  # type: ignore[no-untyped-def]
    space = write("family: toy\ndesign:\n  lanes: [8, 9]\n  banks: [3, 4]\n")
    good, refused = space.expand()
    assert [(p["lanes"], p["banks"]) for p in good] == [(8, 4), (9, 3)]
    assert [r.reason for r in refused] == [
        "banks: wanted a divisor of lanes (8), got 3",
        "banks: wanted a divisor of lanes (9), got 4",
    ]
    assert len(space.points(limit=1)) == 1
    assert space.first_point()["banks"] == 4


def test_ranges(write) -> None:  # type: ignore[no-untyped-def]
    space = write(
        "family: toy\ndesign:\n  lanes: {range: [4, 40], scale: log2}\n"
        "  banks: {range: [1, 4], scale: integer}\n  clock_mhz: {range: [7, 9], scale: linear}\n"
    )
    assert [tuple(axis.values) for axis in space.axes] == [(4, 8, 16, 32), (1, 2, 3, 4), (7, 8, 9)]


def test_pin_reads_text_by_the_fields_type() -> None:
    space = load_space(TOY).pin({"lanes": "4", "pipelined": "false", "order": "columns_first", "label": "8"})
    assert space.n_points == 2  # banks is left
    point = space.points()[0]
    assert (point["lanes"], point["pipelined"], point["order"], point["label"]) == (4, False, "columns_first", "8")
    assert load_space(TOY).pin({"lanes": 4}).points()[0]["lanes"] == 4


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("lanes", "8.0", "--set lanes=8.0: wanted a whole number, got '8.0'"),
        ("lanes", " 8", "--set lanes= 8: wanted a whole number, got ' 8'"),
        ("lanes", "٨", "--set lanes=٨: wanted a whole number, got '٨'"),
        ("lanes", "0", "--set lanes=0: wanted 1 to 64, got 0"),
        ("pipelined", "yes", "--set pipelined=yes: wanted true or false, got 'yes'"),
        ("order", "row_first", "--set order=row_first: wanted one of rows_first, columns_first, got 'row_first' (did you mean 'rows_first'?)"),
        ("node_nm", "46", "--set node_nm=46: wanted one of 65, 45, 32, 28, 22, 20, 16, 14, 10, 7, got 46"),
        ("bank", "1", "--set bank: wanted a parameter of toy (lanes, banks, order, pipelined, label, clock_mhz, node_nm), got 'bank' (did you mean 'banks'?)"),
    ],
)  # fmt: skip
def test_what_pin_refuses(name: str, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_space(TOY).pin({name: text})
    assert str(caught.value) == message


def test_random_points_follow_the_seed_and_are_distinct() -> None:
    space = load_space(TOY)
    assert space.random_points(10, 1) == space.random_points(10, 1) != space.random_points(10, 2)
    assert len({tuple(p.values()) for p in space.random_points(24, 3)}) == 24
    many = space.random_points(60, 3)  # more than there are: every point twice, twelve of them thrice
    assert len(many) == 60 and len({tuple(p.values()) for p in many}) == 24


def test_random_points_of_a_huge_space_are_drawn_without_listing(write) -> None:  # type: ignore[no-untyped-def]
    space = write(
        "family: toy\ndesign:\n  lanes: {range: [1, 64]}\n  banks: {range: [1, 64]}\n"
        "  clock_mhz: {range: [1, 4000]}\n  pipelined: [true, false]\n"
    )
    assert space.n_points == 64 * 64 * 4000 * 2
    points = space.random_points(50, 7)
    assert len({tuple(p.values()) for p in points}) == 50
    assert all(p["lanes"] % p["banks"] == 0 for p in points)
    assert points == space.random_points(50, 7)
    with pytest.raises(InputError, match="wanted at most 2000000 points to list, got 32768000"):
        space.points()
    assert len(space.points(limit=3)) == 3


HEAD = "family: toy\ndesign:\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("design: {lanes: 8}\n", f":1:1: wanted the key 'family' (one of {FAMILIES}), got none; add 'family: ...'"),
        ("family: tensr\n", f":1:9: family: wanted one of {FAMILIES}, got 'tensr' (did you mean 'tensor'?)"),
        ("family: 8\n", ":1:9: wanted the name of a family, got 8"),
        ("family: ../toy\n", f":1:9: family: wanted one of {FAMILIES}, got '../toy' (did you mean 'toy'?)"),
        ("family: toy\nworkload: 8\n", ":2:11: wanted the name of a workload, got 8"),
        ("family: toy\ndesing: {}\n", ":2:1: wanted a key of a design space (family, workload, minimize, maximize, subject_to, design), got 'desing' (did you mean 'design'?)"),
        ("family: toy\ndesign: [8]\n", ":2:9: wanted a mapping of parameters under 'design', got a list"),
        (HEAD + "  lane: 8\n", ":3:3: wanted a key of family toy (lanes, banks, order, pipelined, label, clock_mhz, node_nm), got 'lane' (did you mean 'lanes'?)"),
        (HEAD + "  lanes: eight\n", ":3:10: lanes: wanted a whole number, got 'eight'"),
        (HEAD + "  lanes: [8, 8.5]\n", ":3:14: lanes: wanted a whole number, got 8.5"),
        (HEAD + "  lanes: true\n", ":3:10: lanes: wanted a whole number, got True"),
        (HEAD + "  lanes:\n", ":3:9: lanes: wanted a whole number, got nothing"),
        (HEAD + "  lanes: .nan\n", ":3:10: lanes: wanted a whole number, got '.nan'"),
        (HEAD + "  lanes: []\n", ":3:10: lanes: wanted at least one value, got an empty list"),
        (HEAD + "  lanes: [8, 16, 8]\n", ":3:18: lanes: wanted each value once, got 8 again"),
        (HEAD + "  lanes: [8, [16]]\n", ":3:14: lanes: wanted a whole number, got a list"),
        (HEAD + "  lanes: [8, 65]\n", ":3:14: lanes: wanted 1 to 64, got 65"),
        (HEAD + "  lanes: [8, 16]\n  banks: [2, 3]\n", ":4:14: banks: wanted a divisor of lanes (8), got 3"),
        (HEAD + "  node_nm: [45, 46]\n", ":3:17: node_nm: wanted one of 65, 45, 32, 28, 22, 20, 16, 14, 10, 7, got 46"),
        (HEAD + "  pipelined: 1\n", ":3:14: pipelined: wanted true or false, got 1"),
        (HEAD + "  order: rows\n", ":3:10: order: wanted one of rows_first, columns_first, got 'rows'"),
        (HEAD + "  lanes: {range: [8]}\n", ":3:18: lanes: wanted range: [lowest, highest], got a list of 1"),
        (HEAD + "  lanes: {range: 8}\n", ":3:18: lanes: wanted range: [lowest, highest], got 8"),
        (HEAD + "  lanes: {rang: [8, 9]}\n", ":3:11: wanted a key of a range (range, scale, when), got 'rang' (did you mean 'range'?)"),
        (HEAD + "  lanes: {scale: log2}\n", ":3:10: lanes: wanted range: [lowest, highest], got none"),
        (HEAD + "  lanes: {range: [9, 8]}\n", ":3:18: lanes: wanted the lowest value first, got [9, 8]"),
        (HEAD + "  lanes: {range: [0, 8], scale: log2}\n", ":3:18: lanes: wanted a lowest value of 1 or more for the scale log2, got 0"),
        (HEAD + "  lanes: {range: [1, 8], scale: log}\n", ":3:33: lanes: wanted the scale log2, linear or integer, got 'log'"),
        (HEAD + "  order: {range: [1, 2]}\n", ":3:10: order: wanted one of rows_first, columns_first, got a range; list the values"),
        ("family: toy\nminimize: area_um2\n", ":2:11: minimize: wanted a list, got 'area_um2'"),
        ("family: toy\nminimize: [area]\n", ":2:12: minimize: wanted a metric (latency_ns, area_um2, energy_pj, cycles, edp_pj_ns, utilization, roofline_cycles, accuracy, overflows, encode_ns, encode_pj, prefill_ns, prefill_pj, decode_ns_per_token, decode_pj_per_token, tokens_per_s, multiplications_a_lane), got 'area' (did you mean 'area_um2'?)"),
        ("family: toy\nminimize: [accuracy]\n", ":2:12: minimize: wanted accuracy under 'maximize', got it under 'minimize'"),
        ("family: toy\nmaximize: [area_um2]\n", ":2:12: maximize: wanted area_um2 under 'minimize', got it under 'maximize'"),
        ("family: toy\nminimize: [latency_ms, area_um2, latency_ns]\n", ":2:34: minimize: wanted each metric once, got latency_ns beside latency_ms"),
        ("family: toy\nminimize: [8]\n", ":2:12: wanted text under minimize, got 8"),
        ("family: toy\nsubject_to: [area_um2 = 8]\n", ":2:14: subject_to: wanted a constraint such as 'area_um2 <= 8e6', got 'area_um2 = 8'"),
        ("family: toy\nsubject_to: ['area_um2 <= __import__(1)']\n", ":2:14: subject_to: wanted a constraint such as 'area_um2 <= 8e6', got 'area_um2 <= __import__(1)'"),
        ("family: toy\nsubject_to: [area_um2 <= 1e999]\n", ":2:14: subject_to: wanted a finite number after '<=', got '1e999'"),
    ],
)  # fmt: skip
def test_errors_name_the_place_the_want_and_what_came(write, text: str, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError) as caught:
        write(text)
    where, _, rest = str(caught.value).partition(".yaml")
    assert where.endswith("/s") and rest == message


def test_a_space_of_which_nothing_can_be_built_says_why(write) -> None:  # type: ignore[no-untyped-def]
    space = write("family: toy\ndesign: {lanes: [3, 5], banks: 1}\n").pin({"lanes": "3"})
    with pytest.raises(InputError, match="--set banks=2: wanted a divisor of lanes .3., got 2"):
        space.pin({"banks": "2"})


def test_names_of_shipped_spaces() -> None:
    assert load_space("tensor").family == "tensor"
    with pytest.raises(InputError, match="wanted a design space: a .yaml file or one of .*did you mean 'tensor'"):
        load_space("tensr")


MOST_LISTED = 32_000  # points of a space that are all checked; of larger ones, random ones are


@pytest.mark.parametrize("path", sorted(Path(designs.__path__[0]).glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_spaces_load_and_refuse_nothing_by_accident(path: Path) -> None:
    space = load_space(path)
    draw = random.Random(0)
    if space.n_points <= MOST_LISTED:
        listed, refusals = space.expand()
        n_good, n_refused = len(listed), len(refusals)
    else:
        points = [space.compose(lambda axis: draw.choice(axis.values)) for _ in range(2000)]
        n_refused = sum(space.refusal(point) is not None for point in points)
        n_good = len(points) - n_refused
    assert n_good and space.workload
    assert n_refused <= n_good / 10
    assert {axis.name for axis in space.axes} <= set(fields_of(designs.families.load(space.family).Design))


def test_metrics_in_other_units_become_those_of_rows(write) -> None:  # type: ignore[no-untyped-def]
    space = write("family: toy\nminimize: [latency_ms, energy_mj]\nsubject_to: [area_mm2 <= 8]\n")
    assert space.objectives == ("latency_ns", "energy_pj")
    assert space.subject_to[0].holds({"area_um2": 8e6}) and str(space.subject_to[0]) == "area_mm2 <= 8"


def test_the_design_of_a_point_is_checked() -> None:
    space = load_space(TOY)
    assert space.design(space.first_point()).lanes == 8
    with pytest.raises(DesignError):
        space.design(space.first_point() | {"lanes": 99})


@pytest.mark.parametrize(
    ("text", "row", "holds"),
    [
        ("area_um2 <= 8e6", {"area_um2": 8e6}, True),
        ("area_um2 < 8e6", {"area_um2": 8e6}, False),
        ("cycles>=3", {"cycles": 2}, False),
        ("utilization > .5", {"utilization": 0.6}, True),
        ("cycles > 0", {"cycles": None}, False),
    ],
)
def test_constraints(text: str, row: dict[str, float | None], holds: bool) -> None:
    assert parse_constraint(text).holds(row) is holds


def test_fields_that_yaml_cannot_hold_are_refused() -> None:
    from dataclasses import make_dataclass

    with pytest.raises(TypeError, match="wanted int, float, bool, str or a Literal"):
        fields_of(make_dataclass("D", [("x", list, None)]))
    with pytest.raises(TypeError, match="a design parameter needs a default"):
        fields_of(make_dataclass("D", [("x", int)]))


def test_numbers_and_choices_among_numbers_are_read_strictly() -> None:
    from dataclasses import make_dataclass
    from typing import Literal

    fields = fields_of(make_dataclass("D", [("x", float, 0.5), ("n", Literal[32, 64], 64)]))
    x, n = fields["x"], fields["n"]
    assert (x.accept(1e-9), x.accept(3), x.parse("2"), x.parse("1.5e-9")) == (1e-9, 3.0, 2.0, 1.5e-9)
    assert type(x.accept(3)) is float and (n.accept(32), n.parse("64")) == (32, 64)
    for field, value, got in ((x, True, "True"), (x, "nan", "'nan'"), (n, 48, "48"), (n, "64", "'64'"), (n, 64.0, "64.0")):
        with pytest.raises(ValueError, match=f"wanted {field.wanted}, got {got}"):
            field.accept(value)
    for field, text in ((x, "1e"), (x, "inf"), (x, "1e999"), (n, "33")):
        with pytest.raises(ValueError, match="wanted"):
            field.parse(text)
