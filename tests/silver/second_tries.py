"""What tests of replays share: a decoder that misreads some messages, crashes, and replaying all that waits."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakehouse_assets.bronze import dead_letters, decode
from lakehouse_assets.bronze.dead_letters import Replayed
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.duckdb.session import connect
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import folding, rejects
from lakehouse_assets.silver.replay import replay
from lakehouse_assets.sources.messages import Message
from tests.scenario import events, scenario
from tests.silver.lakes import (
    State,
    fold,
    open_platform,
    state,
    take,
)

EVENTS = contract("clickstream_user_events")


def told(table: Table) -> list[Message]:
    if table is EVENTS:
        return events(5, 100).messages
    return scenario(table, 1, rows=10, transactions=25, strayed=0.1, late=0.2).stream.messages


@cache
def never_misread(table_id: str) -> State:
    """What a lake holds that read every message rightly at once."""
    table = contract(table_id)
    with tempfile.TemporaryDirectory() as home, open_platform(Path(home)) as platform:
        take(platform, table, told(table))
        fold(platform, table)
        return state(platform, table)


@contextmanager
def misreading(text: str) -> Iterator[None]:
    """While it lasts, bronze takes every message that holds the text for something that is not JSON."""
    strict = decode._strict

    def misread(texts: pa.ChunkedArray) -> pa.ChunkedArray:
        told: list[Any] = strict(texts).to_pylist()
        return pa.chunked_array([pa.array(["" if t is not None and text in t else t for t in told], pa.string())])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "_strict", misread)
        yield


def open_dead_letters(platform: Platform, table: Table) -> pa.Table:
    """The places of the dead letters that nobody decided on."""
    bronze = platform.open_catalog().load_table(spec(table).identifier)
    return _open_places(dead_letters.found_sql(bronze))


def open_rejects(platform: Platform, table: Table) -> pa.Table:
    """The places of the rejects that nobody decided on."""
    listed = rejects.held(platform.open_catalog())
    assert listed is not None
    return _open_places(rejects.found_sql(listed, table))


def replay_dead_letters(platform: Platform, table: Table) -> Replayed:
    return dead_letters.replay(platform, table, open_dead_letters(platform, table))


def replay_rejects(platform: Platform, table: Table) -> Replayed:
    return replay(platform, table, open_rejects(platform, table))


def _open_places(sql: str) -> pa.Table:
    with connect() as conn:
        return conn.sql(
            f'select distinct topic, partition, "offset" from ({sql}) where discarded_at is null'
        ).to_arrow_table()


CRASHES: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "before bronze commits": lambda patch: patch.setattr(dead_letters, "commit", power_failure),
    "after bronze committed": lambda patch: patch.setattr(dead_letters, "commit", failing_after(dead_letters.commit)),
    "before silver commits": lambda patch: patch.setattr(folding, "commit", power_failure),
    "after silver committed": lambda patch: patch.setattr(folding, "commit", failing_after(folding.commit)),
}


def power_failure(*_: Any, **__: Any) -> Any:
    raise RuntimeError("power failure")


def failing_after(step: Callable[..., Any]) -> Callable[..., Any]:
    def then_fail(*arguments: Any, **named: Any) -> Any:
        step(*arguments, **named)
        power_failure()

    return then_fail


def at_once(*steps: Callable[[], Any]) -> None:
    """Runs the steps in threads; raises what one of them raised."""
    failed: list[BaseException] = []

    def guarded(step: Callable[[], Any]) -> None:
        try:
            step()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in failed:
        raise error
