"""A small lakehouse that stands as it was before each thing that a user does to it, and what that is."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from lakehouse_assets.cli.main import app
from lakehouse_assets.cli.session import open_instance
from lakehouse_assets.contracts import registry
from lakehouse_assets.mendable import Mendable
from lakehouse_assets.profiles import active
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append
from tests.silver.told import user

BANK = "key:bronze/bank_users+2"
EVENTS = "key:bronze/clickstream_user_events+1"
CLICKHOUSE = "clickhouse"
PRODUCTS = "key:bronze/retail_products+1"

Given = Callable[["Lake"], AbstractContextManager[None]]


@dataclass(frozen=True)
class Row:
    """What the user does (`given` is what is wrong meanwhile), the exit code, and what the one line must say.

    `error` is the class that was raised, `moves` the tables that a command may have gone on with before it failed.
    """

    does: str
    command: tuple[str, ...]
    says: tuple[str, ...]
    error: type[BaseException] | None = None
    code: int = 1
    given: Given = lambda _: nullcontext()
    environment: Mapping[str, str] = field(default_factory=dict)
    moves: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lake:
    """The lakehouse at `home`, and a copy of it at `kept`."""

    home: Path
    kept: Path

    def call(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    def tell(self, *messages: Message) -> None:
        append(self.home / "events", list(messages))

    def held(self, but: tuple[str, ...] = ()) -> dict[str, object]:
        """What the catalog says of each table, and every file of the warehouse."""
        warehouse = self.home / "warehouse"
        folders = [warehouse / name.replace(".", "/") for name in but]
        files = {
            str(path): path.stat().st_size
            for path in warehouse.rglob("*")
            if path.is_file() and not any(path.is_relative_to(folder) for folder in folders)
        }
        return {**files, **{name: at for name, at in self._tables() if name not in but}}

    def _tables(self) -> list[tuple[str, str | bytes]]:
        file = self.home / "catalog.db"
        try:
            with closing(sqlite3.connect(file, timeout=0)) as conn:
                return conn.execute(
                    "select table_namespace || '.' || table_name, metadata_location from iceberg_tables"
                ).fetchall()
        except sqlite3.DatabaseError:  # it is damaged, or held
            return [("catalog", file.read_bytes())]

    def restore(self) -> None:
        """All but ClickHouse, whose owner has its folder open and which no command here writes to."""
        for path in self.home.iterdir():
            if path.is_dir() and path.name != CLICKHOUSE:
                shutil.rmtree(path)
            elif path.is_file():
                path.unlink()
        shutil.copytree(self.kept, self.home, dirs_exist_ok=True)
        fresh()


def fresh() -> None:
    """Settings, platform and contracts are read anew."""
    for cached in (active.settings, active.platform, registry.sources, registry.tables):
        cached.cache_clear()


def fill(home: Path, kept: Path) -> Lake:
    """Users, events and products, the last two with a dead letter; landed and folded."""
    lake = Lake(home, kept)
    lake.tell(user(0, "a", "c", 1), user(1, "b", "c", 2))
    lake.call("events", "--count", "20", "--rate", "1")
    lake.tell(Message("user-events", 0, 0, 0, None, b"{nonsense"))
    products = home / "files" / "retail" / "products"
    products.mkdir(parents=True)
    (products / "a.csv").write_text("product_id,product_name,category,price,cost\n1,Tea,Food,2.50,1.00\n2,Cup\n")
    done = lake.call("materialize", f"{BANK} or {EVENTS} or {PRODUCTS}")
    assert done.exit_code == 0, (done.stdout, done.stderr)
    shutil.copytree(home, kept, ignore=shutil.ignore_patterns(CLICKHOUSE))
    return lake


def check(lake: Lake, row: Row) -> None:
    """The row's line and exit code; the lake is what it was, and is left so."""
    try:
        with pytest.MonkeyPatch.context() as patch, row.given(lake):
            for name, value in row.environment.items():
                patch.setenv(name, value)
            fresh()
            before = lake.held(row.moves)
            result = lake.call(*row.command)
            assert lake.held(row.moves) == before
        fresh()
        told = result.stderr.strip().splitlines()[-1:]
        assert [text for text in row.says if text not in result.stderr] == [], result.stderr
        assert (result.exit_code, len(told), "Traceback" in result.output) == (row.code, 1, False), result.stderr
        assert told[0].startswith("lakehouse: ")
        assert _raised(result) == (row.error.__name__ if row.error else None)
    finally:
        lake.restore()


def _raised(result: Result) -> str | None:
    """The class of the error behind the line: of the command, or of the step of its last run that failed."""
    context = result.exception.__context__ if result.exception is not None else None
    if isinstance(context, Mendable):
        return type(context).__name__
    if "lakehouse: failed: " not in result.stderr:
        return None
    with open_instance() as instance:
        [run] = instance.get_run_records(limit=1)
        events = [entry.dagster_event for entry in instance.all_logs(run.dagster_run.run_id) if entry.dagster_event]
        error = next(event.step_failure_data.error for event in events if event.is_step_failure)
        assert error is not None
        return (error.cause or error).cls_name
