"""A backlog of any size, landed in a process of its own, and the memory that this took at its peak."""

from __future__ import annotations

import json
import multiprocessing
import resource
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from lakehouse_assets.bronze.land import land
from lakehouse_assets.engines.log.file_log import FileLog

from .doomed import EVENTS, catalog_of, platform_of

_LINES = 50_000


def peak_memory(home: Path, messages: int, batch: int, size: int = 200) -> int:
    """Bytes, of a lander that finds `messages` of about `size` bytes and commits every `batch`; imports are in it.

    Raises AssertionError where it did not land all of them.
    """
    _write(home, messages, size)
    server = multiprocessing.get_context("spawn")
    told, tells = server.Pipe(duplex=False)
    lander = server.Process(target=_land, args=(home, batch, tells))
    lander.start()
    tells.close()
    consumed, peak = told.recv()
    lander.join()
    assert consumed == messages
    return int(peak)


def _write(home: Path, messages: int, size: int) -> None:
    folder = home / "events" / EVENTS.topic
    folder.mkdir(parents=True)
    with (folder / "0.jsonl").open("w") as log:
        for first in range(0, messages, _LINES):
            log.writelines(_line(n, size) for n in range(first, min(first + _LINES, messages)))


def _line(n: int, size: int) -> str:
    event = {"event_id": f"{n:036d}", "user_id": n % 9973, "event_type": "page_view"}
    padded = {**event, "url": f"/products/{n % 977:0{max(1, size - 120)}d}"}
    message = {"topic": EVENTS.topic, "partition": 0, "offset": n, "ts": 1_767_571_200_000 + n, "key": str(n % 9973)}
    return json.dumps({**message, "payload": json.dumps(padded)}) + "\n"


def _land(home: Path, batch: int, told: Connection) -> None:
    platform = platform_of(home, FileLog(home / "events"), catalog_of(home))
    landed = land(replace(platform, batch_messages=batch), EVENTS)
    told.send((landed.consumed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))
