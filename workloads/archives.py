"""Reading arrays from files of users: what damage raises, and a look at what came."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable

import numpy as np

UNREADABLE = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, EOFError, MemoryError,
    RuntimeError, NotImplementedError, SyntaxError, ZeroDivisionError, struct.error, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What numpy, zipfile, scipy and json raise for damaged files: encrypted (RuntimeError), nested too deep
(RecursionError, a RuntimeError), array headers that are no Python or lie (SyntaxError, TokenError, OverflowError),
blocks of no size (ZeroDivisionError)."""


def arrays_of(archive: np.lib.npyio.NpzFile, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Those of the arrays that the archive has. ValueError where a member is no array: numpy gives its bytes."""
    found = {name: archive[name] for name in names if name in archive.files}
    for name, array in found.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{name} that is no array")
    return found


def one_line(error: BaseException) -> str:
    """The message of an error, cut to a line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
