"""Waiting for a condition, never for time to pass."""

import time
from collections.abc import Callable

SECONDS = 60
"""Long enough for a machine on which six others wait; whoever is served does not wait."""


def until[T](
    what: str, condition: Callable[[], T], seconds: float = SECONDS, every: float = 0.2
) -> T:
    """Return the first truthy result of ``condition``.

    :raises AssertionError: naming ``what`` was waited for, and the last result, after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}; last seen: {result!r}")
        time.sleep(every)
    return result
