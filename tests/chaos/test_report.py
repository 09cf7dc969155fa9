"""What a run says: the counts, and how to make a difference again."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

from tests.chaos.report import report
from tests.chaos.run import Done, Run, perform
from tests.chaos.sessions import Session, Sessions, read
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


def a_session(seed: int, *done: Done) -> Session:
    session = Session(cores=2, first_seed=seed, seed=seed)
    for job in done:
        session.add(job)
    return session


def test_a_report_adds_up_what_the_jobs_did() -> None:
    told = report([a_session(0, *(perform(two_kills, seed) for seed in range(3)))])
    assert "| processes killed by signal 9 | 6 |" in told
    assert "| rows compared with the model | 30 |" in told
    assert told.endswith("Differences: none.\n")


def test_a_difference_is_reported_with_the_command_that_makes_it_again() -> None:
    told = report([a_session(12, perform(differs, 12))])
    assert "| differences | 1 |" in told
    assert "python -m tests.chaos --only differs --seed 12" in told
    assert "a row is missing" in told


def test_a_difference_is_no_count() -> None:
    done = perform(differs, 12)
    assert done == Done("differs", 12, Tally(), done.difference)


def test_a_session_goes_on_where_the_one_before_it_ended(tmp_path: Path) -> None:
    Sessions([a_session(5, perform(plays, 5), perform(two_kills, 6))]).write(tmp_path / "kept.json")
    earlier = read(tmp_path / "kept.json")
    assert earlier.played == 4
    assert [session.seed for session in earlier.root] == [7]
    told = report([*earlier.root, a_session(7, perform(plays, 7))])
    assert "8 random histories" in told
    assert " | 5 to 6 | " in told
    assert " | 7 to 7 | " in told


def test_no_session_is_known_where_none_was_written(tmp_path: Path) -> None:
    assert read(tmp_path / "kept.json").root == []
