"""Data functions of searches against hand-computed cases."""

import pytest

from designs.axes import Axis
from designs.errors import InputError
from reports.figures import found, hypervolume, parallel, rungs, search_importance
from reports.searches import expect_comparable, finds, joint_front, origin_kind
from tests.reports.toy_search import found as of
from tests.reports.toy_search import result

E3 = 1000.0


def found_in(results, x, y):
    every = finds(results)
    return found.found_data(every, joint_front(every, results[0].objectives), x, y)


def parallel_of(results, axes, importance=None):
    every, objectives = finds(results), results[0].objectives
    return parallel.parallel_data(every, joint_front(every, objectives), axes, objectives, importance or {})


def ends(data):
    return {curve.sampler: curve.mean[-1] for curve in data.curves}


def test_hypervolume_of_decades_by_hand():
    # area and latency over two decades each: a point at the middle of both dominates a quarter of the box
    first = result([of(1, 100), of(100, 1), of(10, 10)])
    data = hypervolume.hypervolume_data([first])
    (curve,) = data.curves
    assert curve.seeds == [[(3.0, pytest.approx(0.25))]]  # the two ends are the reference's: they dominate nothing
    assert data.end == 3


def test_parts_cost_work_and_bring_no_hypervolume():
    first = result([of(1, 1, share=0.25), of(1, 100), of(100, 1), of(10, 10, share=0.5), of(10, 10)])
    (curve,) = hypervolume.hypervolume_data([first]).curves
    assert curve.seeds == [[(3.75, pytest.approx(0.25))]]


def test_infeasible_points_bring_nothing_and_do_not_stretch_the_box():
    extremes = [of(1, 100), of(100, 1)]
    first = result([*extremes, of(0.1, 0.1, feasible=False), of(10, 10)])
    (curve,) = hypervolume.hypervolume_data([first]).curves
    assert curve.seeds == [[(4.0, pytest.approx(0.25))]]


def test_mean_and_band_step_where_any_seed_does():
    known = [of(1, 100), of(100, 1)]
    results = [result([of(10, 10), *known], seed=0), result([*known, of(10, 10)], seed=1)]
    (curve,) = hypervolume.hypervolume_data(results).curves
    assert curve.mean == [(1.0, pytest.approx(0.125)), (3.0, pytest.approx(0.25))]
    assert [value for _, value in curve.low] == [0.0, pytest.approx(0.25)]
    assert [value for _, value in curve.high] == [pytest.approx(0.25)] * 2


def test_what_a_search_ended_with_stays():
    steps = [(1.0, 0.2), (3.0, 0.5)]
    assert [hypervolume.value_at(steps, work) for work in (0.5, 1.0, 2.9, 3.0, 9.0)] == [0.0, 0.2, 0.2, 0.5, 0.5]
    assert hypervolume.work_to(steps, 0.3) == 3.0 and hypervolume.work_to(steps, 0.6) is None


def test_no_box_no_hypervolume():
    assert hypervolume.hypervolume_data([result([of(5, 5)])]) is None
    assert hypervolume.hypervolume_data([result([of(5, 5, feasible=False), of(1, 1, share=0.5)])]) is None


def test_a_sampler_without_a_feasible_point_has_none():
    results = [result([of(1, 100), of(100, 1), of(10, 10)]), result([of(1, 1, feasible=False)], "random")]
    assert ends(hypervolume.hypervolume_data(results))["random"] == (1.0, 0.0)


def test_the_takeaway_names_the_best_and_what_it_saves():
    known = [of(1, 100), of(100, 1)]
    slow = result([*known, of(50, 50), of(10, 10)], "random")
    fast = result([of(10, 10), *known, of(9, 9)], "tpe")
    said = hypervolume.takeaway(hypervolume.hypervolume_data([slow, fast]))
    assert said.startswith("After 4 evaluations' worth of work tpe dominates 0.2") and "known, random 0.250." in said
    assert said.endswith("tpe gets to where random ends with 25 % of its work.")


def test_importance_is_the_mean_over_searches_that_tell():
    told = [{"latency_ns": {"a": 0.75, "b": 0.25}}, {"latency_ns": {"a": 0.25, "b": 0.75}, "area_um2": {"b": 1.0}}, {}]
    data = search_importance.search_importance_data([result([of(1, 1)], importance=i) for i in told])
    assert data.axes == ["b", "a"]
    assert data.explained == {"area_um2": [1.0, 0.0], "latency_ns": [0.5, 0.5]} and data.n_points == 2
    assert search_importance.takeaway(data).startswith(
        "What decides most: b for area (100 %) and b for latency (50 %)."
    )
    assert search_importance.search_importance_data([result([of(1, 1)])]) is None


def test_found_by_origin_age_and_kind():
    first = result([
        of(1 * E3, 90 * E3, origin="random start"), of(50 * E3, 50 * E3), of(90 * E3, 1 * E3, origin="generation 12"),
        of(3 * E3, 3 * E3, feasible=False), of(60 * E3, 60 * E3), of(2, 2, share=0.5), of(10 * E3, 10 * E3),
        of(2, 2, failure="does not fit", feasible=False),
    ])  # fmt: skip
    data = found_in([first], "area_um2", "latency_ns")
    assert data.y_unit.label == "µs" and data.x_unit.label == "µm²"
    assert data.front == {
        "random start": [(1000.0, 90.0)], "tpe": [(10000.0, 10.0)], "generation": [(90000.0, 1.0)],
    }  # fmt: skip
    # 7.5 evaluations' worth of work: the point asked for second was begun at 1.0, the fifth at 4.0
    assert data.tones == [[(50000.0, 50.0)], [], [(60000.0, 60.0)], []]
    assert data.infeasible == [(3000.0, 3.0)] and (data.n_failed, data.n_parts, data.n_front) == (1, 1, 3)
    assert found_in([first], "accuracy", "latency_ns") is None


def test_found_against_work_with_one_objective():
    first = result([of(9, 50, share=0.5), of(9, 50), of(8, 20)], objectives=("latency_ns",))
    data = found_in([first], None, "latency_ns")
    assert data.front == {"tpe": [(2.5, 20.0)]} and data.tones[0] == [(1.5, 50.0)]
    assert data.x_name == "Simulated work"


def test_many_origins_become_other():
    first = result([of(1 + i, 100 - i, origin=f"kind {chr(97 + i)}") for i in range(9)])
    data = found_in([first], "area_um2", "latency_ns")
    assert len(data.front) == found.MOST_ORIGINS + 1 and len(data.front["other"]) == 3 and data.n_front == 9


def test_a_point_that_two_found_is_of_the_one_that_needed_less_work():
    late = result([of(50, 50), of(1, 1)], "random")
    early = result([of(1, 1)], "tpe")
    (best,) = joint_front(finds([late, early]), ("area_um2", "latency_ns"))
    assert best.result.sampler == "tpe" and best.work == 1
    assert found_in([late, early], "area_um2", "latency_ns").by_sampler == {"tpe": 1}


def test_what_was_promoted_keeps_how_it_was_found():
    one = [of(1, 1, share=0.25, trial=3, origin="random start"), of(1, 1, trial=3, origin="promoted to rung 1")]
    assert [origin_kind(find) for find in finds([result(one)])] == ["random start", "random start, promoted"]


@pytest.mark.parametrize(
    ("origin", "kind"),
    [("generation 3", "generation"), ("", "tpe"), ("nsga2", "nsga2")],
)
def test_origins_without_what_differs(origin, kind):
    assert origin_kind(finds([result([of(1, 1, origin=origin)])])[0]) == kind


def test_rungs_count_promotions_and_work():
    a = [of(1, 1, share=0.25, trial=0), of(1, 1, share=0.25, trial=1), of(1, 1, share=0.5, trial=1), of(1, 1, trial=1)]
    b = [of(1, 1, share=0.25, trial=0), of(1, 1, share=0.25, trial=1)]
    data = rungs.rungs_data([result(a, "tpe+asha", 0), result(b, "tpe+asha", 1), result([of(1, 1)], "tpe")])
    assert data.samplers == {
        "tpe+asha": [
            rungs.Rung(0.25, 2.0, 0.5, 0.5), rungs.Rung(0.5, 0.5, 0.5, 0.25), rungs.Rung(1.0, 0.5, 0.0, 0.5),
        ]
    }  # fmt: skip
    assert rungs.takeaway(data) == (
        "tpe+asha began 2 configurations for 1.25 evaluations' worth of work (60 % of it on parts) and simulated "
        "0.5 whole. A rung simulates that share of the workload. Numbers are means over seeds."
    )
    assert rungs.rungs_data([result([of(1, 1)])]) is None


def test_parallel_positions_and_a_gap_where_an_axis_is_not_active():
    axes = [
        Axis("rows", (4, 8, 16), scale="log2"), Axis("flow", ("ws", "os")),
        Axis("depth", range(1, 12), when=(("flow", ("os",)),), scale="integer"),
        Axis("wide", tuple(2**k for k in range(11)), scale="log2"),
    ]  # fmt: skip

    def point(rows, flow, depth, wide):
        return {"rows": rows, "flow": flow, "depth": depth, "wide": wide}

    first = result([
        of(1, 100, point=point(16, "os", 6, 1)), of(2, 10, point=point(4, "ws", 1, 1024)),
        of(3, 30, point=point(8, "os", 11, 32)), of(9, 9, feasible=False, point=point(8, "os", 1, 32)),
    ])  # fmt: skip
    data = parallel_of([first], axes)
    assert [scale.name for scale in data.scales] == ["rows", "flow", "depth", "wide", "Area", "Latency"]
    assert data.front[0][:4] == [1.0, 1.0, 0.5, 0.0] and data.front[1][:4] == [0.0, 0.0, None, 1.0]
    assert data.others == [[0.5, 1.0, 1.0, pytest.approx(0.5), 1.0, pytest.approx(0.4771, abs=1e-4)]]
    assert [line[4] for line in data.front] == [0.0, 0.5] and [line[5] for line in data.front] == [1.0, 0.0]
    assert data.scales[1].ticks == [(0.0, "ws"), (1.0, "os")] and data.scales[0].is_list
    assert [s.is_conditional for s in data.scales] == [False, False, True, False, False, False]
    assert [s.better for s in data.scales[-2:]] == ["low", "low"] and (data.n_front, data.n_others) == (2, 1)


def test_parallel_keeps_the_axes_that_matter_and_samples_the_rest():
    axes = [Axis(f"a{k}", (0, 1)) for k in range(20)]
    evaluations = [of(1 + i, 1000 - i, point={f"a{k}": (i >> k) & 1 for k in range(20)}) for i in range(300)]
    evaluations += [of(1 + i, 5000 - i, point={f"a{k}": (i >> k) & 1 for k in range(20)}) for i in range(300, 500)]
    data = parallel_of([result(evaluations)], axes, {"a19": 0.5})
    assert len(data.scales) == parallel.MOST_SCALES and data.scales[12].name == "a19"
    assert data.left_out == [f"a{k}" for k in range(12, 19)]
    assert (len(data.front), data.n_front) == (parallel.MOST_FRONT, 300)
    assert (len(data.others), data.n_others) == (parallel.MOST_OTHERS, 200)
    assert [line[13] for line in (data.front[0], data.others[-1])] == [0.0, 1.0]


def test_parallel_of_nothing():
    assert parallel_of([result([of(1, 1, feasible=False)])], []) is None
    one = [result([of(1, 1)], objectives=("area_um2",))]
    assert parallel_of(one, []) is None
    assert parallel_of(one, [Axis("array_rows", (1, 2))]).front == [[0.0, 0.5]]


def test_names_are_broken_where_they_may_be():
    assert parallel.broken("weight_scratchpad_bytes") == "weight_\nscratchpad_\nbytes"
    assert (
        parallel.broken("array_rows") == "array_rows" and parallel.broken("energy × delay now") == "energy ×\ndelay now"
    )


def test_searches_of_different_things_are_refused():
    with pytest.raises(
        InputError, match="wanted searches of one workload, got toy_net and other; write a page for each"
    ):
        expect_comparable([result([]), result([], workload="other")])
    with pytest.raises(InputError, match="wanted at least one search"):
        expect_comparable([])
