"""Compiled kernels on plain arrays.

numba caches machine code beside the source and renews that of a function when the function's own file changes, but not
when a function that it calls, in another file, does. So the cache is emptied here when any kernel source has changed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

_FOLDER = Path(__file__).parent


def forget_stale_code(folder: Path = _FOLDER) -> bool:
    """Remove numba's cache of all kernels under `folder` if their sources are not those it was made from."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        found.update(path.read_bytes())
    stamp = folder / "__pycache__" / "kernels.sha256"
    try:
        if stamp.exists() and stamp.read_text() == found.hexdigest():
            return False
        for pattern in ("*.nbi", "*.nbc"):
            for path in folder.rglob(f"__pycache__/{pattern}"):
                path.unlink(missing_ok=True)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(found.hexdigest())
    except PermissionError:
        return False  # numba cannot write here either, and caches elsewhere
    return True


forget_stale_code()
