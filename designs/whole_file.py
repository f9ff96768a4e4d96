"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from designs.errors import InputError


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A path to write a file to; the file takes the place of `path` when the block ends, and is gone when it fails.

    A reader never sees half a file, and a failure leaves what was there. A symbolic link stays one: what it points to
    is replaced. A device or a pipe, as /dev/stdout, is written in place. InputError, one line, for every OSError.
    """
    part: Path | None = None
    try:
        target = Path(path)
        if _is_new_or_regular(target):
            target = Path(os.path.realpath(path))
            part = _part_of(target)
        yield part or target
        if part is not None:
            os.replace(part, target)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def expect_writable(path: str | Path) -> None:
    """InputError where `whole_file` could not write there: before long work, not after it. Leaves nothing behind."""
    try:
        target = Path(path)
        if _is_new_or_regular(target):
            part = _part_of(Path(os.path.realpath(path)))
            part.touch()
            part.unlink()
    except OSError as error:
        raise _cannot_write(path, error) from error


def _part_of(target: Path) -> Path:
    return target.with_name(f".{target.name[:200]}.{os.getpid()}.part")


def _cannot_write(path: str | Path, error: OSError) -> InputError:
    return InputError(f"{path}: wanted a file to write to, got: {error.strerror}; name another")


def _is_new_or_regular(target: Path) -> bool:
    try:
        target.stat()
    except FileNotFoundError:
        return True
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return target.is_file()
