"""Keeps a number of jobs under way, each in a process of its own, until the time is over or one finds a difference.

Where it stops: what a job is, is `jobs`'; what is said of it, `report`'s.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, cycle, takewhile

from tests.histories.tally import Tally

Job = Callable[[int], Tally]
"""Takes a seed and counts what it did; a difference is an error."""


@dataclass(frozen=True)
class Run:
    """The jobs of `once`, then those of `turns` until the time is over, then `last` until histories are enough."""

    length: timedelta
    seed: int
    cores: int
    once: tuple[Job, ...]
    turns: tuple[Job, ...]
    last: Job
    histories: int = 0

    def jobs(self, in_time: Callable[[], bool], played: Callable[[], int]) -> Iterator[tuple[Job, int]]:
        """Each with a seed of its own, but for those of `once`, which do the same whatever the seed."""
        seeds = count(self.seed)
        yield from ((job, self.seed) for job in self.once)
        yield from zip(takewhile(lambda _: in_time(), cycle(self.turns)), seeds, strict=False)
        while played() < self.histories:
            yield self.last, next(seeds)


@dataclass(frozen=True)
class Done:
    """What a job did, or the difference that it found."""

    name: str
    seed: int
    tally: Tally
    difference: str = ""


def run(wanted: Run) -> Iterator[Done]:
    """Yields each job as it ends. No other begins after a difference; those under way come to their end."""
    end = time.monotonic() + wanted.length.total_seconds()
    played, differs = 0, False
    jobs = wanted.jobs(lambda: time.monotonic() < end, lambda: played)
    spawned = multiprocessing.get_context("spawn")
    waiting: set[Future[Done]] = set()
    with ProcessPoolExecutor(wanted.cores, mp_context=spawned, max_tasks_per_child=1) as pool:
        while True:
            while len(waiting) < wanted.cores and not differs and (due := next(jobs, None)):
                waiting.add(pool.submit(perform, *due))
            if not waiting:
                return
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for done in (future.result() for future in finished):
                played += done.tally.histories["history"]
                differs = differs or bool(done.difference)
                yield done


def perform(job: Job, seed: int) -> Done:
    begun = time.monotonic()
    try:
        done = Done(job.__name__, seed, job(seed))
    except Exception:
        done = Done(job.__name__, seed, Tally(), traceback.format_exc()[-6000:])
    said = "found a difference" if done.difference else "done"
    sys.stderr.write(f"{job.__name__} {seed}: {said} after {time.monotonic() - begun:.0f} s\n")
    return done
