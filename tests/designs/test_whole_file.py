"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from designs.errors import InputError
from designs.whole_file import expect_writable, whole_file


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with whole_file(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with whole_file(tmp_path / "link.txt") as part:
        part.write_text("new")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "new"


def test_a_pipe_is_written_in_place(tmp_path: Path) -> None:
    """A device must never be replaced by a file, as root could do with /dev/null."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(path) as part:
        part.write_text("new")
    assert os.read(reader, 10) == b"new" and path.is_fifo()
    os.close(reader)


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path, tmp_path / "file" / "a", tmp_path / "no" / "a", tmp_path / "loop", tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match="wanted a file to write to, got: [A-Z][^\n]+; name another$"), whole_file(path) as part:
            part.write_text("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "loop"]


def test_what_can_be_written_is_known_before_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("old")
    expect_writable(tmp_path / "old.txt")
    expect_writable(tmp_path / "new.txt")
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "old.txt" / "x", "Not a directory"),
                      (tmp_path / "none" / "x", "No such file or directory")):  # fmt: skip
        with pytest.raises(InputError, match=f"wanted a file to write to, got: {why}; name another$"):
            expect_writable(path)
    assert [path.name for path in tmp_path.iterdir()] == ["old.txt"]
