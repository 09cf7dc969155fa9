"""What a database must hold before a connector can read it, as steps that are taken where they are missing: pure.

The heartbeat keeps a quiet source's log moving, the signals ask for incremental snapshots; in PostgreSQL also the
publication of exactly the contracts' tables, and the right to read them.
Where it stops: the accounts themselves are made by whoever runs the database.
"""

from __future__ import annotations

from collections.abc import Sequence

from lakehouse_assets.contracts.table import Source, Table
from lakehouse_assets.engines.connect import names
from lakehouse_assets.engines.connect.database import Database, Step


def preparation(source: Source, tables: Sequence[Table], database: Database) -> list[Step]:
    """In the order in which they are taken."""
    if source.connector == "postgresql":
        return _postgresql(source, tables, database.connector_user)
    return _tables(
        source, "select count(*) from information_schema.tables where concat(table_schema, '.', table_name) = %s"
    )


def _postgresql(source: Source, tables: Sequence[Table], connector: str) -> list[Step]:
    captured = [names.in_database(table) for table in tables]
    own = [names.heartbeat(source), names.signals(source)]
    schemas = sorted({names.SCHEMA, *(name.split(".")[0] for name in captured)})
    return [
        Step(
            f"schema {names.SCHEMA}",
            f"create schema {names.SCHEMA}",
            "select to_regnamespace(%s) is not null",
            (names.SCHEMA,),
        ),
        *_tables(source, "select to_regclass(%s) is not null"),
        *(_usage(schema, connector) for schema in schemas),
        *(_right("select", name, connector) for name in [*captured, *own]),
        *(_right("insert", name, connector) for name in own),
        _right("update", names.heartbeat(source), connector),
        *_publication(names.slot(source), sorted([*captured, *own])),
    ]


def _tables(source: Source, exists: str) -> list[Step]:
    heartbeat, signals = names.heartbeat(source), names.signals(source)
    columns = "id varchar(42) not null primary key, type varchar(32) not null, data varchar(2048)"
    return [
        Step(
            f"table {heartbeat}",
            f"create table {heartbeat} (id integer not null primary key, beat timestamp not null)",
            exists,
            (heartbeat,),
        ),
        Step(f"table {signals}", f"create table {signals} ({columns})", exists, (signals,)),
    ]


def _usage(schema: str, connector: str) -> Step:
    done = "select coalesce(has_schema_privilege(%s, to_regnamespace(%s)::oid, 'usage'), false)"
    return Step(
        f"usage of schema {schema}", f'grant usage on schema {schema} to "{connector}"', done, (connector, schema)
    )


def _right(right: str, table: str, connector: str) -> Step:
    done = "select coalesce(has_table_privilege(%s, to_regclass(%s)::oid, %s), false)"
    return Step(f"{right} on {table}", f'grant {right} on {table} to "{connector}"', done, (connector, table, right))


def _publication(name: str, tables: list[str]) -> list[Step]:
    return [
        Step(
            f"publication {name}",
            f"create publication {name}",
            "select exists (select from pg_publication where pubname = %s)",
            (name,),
        ),
        Step(
            f"tables of publication {name}",
            f"alter publication {name} set table {', '.join(tables)}",
            """select (select array_agg(schemaname || '.' || tablename order by schemaname || '.' || tablename)
                from pg_publication_tables where pubname = %s) = %s""",
            (name, tables),
        ),
    ]
