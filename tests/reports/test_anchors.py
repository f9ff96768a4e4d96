import pytest

from designs.errors import InputError
from reports import anchors

GOOD = (
    'sets: [{workload: "w:", data: d, networks: [{name: n, certainty: survey, counts: whole, points: [[10, 97.5]]}]}]'
)


def read(tmp_path, text, workload="w:/folder"):
    path = tmp_path / "table.yaml"
    path.write_text(text)
    return anchors.lut_networks(workload, path)


def test_networks_belong_to_a_workload(tmp_path):
    assert read(tmp_path, GOOD) == (anchors.Network("n", "survey", "whole", ((10.0, 97.5),)),)
    assert read(tmp_path, GOOD, "w") == () and read(tmp_path, GOOD, "ww:/folder") == ()


def test_other_splits_of_digits_have_no_anchors():
    assert {network.name for network in anchors.lut_networks("digits")} >= {"TreeLUT", "DWN"}
    assert anchors.lut_networks("digits:3") == () and anchors.lut_networks("digits_cnn") == ()


def test_what_is_recalled_or_partial_says_so():
    known = {network.name: network for network in anchors.lut_networks("mnist:somewhere")}
    assert known["PoET-BiN"].certainty == "recalled" and known["PoET-BiN"].counts != anchors.WHOLE
    assert known["DWN"].counts == "no encoder"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("survey", "sure", "wanted one of measured, primary, survey, recalled, got sure"),
        ("counts: whole, ", "", "wanted the key counts of a network, got none"),
        ("name:", "nmae:", "wanted a key of a network"),
        ("[[10, 97.5]]", "[[10, 197.5]]", r"wanted \[LUTs, accuracy in per cent\], got \[10, 197.5\]"),
        ("[[10, 97.5]]", "[10]", "wanted a list, got"),
        ("data: d", "data: 1", "wanted a text, got"),
        ("networks: [{", "networks: [3, {", "wanted a network with the keys"),
    ],
)
def test_a_bad_table_is_one_line_with_a_place(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(InputError, match=rf"table\.yaml:1:\d+: {message}"):
        read(tmp_path, GOOD.replace(old, new))
