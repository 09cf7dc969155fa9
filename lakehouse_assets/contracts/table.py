"""One source table, declared once: everything else about it is derived.

Where it stops: no host, credential, schedule or vault SQL; no Dagster, no engine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from lakehouse_assets.contracts.rules import Fits, Present, RefersTo, Rule, Unique
from lakehouse_assets.contracts.types import LogicalType

SourceKind = Literal["cdc", "events", "files"]
Engine = Literal["duckdb", "spark"]
Envelope = Literal["debezium", "flat", "server"]
DecimalMode = Literal["precise", "string", "double"]
TimeMode = Literal["adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds"]
Transform = Literal["identity", "day", "month"]

RESERVED = frozenset({
    "topic", "partition", "offset", "kafka_timestamp", "key", "headers", "data", "before", "op", "is_tombstone",
    "ts_ms", "source_connector", "source_db", "source_schema", "source_table", "source_ts_ms", "source_snapshot",
    "source_tx_id", "source_sequence", "source_lsn", "source_gtid", "source_file_name", "source_pos", "source_row",
    "raw", "error", "ingestion_timestamp", "source_system", "source_file", "record_hash", "change_position",
    "is_deleted", "change_time", "change_date", "load_sequence", "unavailable", "violations", "landing_sequence",
    "row_number", "event_date", "misfit", "misfit_value", "is_late", "is_fresh", "is_gone", "broken", "unknown",
    "is_right", "replay_sequence", "discarded_at", "data_schema", "is_incremental",
    "ends_snapshot",
})  # fmt: skip
"""What the layers add to a row, for good or on the way: a column of the source needs another name beside these."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def _require_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what} {name!r} is not a name: lower-case letters, digits and _, a letter first")


@dataclass(frozen=True)
class Source:
    """What the tables of one source have in common.

    `topic` is a format with `{table}`. `envelope` is the form of Debezium's messages. `decimal`, `time`, `interval`,
    `binary` and `unsigned` (its `bigint.unsigned.handling.mode`) are how it was told to encode values, where a message
    brings no schema that says so itself.
    """

    name: str
    kind: SourceKind
    description: str
    owner: str
    topic: str
    connector: Literal["postgresql", "mysql"] | None = None
    database: str | None = None
    schema: str | None = None
    envelope: Envelope = "debezium"
    decimal: DecimalMode = "string"
    time: TimeMode = "isostring"
    interval: Literal["numeric", "string"] = "numeric"
    binary: Literal["bytes", "base64", "base64-url-safe", "hex"] = "bytes"
    unsigned: Literal["long", "precise"] = "long"

    def __post_init__(self) -> None:
        _require_name("source", self.name)
        if (self.kind == "cdc") != (self.connector is not None):
            raise ValueError(f"source {self.name}: a cdc source, and only that, names its connector")


@dataclass(frozen=True)
class Column:
    """`renamed_from` is the source's earlier name, or all of them, newest first; messages of any age are understood.

    `default` is what a row holds whose message does not know the column, written as messages would: a database that
    adds a column with a default tells it of no row. A `retired` column keeps its values and is under no rule.
    """

    name: str
    type: LogicalType
    description: str
    nullable: bool = False
    rules: tuple[Rule, ...] = ()
    pii: bool = False
    renamed_from: str | tuple[str, ...] = ()
    default: str | None = None
    retired: bool = False

    def __post_init__(self) -> None:
        _require_name("column", self.name)

    @property
    def earlier_names(self) -> tuple[str, ...]:
        return (self.renamed_from,) if isinstance(self.renamed_from, str) else self.renamed_from

    @property
    def row_rules(self) -> tuple[Rule, ...]:
        """The rules that one row can break, those that follow from the type included."""
        derived: list[Rule] = [] if self.nullable else [Present()]
        if self.type.length is not None:
            derived.append(Fits(self.type.length))
        return (*derived, *(r for r in self.rules if not isinstance(r, Unique | RefersTo)))

    @property
    def table_rules(self) -> tuple[Unique | RefersTo, ...]:
        return tuple(r for r in self.rules if isinstance(r, Unique | RefersTo))


@dataclass(frozen=True)
class Table:
    """`partition_by` and `sort_by` are the silver table's; `event_time` names the column that dates an event.

    Of a batch of at least `flood_minimum` messages, more than `flood_share` refused ones stop the run.
    `reject_threshold` is the share of all rows from which on dead letters or rejects fail their check.
    `engine` folds its current rows and maintains its tables, where that is not what the profile says; `spark` only
    where the profile has one.
    Spark's compaction orders the silver table by all of `z_order_by` at once, in the place of `sort_by`.
    """

    source: Source
    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    owner: str | None = None
    event_time: str | None = None
    partition_by: tuple[tuple[Transform, str], ...] = ()
    sort_by: tuple[str, ...] = ()
    z_order_by: tuple[str, ...] = ()
    engine: Engine | None = None
    stale_after: timedelta = timedelta(minutes=15)
    bronze_retention: timedelta = timedelta(days=90)
    silver_retention: timedelta = timedelta(days=730)
    reject_threshold: float = 0.05
    flood_share: float = 0.5
    flood_minimum: int = 1000
    _by_name: dict[str, Column] = field(init=False, repr=False, compare=False, hash=False, default_factory=dict)

    def __post_init__(self) -> None:
        _require_name("table", self.name)
        self._by_name.update({c.name: c for c in self.columns})
        if len(self._by_name) != len(self.columns):
            raise ValueError(f"{self.id}: a column is declared twice")
        for name in sorted(RESERVED & self._by_name.keys()):
            raise ValueError(
                f"{self.id}: the layers add a column {name!r} of their own; name this one otherwise, with"
                f" renamed_from={name!r}"
            )
        named = [*self.key, *(c for _, c in self.partition_by), *self.sort_by, *self.z_order_by]
        for name in named + ([self.event_time] if self.event_time else []):
            if name not in self._by_name:
                raise ValueError(f"{self.id}: {name!r} is not one of its columns {sorted(self._by_name)}")
        if not self.key:
            raise ValueError(f"{self.id}: a table needs a key")
        for column in self.key_columns:
            if column.nullable or column.retired:
                raise ValueError(f"{self.id}: {column.name!r} is of the key, so it cannot be nullable or retired")
        self._require_shares()
        if self.source.kind == "events" and self.event_time is None:
            raise ValueError(f"{self.id}: events need an event_time")

    def _require_shares(self) -> None:
        for name in ("reject_threshold", "flood_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{self.id}: {name} is a share of 0 to 1, got {getattr(self, name)}")

    @property
    def id(self) -> str:
        """`bank_users`: the table's name in every layer."""
        return f"{self.source.name}_{self.name}"

    @property
    def topic(self) -> str:
        return self.source.topic.format(table=self.name)

    @property
    def owned_by(self) -> str:
        return self.owner or self.source.owner

    def column(self, name: str) -> Column:
        return self._by_name[name]

    @property
    def key_columns(self) -> tuple[Column, ...]:
        return tuple(self.column(k) for k in self.key)

    @property
    def renamed(self) -> dict[str, str]:
        """Present names by earlier ones. A retired column keeps its name: what is read from it is another column."""
        retired = {c.name for c in self.columns if c.retired}
        return {old: c.name for c in self.columns for old in c.earlier_names if old not in retired}

    @property
    def live_columns(self) -> tuple[Column, ...]:
        """The columns that new rows can fill."""
        return tuple(c for c in self.columns if not c.retired)
