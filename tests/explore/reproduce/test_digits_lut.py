"""The table of digits: its columns, what is compared, and that slow steps are done once."""

from __future__ import annotations

import numpy as np
import pytest

from designs.errors import InputError
from explore.reproduce import digits_lut
from workloads.classifiers.data import DataSet, data_set
from workloads.kinds.classification import classification_of

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def data() -> DataSet:
    return data_set("rows", _rows(300, 0), _rows(100, 1), feature_bits=2, n_classes=3)


def _rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    features = np.random.default_rng(seed).integers(0, 4, (n, 6))
    return features, (features[:, 0] + features[:, 1]) // 3


def test_points_can_be_built() -> None:
    for point in digits_lut._POINTS:
        point.design.check()
    names = [point.name for point in digits_lut._POINTS]
    assert names == ["RINC-1", "RINC-2, 4 modules", "boosted, 12 a class", "boosted, 20 a class", "boosted, 30 a class"]


def test_others_have_known_columns_and_origins() -> None:
    known = {measure.name for measure in digits_lut.MEASURES}
    assert len(digits_lut.ANCHORS) == 14
    for anchor in digits_lut.ANCHORS:
        assert set(anchor.figures) <= known and anchor.origin.endswith(", measured once")
        sample = anchor.figures["accuracy"]
        assert 0.8 < sample.mean < 1
        assert sample.sd is not None or "split 0" in anchor.remark  # several splits, or said to be one


def test_trees_of_scikit_learn_are_measured_and_kept(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter((10, 20))
    monkeypatch.setattr(digits_lut, "_synthesized", lambda *of: next(counts))
    one = digits_lut._Trees(name="stumps", kind="GradientBoostingClassifier", score_bits=6, parameters={"n_estimators": 2})
    workloads = [classification_of(data)] * 2
    row = digits_lut._of_trees(one, workloads, lambda what, n_done, n_all: None)
    assert row.figures["yosys_luts"].mean == 15 and row.figures["luts"].sd == 0
    assert row.figures["accuracy"].mean > 0.8 and row.figures["energy_pj"].mean > 0
    assert "n_estimators 2; scores of 6 bits" == row.remark
    seconds = row.figures["train_seconds"].mean
    assert digits_lut._fitted(one, data).facts["train_seconds"] == seconds  # not fitted again


def test_a_missing_tool_is_a_reason(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*of: object) -> float:
        raise InputError("place and route: wanted the package, got none")

    monkeypatch.setattr(digits_lut, "_clock_mhz", missing)
    figures: dict[str, list[float]] = {}
    (point,) = (one for one in digits_lut._POINTS if one.name == "boosted, 12 a class")
    told: list[str] = []
    reason = digits_lut._placed(point.design, classification_of(data), figures, "small", told.append)
    assert figures == {} and reason == "small; " + "; ".join(["place and route: wanted the package, got none"] * 2)
    assert told == ["place and route on LFE5U-25F-8", "place and route on iCE40HX8K"]
