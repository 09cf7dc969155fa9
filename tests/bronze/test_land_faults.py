"""Commits whose answer is lost or late, tables that are rolled back, topics that change under the lander."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException

from lakehouse_assets.bronze import land as landing
from lakehouse_assets.bronze.land import Landed, land, state
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.engines.iceberg.commit import MarksLost
from lakehouse_assets.engines.iceberg.scan import ancestors
from lakehouse_assets.engines.iceberg.tables import ensure
from lakehouse_assets.engines.log.log import LogError
from lakehouse_assets.engines.platform import Platform

from .lander import EVENTS, Interrupted, counts, event, places, write_events


def _roll_back(catalog: Catalog, snapshots: int) -> None:
    """To the state before the newest `snapshots`."""
    table = catalog.load_table(spec(EVENTS).identifier)
    before = list(ancestors(table))[snapshots]
    table.manage_snapshots().rollback_to_snapshot(before.snapshot_id).commit()


def test_an_answer_that_was_lost_with_the_catalog_costs_and_doubles_nothing(
    platform: Platform, lake: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_events(platform, [event(n) for n in range(6)])
    commit_table = lake.commit_table

    def is_cut_off(*_: object) -> None:
        raise ConnectionError("reset by peer")

    def commits_and_is_cut_off(*request: Any) -> None:
        commit_table(*request)
        patched.setattr(lake, "load_table", is_cut_off)
        is_cut_off()

    ensure(lake, spec(EVENTS))
    with monkeypatch.context() as patched:
        patched.setattr(lake, "commit_table", commits_and_is_cut_off)
        with pytest.raises(ConnectionError):
            land(replace(platform, batch_messages=4), EVENTS)
    assert places(platform, EVENTS) == [(0, n) for n in range(4)]
    assert land(platform, EVENTS) == Landed(2, 0, 1)
    assert places(platform, EVENTS) == [(0, n) for n in range(6)]


@pytest.mark.parametrize("arrives", ["before another lander", "after another lander"])
def test_a_commit_that_arrives_late_is_refused_or_the_only_one(
    platform: Platform, lake: Catalog, monkeypatch: pytest.MonkeyPatch, arrives: str
) -> None:
    write_events(platform, [event(n) for n in range(4)])
    ensure(lake, spec(EVENTS))
    commit_table, underway = lake.commit_table, []

    def is_late(*request: Any) -> None:
        underway.append(request)
        raise TimeoutError("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(lake, "commit_table", is_late)
        with pytest.raises(TimeoutError):
            land(platform, EVENTS)
    if arrives == "before another lander":
        commit_table(*underway[0])
        assert land(platform, EVENTS) == Landed()
    else:
        assert land(platform, EVENTS) == Landed(4, 0, 1)
        with pytest.raises(CommitFailedException):
            commit_table(*underway[0])
    assert places(platform, EVENTS) == [(0, n) for n in range(4)]
    assert counts(platform, EVENTS) == (4, 4, 0)


def test_a_table_that_was_rolled_back_lands_again_exactly_what_was_rolled_away(
    platform: Platform, lake: Catalog
) -> None:
    write_events(platform, [event(n) for n in range(6)])
    write_events(platform, [b"no JSON", event(7)], partition=1)
    land(replace(platform, batch_messages=2), EVENTS)
    _roll_back(lake, 3)
    assert counts(platform, EVENTS) == (2, 2, 0)
    write_events(platform, [event(6)])
    assert land(platform, EVENTS) == Landed(7, 1, 1)
    assert places(platform, EVENTS) == [*((0, n) for n in range(7)), (1, 0), (1, 1)]
    assert counts(platform, EVENTS) == (9, 8, 1)


@pytest.mark.parametrize("moment", ["before the files", "before the commit"])
def test_a_table_that_is_rolled_back_while_it_is_landed_gets_each_message_once(
    platform: Platform, lake: Catalog, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    write_events(platform, [event(n) for n in range(6)])
    land(replace(platform, batch_messages=2), EVENTS)
    write_events(platform, [event(n) for n in range(6, 8)])
    write, rolled = landing.write_files, []

    def rolls_back_first(table: Any, found: pa.Table) -> Any:
        if moment == "before the files" and not rolled:
            rolled.append(_roll_back(lake, 1))
        files = write(table, found)
        if not rolled:
            rolled.append(_roll_back(lake, 1))
        return files

    with monkeypatch.context() as patched:
        patched.setattr(landing, "write_files", rolls_back_first)
        assert land(platform, EVENTS) == Landed()
    assert places(platform, EVENTS) == [(0, n) for n in range(4)]
    assert land(platform, EVENTS) == Landed(4, 0, 1)
    assert places(platform, EVENTS) == [(0, n) for n in range(8)]


def test_a_table_rolled_back_to_where_no_offsets_are_known_is_refused(platform: Platform, lake: Catalog) -> None:
    nothing = pa.table({f.name: pa.nulls(0, f.type) for f in spec(EVENTS).schema}, schema=spec(EVENTS).schema)
    ensure(lake, spec(EVENTS)).append(nothing)
    write_events(platform, [event(0)])
    land(platform, EVENTS)
    _roll_back(lake, 1)
    with pytest.raises(MarksLost, match=r"^bronze\.clickstream_user_events: it was rolled back .*roll it on to one"):
        land(platform, EVENTS)
    assert places(platform, EVENTS) == []


def _made_again(platform: Platform) -> Callable[[], None]:
    def make() -> None:
        shutil.rmtree(platform.home / "events" / EVENTS.topic)
        write_events(platform, [event(100 + n) for n in range(9)])

    return make


def test_a_topic_deleted_and_made_again_under_the_lander_lands_nothing_of_the_new_one(platform: Platform) -> None:
    write_events(platform, [event(n) for n in range(6)])
    land(platform, EVENTS)
    known = state(platform.open_catalog().load_table(spec(EVENTS).identifier))
    write_events(platform, [event(n) for n in range(6, 9)])
    meddled = replace(platform, log=Interrupted(platform.log, _made_again(platform)))
    with pytest.raises(LogError, match=rf"topic user-events is not .*landed {known.topic_id}"):
        land(meddled, EVENTS)
    assert places(platform, EVENTS) == [(0, n) for n in range(6)]


def test_a_topic_deleted_while_its_partitions_are_read_is_an_error_that_names_the_partition(
    platform: Platform,
) -> None:
    for partition in (0, 1):
        write_events(platform, [event(n) for n in range(2)], partition)

    def deleted() -> None:
        (platform.home / "events" / EVENTS.topic / "1.jsonl").unlink(missing_ok=True)

    meddled = replace(platform, log=Interrupted(platform.log, deleted), batch_messages=2)
    with pytest.raises(LogError, match=r"topic user-events partition 1: .* was removed .*; bring it back"):
        land(meddled, EVENTS)
    assert places(platform, EVENTS) == [(0, 0), (0, 1)]
