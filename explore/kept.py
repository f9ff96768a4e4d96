"""Answers of slow steps, kept in the user's cache: what was interrupted goes on where it stood."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from designs.cache import cache_dir, locked, mark_used
from designs.errors import InputError
from designs.whole_file import whole_file
from explore.sources import sources_of
from workloads.classifiers.classifier import Classifier
from workloads.classifiers.files import load_classifier, save_classifier


def kept(kind: str, key: Sequence[object], made_by: Sequence[str], make: Callable[[], Any]) -> Any:
    """What `make` answers, plain data for JSON, made once for each key.

    `kind` names the folder, `key` is all that the answer depends on (by its repr) besides the sources of the modules
    `made_by` and what they import. A file that cannot be read is made again; an exception of `make` keeps nothing.
    """
    with _file(kind, key, made_by, "json") as path:
        with suppress(OSError, ValueError):  # not there yet, or damaged
            return json.loads(path.read_text(encoding="utf-8"))
        found = make()
        with whole_file(path) as part:
            part.write_text(json.dumps(found), encoding="utf-8")
        return found


def kept_classifier(
    kind: str, key: Sequence[object], made_by: Sequence[str], make: Callable[[], Classifier]
) -> Classifier:
    """`kept`, for a classifier."""
    with _file(kind, key, made_by, "npz") as path:
        with suppress(InputError):  # not there yet, or damaged
            return load_classifier(path)
        found = make()
        save_classifier(found, path)
        return found


@contextmanager
def _file(kind: str, key: Sequence[object], made_by: Sequence[str], suffix: str) -> Iterator[Path]:
    """The file of an answer, this process's alone until the block ends."""
    found = hashlib.sha256(repr(tuple(key)).encode())
    for module, source in sources_of(*made_by).items():
        found.update(b"\0" + module.encode() + b"\0" + source.read_bytes())
    folder = cache_dir() / kind / found.hexdigest()[:32]
    with locked(folder / "lock"):
        mark_used(folder)
        yield folder / f"answer.{suffix}"
