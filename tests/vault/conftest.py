"""A lakehouse whose silver tables are written by hand, and the vault and marts that dbt builds over them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import AlwaysFalse, In

from lakehouse_assets.contracts.registry import table as contract
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.dbt.invocation import DayRange
from lakehouse_assets.engines.iceberg.commit import DAYS, REBUILT_DAYS, commit, next_sequence, write_files
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.iceberg.tables import ensure, load
from lakehouse_assets.engines.log.file_log import FileLog
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.partitions import FIRST_DAY
from lakehouse_assets.silver import schema
from lakehouse_assets.vault import manifest
from lakehouse_assets.vault.build import Built, Tested, build
from lakehouse_assets.vault.days import stale_days

DAY_ONE = datetime(2026, 3, 1, tzinfo=UTC)


def at(day: int, minute: int = 0) -> datetime:
    """A moment of the test's calendar: day 1 is 2026-03-01."""
    return DAY_ONE + timedelta(days=day - 1, minutes=minute)


@dataclass
class Lake:
    catalog: Catalog
    platform: Platform
    offsets: dict[str, int] = field(default_factory=dict)

    def change(self, table_id: str, *rows: dict[str, Any], rebuilt: Iterable[date] = ()) -> None:
        """Commits changes; each row gives `position`, `day` (with `minute`), `op` and the columns that it states.

        They take the place of all changes of the days `rebuilt`.
        """
        for other in tables():
            if other.source is contract(table_id).source:  # a hub reads all tables that carry its key
                ensure(self.catalog, schema.changes(other))
        spec = schema.changes(contract(table_id))
        table = ensure(self.catalog, spec)
        topic = contract(table_id).topic
        written = []
        for row in rows:
            moment = at(row["day"], row.get("minute", 0))
            self.offsets[topic] = self.offsets.get(topic, -1) + 1
            stated = {k: v for k, v in row.items() if k not in ("position", "day", "minute", "op")}
            written.append(
                {f.name: None for f in spec.schema}
                | stated
                | {
                    "change_position": row["position"]
                    if isinstance(row["position"], str)
                    else f"{row['position']:040d}",
                    "op": row["op"],
                    "is_deleted": row["op"] in "dt",
                    "change_time": moment,
                    "change_date": max(moment.date(), FIRST_DAY),
                    "topic": topic,
                    "partition": 0,
                    "offset": self.offsets[topic],
                    "ingestion_timestamp": moment + timedelta(hours=1),
                    "load_sequence": next_sequence(table),
                }
            )
        rebuilt = sorted(rebuilt)
        touched = {row["change_date"] for row in written} | set(rebuilt)
        summary = {DAYS: json.dumps(sorted(day.isoformat() for day in touched))}
        if rebuilt:
            summary[REBUILT_DAYS] = json.dumps([day.isoformat() for day in rebuilt])
        void = In("change_date", [day.isoformat() for day in rebuilt]) if rebuilt else AlwaysFalse()
        commit(
            table,
            summary=summary,
            added=write_files(table, pa.Table.from_pylist(written, spec.schema)),
            removed=data_files(table, void),
        )

    def events(self, *rows: tuple[str, int, str, str, str, int]) -> None:
        """Commits events (event_id, user_id, event_type, page, source, day)."""
        self._events(rows, [], {row[5] for row in rows})

    def replace_events(self, *rows: tuple[str, int, str, str, str, int], days: Iterable[int]) -> None:
        """Puts these events in the place of all, and says that only `days` were touched."""
        table = self.catalog.load_table("silver.clickstream_user_events")
        self._events(rows, [task.file for task in table.scan().plan_files()], days)

    def _events(
        self, rows: Iterable[tuple[str, int, str, str, str, int]], removed: list[Any], days: Iterable[int]
    ) -> None:
        spec = schema.events(contract("clickstream_user_events"))
        table = ensure(self.catalog, spec)
        written = [
            {
                "event_id": event_id,
                "user_id": user_id,
                "event_type": event_type,
                "page": page,
                "source": source,
                "timestamp": at(day),
                "event_date": at(day).date(),
                "topic": "user-events",
                "partition": 0,
                "offset": number,
                "ingestion_timestamp": at(day),
                "load_sequence": next_sequence(table),
            }
            for number, (event_id, user_id, event_type, page, source, day) in enumerate(rows)
        ]
        summary = {DAYS: json.dumps(sorted(at(day).date().isoformat() for day in days))}
        commit(
            table,
            summary=summary,
            added=write_files(table, pa.Table.from_pylist(written, spec.schema)),
            removed=removed,
        )

    def file_rows(self, table_id: str, *rows: dict[str, Any]) -> None:
        """Replaces the rows of a table of files."""
        spec = schema.files(contract(table_id))
        table = ensure(self.catalog, spec)
        given = {"source_file": "a.csv", "landing_sequence": 1, "load_sequence": next_sequence(table)}
        arrow = pa.Table.from_pylist([r | given | {"row_number": n} for n, r in enumerate(rows)], spec.schema)
        old = [task.file for task in table.scan().plan_files()]
        commit(table, summary={}, added=write_files(table, arrow), removed=old)

    def build(self, *names: str, days: tuple[int, int] | None = None) -> dict[str, str]:
        """Runs the models with their tests and gives each model's state and each failed test's outcome."""
        project = manifest.project()
        wanted = [project.model(n) for n in names]
        span = DayRange(at(days[0]).date(), at(days[1]).date(), FIRST_DAY) if days else None
        states: dict[str, str] = {}
        for result in build(self.platform, project, wanted, span):
            match result:
                case Built():
                    states[result.model.name] = result.state
                case Tested(outcome=outcome) if outcome != "pass":
                    states[result.unique_id] = outcome
        return states

    def repeat(self, identifier: str, days: Iterable[int]) -> None:
        """Adds every row of a mart by day once more, and says that `days` were touched."""
        table = self.catalog.load_table(identifier)
        touched = json.dumps([at(day).date().isoformat() for day in days])
        commit(table, summary={DAYS: touched}, added=write_files(table, table.scan().to_arrow()))

    def rows(self, identifier: str, *columns: str) -> list[tuple[Any, ...]]:
        """The rows of a table, sorted; without updated_at where no columns are named."""
        table = load(self.catalog, identifier)
        assert table is not None, identifier
        arrow = table.scan().to_arrow()
        names = columns or tuple(n for n in arrow.schema.names if n != "updated_at")
        return sorted((tuple(row[n] for n in names) for row in arrow.to_pylist()), key=repr)

    def files(self, identifier: str) -> set[str]:
        """The data files of a table."""
        return {file.file_path for file in data_files(self.catalog.load_table(identifier))}

    def snapshot(self, identifier: str) -> int:
        table = load(self.catalog, identifier)
        assert table is not None, identifier
        snapshot = table.current_snapshot()
        assert snapshot is not None, identifier
        return snapshot.snapshot_id

    def stale(self, mart: str) -> list[int]:
        """Stale days as days of the test's calendar."""
        return sorted((day - DAY_ONE.date()).days + 1 for day in stale_days(self.platform, mart))


@pytest.fixture(name="at")
def moment() -> Callable[..., datetime]:
    return at


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    (tmp_path / "warehouse").mkdir()
    catalog = SqlCatalog(
        "lakehouse", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=(tmp_path / "warehouse").as_uri()
    )
    unused: Callable[[], Any] = lambda: pytest.fail("the vault opened ClickHouse")  # noqa: E731
    platform = Platform("embedded", tmp_path, FileLog(tmp_path / "events"), lambda: catalog, unused, "embedded")
    return Lake(catalog, platform)
