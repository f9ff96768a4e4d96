"""Strict YAML: a tree that knows where everything stands in the file, and one-line errors.

Stricter than YAML on purpose: no anchors, aliases, tags, merge keys or several documents; keys are plain strings and
occur once; `yes`, `0x10`, `1_000` and `.nan` stay text, so that a typed field refuses them instead of guessing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from designs.errors import InputError
from designs.spelling import nearest, shown

MAX_BYTES = 1 << 18
MAX_DEPTH = 16

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]{1,3})?")

ScalarValue: TypeAlias = int | float | bool | str | None


@dataclass(frozen=True)
class Place:
    """Where a node starts: file, line and column counted from 1."""

    file: str
    line: int
    column: int

    def error(self, message: str) -> InputError:
        """An InputError that begins with this place."""
        return InputError(f"{self.file}:{self.line}:{self.column}: {message}")


@dataclass(frozen=True)
class Scalar:
    """One value: int, float, bool or None where it is plainly written as such, else text."""

    place: Place
    value: ScalarValue


@dataclass(frozen=True)
class Sequence:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Mapping:
    """Keys in file order; `keys` are the scalars that name them, for their places."""

    place: Place
    entries: dict[str, Node]
    keys: dict[str, Scalar]

    def expect_keys(self, known: Iterable[str], what: str) -> None:
        """Raise InputError at the first key that is not known, with the nearest right spelling."""
        known = tuple(known)
        for key, scalar in self.keys.items():
            if key not in known:
                raise scalar.place.error(
                    f"wanted a key of {what} ({_some(known)}), got {shown(key)}{nearest(key, known)}"
                )


Node: TypeAlias = Scalar | Sequence | Mapping


def load(path: str | Path) -> Mapping:
    """Read a YAML file whose top is a mapping. InputError, in one line with a place, for everything else."""
    return parse(read_text(path), str(path))


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file of at most MAX_BYTES bytes. InputError where it cannot be read as that."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{path}: wanted a readable YAML file, got: {reason}; check the path") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: wanted at most {MAX_BYTES} bytes of YAML, got more; split the file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        raise _place_in(before, str(path)).error(
            f"wanted UTF-8 text, got byte 0x{data[error.start]:02x}; save the file as UTF-8"
        ) from error


def parse(text: str, file: str) -> Mapping:
    """The tree of one YAML document whose top is a mapping; `file` is its name in error messages."""
    try:
        top = _Builder(file).document(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        raise place.error(f"wanted YAML, got a syntax error: {_reason(error)}") from error
    except yaml.reader.ReaderError as error:
        place, code = _place_in(text[: error.position], file), ord(text[error.position])
        raise place.error(f"wanted printable text, got character U+{code:04X}; remove it") from error
    if top is None:
        raise Place(file, 1, 1).error("wanted a mapping of keys, got an empty file; begin with 'family: tensor'")
    if not isinstance(top, Mapping):
        raise top.place.error(f"wanted a mapping of keys such as 'family: tensor', got {describe(top)}")
    return top


def describe(node: Node) -> str:
    """What a node is, for `got ...`."""
    if isinstance(node, Scalar):
        return "nothing" if node.value is None else shown(node.value)
    return "a list" if isinstance(node, Sequence) else "a mapping"


def text_of(node: Node, wanted: str) -> str:
    """The text of a scalar that is text; InputError otherwise."""
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return node.value
    raise node.place.error(f"wanted {wanted}, got {describe(node)}")


class _Builder:
    """Builds the tree from parser events: lazily and without recursion in the parser, so no input can exhaust it."""

    def __init__(self, file: str) -> None:
        self._file = file

    def document(self, events: Iterator[yaml.Event]) -> Node | None:
        top: Node | None = None
        n_documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                n_documents += 1
                if n_documents > 1:
                    raise self._place(event).error("wanted one YAML document, got a second; remove the '---'")
            elif isinstance(event, yaml.NodeEvent):
                top = self._node(event, events, depth=0)
        return None if isinstance(top, Scalar) and top.value is None else top

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        place = self._place(event)
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if anchor is not None:  # also of an alias
            raise place.error(f"wanted plain values, got anchor or alias {shown(anchor)}; write the value out")
        if tag is not None:
            raise place.error(f"wanted plain values, got the tag {shown(tag)}; remove it")
        if depth > MAX_DEPTH:
            raise place.error(f"wanted at most {MAX_DEPTH} levels of nesting, got more")
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(place, _resolve(event.value) if event.style is None else event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return Sequence(place, tuple(self._items(events, yaml.SequenceEndEvent, depth)))
        return self._mapping(place, events, depth)

    def _items(self, events: Iterator[yaml.Event], end: type, depth: int) -> Iterator[Node]:
        for event in events:
            if isinstance(event, end):
                return
            yield self._node(event, events, depth + 1)

    def _mapping(self, place: Place, events: Iterator[yaml.Event], depth: int) -> Mapping:
        entries: dict[str, Node] = {}
        keys: dict[str, Scalar] = {}
        nodes = self._items(events, yaml.MappingEndEvent, depth)
        for key in nodes:
            if not isinstance(key, Scalar) or not isinstance(key.value, str):
                raise key.place.error(f"wanted a word as key, got {describe(key)}")
            if key.value in keys:
                first = keys[key.value].place.line
                raise key.place.error(f"wanted each key once, got {shown(key.value)} again (first in line {first})")
            keys[key.value] = key
            entries[key.value] = next(nodes)
        return Mapping(place, entries, keys)

    def _place(self, event: yaml.Event) -> Place:
        mark: Any = event.start_mark
        return Place(self._file, mark.line + 1, mark.column + 1)


def _resolve(text: str) -> ScalarValue:
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        return value if abs(value) != float("inf") else text
    return text


def _reason(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    reason = ", ".join(parts).replace("'\\t'", "a tab")
    if "a tab" in reason:
        reason += "; indent with spaces"
    return " ".join(reason.split()) or "unreadable"


def _place_in(before: str, file: str) -> Place:
    return Place(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def _some(words: tuple[str, ...]) -> str:
    return ", ".join(words) if len(words) <= 8 else ", ".join(words[:7]) + ", ..."
