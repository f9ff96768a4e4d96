"""The pictures of docs/: drawn the same each time, without text outside or on other text, and the committed ones current."""

import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from docs import figures
from reports.style import house_style


def _texts(svg: str) -> list[str]:
    return sorted(re.findall(r"<!-- (.*?) -->", svg, flags=re.DOTALL))


@pytest.fixture(autouse=True)
def _style():
    with house_style(), mpl.rc_context({"svg.fonttype": "path"}):
        yield


def _visible(figure: Figure) -> list[Text]:
    figure.canvas.draw()
    return [text for axes in figure.axes for text in axes.texts if text.get_text()]


def test_committed_pictures_are_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = figures.FOLDER
    monkeypatch.setattr(figures, "FOLDER", tmp_path)
    figures.main()
    for name in ("tensor.svg", "timeline.svg", "vector.svg", "sparse.svg", "lut.svg"):
        drawn = (tmp_path / name).read_text(encoding="utf-8")
        assert _texts(drawn) == _texts((committed / name).read_text(encoding="utf-8")), "run python -m docs.figures"
        assert _texts(drawn)


def test_same_bytes_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "FOLDER", tmp_path)
    figures.main()
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    figures.main()
    assert first == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.parametrize("draw", [figures.block_diagram, figures.vector_unit, figures.sparse_machine, figures.lut_machine, figures.bootstrapping_machine])
def test_no_text_meets_another_or_leaves_the_diagram(draw: Callable[[], Figure]) -> None:
    figure = draw()
    boxes = [(text.get_text(), text.get_window_extent()) for text in _visible(figure)]
    for name, box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, name
    for index, (name, box) in enumerate(boxes):
        for other, other_box in boxes[index + 1 :]:
            assert not box.padded(-2).overlaps(other_box.padded(-2)), (name, other)


def test_timeline_shows_that_double_buffers_overlap() -> None:
    layer, tiling = figures._timeline_case()

    def overlaps(double_buffered: bool) -> bool:
        events = figures.timeline(figures.timeline_design(double_buffered), layer, tiling)
        loads = [e for e in events if e["name"].startswith("load")]
        computes = [e for e in events if e["name"].startswith("compute")]
        return any(
            a["start_cycle"] < b["end_cycle"] and b["start_cycle"] < a["end_cycle"] for a in loads for b in computes
        )

    assert overlaps(True) and not overlaps(False)
