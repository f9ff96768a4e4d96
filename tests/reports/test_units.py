from hypothesis import given
from hypothesis import strategies as st

from reports import units


def test_digits_are_three_and_never_an_exponent():
    shown = {
        0: "0",
        1234567: "1,234,567",
        99.96: "100",
        9.996: "10.0",
        1.005e-4: "0.000101",
        12.345: "12.3",
        -2: "-2.00",
    }
    assert {value: units.digits(value) for value in shown} == shown


@given(st.floats(1e-6, 1e12))
def test_digits_keep_the_value_to_half_a_per_cent(value):
    assert abs(float(units.digits(value).replace(",", "")) / value - 1) <= 0.005


def test_a_quantity_takes_the_unit_that_fits():
    assert units.quantity(12_345, "ns") == "12.3 µs"
    assert units.quantity(999, "ns") == "999 ns"
    assert units.quantity(12_000, "um2") == "0.0120 mm²"
    assert units.quantity(9_000, "um2") == "9,000 µm²"
    assert units.quantity(3.4e9, "pj") == "3.40 mJ"
    assert units.quantity(1536, "bytes") == "1.50 KiB"
    assert units.quantity(0, "pj") == "0 pJ"


def test_an_axis_takes_the_unit_of_its_geometric_middle():
    assert units.unit_for([1e3, 1e9], "ns") == units.Unit(1e6, "ms")
    assert units.unit_for([], "ns").label == "ns"


def test_per_cent_tells_almost_nothing_from_nothing():
    assert [units.percent(s) for s in (0, 0.001, 0.5, 0.999, 1)] == ["0 %", "< 1 %", "50 %", "> 99 %", "100 %"]


def test_small_texts():
    assert units.listing(["a", "b", "c"]) == "a, b and c"
    assert units.listing([]) == ""
    assert units.ratio(34, 10) == "3.40×"
    assert [units.more(x, 10, "area") for x in (34, 10.4)] == ["3.40× the area", "4 % more area"]
    assert units.settings({"double_buffered": True, "acc_bits": 32, "bytes": 65536}) == (
        "double_buffered true, acc_bits 32, bytes 65,536"
    )
    assert [units.plain(v) for v in (0.5, 20.0, 1500)] == ["0.5", "20", "1,500"]
