"""Case `changes`: truncates, messages, key changes, deletes that tell only the key, values left out of updates."""

from __future__ import annotations

from tests.servers.postgres import Postgres

from .modes import sane_and_flat
from .recording import Database, Recording, Servers

_TABLES = ["truncated", "rekeyed", "paired", "deleted"]
_TOASTED = "toasted"


def record(database: Database, servers: Servers) -> None:
    postgres = isinstance(database, Postgres)
    recording = Recording("changes", database, servers, sane_and_flat(postgres))
    recording.execute(
        [
            "create table truncated (id int primary key, v varchar(40))",
            "create table rekeyed (id int primary key, v varchar(40))",
            "create table paired (a int, b varchar(20), v varchar(40), primary key (a, b))",
            "create table deleted (id int primary key, v varchar(40) not null, n decimal(10,2) not null, t date)",
        ]
    )
    if postgres:
        recording.execute(_toasted_table())
    recording.execute(f"insert into {t} (id, v) values ({n}, 'snapshot')" for t in _TABLES[:2] for n in range(1, 6))
    recording.execute(["insert into paired values (1, 'x', 'snapshot'), (1, 'y', 'snapshot'), (2, 'x', 'snapshot')"])
    recording.execute([f"insert into deleted values ({n}, 'snapshot', 1.50, '2024-02-29')" for n in (1, 2, 3)])
    recording.start()
    recording.execute([*_truncates(), *_new_keys(), *_deletes()])
    if postgres:
        recording.execute([*_messages(), *_left_out()])
    recording.settle()
    recording.stop()
    for table in [*_TABLES, _TOASTED] if postgres else _TABLES:
        recording.write_truth(table)
    recording.write_manifest(recording.write_messages())


def _truncates() -> list[str]:
    """Twice, the second time within a transaction where the database can; rows of the same keys before and after."""
    return [
        "update truncated set v = 'before' where id = 1",
        "insert into truncated values (6, 'before')",
        "truncate table truncated",
        *(f"insert into truncated values ({n}, 'between')" for n in (1, 2, 7)),
        "begin",
        "insert into truncated values (8, 'in the transaction')",
        "truncate table truncated",
        "insert into truncated values (1, 'after, in the transaction')",
        "commit",
        "insert into truncated values (9, 'after')",
    ]


def _new_keys() -> list[str]:
    """To a free key, to one that another row had, of two rows at once, there and back, and of part of a key."""
    return [
        "update rekeyed set id = 11 where id = 1",
        "update rekeyed set v = 'moved' where id = 11",
        "begin",
        "delete from rekeyed where id = 2",
        "update rekeyed set id = 2, v = 'was 3' where id = 3",
        "commit",
        "update rekeyed set id = id + 100 where id in (4, 5)",
        "update rekeyed set id = 4 where id = 104",
        "begin",
        "update rekeyed set id = 50 where id = 105",
        "update rekeyed set id = 105 where id = 50",
        "commit",
        "update paired set b = 'z' where a = 1 and b = 'x'",
        "update paired set a = 3, v = 'moved' where a = 2",
    ]


def _deletes() -> list[str]:
    """A row, the same key again with the same payload, and a row that came and went in one transaction."""
    return [
        "delete from deleted where id = 1",
        "delete from deleted where id = 2",
        "insert into deleted values (2, 'snapshot', 1.50, '2024-02-29')",
        "begin",
        "insert into deleted values (4, 'never seen', 0, null)",
        "delete from deleted where id = 4",
        "commit",
    ]


def _messages() -> list[str]:
    return [
        "select pg_logical_emit_message(true, 'lakehouse', 'in a transaction')",
        "select pg_logical_emit_message(false, 'lakehouse', 'outside of any')",
        r"select pg_logical_emit_message(true, '', '\x00ff'::bytea)",
    ]


def _toasted_table() -> list[str]:
    """Stored out of line, uncompressed, from 2 kB on; REPLICA IDENTITY DEFAULT, so that old values are not told."""
    large = ["note text", "data bytea", "texts text[]", "integers int[]", "numerics numeric(12,2)[]"]
    return [
        f"create table {_TOASTED} (id int primary key, v varchar(40), {', '.join(large)})",
        *(f"alter table {_TOASTED} alter column {c.split()[0]} set storage external" for c in large),
        *(f"insert into {_TOASTED} values ({n}, 'snapshot', {_large(n)})" for n in (1, 2, 3)),
    ]


def _large(seed: int) -> str:
    """Values that differ by seed, each about 2.5 kB."""
    series = f"generate_series({seed}, {seed} + 79) i"
    return ", ".join(
        [
            f"(select string_agg(md5(i::text), '') from {series})",
            f"(select decode(string_agg(md5(i::text), '') || string_agg(md5((-i)::text), ''), 'hex') from {series})",
            f"(select array_agg(md5(i::text)) from {series})",
            f"(select array_agg(i * 7) from generate_series({seed}, {seed} + 600) i)",
            f"(select array_agg(i / 4.0) from generate_series({seed}, {seed} + 300) i)",
        ]
    )


def _left_out() -> list[str]:
    """Of rows from the snapshot and new ones, after small values and null, with a new key; and the word as a value."""
    columns = ["note", "data", "texts", "integers", "numerics"]
    word = "__debezium_unavailable_value"
    return [
        f"update {_TOASTED} set v = 'left out' where id = 1",
        f"update {_TOASTED} set v = 'left out again' where id = 1",
        f"insert into {_TOASTED} values (4, 'new', {_large(4)})",
        f"update {_TOASTED} set v = 'left out' where id = 4",
        f"update {_TOASTED} set note = 'small', texts = '{{}}' where id = 2",
        f"update {_TOASTED} set data = null, integers = null where id = 2",
        f"update {_TOASTED} set v = 'left out' where id = 2",
        "begin",
        f"update {_TOASTED} set ({', '.join(columns)}) = row({_large(9)}) where id = 3",
        f"update {_TOASTED} set v = 'left out' where id = 3",
        "commit",
        f"update {_TOASTED} set v = 'new key' where id = 3",
        f"update {_TOASTED} set id = 13 where id = 3",
        f"update {_TOASTED} set v = 'after new key' where id = 13",
        f"delete from {_TOASTED} where id = 4",
        f"insert into {_TOASTED} values (4, 'again', 'small', null, null, null, null)",
        f"update {_TOASTED} set note = '{word}', texts = array['{word}'] where id = 4",
    ]
