"""Data functions against hand-computed cases; drawing functions only have to draw what they are given."""

import itertools

import numpy as np
import pytest
from matplotlib.text import Text

from reports import style
from reports.figures import heat_map, importance, layers, pareto, roofline, shares, stalls
from reports.study import Chosen, choose, primary, studies
from reports.units import Unit
from tests.reports import toy


def layer(name, cycles, n_macs, n_bytes, repeat=1, **phases):
    return {
        "name": name, "cycles": cycles, "n_macs": n_macs, "repeat": repeat, "phases": phases,
        "activity": {"dram_read_bytes": n_bytes, "dram_write_bytes": 0}, "utilization": 0.5, "roofline_cycles": 1,
    }  # fmt: skip


def chosen(letter="A", roles=("fastest",), **row):
    return Chosen(letter, roles, row)


def test_pareto_data_splits_front_and_dominated():
    rows = [{"area_um2": a * 1e6, "latency_ns": t * 1e3} for a, t in ((1, 4), (2, 2), (2, 3), (4, 1))]
    data = pareto.pareto_data(rows, [chosen("B", **rows[1])], x="area_um2", y="latency_ns")
    assert data.front == [(1, 4), (2, 2), (4, 1)] and data.dominated == [(2, 3)]
    assert (data.x_unit, data.y_unit) == (Unit(1e6, "mm²"), Unit(1e3, "µs"))
    assert data.marks == [("B", 2, 2)]
    assert pareto.takeaway(data) == (
        "Along the front, 4.00× the area buys a 4.00× lower latency; 3 of 4 points are on it."
    )
    assert pareto.pareto_data(rows[:1], [], x="area_um2", y="latency_ns") is None


def test_one_point_best_in_both_is_said_so():
    rows = [{"area_um2": 1.0, "latency_ns": 1.0}, {"area_um2": 2.0, "latency_ns": 2.0}]
    data = pareto.pareto_data(rows, [chosen("A", **rows[1])], x="area_um2", y="latency_ns")
    assert pareto.sentences(data) == (
        "One of 2 points is the best in both: there is nothing to trade. A is the best at something else."
    )


def test_shares_add_up_and_small_parts_become_other():
    parts = {f"p{i}": 2.0**i for i in range(9)}  # 1, 2, 4 ... 256 of 511
    data = shares.shares_data([chosen(area_breakdown_um2=parts)], "area_breakdown_um2")
    assert data.parts == ["p8", "p7", "p6", "p5", "p4", "p3", "other"]
    assert data.shares[0][0] == 256 / 511 and data.shares[0][-1] == pytest.approx(7 / 511)
    assert sum(data.shares[0]) == pytest.approx(1) and data.totals == ["511 µm²"]
    assert shares.takeaway(data, "the area") == "The largest part of the area is p8 in A (50 %)."


def test_phases_keep_their_order_and_show_latency():
    points = [chosen(phases={"start": 1, "compute": 3, "drain": 0}, latency_ns=2000.0)]
    data = shares.shares_data(points, "phases", "latency_ns")
    assert (data.parts, data.shares, data.totals) == (["start", "compute"], [[0.25, 0.75]], ["2.00 µs"])
    assert shares.shares_data([chosen(phases=None)], "phases", "latency_ns") is None


def test_layers_count_repeats_in_time():
    row = {"cycles": 100, "latency_ns": 200_000.0, "layers": [
        layer("a", 20, 1, 1, repeat=2, compute=15, stall_load=5), layer("b", 60, 1, 1, compute=60, stall_load=0),
    ]}  # fmt: skip
    data = layers.layers_data(row)
    assert data.layers == ["a ×2", "b"] and data.unit == Unit(1e3, "µs")
    assert data.phases == ["compute", "stall_load"]
    assert data.times == [[60.0, 120.0], [20.0, 0.0]]
    assert layers.takeaway(data) == (
        "b takes 60 % of the time; the array computes in 90 % of all cycles, and the largest loss is stall load (10 %)."
    )


def test_many_layers_are_merged_without_losing_time():
    many = [layer(f"l{i}", i + 1, 1, 1, compute=i + 1) for i in range(60)]
    data = layers.layers_data({"cycles": 1830, "latency_ns": 1830.0, "layers": many})
    assert len(data.layers) == layers.MOST_LAYERS and data.layers[-1] == "21 shorter layers"
    assert sum(data.times[0]) * data.unit.factor == pytest.approx(1830)
    assert layers.layers_data({"cycles": 1, "latency_ns": 1.0, "layers": None}) is None


def test_roofline_places_layers_and_merges_equal_roofs():
    point = {"array_rows": 4, "array_cols": 8, "dram_bytes_per_cycle": 2}
    body = [layer("conv", 10, 200, 100, compute=10), layer("pool", 5, 0, 50, compute=5)]
    a, b = chosen("A", point=point, layers=body), chosen("B", point=point, layers=body)
    data = roofline.roofline_data([a, b], a)
    assert data.roofs == [roofline.Roof("AB", 32, 2)]
    assert data.layers == [roofline.LayerPoint("conv", 2.0, 20.0, 10 / 15)] and data.n_left_out == 1
    assert roofline.takeaway(data).startswith("In A, 1 of 1 layers (67 % of the cycles) is memory bound")
    assert roofline.takeaway(data).endswith("Layers that multiply nothing are not shown (1).")
    assert roofline.machine({"point": {"array_rows": 4}}) is None


def test_heat_map_takes_best_and_median_and_marks_sizes_that_failed():
    def row(rows, cols, utilization=None):
        return {"point": {"array_rows": rows, "array_cols": cols}, "utilization": utilization}

    data = heat_map.heat_map_data(
        [row(4, 4, 0.2), row(4, 4, 0.9), row(4, 4, 0.4), row(8, 4, 0.5)], [row(8, 8), row(4, 4)]
    )
    assert data.cells == {(4, 4): heat_map.Cell(0.9, 0.4, 3), (8, 4): heat_map.Cell(0.5, 0.5, 1)}
    assert (data.rows, data.cols, data.failed) == ([4, 8], [4, 8], {(8, 8)})
    assert heat_map.heat_map_data([row(4, 4, 0.2)], []) is None


def test_stalls_are_sorted_by_computing():
    rows = [{"cycles": 10, "phases": {"compute": c, "stall_load": 10 - c}} for c in (2, 8, 5)]
    data = stalls.stalls_data(rows)
    np.testing.assert_allclose(data.shares, [[0.8, 0.5, 0.2], [0.2, 0.5, 0.8]])
    assert data.median_compute == 0.5 and data.means["stall_load"] == pytest.approx(0.5)
    assert stalls.stalls_data(rows[:2]) is None


def test_importance_of_a_separable_grid_adds_up():
    rows = [
        {"point": {"a": a, "b": b}, "latency_ns": 10.0 ** (3 * a + b), "area_um2": 10.0**a, "energy_pj": 7.0}
        for a in (0, 1) for b in (0, 1) for _ in range(2)
    ]  # fmt: skip
    data = importance.importance_data(rows, {"a": (0, 1), "b": (0, 1)})
    assert data.axes == ["a", "b"]
    assert data.explained["latency_ns"] == pytest.approx([0.9, 0.1])  # variances 9 : 1
    assert data.explained["area_um2"] == pytest.approx([1, 0]) and data.explained["energy_pj"] == [0, 0]


def test_importance_says_what_no_axis_explains_alone():
    rows = [  # latency is the exclusive or of a and b
        {"point": {"a": a, "b": b, "c": c}, "latency_ns": 10.0 ** (a ^ b) * 1.5**c, "area_um2": 2.0**a, "energy_pj": 7.0}
        for a in (0, 1) for b in (0, 1) for c in (0, 1)
    ]  # fmt: skip
    data = importance.importance_data(rows, {"a": (0, 1), "b": (0, 1), "c": (0, 1)})
    assert data.together["area_um2"] == pytest.approx(1) and 0 < data.together["latency_ns"] < 0.1
    assert importance.takeaway(data).endswith("of that of latency: the rest is how they act together.")
    assert "of area:" not in importance.takeaway(data)


def test_names_of_layers_keep_clear_of_each_other_and_of_the_edge():
    body = [layer(name, cycles, macs, n_bytes, compute=cycles) for name, cycles, macs, n_bytes in (
        ("conv1", 1308, 9216, 2560), ("conv2", 2597, 73728, 9340), ("conv3", 4753, 147456, 12390), ("fc", 356, 1280, 2400)
    )]  # fmt: skip
    points = [
        chosen(letter, point={"array_rows": 4, "array_cols": cols, "dram_bytes_per_cycle": 16}, layers=body)
        for letter, cols in (("A", 8), ("B", 32))
    ]
    with style.house_style():
        figure = roofline.draw(roofline.roofline_data(points, points[0]))
        style.settle(figure)
        figure.canvas.draw()
        names = [text for text in figure.axes[0].texts if text.get_text().endswith("%")]
        boxes = [Text.get_window_extent(text) for text in names]
        edge = figure.axes[0].get_window_extent()
    assert len(boxes) == 3
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(edge.x0 <= box.x0 and edge.y0 <= box.y0 and box.x1 <= edge.x1 + 8 for box in boxes)


@pytest.fixture(scope="module")
def toy_study():
    return studies(toy.rows())[0]


def test_a_drawing_is_the_same_twice_and_has_no_date(toy_study):
    def drawn():
        with style.house_style():
            data = pareto.pareto_data(toy_study.done, choose(toy_study.done), x="area_um2", y="latency_ns")
            return style.svg_text(pareto.draw(data))

    first = drawn()
    assert first == drawn()
    assert "metadata" not in first and "dc:date" not in first


def test_inline_svg_has_its_own_ids_and_house_colours(toy_study):
    point = primary(choose(toy_study.done))
    with style.house_style():
        svg = style.svg_text(layers.draw(layers.layers_data(point.row)))
    inline = style.inline_svg(svg, "p1", 'a "label" <b>')
    assert 'aria-label="a &quot;label&quot; &lt;b>"' in inline and "http" not in inline
    assert "var(--blue)" in inline and style.BLUE not in inline
    assert all(part.startswith("p1-") for part in inline.split('id="')[1:])


def test_badges_do_not_meet():
    with style.house_style():
        figure, axes = style.new_axes()
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        style.badge_points(figure, axes, [0.5] * 4, [0.5, 0.505, 0.51, 0.515], "ABCD")
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_a_log_axis_is_for_a_decade_and_more():
    assert [style.is_wide(v) for v in ([1, 10], [1, 9], [0, 100], [])] == [True, False, False, False]
