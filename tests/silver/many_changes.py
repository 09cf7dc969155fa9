"""Any number of changes of sessions, written into the changes table directly: updates, late changes and deletes.

Every fourth change is of a new key; a tenth of the changes delete theirs. Three commits: most of the first 60 %, then
the rest of these, which come late, with the next 20 %, then the last 20 %.
Where it stops: it folds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.engines.duckdb.session import connect
from lakehouse_assets.engines.iceberg.commit import LOAD_SEQUENCE, commit, next_sequence, write_files
from lakehouse_assets.engines.iceberg.tables import ensure
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver import schema
from tests.silver.told import SESSIONS

COMMITS = (
    "i < 0.6 * $count and hash(i) % 20 != 0",
    "(i < 0.6 * $count and hash(i) % 20 = 0) or (i >= 0.6 * $count and i < 0.8 * $count)",
    "i >= 0.8 * $count",
)

LATEST = """
    select * exclude (op, is_deleted, change_date, source_tx_id, topic, partition, "offset", ingestion_timestamp,
      load_sequence, unavailable) from changes
    qualify row_number() over (partition by id order by change_position desc) = 1 and not is_deleted"""
"""`changes` -> the rows that must be there, but for their load_sequence."""


def told(platform: Platform, count: int) -> Iterator[None]:
    """Commits `count` changes, and gives way after each commit."""
    for chosen in COMMITS:
        table = ensure(platform.open_catalog(), schema.changes(SESSIONS))
        summary = {LOAD_SEQUENCE: str(next_sequence(table))}
        commit(table, summary=summary, added=write_files(table, _rows(table, chosen, count)))
        yield


def _rows(table: IcebergTable, chosen: str, count: int) -> pa.Table:
    with connect("2GB") as conn:
        found = conn.sql(
            f"""
            with numbered as (
              select i, hash(i + 1) % greatest($count // 4, 1) as key, hash(i + 2) % 10 = 0 as is_deleted,
                timestamptz '2026-01-01 00:00:00+00' + to_seconds(i * 864000 // $count) as change_time
              from range($count) r(i) where {chosen})
            select key::bigint as id, (i % 1000)::int as user_id, if(is_deleted, null, 'web') as device,
              null::varchar as ip_address, change_time::timestamp as started_at,
              change_time::timestamp as last_activity,
              i % 2 = 0 as is_active, '000.' || lpad(i::varchar, 20, '0') as change_position,
              if(is_deleted, 'd', 'u') as op, is_deleted,
              change_time, change_time::date as change_date, null::varchar as source_tx_id, $topic as topic,
              0::int as partition, i as "offset", change_time as ingestion_timestamp,
              {next_sequence(table)}::bigint as load_sequence, []::varchar[] as unavailable,
              case when i % 100 = 0 and not is_deleted then ['made_up'] else [] end::varchar[] as violations
            from numbered""",
            params={"count": count, "topic": SESSIONS.topic},
        ).to_arrow_table()
    return found.select([field.name for field in table.schema().fields])
