"""The user's cache folder, and locks that let any number of processes share it."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import platformdirs

UNUSED_DAYS = 14


def cache_dir() -> Path:
    """Where compiled designs are kept: $LOCKSTEP_CACHE_DIR, else the user's cache folder."""
    chosen = os.environ.get("LOCKSTEP_CACHE_DIR")
    folder = Path(chosen) if chosen else platformdirs.user_cache_path("lockstep")
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; the kernel frees it when the process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def mark_used(folder: Path) -> None:
    """Note that `folder` was used now, and remove its neighbours that nobody used for UNUSED_DAYS."""
    os.utime(folder)
    oldest = time.time() - UNUSED_DAYS * 86400
    for path in folder.parent.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process may be removing it too
            if path.stat().st_mtime < oldest:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def warm_up(package: str, command: Sequence[str], *, seconds: int) -> None:
    """Run `command` once for each installed version of `package`, one process at a time.

    Tools that come as WebAssembly compile themselves at their first run into a file that they write in place, without a
    lock; two first runs at a time would read each other's half-written file. `seconds` is what the message says.
    """
    marker = cache_dir() / "warm" / f"{package}-{importlib.metadata.version(package)}-python{sys.version_info.minor}"
    if marker.exists():
        return
    with locked(marker.with_suffix(".lock")):
        if marker.exists():
            return
        print(f"[rtl] first use of {package}: compiling it, about {seconds} s", file=sys.stderr, flush=True)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        marker.touch()
