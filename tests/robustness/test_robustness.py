"""The checks of `python -m tests.robustness`, on few files; its kills are those of tests/explore/test_sweep.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.robustness.files import Answer, problems, try_files


def test_a_few_mutated_files_through_the_command_line(tmp_path: Path) -> None:
    lines, failures = try_files(tmp_path, 44, seed=1)
    assert failures == [] and any("refused" in line for line in lines)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(1, "", "Traceback (most recent call last):\n  ...\nKeyError: 'x'\n"),
        Answer(2, "", "lockstep: m.yaml: wanted a, got b\nand more\n"),
        Answer(2, "{}", "lockstep: m.yaml: wanted a, got b\n"),
        Answer(2, "", "lockstep: m.yaml: no\n"),
        Answer(-6, "", "double free or corruption\n"),
    ],
)
def test_a_bad_answer_is_noticed(answer: Answer, tmp_path: Path) -> None:
    assert problems(answer, tmp_path / "m.yaml", tmp_path / "none")
