"""Finds dead letters and rejects by table, reason and time, and gives them another try or decides that they stay out.

Both kinds are asked in the same words; each keeps its own rows where they are: dead letters in bronze, rejects in
`silver.rejects`. Every decision is told in `operations.decisions`. Where it stops: what a replay does to the tables is
`bronze/dead_letters.py`'s and `silver/replay.py`'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import duckdb
import pyarrow as pa
from pyiceberg.catalog import Catalog

from lakehouse_assets.asset_facts import MASK
from lakehouse_assets.bronze import dead_letters
from lakehouse_assets.bronze.dead_letters import Replayed
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.tables import ensure, load
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.decisions import told
from lakehouse_assets.silver import rejects
from lakehouse_assets.silver.replay import replay as replay_rejects

Decision = Literal["replay", "discard"]


@dataclass(frozen=True)
class Kind:
    """`found_sql` selects topic, partition, offset, rule, reason, noted_at, discarded_at, content; None before any."""

    name: str
    found_sql: Callable[[Catalog, Table], str | None]
    replay: Callable[[Platform, Table, pa.Table], Replayed]
    discard: Callable[[Platform, Table, pa.Table], int]


def _dead_letters_sql(catalog: Catalog, table: Table) -> str | None:
    landed = load(catalog, spec(table).identifier)
    return dead_letters.found_sql(ensure(catalog, spec(table))) if landed is not None else None


def _rejects_sql(catalog: Catalog, table: Table) -> str | None:
    listed = rejects.held(catalog)
    return rejects.found_sql(listed, table) if listed is not None else None


DEAD_LETTERS = Kind("dead letters", _dead_letters_sql, dead_letters.replay, dead_letters.set_aside)
REJECTS = Kind("rejects", _rejects_sql, replay_rejects, rejects.set_aside)


@dataclass(frozen=True)
class Filter:
    """Which of a table's rows: `reason` is contained in rule or reason, `since` and `until` bound when they were
    landed (dead letters) or refused (rejects), the end left out."""

    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    partition: int | None = None
    offset: int | None = None
    discarded: bool = False

    @property
    def sql(self) -> str:
        """The condition; its parameters are the fields."""
        return """
            ($reason is null or contains(lower(concat_ws(' ', rule, reason)), lower($reason)))
            and ($since is null or noted_at >= $since::timestamptz)
            and ($until is null or noted_at < $until::timestamptz)
            and ($partition is null or partition = $partition) and ($offset is null or "offset" = $offset)
            and ($discarded or discarded_at is null)"""


@dataclass(frozen=True)
class Group:
    """Rows of one table and rule, with the place of the first one."""

    table: str
    rule: str
    open: int
    discarded: int
    first_at: datetime
    last_at: datetime
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class Found:
    """`content` is masked: of a reject what the contract does not declare free of PII, of a dead letter all."""

    topic: str
    partition: int
    offset: int
    rule: str
    reason: str
    at: datetime
    discarded_at: datetime | None
    content: object


def groups(platform: Platform, kind: Kind, table: Table, wanted: Filter) -> list[Group]:
    """The rows by rule, the most frequent first."""
    with platform.open_duckdb() as conn:
        rows = _select(
            conn,
            platform,
            kind,
            table,
            wanted,
            """select rule, count(*) filter (discarded_at is null), count(discarded_at), min(noted_at),
              max(noted_at), first.topic, first.partition, first."offset"
              from (select *, min({'topic': topic, 'partition': partition, 'offset': "offset"}) over (partition by rule)
                as first from found)
              group by rule, first order by count(*) desc, 1""",
        )
        return [Group(table.id, *row) for row in rows]


def shown(
    platform: Platform, kind: Kind, table: Table, wanted: Filter, limit: int, unmasked: bool = False
) -> list[Found]:
    """The first rows by place. Unmasked they hold what the source sent, PII included."""
    with platform.open_duckdb() as conn:
        rows = _select(
            conn,
            platform,
            kind,
            table,
            wanted,
            f"""select topic, partition, "offset", rule, reason, noted_at, discarded_at, content from found
              order by topic, partition, "offset", rule limit {int(limit)}""",
        )
        return [Found(*(*place, content if unmasked else masked(table, content))) for *place, content in rows]


def count(platform: Platform, kind: Kind, table: Table, wanted: Filter) -> int:
    return sum(places.num_rows for places in _places(platform, kind, table, wanted))


def replay(platform: Platform, kind: Kind, table: Table, wanted: Filter) -> Replayed:
    """Gives the rows another try, a bounded number a commit. Raises CannotReplay, RuleBroken and Conflict."""
    done = Replayed()
    with told(platform, kind.name, "replay", table, _text(wanted)) as outcome:
        for places in _places(platform, kind, table, wanted):
            done += kind.replay(platform, table, places)
            outcome.decided, outcome.left = done.taken, done.left
    return done


def discard(platform: Platform, kind: Kind, table: Table, wanted: Filter) -> int:
    """Marks the rows as decided; how many were open until now. Raises Conflict."""
    done = 0
    with told(platform, kind.name, "discard", table, _text(wanted)) as outcome:
        for places in _places(platform, kind, table, wanted):
            done += kind.discard(platform, table, places)
            outcome.decided = done
    return done


def masked(table: Table, content: object) -> object:
    """The content without PII: declared columns that hold none stay readable, everything else is hidden.

    A name that a column with PII ever had is hidden, whichever column has it now: the content may be older.
    """
    if not isinstance(content, str):
        return MASK if content is not None else None
    try:
        row = json.loads(content)
    except ValueError:
        return MASK
    if not isinstance(row, dict):
        return MASK
    personal = {name for c in table.columns if c.pii for name in (c.name, *c.earlier_names)}
    free = {name for c in table.columns for name in (c.name, *c.earlier_names)} - personal
    return json.dumps({k: v if k in free or v is None else MASK for k, v in row.items()}, ensure_ascii=False)


def _places(platform: Platform, kind: Kind, table: Table, wanted: Filter) -> Iterator[pa.Table]:
    """The places of open rows, in their order, at most a batch's number at once."""
    with platform.open_duckdb() as conn:
        _select(conn, platform, kind, table, wanted, None)
        found = conn.sql("""
            select distinct topic, partition, "offset" from found where discarded_at is null
            order by all""").to_arrow_table()
    for start in range(0, found.num_rows, platform.batch_messages):
        yield found.slice(start, platform.batch_messages)


def _select(
    conn: duckdb.DuckDBPyConnection, platform: Platform, kind: Kind, table: Table, wanted: Filter, sql: str | None
) -> list[tuple[Any, ...]]:
    """Makes the table `found` of the wanted rows, and asks it."""
    source = kind.found_sql(platform.open_catalog(), table)
    if source is None:
        conn.execute("""
            create or replace temp table found (topic varchar, partition int, "offset" bigint, rule varchar,
              reason varchar, noted_at timestamptz, discarded_at timestamptz, content varchar)""")
    else:
        conn.execute(f"create or replace temp table found as select * from ({source}) where {wanted.sql}", vars(wanted))
    return conn.execute(sql).fetchall() if sql is not None else []


def _text(wanted: Filter) -> str:
    return json.dumps({k: str(v) for k, v in vars(wanted).items() if v not in (None, False)}, ensure_ascii=False)
