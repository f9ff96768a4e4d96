"""What tests of design spaces share: files to load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from designs.space import Space, load_space


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Space]:
    """Loads the space that a text is."""

    def put(text: str) -> Space:
        path = tmp_path / "s.yaml"
        path.write_text(text)
        return load_space(path)

    return put
