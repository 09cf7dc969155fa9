"""What goes wrong around a lakehouse: each is there while a command runs, or was done before it."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from lakehouse_assets.contracts import registry
from lakehouse_assets.contracts import types as logical
from lakehouse_assets.contracts.bank import users
from lakehouse_assets.contracts.rules import starts_with
from lakehouse_assets.contracts.table import Column
from lakehouse_assets.engines.iceberg.commit import DROPPED_THROUGH, commit
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.profiles import active
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.vault import manifest
from tests.errors.lake import Lake
from tests.other_engine import maintain_from_outside
from tests.position_deletes import delete_positions
from tests.silver.told import user

USERS = "bank.public.users"

STACK = {
    "LAKEHOUSE_PROFILE": "stack",
    "LAKEHOUSE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
    "LAKEHOUSE_CATALOG_URI": "http://127.0.0.1:9",
    "LAKEHOUSE_WAREHOUSE": "lake",
    "LAKEHOUSE_CLICKHOUSE_HOST": "127.0.0.1",
    "LAKEHOUSE_CLICKHOUSE_PORT": "9",
    "LAKEHOUSE_CONNECT_URL": "http://127.0.0.1:9",
    "LAKEHOUSE_PATIENCE_SECONDS": "0",
}
"""Nothing answers there."""


def done(act: Callable[[Lake], object]) -> Callable[[Lake], AbstractContextManager[None]]:
    """Something that is done before the command; the lake is put back after it."""

    def given(lake: Lake) -> AbstractContextManager[None]:
        act(lake)
        return nullcontext()

    return given


def log(lake: Lake) -> Path:
    return lake.home / "events" / USERS / "0.jsonl"


def named(name: str) -> Any:
    return active.platform().open_catalog().load_table(name)


def damaged(name: str) -> Callable[[Lake], object]:
    """The data file of a table is there, and is no Parquet."""
    return lambda _: Path(data_files(named(name))[0].file_path.removeprefix("file://")).write_bytes(b"nonsense")


def without_metadata(name: str) -> Callable[[Lake], object]:
    return lambda _: Path(named(name).metadata_location.removeprefix("file://")).unlink()


def with_deletes(_: Lake) -> None:
    table = named("silver.bank_users")
    delete_positions(table, data_files(table)[0], 0)


def flood(lake: Lake) -> None:
    lake.tell(*(Message(USERS, 0, n, 0, None, b"{nonsense") for n in range(1200)))


def beginning_anew(lake: Lake) -> None:
    """The new log begins low, and its clock goes on."""
    told = user(0, "a", "u", 1)
    envelope = json.loads(told.value or b"")
    envelope["source"].update(lsn=0, sequence=json.dumps([None, "0"]), ts_ms=envelope["source"]["ts_ms"] + 10**8)
    lake.tell(told._replace(value=json.dumps(envelope).encode()))


def csv(text: str) -> Callable[[Lake], object]:
    return lambda lake: (lake.home / "files" / "retail" / "products" / "b.csv").write_text(text)


def rolled_back_from_outside(_: Lake) -> None:
    """To a snapshot of another engine, after those that it stood on have expired."""
    name = "bronze.bank_users"
    maintain_from_outside(active.platform().open_catalog(), name)
    kept = named(name).metadata.current_snapshot_id
    commit(named(name), summary={})
    named(name).manage_snapshots().rollback_to_snapshot(kept).commit()


def past_retention(_: Lake) -> None:
    commit(named("bronze.bank_users"), summary={DROPPED_THROUGH: "2026-01-06"})


@contextmanager
def declared(**columns: Column) -> Iterator[None]:
    """The contract of bank_users with other columns."""
    with pytest.MonkeyPatch.context() as patch:
        others = tuple(columns.get(c.name, c) for c in users.TABLE.columns)
        patch.setattr(users, "TABLE", replace(users.TABLE, columns=others))
        yield


def narrowed(lake: Lake) -> AbstractContextManager[None]:
    lake.tell(user(0, "c", "c", 9))
    return declared(notes=replace(users.TABLE.columns[3], type=logical.integer))


def strict(lake: Lake) -> AbstractContextManager[None]:
    lake.tell(user(0, "c", "c", 9, name="Anna"))
    return declared(name=replace(users.TABLE.columns[2], rules=(starts_with("B", severity="fail"),)))


@contextmanager
def contract(lake: Lake) -> Iterator[None]:
    """A source of its own whose table declares a column twice."""
    folder = lake.kept.parent / "contracts" / "lab"
    folder.mkdir(parents=True)
    own = Path(registry.contracts.__file__).parent / "retail"
    (folder / "__init__.py").touch()
    (folder / "source.py").write_text((own / "source.py").read_text().replace('"retail"', '"lab"'))
    twice = (
        (own / "products.py").read_text().replace("contracts.retail", "contracts.lab").replace('"category"', '"price"')
    )
    (folder / "products.py").write_text(twice)
    registry.contracts.__path__.append(str(folder.parent))
    try:
        yield
    finally:
        registry.contracts.__path__.remove(str(folder.parent))
        for name in [n for n in sys.modules if n.startswith("lakehouse_assets.contracts.lab")]:
            del sys.modules[name]


def project(change: Callable[[dict[str, Any]], object] | None) -> Callable[[Lake], AbstractContextManager[None]]:
    """A dbt project whose manifest was changed by hand, or that was never synced."""

    @contextmanager
    def given(lake: Lake) -> Iterator[None]:
        folder = lake.kept.parent / "dbt_project"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "target").mkdir(parents=True)
        if change is not None:
            read = json.loads((manifest.PROJECT_DIR / manifest.MANIFEST).read_bytes())
            change(read["nodes"]["model.lakehouse.daily_active_users"])
            (folder / manifest.MANIFEST).write_text(json.dumps(read))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(manifest.project, "__defaults__", (folder,))
            yield

    return given


def config(**change: object) -> Callable[[dict[str, Any]], object]:
    return lambda node: (node["config"].update(change), node["config"].get("meta", {}).update(change.get("meta", {})))


@contextmanager
def full_disk(_: Lake) -> Iterator[None]:
    """No file can grow beyond a few kilobytes, as where a quota is used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


@contextmanager
def locked(lake: Lake) -> Iterator[None]:
    holder = sqlite3.connect(lake.home / "catalog.db")
    holder.execute("begin exclusive")
    try:
        yield
    finally:
        holder.close()


@contextmanager
def interrupted(lake: Lake) -> Iterator[None]:
    """Ctrl-C in the moment of the first commit."""
    lake.tell(user(0, "c", "c", 9))
    real = SqlCatalog.commit_table

    def interrupt(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return real(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqlCatalog, "commit_table", interrupt)
        yield


@contextmanager
def raced(_: Lake) -> Iterator[None]:
    """Another writer commits right before the command does."""
    commit(named("silver.retail_products"), summary={})
    real = SqlCatalog.commit_table

    def second(self: SqlCatalog, table: Any, *rest: Any) -> Any:
        patch.undo()
        commit(self.load_table(table.name()), summary={})
        return real(self, table, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqlCatalog, "commit_table", second)
        yield


@contextmanager
def patched(function: Any, default: object) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(function, "__defaults__", (default,))
        yield


def first(name: str) -> str:
    """The id of a table's first snapshot."""
    return str(min(named(name).metadata.snapshots, key=lambda s: s.sequence_number).snapshot_id)
