"""A step that reads a table and commits over what it read, run again when another writer committed in between.

Nothing of a step that met a conflict is visible, so that to read again and repeat it is always right.
Where it stops: what the step does, and that it reads the table anew each time, is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from lakehouse_assets.engines.iceberg.transaction import Conflict

T = TypeVar("T")

ATTEMPTS = 5
_PAUSE_SECONDS = 0.05


def settled(step: Callable[[], T], attempts: int = ATTEMPTS) -> T:
    """What the step gives. Raises the last Conflict where other writers were faster `attempts` times."""
    again = Retrying(
        retry=retry_if_exception_type(Conflict),
        stop=stop_after_attempt(attempts),
        wait=wait_random(0, _PAUSE_SECONDS),
        reraise=True,
    )
    return again(step)
