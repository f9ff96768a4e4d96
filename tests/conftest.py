"""Settings of the whole suite: hypothesis without deadlines (shared machines), the same cases each time under CI.

And the fixtures that files of several folders share.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a cache that is the test's own, and empty."""
    monkeypatch.setenv("LOCKSTEP_CACHE_DIR", str(tmp_path))
    return tmp_path
