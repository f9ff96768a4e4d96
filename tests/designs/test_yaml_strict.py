"""Strict YAML: values, places, and one line for every kind of bad file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designs import yaml_strict
from designs.errors import InputError


def value(text: str) -> object:
    node = yaml_strict.parse(f"key: {text}", "f").entries["key"]
    assert isinstance(node, yaml_strict.Scalar)
    return node.value


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("8", 8), ("-3", -3), ("+4", 4), ("007", 7), ("1.5", 1.5), ("8e6", 8e6), ("-.5", -0.5), ("true", True),
        ("false", False), ("null", None), ("~", None), ("", None), ("'8'", "8"), ('"true"', "true"),
        # what YAML 1.1 would turn into something else stays text:
        ("yes", "yes"), ("on", "on"), ("0x10", "0x10"), ("1_000", "1_000"), (".nan", ".nan"), (".inf", ".inf"),
        ("1:30", "1:30"), ("2001-01-01", "2001-01-01"), ("9" * 19, "9" * 19), ("1e999", "1e999"),
    ],
)  # fmt: skip
def test_scalars_are_what_they_look_like(text: str, wanted: object) -> None:
    assert value(text) == wanted and type(value(text)) is type(wanted)


def test_nodes_know_their_place() -> None:
    top = yaml_strict.parse("a: 1\nb:\n  - x\n  - {c: 2}\n", "f.yaml")
    assert (top.keys["b"].place.line, top.keys["b"].place.column) == (2, 1)
    items = top.entries["b"]
    assert isinstance(items, yaml_strict.Sequence)
    inner = items.items[1]
    assert isinstance(inner, yaml_strict.Mapping)
    assert str(inner.entries["c"].place.error("no")) == "f.yaml:4:9: no"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f:1:1: wanted a mapping of keys, got an empty file; begin with 'family: tensor'"),
        ("# only a comment\n", "f:1:1: wanted a mapping of keys, got an empty file; begin with 'family: tensor'"),
        ("---\n...\n", "f:1:1: wanted a mapping of keys, got an empty file; begin with 'family: tensor'"),
        ("- a\n", "f:1:1: wanted a mapping of keys such as 'family: tensor', got a list"),
        ("word", "f:1:1: wanted a mapping of keys such as 'family: tensor', got 'word'"),
        ("a: 1\na: 2\n", "f:2:1: wanted each key once, got 'a' again (first in line 1)"),
        ("a: {b: 1, b: 2}\n", "f:1:11: wanted each key once, got 'b' again (first in line 1)"),
        ("8: 1\n", "f:1:1: wanted a word as key, got 8"),
        ("? [a]\n: 1\n", "f:1:3: wanted a word as key, got a list"),
        ("a: &x 1\n", "f:1:4: wanted plain values, got anchor or alias 'x'; write the value out"),
        ("a: *x\n", "f:1:4: wanted plain values, got anchor or alias 'x'; write the value out"),
        ("a: !!python/object:os.system 1\n", "f:1:4: wanted plain values, got the tag 'tag:yaml.org,2002:python/object:os.system'; remove it"),
        ("a: 1\n---\nb: 2\n", "f:2:1: wanted one YAML document, got a second; remove the '---'"),
        ("a: " + "[" * 40 + "]" * 40, "f:1:20: wanted at most 16 levels of nesting, got more"),
        ("a: 1\n\tb: 2\n", "f:2:1: wanted YAML, got a syntax error: while scanning for the next token, found character a tab that cannot start any token; indent with spaces"),
        ("a: [1, 2\n", "f:2:1: wanted YAML, got a syntax error: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'"),
        ("a: 'x\n", "f:2:1: wanted YAML, got a syntax error: while scanning a quoted scalar, found unexpected end of stream"),
        ("a: 1\nb: \x07\n", "f:2:4: wanted printable text, got character U+0007; remove it"),
    ],
)  # fmt: skip
def test_what_is_refused_and_how(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        yaml_strict.parse(text, "f")
    assert str(caught.value) == message


def test_files_that_cannot_be_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(InputError, match=r"s\.yaml:2:7: wanted UTF-8 text, got byte 0xe9; save the file as UTF-8"):
        yaml_strict.load(path)
    path.write_bytes(b"a: 1\n" + b"#" * yaml_strict.MAX_BYTES)
    with pytest.raises(InputError, match="wanted at most 262144 bytes of YAML, got more"):
        yaml_strict.load(path)
    with pytest.raises(InputError, match="wanted a readable YAML file, got: Is a directory"):
        yaml_strict.load(tmp_path)
    with pytest.raises(InputError, match="wanted a readable YAML file, got: No such file or directory"):
        yaml_strict.load(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="wanted a readable YAML file, got: embedded null byte"):
        yaml_strict.load("a\0b")


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xef\xbb\xbffamily: tensor\n")
    assert list(yaml_strict.load(path).entries) == ["family"]


@given(st.text(alphabet="ab:[]{}-,&*!|>'\"#%@`? \n\t01.~é\x00\x85\ufeff", max_size=60))
def test_any_text_gives_a_tree_or_one_line(text: str) -> None:
    try:
        yaml_strict.parse(text, "f")
    except InputError as error:
        assert str(error).startswith("f:") and len(str(error).splitlines()) == 1


def test_deep_nesting_does_not_exhaust_the_parser() -> None:
    for text in ("[" * 100_000, "{a: " * 50_000, "- " * 100_000, "? " * 100_000):
        with pytest.raises(InputError):
            yaml_strict.parse("a:\n  " + text, "f")
