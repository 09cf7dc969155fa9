"""Runs whose process ended before they did: they are told to have failed, and the pools that they held are free again.

A run that this project starts holds a lock named after it. The system lets go of the lock however the process ends, so
that a lock which can be taken belongs to nobody: without this the next run would wait for the dead one's pool for ever.
Where it stops: what such a run had committed stays, and what it had not the next increment does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

FOLDER = "dagster/running"
SAID = "its process ended before it did; what was committed stays, and the next increment does the rest"


@contextmanager
def running(home: Path, run_id: str) -> Iterator[None]:
    """While it lasts, the run counts as alive."""
    folder = home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(folder / run_id)
    with lock:
        try:
            yield
        finally:
            Path(lock.lock_file).unlink(missing_ok=True)


def settle(instance: dg.DagsterInstance, home: Path) -> list[str]:
    """Ends every run of this machine that was broken off; their ids."""
    return [path.name for path in sorted((home / FOLDER).glob("*")) if _is_settled(instance, path)]


def _is_settled(instance: dg.DagsterInstance, path: Path) -> bool:
    try:
        with FileLock(path, timeout=0):
            run = instance.get_run_by_id(path.name)
            was_broken_off = run is not None and not run.is_finished
            if run is not None and was_broken_off:
                instance.report_run_failed(run, SAID)
            if instance.event_log_storage.supports_global_concurrency_limits:
                instance.event_log_storage.free_concurrency_slots_for_run(path.name)
            path.unlink(missing_ok=True)
            return was_broken_off
    except Timeout:
        return False
