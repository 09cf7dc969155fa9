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


RUN = Run(timedelta(minutes=30), 7, 2, (two_kills, differs), once=1)


def test_the_jobs_of_once_come_first_and_the_others_in_turns_with_seeds_of_their_own() -> None:
    turns = RUN.turns()
    assert [next(turns) for _ in range(3)] == [(two_kills, 7), (differs, 7), (differs, 8)]


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
