import random

import pytest

from reports import study
from tests.reports import toy


def made(latency_ns, area_um2, energy_pj=1.0, failure=None, **point):
    return {
        "family": "f", "space": "s", "workload": "w", "workload_digest": "d", "model_version": "1", "point": point,
        "latency_ns": latency_ns, "area_um2": area_um2, "energy_pj": energy_pj, "failure": failure, "cycles": 1,
    }  # fmt: skip


def test_rows_are_compared_only_within_one_workload_space_and_version():
    rows = [made(1, 1, n=1), {**made(1, 1, n=2), "workload": "v"}, {**made(1, 1, n=1), "model_version": "2"}]
    rows += [{**made(1, 1, n=1), "scaling": "other"}]
    assert [(s.workload, s.model_version, s.scaling) for s in study.studies(rows)] == [
        ("v", "1", ""), ("w", "1", ""), ("w", "1", "other"), ("w", "2", ""),
    ]  # fmt: skip


def test_the_order_of_rows_does_not_matter():
    rows = toy.rows()
    shuffled = random.Random(1).sample(rows, len(rows))
    assert study.studies(rows) == study.studies(shuffled)


def test_axes_are_what_varies_numbers_in_order():
    (found,) = study.studies([made(1, 1, n=16, mode="b", k=1), made(2, 1, n=4, mode="a", k=1)])
    assert found.axes == {"mode": ("a", "b"), "n": (4, 16)} | found.axes
    assert found.axes["n"] == (4, 16) and found.fixed == {"k": 1}


def test_the_knee_is_farthest_below_the_chord():
    # Decades: (0, 3), (1, 1), (2, 0.9), (3, 0). Scaled sums 1, 2/3, 0.967, 1: the second.
    assert study.knee([(1, 1000), (10, 10), (100, 10**0.9), (1000, 1)]) == 1


@pytest.mark.parametrize(
    "points",
    [[(1, 2), (2, 1)], [(1, 4), (2, 2), (4, 1)], [(1, 100), (10, 99), (100, 1)], [(0, 2), (1, 1), (2, 0)]],
    ids=["two points", "straight", "bulging", "zero"],
)
def test_no_knee(points):
    assert study.knee(points) is None


def test_chosen_points_are_named_once_by_latency():
    rows = [made(1, 1000, 9, n=1), made(10, 10, 9, n=2), made(1000, 1, 5, n=3), made(1000, 2, 4, n=4)]
    chosen = study.choose(rows)
    assert [(c.letter, c.roles, c.row["point"]["n"]) for c in chosen] == [
        ("A", ("fastest", "least energy × delay"), 1),
        ("B", ("knee",), 2),
        ("C", ("smallest",), 3),
        ("D", ("least energy",), 4),
    ]
    assert study.primary(chosen).letter == "B"
    assert study.choose([]) == [] and study.primary([]) is None


def test_ties_fall_to_the_point_that_is_better_elsewhere():
    (best,) = study.choose([made(1, 2, n=1), made(1, 1, n=2)])
    assert best.row["point"]["n"] == 2 and len(best.roles) == 4


def test_one_point_is_the_best_at_nothing():
    (only,) = study.choose([made(1, 2, n=1)])
    assert only.roles == ("only point",) and study.primary([only]) is only


def test_failures_with_other_numbers_have_one_cause():
    rows = [
        made(None, None, failure="layer a: needs 10, 5 available", n=8, k=5),
        made(None, None, failure="layer a: needs 20, 5 available", n=16, k=5),
        made(None, None, failure="other", n=4, k=6),
    ]
    (found,) = study.studies([*rows, made(1, 1, n=4, k=5)])
    assert study.failures(found) == [
        study.Failure("layer a: needs 20, 5 available", 2, {"k": 5}),
        study.Failure("other", 1, {}),
    ]


def test_what_rows_share():
    rows = [made(1, 1, a=1, b=2), made(1, 1, a=1, b=3)]
    assert study.split_axes(rows, ["a", "b"]) == (["b"], {"a": 1})
