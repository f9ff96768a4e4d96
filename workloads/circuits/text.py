"""Text files of circuits: opened, measured and decoded in one place; what is wrong is one line."""

from __future__ import annotations

from pathlib import Path

from designs.errors import InputError

MOST_BYTES = 1 << 28


def read_bytes(path: Path, what: str) -> bytes:
    """The content of a file of at most MOST_BYTES; InputError, `wanted WHAT`, for one that cannot be read."""
    try:
        if path.is_dir():
            raise InputError(f"{path}: wanted {what}, got a folder; name a file in it")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InputError(f"{path}: wanted at most {MOST_BYTES} bytes, got {size}; take a smaller circuit")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = error.strerror if isinstance(error, OSError) else "a name that is no path"
        raise InputError(f"{path}: wanted {what}, got: {reason}; is it the right file?") from error


def read_lines(path: Path, what: str) -> list[str]:
    """The lines of a text file; InputError with the line for what is no plain text."""
    data = read_bytes(path, what)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        got = "got bytes that are none; is it the right file?"
        raise InputError(f"{path}:{line}: wanted {what}, which is text, {got}") from error
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise InputError(f"{path}:{line}: wanted {what}, which is text, got a zero byte; is it the right file?")
    return text.replace("\r\n", "\n").split("\n")
