"""How a command that goes on until it is told to end is told to. Where it stops: when it does is the command's."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ended_by_signal() -> Iterator[threading.Event]:
    """Set by the first Ctrl-C or termination; the next one has its usual effect."""
    ended = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def end(*_: object) -> None:
        ended.set()
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)

    before = [signal.signal(number, end) for number in numbers]
    try:
        yield ended
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
