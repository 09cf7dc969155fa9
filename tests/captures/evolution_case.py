"""Case `evolution`: a table per kind of change of a table's definition, with changes of rows before and after it."""

from __future__ import annotations

from typing import NamedTuple

from tests.servers.postgres import Postgres

from .modes import SANE, SCHEMAS, TOLD_MORE
from .recording import Database, Recording, Servers


class Change(NamedTuple):
    """`before` and `after` are the columns' values of a row beside `id` and `v`, in the table's order."""

    table: str
    columns: str
    alter: list[str]
    before: str
    after: str
    renamed: str | None = None


def record(database: Database, servers: Servers) -> None:
    postgres = isinstance(database, Postgres)
    settings = {"envelope": {**SANE, **TOLD_MORE}, "envelope-schemas": {**SANE, **TOLD_MORE, **SCHEMAS}}
    settings["default"] = {}
    recording = Recording("evolution", database, servers, settings)
    changes = _changes(postgres)
    for change in changes:
        recording.execute([f"create table {change.table} (id int primary key, v varchar(20), {change.columns})"])
        if postgres:
            recording.execute([f"alter table {change.table} replica identity full"])
        recording.execute(f"insert into {change.table} values ({n}, 'snapshot', {change.before})" for n in (1, 2, 3, 4))
    recording.start()
    for change in changes:
        recording.execute(_rows(change.table, 5, "before", change.before))
        recording.execute(change.alter)
        recording.execute(_rows(change.renamed or change.table, 8, "after", change.after))
    new = "create table new_table (id int primary key, v varchar(20), c int)"
    recording.execute([new, "create table dropped_table (id int primary key, v varchar(20), c int)"])
    recording.execute([*_rows("new_table", 1, "new", "7"), *_rows("dropped_table", 1, "new", "7")])
    for table in [*(c.renamed or c.table for c in changes), "new_table", "dropped_table"]:
        recording.write_truth(table)
    recording.execute(["drop table dropped_table"])
    recording.settle()
    recording.stop()
    recording.write_manifest(recording.write_messages())


def _rows(table: str, first: int, v: str, values: str) -> list[str]:
    """Two inserts, of which one is deleted; an update of an old row and of a new one."""
    return [
        f"insert into {table} values ({first}, '{v}', {values})",
        f"insert into {table} values ({first + 1}, '{v}', {values})",
        f"update {table} set v = 'updated {v}' where id in (1, {first})",
        f"delete from {table} where id = {first + 1}",
        f"delete from {table} where id = {2 if v == 'before' else 3}",
    ]


def _changes(postgres: bool) -> list[Change]:
    def retyped(table: str, of: str, to: str, before: str, after: str, using: str = "c") -> Change:
        to_postgres = f"alter column c type {to} using {using}"
        return Change(
            table, f"c {of}", [f"alter table {table} {to_postgres if postgres else f'modify c {to}'}"], before, after
        )

    double = "double precision" if postgres else "double"
    added = Change("add_nullable", "c int", ["alter table add_nullable add column d decimal(8,2)"], "1", "1, 2.50")
    changes = [
        added,
        Change(
            "add_default",
            "c int",
            ["alter table add_default add column d varchar(20) not null default 'it''s new'"],
            "1",
            "1, 'given'",
        ),
        Change("drop_column", "c int, d int", ["alter table drop_column drop column c"], "1, 2", "3"),
        Change("rename_column", "c int", ["alter table rename_column rename column c to d"], "1", "2"),
        Change(
            "rename_table", "c int", ["alter table rename_table rename to renamed_table"], "1", "2", "renamed_table"
        ),
        Change(
            "recreate_column",
            "c int",
            ["alter table recreate_column drop column c", "alter table recreate_column add column c varchar(20)"],
            "1",
            "'text now'",
        ),
        retyped("widen_int", "int", "bigint", "2147483647", "9223372036854775807"),
        retyped("widen_float", "real" if postgres else "float", double, "0.1", "0.1"),
        retyped("widen_decimal", "decimal(8,2)", "decimal(14,2)", "999999.99", "999999999999.99"),
        retyped("widen_scale", "decimal(8,2)", "decimal(12,4)", "1.25", "1.2345"),
        retyped("widen_text", "varchar(5)", "varchar(50)", "'short'", "'a longer text'"),
        retyped("narrow_int", "bigint", "smallint", "7", "32767"),
        retyped("narrow_decimal", "decimal(14,4)", "decimal(6,2)", "1.2500", "9999.99"),
        retyped("narrow_text", "varchar(50)", "varchar(5)", "'five5'", "'short'"),
        retyped("text_to_int", "varchar(20)", "int", "'12'", "13", "c::int"),
        retyped("int_to_text", "int", "varchar(20)", "12", "'twelve'", "c::text"),
    ]
    if not postgres:
        moved = ["alter table reorder_columns modify column d int after v"]
        changes.append(Change("reorder_columns", "c int, d int", moved, "1, 2", "2, 1"))
    return changes
