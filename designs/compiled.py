"""Kernels that numba compiles, kept until one of their sources changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import config, njit

from designs.cache import cache_dir, mark_used


def entry_of(folder: Path, **options: Any) -> Callable[[Any], Any]:
    """njit(**options) for functions that Python calls and that call only functions of modules in `folder`.

    numba keeps compiled code until the file of the function itself changes; here it is kept in the user's cache, or
    below $NUMBA_CACHE_DIR, until any module of `folder` does: an inner function of another file is compiled into it.
    """
    base = Path(config.CACHE_DIR) if config.CACHE_DIR else cache_dir()
    kept = base / "kernels" / sources_digest(folder)
    kept.mkdir(parents=True, exist_ok=True)
    mark_used(kept)

    def entry(function: Any) -> Any:
        before, config.CACHE_DIR = config.CACHE_DIR, str(kept)
        try:
            return njit(cache=True, **options)(function)
        finally:
            config.CACHE_DIR = before

    return entry


def sources_digest(folder: Path) -> str:
    """Hash of the names and contents of all modules below `folder`."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        found.update(f"{path.relative_to(folder)} {len(content)}\0".encode() + content)
    return found.hexdigest()[:16]
