"""One thing that must be true of a service before the lakehouse can use it, and how many of them are looked at at once.

Where it stops: which services there are is the profile's, what is asked of each is its engine's.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from threading import Thread
from typing import Literal

Ended = Literal["ok", "failed", "not looked at"]

LIMIT_SECONDS = 15.0
_LONGEST = 400


@dataclass(frozen=True)
class Probe:
    """`look` says what it found, e.g. a version, or raises; `fix` says what to do then.

    `for_runs`: a run cannot do without. Of one service they stand in order: each needs the ones before it.
    """

    service: str
    claim: str
    look: Callable[[], str]
    fix: str
    for_runs: bool = True


@dataclass(frozen=True)
class Finding:
    """`found` is what was seen or went wrong, on one line. `passing`: it may be otherwise in a moment."""

    service: str
    claim: str
    ended: Ended
    found: str
    fix: str = ""
    passing: bool = False


class StillStarting(ConnectionError):
    """The service answers, and is not ready yet."""


def examine(probes: Iterable[Probe], limit_seconds: float = LIMIT_SECONDS) -> list[Finding]:
    """Every probe's finding, in order; services at the same time, each probe for at most `limit_seconds`."""
    services = [list(group) for _, group in groupby(probes, attrgetter("service"))]
    with ThreadPoolExecutor(max_workers=max(len(services), 1)) as pool:
        found = pool.map(lambda group: _examine_service(group, limit_seconds), services)
        return [finding for group in found for finding in group]


def tcp(host: str, port: int, seconds: float = 5.0) -> str:
    """That something listens there. Raises OSError."""
    try:
        with socket.create_connection((host, port), seconds):
            return f"{host}:{port}"
    except OSError as error:
        reason = error.strerror or str(error)
        raise type(error)(f"{host}:{port}: {reason}") from None


def _examine_service(probes: Sequence[Probe], limit_seconds: float) -> list[Finding]:
    found: list[Finding] = []
    for probe in probes:
        if found and found[-1].ended != "ok":
            found.append(Finding(probe.service, probe.claim, "not looked at", "needs the one above"))
        else:
            found.append(_examine_one(probe, limit_seconds))
    return found


def _examine_one(probe: Probe, limit_seconds: float) -> Finding:
    seen: list[Finding] = []

    def look() -> None:
        try:
            seen.append(Finding(probe.service, probe.claim, "ok", _line(probe.look())))
        except Exception as error:
            passing = isinstance(error, ConnectionError | TimeoutError | socket.gaierror)
            said = _line(str(error)) or type(error).__name__
            seen.append(Finding(probe.service, probe.claim, "failed", said, probe.fix, passing))

    # A daemon: what never answers must not keep the command from ending.
    thread = Thread(target=look, daemon=True)
    thread.start()
    thread.join(limit_seconds)
    silent = f"no answer within {limit_seconds:g} s"
    return seen[0] if seen else Finding(probe.service, probe.claim, "failed", silent, probe.fix, passing=True)


def _line(text: str) -> str:
    whole = " ".join(text.split())
    return whole if len(whole) <= _LONGEST else f"{whole[:_LONGEST]} ..."
