"""Processes that tests interrupt."""

from __future__ import annotations

import signal


def heed_interrupts() -> None:
    """Undo that SIGINT is ignored, which a child inherits where the tests run in the background or under nohup."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
