"""Case `types`: every type with its edge values, read in the snapshot, inserted, updated and deleted, in every mode."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from tests.servers.postgres import Postgres

from . import mariadb_types, postgres_types
from .columns import ddl, inserts, rows, truth_query, updates
from .modes import SANE, SCHEMAS, flat_envelope
from .recording import Configuration, Database, Recording, Servers

TABLE = "types"
INSERTED, UPDATED, DELETED = 100, 200, 300
"""First ids of rows inserted, inserted and updated, inserted and deleted; those of the snapshot begin at 0."""

ONE_PARTITION = {"topic.creation.default.partitions": "1"}
_TIMES = ["adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds"]


def record(database: Database, servers: Servers) -> None:
    described = postgres_types if isinstance(database, Postgres) else mariadb_types
    columns = described.COLUMNS
    recording = Recording("types", database, servers, settings(isinstance(database, Postgres)))
    recording.execute([*described.PREPARE, ddl(TABLE, columns)])
    if isinstance(database, Postgres):
        recording.execute([f"alter table {TABLE} replica identity full"])
    recording.execute(inserts(TABLE, columns, 0))
    recording.start()
    count = len(rows(columns))
    for first in (INSERTED, UPDATED, DELETED):
        recording.execute(inserts(TABLE, columns, first))
    recording.execute(updates(TABLE, columns, UPDATED))
    recording.execute([f"delete from {TABLE} where id = {DELETED + n}" for n in range(count)])
    recording.settle()
    recording.stop()
    recording.write_truth(TABLE, truth_query(TABLE, columns))
    recording.write_manifest(
        recording.write_messages(),
        types={c.name: c.type for c in columns},
        truth={c.name: c.truth or c.name for c in columns},
    )


def settings(postgres: bool) -> Mapping[str, Configuration]:
    """Each mode of each kind once, with and without schemas; flat envelopes; and the remaining encodings."""
    times = _TIMES if postgres else _TIMES[1:]
    decimals = dict(zip(times, ["precise", "double", "string"] * 2, strict=False))
    modes = {
        f"{decimal}-{time}": {"decimal.handling.mode": decimal, "time.precision.mode": time}
        for time, decimal in decimals.items()
    } | {"string-isostring": SANE}
    flat = flat_envelope(postgres)
    default = modes[f"precise-{times[0]}"]
    encoded = {
        **SANE,
        "binary.handling.mode": "hex",
        "interval.handling.mode": "string",
        "hstore.handling.mode": "json",
        "bigint.unsigned.handling.mode": "precise",
        "include.unknown.datatypes": "true",
    }
    base64 = {**default, "binary.handling.mode": "base64", "bigint.unsigned.handling.mode": "precise"}
    named = {**modes, "flat": {**flat, **SANE}, "flat-default": {**flat, **default}}
    named |= {"encoded": encoded, "base64": base64}
    return {
        name + suffix: {**own, **more}
        for (name, own), (suffix, more) in product(
            named.items(), [("", ONE_PARTITION), ("-schemas", {**ONE_PARTITION, **SCHEMAS})]
        )
    }
