"""Opening on first use, once per process, whichever thread comes first.

Where it stops: what failed to open is tried again by the next caller; nothing is ever closed here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def once(open_it: Callable[[], T]) -> Callable[[], T]:
    """A function that opens at its first call and returns the same value ever after."""
    lock = threading.Lock()
    opened: list[T] = []

    def get() -> T:
        with lock:
            if not opened:
                opened.append(open_it())
            return opened[0]

    return get
