"""Shipped design spaces, damaged in hundreds of ways: every one loads or gives one line `file:line:col: ...`."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import designs
from designs.errors import InputError
from designs.space import load_space

SPACES = sorted(Path(designs.__path__[0]).glob("*.yaml"))
PIECES = (
    b":", b"- ", b"[", b"]", b"{", b"}", b"\t", b"\n", b"&a", b"*a", b"!!python/object/apply:os.system", b"<<: *a", b"#",
    b"'", b'"', b"%", b"@", b"`", b"|", b">", b"? ", b"---\n", b"...", b"\x00", b"\xff", b"\xc3", b".nan", b"-.inf",
    b"1e999", b"9" * 400, b"-1", b"0", b"null", b"true", b"yes", b"0x10", b"08", b"1_0", b",", b"\xe2\x80\xa8", b"\r",
)  # fmt: skip
ONE_LINE = re.compile(r"^[^\n]*\.yaml(:\d+:\d+)?: [^\n]*wanted [^\n]+$")


def answer(data: bytes, path: Path) -> str | None:
    """The error of a file with this content, or None where it loads; anything but InputError is a failure."""
    path.write_bytes(data)
    try:
        load_space(path)
    except InputError as error:
        return str(error)
    return None


def damaged(data: bytes, draw: random.Random) -> bytes:
    for _ in range(draw.choice((1, 1, 2, 5))):
        at, end = sorted((draw.randrange(len(data) + 1), draw.randrange(len(data) + 1)))
        kind = draw.randrange(6)
        if kind == 0:
            data = data[:at] + draw.choice(PIECES) + data[at:]
        elif kind == 1:
            data = data[:at] + data[at + draw.randrange(1, 6) :]
        elif kind == 2:
            data = data[:at] + data[end:]
        elif kind == 3:
            lines = data.splitlines(keepends=True)
            data = b"".join(lines + draw.choices(lines, k=2)) if lines else b""
        elif kind == 4:
            data = data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
        else:
            words = re.findall(rb"[A-Za-z_0-9]+", data)
            if words:
                data = data.replace(draw.choice(words), draw.choice((*words, *PIECES)), 1)
    return data


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_damaged_spaces_give_one_line_or_load(path: Path, tmp_path: Path) -> None:
    draw = random.Random(path.stem)
    errors = [answer(damaged(path.read_bytes(), draw), tmp_path / "s.yaml") for _ in range(120)]
    said = [error for error in errors if error is not None]
    assert len(said) > 40  # most damage is noticed
    assert [error for error in said if not ONE_LINE.match(error)] == []


@given(st.binary(max_size=80))
@example(b"family: tensor\ndesign:\n  array_rows: 8\n  array_rows: 16\n")
def test_any_bytes_give_one_line_or_load(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    error = answer(data, tmp_path_factory.getbasetemp() / "any.yaml")
    assert error is None or ONE_LINE.match(error)


@pytest.mark.parametrize(
    "data",
    [
        b"", b" ", b"\n\n", b"#", b"---", b"family", b"family:", b"family: [", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\t",
        "family: tensor\n".encode("utf-16"), b"a: &a [1]\nb: &b [*a,*a]\nc: [*b,*b]\n", b"[" * 9999, b"{" * 9999,
        b"family: tensor\ndesign: {array_rows: " + b"9" * 9999 + b"}", b"x" * 300_000, b"family: tensor\n" * 2,
        b"family: tensor\n---\nfamily: tensor\n", b"!!map {family: tensor}", b"family: tensor\n<<: {design: 1}",
        b"? {family: tensor}\n: 1", b"family: tensor\ndesign: !!set {array_rows}", b"family: |\n  tensor\n  x\n",
        b"family: \"ten\\\nsor\\n\\e[31m\"",
    ],
    ids=lambda data: repr(data[:20]),
)  # fmt: skip
def test_hand_made_bad_files(data: bytes, tmp_path: Path) -> None:
    error = answer(data, tmp_path / "s.yaml")
    assert error is not None and ONE_LINE.match(error) and error.isprintable() and len(error) < 500
