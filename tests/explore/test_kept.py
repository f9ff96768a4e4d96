"""Slow steps are done once; a damaged file is a step to do again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from explore.kept import kept, kept_classifier
from workloads.classifiers.classifier import Classifier
from workloads.netlist import run_netlist
from workloads.netlist_builder import NetlistBuilder

pytestmark = pytest.mark.usefixtures("own_cache")


def test_made_once_for_each_key(own_cache: Path) -> None:
    made: list[int] = []

    def make() -> list[int]:
        made.append(len(made))
        return [len(made)]

    assert [kept("steps", ("a", 1), ("explore.pareto",), make) for _ in range(2)] == [[1], [1]]
    assert kept("steps", ("a", 2), ("explore.pareto",), make) == [2]
    assert kept("steps", ("a", 1), ("explore.sources",), make) == [3]  # other sources
    assert kept("others", ("a", 1), ("explore.pareto",), make) == [4]
    assert made == [0, 1, 2, 3]
    assert sorted(path.name for path in own_cache.iterdir()) == ["others", "steps"]


def test_a_damaged_file_is_made_again(own_cache: Path) -> None:
    assert kept("steps", (), (), lambda: {"luts": 7}) == {"luts": 7}
    (file,) = own_cache.glob("steps/*/answer.json")
    file.write_text('{"luts": ')
    assert kept("steps", (), (), lambda: {"luts": 8}) == {"luts": 8}
    assert kept("steps", (), (), lambda: {"luts": 9}) == {"luts": 8}


def test_a_failure_is_not_kept() -> None:
    def fail() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept("steps", (), (), fail)
    assert kept("steps", (), (), lambda: 5) == 5


def test_classifiers_come_back() -> None:
    builder = NetlistBuilder(["a", "b"])
    both = builder.lut([0, 1], [0, 0, 0, 1], "logic")
    samples = np.array([[0, 1], [1, 1]], np.uint8)
    made = Classifier(netlist=builder.finish([("y", both)]), samples=samples, labels=None, answer="bits")
    kept_classifier("circuits", ("and",), (), lambda: made)
    found = kept_classifier("circuits", ("and",), (), lambda: pytest.fail("made twice"))
    assert run_netlist(found.netlist, samples).tolist() == [[0], [1]]
