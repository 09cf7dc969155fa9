"""Whatever happens to a table, in whatever order and however often it fails: silver equals the source.

Three hundred random histories of fifty steps and more of random tables; `make chaos` plays more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from lakehouse_assets.silver import fold_current
from lakehouse_assets.silver.current_sql import latest_sql
from tests.histories.lakehouse import one_database
from tests.histories.play import Different, play
from tests.histories.regressions import REGRESSIONS, TWO_CHANGES_IN_ONE_FOLD
from tests.histories.steps import STEPS, History, histories
from tests.histories.tally import Tally

HISTORIES = 300
_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)


@pytest.fixture(autouse=True, scope="module")
def sessions() -> Iterator[None]:
    with one_database():
        yield


def test_any_history_ends_with_what_the_model_says_and_a_rebuild_gives_the_same(
    record_property: Callable[[str, object], None],
) -> None:
    tally = Tally()

    @settings(max_examples=HISTORIES, deadline=None, database=None, derandomize=True, suppress_health_check=_SLOW)
    @given(histories())
    def every(history: History) -> None:
        tally.add(play(history))

    every()
    record_property("distribution", str(tally))
    assert tally.rare() == []
    assert tally.histories["history"] >= HISTORIES
    assert tally.happened["step"] >= HISTORIES * STEPS


@pytest.mark.parametrize("history", REGRESSIONS)
def test_a_history_that_failed_once_does_not_fail_again(history: History) -> None:
    play(history)


def test_a_lakehouse_that_keeps_the_wrong_change_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_current, "latest_sql", lambda table: latest_sql(table).replace("desc", "asc"))
    with pytest.raises(Different, match="expected"):
        play(TWO_CHANGES_IN_ONE_FOLD)
