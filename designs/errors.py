"""Errors that a user's input can cause. Each is one line: where, what was wanted, what came, how to mend it."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input: the command line prints `str(error)` on one line and exits with 2."""


class DesignError(InputError):
    """A design that cannot be built; `field` is the parameter to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class Interrupted(Exception):
    """Ctrl-C in long work; `str()` says what is kept and how to go on. The command line exits with 130."""


def is_interrupt(error: BaseException) -> bool:
    """Whether an error is Ctrl-C: Python says SystemError where the signal came as a compiled function returned."""
    return isinstance(error, KeyboardInterrupt) or (
        isinstance(error, SystemError) and isinstance(error.__cause__ or error.__context__, KeyboardInterrupt)
    )
