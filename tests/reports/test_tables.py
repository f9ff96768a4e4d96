from explore.verify import CaseResult
from reports import tables
from tests.reports import toy


def case(point=0, rtl_cycles=1234, outputs_equal=True, activity_equal=True, **design):
    return CaseResult(
        point=point, design=design, layer="conv1", n_tiles=2, n_outputs=64, simulated_cycles=1234,
        rtl_cycles=rtl_cycles, outputs_equal=outputs_equal, activity_equal=activity_equal, overflows=0,
    )  # fmt: skip


def test_console_and_markdown():
    table = tables.make_table([("name", False), ("n", True)], [[tables.cell("a|b"), tables.cell(1200)]])
    assert table.console() == "name      n\n----  -----\na|b   1,200"
    assert table.markdown() == "| name | n |\n| --- | ---: |\n| a\\|b | 1,200 |"
    assert tables.make_table([("name", False)], []).console() == "name\n----"


def test_the_verdict_names_everything_that_differs():
    table = tables.verification_table([case(), case(rtl_cycles=1235, activity_equal=False), case(outputs_equal=False)])
    assert [row[-1].text for row in table.rows] == ["equal", "DIFFERS in cycles and activity", "DIFFERS in outputs"]
    assert [c.text for c in table.rows[1][4:6]] == ["1,234", "1,235"]


def test_verified_points_show_what_differs_between_them():
    table = tables.verified_points_table([case(0, n=4, k=1), case(0, n=4, k=1), case(1, n=8, k=1)])
    assert table.columns == ["point", "layers", "n"]
    assert [[c.text for c in row] for row in table.rows] == [["0", "2", "4"], ["1", "1", "8"]]
    assert tables.verified_points_table([]).rows == []


def test_synthesis_beside_the_model():
    table = tables.synthesis_table({"pe": 110.0, "dma": 50.0}, {"pe": 100.0, "fifo": 60.0})
    assert [[c.text for c in row] for row in table.rows] == [
        ["pe", "110", "100", "+10.0 %"],
        ["dma", "50", "0", "-"],
        ["fifo", "0", "60", "-100.0 %"],
        ["total", "160", "160", "+0.0 %"],
    ]


def test_layers_of_a_point():
    table = tables.layer_table(toy.rows()[1])
    pool = [c.text for c in table.rows[5]]
    assert pool[0] == "max_pool" and pool[2] == "0" and pool[5] == "-" and pool[9] == "-" and pool[10] == "h 8, w 8"
    assert sum(row[4].sort for row in table.rows) == 1 or abs(sum(row[4].sort for row in table.rows) - 1) < 1e-9


def test_points_show_accuracy_where_a_row_knows_it():
    rows = toy.rows()[:2]
    assert "accuracy" not in tables.points_table(rows, []).columns
    table = tables.points_table([{**rows[0], "accuracy": 0.98765}, rows[1]], [])
    column = table.columns.index("accuracy")
    assert [line[column].text for line in table.rows] == ["98.8 %", "-"] and table.numeric[column]


def test_points_with_and_without_names():
    rows = [row for row in toy.rows() if not row["failure"]][:2]
    named = tables.points_table(rows, ["array_rows"], {1: ("A", "fastest")})
    assert named.columns[:3] == ["", "what it is", "latency"] and [r[0].text for r in named.rows] == ["", "A"]
    plain = tables.points_table(rows, ["array_rows", "dataflow"])
    assert plain.columns[0] == "latency" and plain.numeric[-2:] == [True, False]
