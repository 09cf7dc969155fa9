"""What a run says: the counts, and how to make a difference again."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from tests.chaos.report import Report
from tests.chaos.run import Done, Run, perform
from tests.histories.tally import Tally


def two_kills(_: int) -> Tally:
    return Tally(Counter({"kill": 2, "row": 10}))


def differs(_: int) -> Tally:
    raise AssertionError("a row is missing")


def plays(_: int) -> Tally:
    return Tally(histories=Counter({"history": 4}))


RUN = Run(timedelta(minutes=30), 7, 2, (two_kills,), (differs, two_kills), plays, 10)


def test_some_jobs_run_once_others_in_turns_until_the_time_is_over_and_histories_until_they_are_enough() -> None:
    in_time = iter([True, True, True, False])
    played = iter([0, 4, 8, 12])
    assert list(RUN.jobs(lambda: next(in_time), lambda: next(played))) == [
        (two_kills, 7),
        (differs, 7),
        (two_kills, 8),
        (differs, 9),
        (plays, 10),
        (plays, 11),
        (plays, 12),
    ]


def test_a_report_adds_up_what_the_jobs_did() -> None:
    report = Report(RUN)
    for seed in range(3):
        report.add(perform(two_kills, seed))
    assert "| processes killed by signal 9 | 6 |" in report.text()
    assert "| rows compared with the model | 30 |" in report.text()
    assert report.text().endswith("Differences: none.\n")


def test_a_difference_is_reported_with_the_command_that_makes_it_again() -> None:
    report = Report(RUN)
    report.add(perform(differs, 12))
    assert report.differences
    assert "python -m tests.chaos --only differs --seed 12" in report.text()
    assert "a row is missing" in report.text()


def test_a_difference_is_no_count() -> None:
    done = perform(differs, 12)
    assert done == Done("differs", 12, Tally(), done.difference)
