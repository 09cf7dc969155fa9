"""The tables of a source database as SQL, from their contracts: for a database that is made anew, such as the stack's.

Where it stops: a database that is there already is never changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lakehouse_assets.contracts.rules import RefersTo
from lakehouse_assets.contracts.table import Column, Source, Table

_HEADER = "-- Generated from the contracts by `make sync`: do not edit.\n"


def create_tables(source: Source, tables: Sequence[Table]) -> str:
    """A file for the database's own client: tables, then the foreign keys between them."""
    its_tables = [table for table in tables if table.source == source]
    statements = [*_begin(source), *(statement for table in its_tables for statement in _create(table))]
    keys = {table.name: table.key[0] for table in its_tables}
    statements += [statement for table in its_tables for statement in _references(table, keys)]
    return _HEADER + "\n".join(f"{statement};" for statement in statements) + "\n"


def _begin(source: Source) -> list[str]:
    """As the tables' owner, who is called like the source; PostgreSQL's init files begin in another database."""
    if source.connector == "postgresql":
        return [f"\\connect {source.database}\nset role {source.name}"]
    return [f"use {source.database}"]


def _create(table: Table) -> Iterator[str]:
    columns = "".join(f"  {_column(column)},\n" for column in table.live_columns)
    yield f"\ncreate table {table.name} (\n{columns}  primary key ({', '.join(table.key)})\n)"
    if table.source.connector == "postgresql":
        # A change then tells the whole row that was, also the values that lie outside it.
        yield f"alter table {table.name} replica identity full"


def _column(column: Column) -> str:
    return f"{column.name} {column.type} {'null' if column.nullable else 'not null'}"


def _references(table: Table, keys: dict[str, str]) -> Iterator[str]:
    for column in table.live_columns:
        for rule in column.table_rules:
            if isinstance(rule, RefersTo):
                referred = f"{rule.table} ({keys[rule.table]})"
                yield f"\nalter table {table.name} add foreign key ({column.name}) references {referred}"
