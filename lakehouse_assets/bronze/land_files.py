"""Lands the CSV files of a table, each file once by the hash of its content.

1. A file's rows and its identity (hash, first row, rows) are one commit of the bronze table.
2. The identity then goes into `bronze.landed_files`, which outlives retention.
3. A crash between the two is healed at the next start: the identity is still in the bronze table's marks.
4. A bronze table that was rolled back knows fewer files than are listed: those are forgotten, and landed again.

Safety: a file's rows appear whole or not at all, and no order of crashes lands a file twice.
Where it stops: a row that is in two files counts as two rows here; the latest per key is silver's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice

import pyarrow as pa
from pyarrow.fs import FileInfo
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import EqualTo
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.bronze.csv_rows import Record, records
from lakehouse_assets.bronze.deliveries import content_hash, deliveries, name, opened
from lakehouse_assets.bronze.flood import First, Flood, refuse_flood
from lakehouse_assets.bronze.land import CONSUMED, DEAD, LANDED, OFFSETS, Landed, state
from lakehouse_assets.bronze.schema import COLUMNS, spec
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.iceberg.commit import commit, discard, marks, write_files
from lakehouse_assets.engines.iceberg.rewrite import match, replace
from lakehouse_assets.engines.iceberg.schema import TIMESTAMPTZ, field
from lakehouse_assets.engines.iceberg.tables import TableSpec, ensure, load
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.engines.platform import Platform

FILE = "lakehouse.file"
IDENTITIES = TableSpec(
    "bronze.landed_files",
    pa.schema(
        [
            field("table", pa.string(), "The contract's id.", False),
            field("path", pa.string(), "The file, relative to the home.", False),
            field("content_hash", pa.string(), "SHA-256 of its bytes.", False),
            field("size", pa.int64(), "Its size in bytes.", False),
            field("modified_ns", pa.int64(), "Its modification time when it was landed.", False),
            field("landing_sequence", pa.int64(), "Its number in the order of landing.", False),
            field("first_row", pa.int64(), "Running number of its first row.", False),
            field("rows", pa.int64(), "Its rows, dead letters included; 0 where its content was landed before.", False),
            field("landed_at", TIMESTAMPTZ, "When it was landed.", False),
        ]
    ),
    description="Every CSV file that was landed, by the hash of its content.",
)


@dataclass(frozen=True)
class Identity:
    table: str
    path: str
    content_hash: str
    size: int
    modified_ns: int
    landing_sequence: int
    first_row: int
    rows: int
    landed_at: str


def has_news(platform: Platform, table: Table) -> bool:
    """Whether a file is there that was not landed under this name, size and time."""
    catalog = platform.open_catalog()
    handle = load(catalog, spec(table).identifier)
    return handle is None or bool(_rolled_away(identities(catalog, table), handle) or unlanded(platform, table))


def unlanded(platform: Platform, table: Table) -> list[FileInfo]:
    """The files that were not landed under their name, size and time."""
    catalog = platform.open_catalog()
    known = [] if load(catalog, spec(table).identifier) is None else identities(catalog, table)
    return [file for file in deliveries(platform, table) if not _is_listed(file, known)]


def land_files(platform: Platform, table: Table, progress: Callable[[int], None] = lambda _: None) -> Landed:
    """Every file whose content is new, in the order of names. Raises UnreadableFile; files before it stay landed."""
    catalog = platform.open_catalog()
    ensure(catalog, spec(table))
    _forget_rolled_away(platform, catalog, table)
    done = Landed()
    known = identities(catalog, table)
    for file in deliveries(platform, table):
        if _is_listed(file, known):
            continue
        digest = content_hash(platform, file)
        while not any(k.content_hash == digest for k in known):
            landed = _land_file(platform, catalog, table, file, digest)
            known = identities(catalog, table)
            if landed is not None:
                done += landed
                progress(landed.consumed)
                break
        else:
            _list(catalog, _also_named(next(k for k in known if k.content_hash == digest), file))
    return done


def _also_named(twin: Identity, file: FileInfo) -> Identity:
    """The same content under another name or time: no row is of it, and it goes where its twin is rolled away."""
    now = datetime.now(UTC).isoformat()
    return dataclasses.replace(twin, path=name(file), size=file.size, modified_ns=file.mtime_ns, rows=0, landed_at=now)


def identities(catalog: Catalog, table: Table) -> list[Identity]:
    """The files landed so far; an identity that a crash kept out of the list is put in first."""
    return _identities(catalog, table, catalog.load_table(spec(table).identifier))


def _is_listed(file: FileInfo, known: Iterable[Identity]) -> bool:
    return any((k.path, k.size, k.modified_ns) == (name(file), file.size, file.mtime_ns) for k in known)


def _identities(catalog: Catalog, table: Table, handle: IcebergTable) -> list[Identity]:
    """Complete for the handle's own view of the bronze table, on which the next commit builds."""
    found = _listed(ensure(catalog, IDENTITIES), table.id)
    newest = marks(handle).get(FILE)
    if newest is None or any(i.content_hash == json.loads(newest)["content_hash"] for i in found):
        return found
    _list(catalog, Identity(**json.loads(newest)))
    return [*found, Identity(**json.loads(newest))]


def _forget_rolled_away(platform: Platform, catalog: Catalog, table: Table) -> None:
    """The list is read before the table: a file is committed before it is listed, so that only a rollback is behind."""
    while True:
        listed = ensure(catalog, IDENTITIES)
        known = _listed(listed, table.id)
        gone = _rolled_away(known, catalog.load_table(spec(table).identifier))
        if not gone:
            return
        keys = pa.Table.from_pylist([{"table": i.table, "landing_sequence": i.landing_sequence} for i in gone])
        with platform.open_duckdb() as conn:
            found = match(conn, listed, keys)
            kept = replace(conn, listed, found, IDENTITIES.schema.empty_table())
        try:
            commit(listed, summary={}, removed=found.files, added=kept)
        except Conflict:
            discard(listed, kept)


def _rolled_away(known: Iterable[Identity], handle: IcebergTable) -> list[Identity]:
    newest = marks(handle).get(FILE)
    last = json.loads(newest)["landing_sequence"] if newest else 0
    return [i for i in known if i.landing_sequence > last]


def _listed(listed: IcebergTable, table_id: str) -> list[Identity]:
    rows = listed.scan(row_filter=EqualTo("table", table_id)).to_arrow().to_pylist()
    return [Identity(**{**row, "landed_at": row["landed_at"].isoformat()}) for row in rows]


def _land_file(platform: Platform, catalog: Catalog, table: Table, file: FileInfo, digest: str) -> Landed | None:
    """None where another lander committed meanwhile: the caller looks again.

    A file that is still being written has another hash after it was read; it is left to the next run.
    """
    handle = catalog.load_table(spec(table).identifier)
    if any(k.content_hash == digest for k in _identities(catalog, table, handle)):
        return None
    known = state(handle)
    first = known.offsets.get(0, 0)
    path = name(file)
    files: list[DataFile] = []
    rows = dead = 0
    bad: First | None = None
    landed_at = datetime.now(UTC)
    with opened(platform, file) as content:
        found = records(content, f"{platform.files}/{file.path}", [c.name for c in table.live_columns])
        for chunk in _chunks(found, platform.batch_messages):
            files += write_files(handle, _rows(table, path, first + rows, chunk, landed_at))
            problems = [(n, r.problem) for n, r in enumerate(chunk, first + rows) if r.problem]
            if bad is None and problems:
                bad = First(table.topic, 0, problems[0][0], f"{path}, {problems[0][1]}")
            rows += len(chunk)
            dead += len(problems)
    if content_hash(platform, file) != digest:
        discard(handle, files)
        return Landed()
    if bad is not None:
        _refuse_flood(platform, table, handle, files, (dead, rows), bad)
    before = marks(handle).get(FILE)
    sequence = json.loads(before)["landing_sequence"] + 1 if before else 1
    identity = Identity(
        table.id,
        path,
        digest,
        file.size,
        file.mtime_ns,
        sequence,
        first,
        rows,
        landed_at.isoformat(),
    )
    summary = {
        OFFSETS: json.dumps({"0": first + rows}),
        FILE: json.dumps(asdict(identity)),
        CONSUMED: str(known.consumed + rows),
        LANDED: str(known.landed + rows - dead),
        DEAD: str(known.dead + dead),
    }
    if not _commit(catalog, handle, files, before, summary):
        return None
    _list(catalog, identity)
    return Landed(rows, dead, 1, file.mtime)


def _refuse_flood(
    platform: Platform, table: Table, handle: IcebergTable, files: list[DataFile], counts: tuple[int, int], bad: First
) -> None:
    try:
        refuse_flood(platform, table, "dead letters", *counts, lambda: bad)
    except Flood:
        discard(handle, files)
        raise


def _commit(
    catalog: Catalog, handle: IcebergTable, files: list[DataFile], before: str | None, summary: dict[str, str]
) -> bool:
    """False where the newest landed file is no longer the one `before`."""
    while True:
        try:
            commit(handle, summary=summary, added=files)
            return True
        except Conflict:
            handle = catalog.load_table(".".join(handle.name()))
            if marks(handle).get(FILE) != before:
                discard(handle, files)
                return False


def _list(catalog: Catalog, identity: Identity) -> None:
    """Once under its name and time, also where two landers list it."""
    listed = ensure(catalog, IDENTITIES)
    row = {**asdict(identity), "landed_at": datetime.fromisoformat(identity.landed_at)}
    while not any(_as_named(i) == _as_named(identity) for i in _listed(listed, identity.table)):
        try:
            commit(listed, summary={}, added=write_files(listed, pa.Table.from_pylist([row], schema=IDENTITIES.schema)))
        except Conflict:
            listed = catalog.load_table(IDENTITIES.identifier)
        else:
            return


def _as_named(identity: Identity) -> tuple[str, str, int]:
    return identity.content_hash, identity.path, identity.modified_ns


def _chunks(found: Iterator[Record], size: int) -> Iterator[list[Record]]:
    while chunk := list(islice(found, size)):
        yield chunk


def _rows(table: Table, path: str, first: int, chunk: list[Record], landed_at: datetime) -> pa.Table:
    """Bronze rows (COLUMNS) of a file's records."""
    count = len(chunk)
    columns = {
        "topic": pa.repeat(table.topic, count),
        "partition": pa.repeat(pa.scalar(0, pa.int32()), count),
        "offset": pa.array(range(first, first + count), pa.int64()),
        "data": pa.array([r.data for r in chunk], pa.string()),
        "is_tombstone": pa.repeat(False, count),
        "raw": pa.array([r.raw if r.problem else None for r in chunk], pa.binary()),
        "error": pa.array([r.problem for r in chunk], pa.string()),
        "ingestion_timestamp": pa.repeat(pa.scalar(landed_at, TIMESTAMPTZ), count),
        "source_system": pa.repeat(table.source.name, count),
        "source_file": pa.repeat(path, count),
        "record_hash": pa.array([hashlib.md5(r.raw, usedforsecurity=False).hexdigest() for r in chunk], pa.string()),
    }
    return pa.table([columns.get(f.name, pa.nulls(count, f.type)) for f in COLUMNS], schema=COLUMNS)
