"""A table of sessions that was grown to any size by writing its files directly, and the same news for every size.

Day after day has its own files, with ids of its own. The news concern the newest two days only, which are equal at
every size. Where it stops: what a fold then costs is for the tests to say.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable
from datetime import date, timedelta

import pyarrow as pa
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.engines.duckdb.session import connect
from lakehouse_assets.engines.iceberg.commit import LOAD_SEQUENCE, commit, next_sequence, write_files
from lakehouse_assets.engines.iceberg.scan import sequence_of
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import schema
from lakehouse_assets.silver.fold_current import THROUGH
from lakehouse_assets.sources.messages import Message
from tests.counting import Traffic, counted
from tests.silver.lakes import changes, fold, take
from tests.silver.told import SESSIONS, session

CHANGES, CURRENT = schema.changes_name(SESSIONS), schema.current_name(SESSIONS)
NEWEST = date(2026, 1, 5)
NEAR_ROWS, FAR_ROWS = 20_000, 250_000
"""Rows of a day: of the newest two, and of the others."""
_COMMIT = 40
_LAST = 10**12


def grow(platform: Platform, rows: int) -> None:
    """So many changes, each of its own key, and so many current rows."""
    take(platform, SESSIONS, [session(0, 0, 4, place=_LAST)])
    fold(platform, SESSIONS)
    [told] = changes(platform, SESSIONS)
    epoch, file, _, row, rank = told["change_position"].split(".")
    catalog = platform.open_catalog()
    for name in (CHANGES, CURRENT):
        first = 1
        for days in _commits(_days(rows)):
            table = catalog.load_table(name)
            added = []
            for back, count in days:
                added += write_files(table, _rows(table, back, first, count, f"{epoch}.{file}.", f".{row}.{rank}"))
                first += count
            commit(table, summary=_summary(platform, table), added=added)


def news() -> list[Message]:
    """Updates, deletes and inserts of the newest day's sessions, late changes and redeliveries of the day before's."""
    day, offset = 4, 1
    told = [session(offset + n, 100 + 7 * n, day, "u", _LAST + 10 + n, "mobile") for n in range(20)]
    told += [session(21 + n, 15_000 + n, day, "d", _LAST + 50 + n) for n in range(5)]
    told += [session(26 + n, 10**9 + n, day, "c", _LAST + 100 + n) for n in range(10)]
    told += [session(36 + n, NEAR_ROWS + 5 + n, day - 1, "u", _LAST // 2 + n, "tablet") for n in range(5)]
    return told + [session(41 + n, NEAR_ROWS + 50 + n, day - 1, "c", NEAR_ROWS + 50 + n) for n in range(5)]


def cost(platform: Platform, rows: int) -> Traffic:
    """Of landing and folding the news into a table of so many rows."""
    grow(platform, rows)
    with counted(platform.home) as traffic:
        take(platform, SESSIONS, news())
        fold(platform, SESSIONS)
    return traffic


def days_of(rows: int) -> Callable[[int], int]:
    """How many days before the newest the row of an id is of."""
    lasts, last = [], 0
    for _, count in _days(rows):
        last += count
        lasts.append(last)
    return lambda key: bisect_left(lasts, key)


def _days(rows: int) -> list[tuple[int, int]]:
    """How many days ago, and how many rows."""
    far = rows - 2 * NEAR_ROWS
    days = -(-far // FAR_ROWS)
    return [(0, NEAR_ROWS), (1, NEAR_ROWS), *((2 + n, min(FAR_ROWS, far - n * FAR_ROWS)) for n in range(days))]


def _commits(days: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """The newest two days of their own, so that a manifest tells of them alone."""
    return [days[:2], *(days[at : at + _COMMIT] for at in range(2, len(days), _COMMIT))]


def _rows(table: IcebergTable, back: int, first: int, count: int, before: str, after: str) -> pa.Table:
    """Created on its day at the place in the log that is its id."""
    day = NEWEST - timedelta(days=back)
    found = (
        connect()
        .sql(
            f"""
        select id, 1::int as user_id, 'web' as device, null::varchar as ip_address, $day::timestamp as started_at,
          $day::timestamp as last_activity, true as is_active,
          $before || lpad(id::varchar, 20, '0') || $after as change_position, 'c' as op, false as is_deleted,
          ($day || '+00')::timestamptz as change_time, $day::date as change_date, null::varchar as source_tx_id,
          $topic as topic, 0::int as partition, 0::bigint as "offset",
          ($day || '+00')::timestamptz as ingestion_timestamp,
          {next_sequence(table)}::bigint as load_sequence, []::varchar[] as unavailable, []::varchar[] as violations
        from range({first}, {first + count}) r(id)""",
            params={"day": f"{day} 00:00:00", "before": before, "after": after, "topic": SESSIONS.topic},
        )
        .to_arrow_table()
    )
    return found.select([f.name for f in table.schema().fields])


def _summary(platform: Platform, table: IcebergTable) -> dict[str, str]:
    numbered = {LOAD_SEQUENCE: str(next_sequence(table))}
    if table.name()[-1].endswith("_changes"):
        return numbered
    through = platform.open_catalog().load_table(CHANGES)
    return {**numbered, THROUGH: json.dumps({".".join(through.name()): sequence_of(through)})}
