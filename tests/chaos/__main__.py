"""`python -m tests.chaos --minutes 30 --seed 1`: the jobs in turns until the time is over, and a report.

With `--histories` it goes on after that time, with random histories alone, until so many were played. With `--more` it
goes on where the sessions ended that the report holds, and their histories count.

The exit code is 1 where a difference was found; the report and the last lines say by which job and seed. With `--only`
one job runs once: that is how a difference is made again.
"""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta
from pathlib import Path

from tests.chaos import jobs
from tests.chaos.report import report
from tests.chaos.run import Run, run
from tests.chaos.sessions import Session, Sessions, read

LONG_MINUTES = 20
"""From here on what takes minutes is a small part of the whole."""


def main() -> int:
    known = {job.__name__: job for job in (*jobs.TURNS, *jobs.ONCE)}
    given = _arguments(sorted(known))
    if given.only:
        print(known[given.only](given.seed))  # noqa: T201
        return 0
    kept: Path | None = given.report and given.report.with_suffix(".json")
    earlier = read(kept).root if kept and given.more else []
    seed = max([given.seed, *(session.seed for session in earlier)])
    once = jobs.ONCE if given.minutes >= LONG_MINUTES and not any("cost_by_size" in s.jobs for s in earlier) else ()
    missing = given.histories - Sessions(earlier).played
    length = timedelta(minutes=given.minutes)
    session = Session(cores=given.cores, first_seed=seed, seed=seed)
    sessions = Sessions([*earlier, session])
    for done in run(Run(length, seed, given.cores, once, jobs.TURNS, jobs.random_histories, missing)):
        session.add(done)
        if kept:  # each time, so that a run that is stopped has told what it did
            sessions.write(kept)
            given.report.write_text(report(sessions.root), encoding="utf-8")
    print(report(sessions.root))  # noqa: T201
    return 1 if session.differences else 0


def _arguments(known: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long to begin new jobs (30)")
    parser.add_argument("--histories", type=int, default=0, help="how many random histories at least (0)")
    parser.add_argument("--seed", type=int, default=1, help="of the first job; each next one adds 1 (1)")
    parser.add_argument("--cores", type=int, default=2, help="how many jobs at once (2)")
    parser.add_argument("--report", type=Path, help="write the report to this file, and what it counts beside it")
    parser.add_argument("--more", action="store_true", help="go on where the sessions of the report ended")
    parser.add_argument("--only", choices=known, help="run this job once, with the seed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
