"""Words for error messages: the nearest right spelling, and user text cut to one readable line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST_SHOWN = 60


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'array_rows'?)`, or nothing where no known word is near."""
    found = difflib.get_close_matches(word[:_LONGEST_SHOWN], list(known), n=1, cutoff=0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""


def shown(value: object) -> str:
    """A value in one line: strings quoted and escaped, long ones cut."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."
