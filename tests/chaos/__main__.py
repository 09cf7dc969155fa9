"""`python -m tests.chaos --minutes 30 --seed 1`: the jobs in turns until the time is over, and a report.

With `--histories` it goes on after that time, with random histories alone, until so many were played.

The exit code is 1 where a difference was found; the report and the last lines say by which job and seed. With `--only`
one job runs once: that is how a difference is made again.
"""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta
from pathlib import Path

from tests.chaos import jobs
from tests.chaos.report import Report
from tests.chaos.run import Run, run


def main() -> int:
    known = {job.__name__: job for job in (*jobs.TURNS, *jobs.ONCE)}
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long to begin new jobs (30)")
    parser.add_argument("--histories", type=int, default=0, help="how many random histories at least (0)")
    parser.add_argument("--seed", type=int, default=1, help="of the first job; each next one adds 1 (1)")
    parser.add_argument("--cores", type=int, default=2, help="how many jobs at once (2)")
    parser.add_argument("--report", type=Path, help="write the report to this file, too")
    parser.add_argument("--only", choices=sorted(known), help="run this job once, with the seed")
    given = parser.parse_args()
    if given.only:
        print(known[given.only](given.seed))  # noqa: T201
        return 0
    # What takes minutes runs where it is a small part of the whole.
    once = jobs.ONCE if given.minutes >= 20 else ()
    wanted = Run(
        timedelta(minutes=given.minutes),
        given.seed,
        given.cores,
        once,
        jobs.TURNS,
        jobs.random_histories,
        given.histories,
    )
    report = Report(wanted)
    for done in run(wanted):
        report.add(done)
        if given.report:  # each time, so that a run that is stopped has told what it did
            given.report.write_text(report.text(), encoding="utf-8")
    print(report.text())  # noqa: T201
    return 1 if report.differences else 0


if __name__ == "__main__":
    sys.exit(main())
