"""The user `reader` reads gold, and reaches nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import urllib3
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from lakehouse_assets.engines.clickhouse import client, endpoint


@pytest.fixture(scope="module")
def reader(home: Path, clickhouse: Client) -> Client:
    for database in ("gold", "private"):
        clickhouse.command(f"CREATE DATABASE {database}")
        clickhouse.command(f"CREATE TABLE {database}.t (a Int64, s String) ENGINE = MergeTree ORDER BY a")
        clickhouse.command(f"INSERT INTO {database}.t VALUES (1, 'one'), (2, 'two')")
    (home / "secret.csv").write_text("1\n")
    return client.connect(home, read_only=True)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT a FROM gold.t ORDER BY a",
        "WITH x AS (SELECT a FROM gold.t) SELECT a FROM x ORDER BY a",
        "SELECT a FROM (SELECT 1 AS a UNION ALL SELECT 2) ORDER BY a",
        "/* first */ SELECT a -- the key\nFROM gold.t ORDER BY a;",
        "SELECT a FROM gold.t ORDER BY a ; -- and a word",
        "SELECT number + 1 AS a FROM numbers(2) ORDER BY a",
        "SELECT a FROM gold.t WHERE s != ') INTO OUTFILE file(' ORDER BY a",
    ],
)
def test_a_select_answers_with_its_rows_in_their_order(reader: Client, statement: str) -> None:
    assert reader.query(statement).result_rows == [(1,), (2,)]


def test_parameters_arrow_and_formats_work(reader: Client) -> None:
    bound = reader.query("SELECT s FROM gold.t WHERE a = {a:Int64}", parameters={"a": 2})
    assert bound.result_rows == [("two",)]
    assert reader.query_arrow("SELECT a FROM gold.t").num_rows == 2
    assert reader.raw_query("SELECT s FROM gold.t WHERE a = 1 FORMAT CSV") == b'"one"\n'
    assert reader.command("SELECT count() FROM gold.t") == 2


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO gold.t VALUES (3, 'three')",
        "INSERT INTO gold.t FORMAT CSV 3,three",
        "CREATE TABLE gold.x (a Int64) ENGINE = Memory",
        "CREATE TEMPORARY TABLE x (a Int64)",
        "CREATE DATABASE x",
        "CREATE VIEW gold.v AS SELECT 1",
        "DROP TABLE gold.t",
        "TRUNCATE TABLE gold.t",
        "RENAME TABLE gold.t TO gold.u",
        "ATTACH TABLE gold.x (a Int64) ENGINE = Memory",
        "DETACH TABLE gold.t",
        "ALTER TABLE gold.t DELETE WHERE 1",
        "ALTER TABLE gold.t MODIFY COMMENT 'mine'",
        "OPTIMIZE TABLE gold.t",
        "BACKUP TABLE gold.t TO File('x')",
        "GRANT ALL ON *.* TO default",
        "SYSTEM FLUSH LOGS",
        "KILL QUERY WHERE 1",
        "USE private",
        "SET readonly = 0",
        "SET ROLE owner",
        "SET ROLE ALL",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_execution_time = 0",
        "SELECT 1; DROP TABLE gold.t",
        "SELECT 1) ; DROP TABLE gold.t --",
        "SELECT 1) UNION ALL (SELECT 2",
        "SELECT * FROM gold.t INTO OUTFILE 'stolen.csv'",
        "SELECT * FROM gold.t INTO OUTFILE 'stolen.csv' FORMAT CSV",
        "SELECT * FROM private.t",
        "SELECT * FROM merge('private', 't')",
        "SELECT * FROM loop('gold', 't') LIMIT 1",
        "SELECT * FROM system.users",
        "SELECT file('secret.csv')",
        "SELECT FILE('/etc/hostname')",
        "SELECT `file`('/etc/hostname')",
        "SELECT arrayMap(x -> file(x), ['/etc/hostname'])",
        "SELECT * APPLY (file) FROM (SELECT '/etc/hostname' AS x)",
        "SELECT * APPLY file FROM (SELECT '/etc/hostname' AS x)",
        "SELECT * APPLY (x -> file(x)) FROM (SELECT '/etc/hostname' AS x)",
        "SELECT COLUMNS('x') REPLACE (file('/etc/hostname') AS x) FROM (SELECT '' AS x)",
        "SELECT \"file\"('/etc/hostname')",
        "SELECT $$it's$$, file /* x */ ('/etc/hostname')",
        "SELECT 'it''s \\\\', file('/etc/hostname'), '\\''",
        "SELECT `it's`, file('/etc/hostname') FROM (SELECT 1 AS `it's`)",
        "SELECT sum(a) OVER (PARTITION BY file('/etc/hostname')) FROM gold.t",
        "SELECT sum(a) OVER w FROM gold.t WINDOW w AS (ORDER BY file('/etc/hostname'))",
        "SELECT a FROM gold.t ORDER BY a LIMIT 1 BY file('/etc/hostname')",
        "SELECT a FROM gold.t ORDER BY a WITH FILL FROM length(file('/etc/hostname')) TO 30 INTERPOLATE (a AS a)",
        "SELECT count() FILTER (WHERE file('/etc/hostname') != '') FROM gold.t",
        "WITH file('/etc/hostname') AS x SELECT x",
        "SELECT a FROM gold.t ARRAY JOIN [file('/etc/hostname')] AS y",
        "SELECT * FROM 'secret.csv'",
        "SELECT * FROM `secret.csv`",
        "SELECT * FROM default.`secret.csv`",
        "SELECT * FROM statement",
        "SELECT * FROM file('secret.csv')",
        "SELECT 1 IN file('secret.csv', 'CSV', 'a Int64')",
        "DESCRIBE TABLE file('secret.csv')",
        "SELECT * FROM filesystem('/')",
        "SELECT * FROM url('http://127.0.0.1:1/x', 'CSV', 'a Int64')",
        "SELECT * FROM s3('http://127.0.0.1:1/bucket/x', 'CSV', 'a Int64')",
        "SELECT * FROM executable('cat', 'CSV', 'a Int64', (SELECT 1))",
        "SELECT * FROM icebergLocal('warehouse/')",
        "SELECT * FROM remote('127.0.0.1', 'gold.t')",
        "SELECT * FROM sqlite('stolen.db', 't')",
        "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
        "SELECT * FROM Python(statement)",
        "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT 1))",
        "EXPLAIN SELECT 1",
        "SELECT aiGenerate('x', 'y')",
        "SELECT sleep(3)",
    ],
)
def test_a_reader_neither_writes_nor_escapes(home: Path, clickhouse: Client, reader: Client, statement: str) -> None:
    with pytest.raises(DatabaseError):
        reader.command(statement)
    assert clickhouse.query("SELECT * FROM gold.t ORDER BY a").result_rows == [(1, "one"), (2, "two")]
    assert not list(home.rglob("stolen*"))


@pytest.mark.parametrize("setting", ["dialect=prql", "readonly=0", "max_execution_time=0", "database=private"])
def test_what_a_reader_sets_in_the_url_is_refused(home: Path, reader: Client, setting: str) -> None:
    known = endpoint.read(home)
    assert known is not None
    headers = urllib3.make_headers(basic_auth=":".join(known.credentials(read_only=True)))
    answer = urllib3.request("POST", f"{known.url}/?{setting}", body=b"SELECT 1", headers=headers)
    assert answer.status == 500
    assert int(answer.headers["X-ClickHouse-Exception-Code"]) in (81, 164, 497)


def test_limits_hold_for_a_reader(reader: Client) -> None:
    assert reader.command("SELECT getSetting('max_execution_time')") == 60
    with pytest.raises(DatabaseError):
        reader.query("SELECT number FROM numbers(20000000)")


def test_a_union_answers_with_all_its_branches(reader: Client) -> None:
    union = "SELECT a FROM gold.t UNION ALL SELECT toInt64(3)"
    assert sorted(reader.query(union).result_rows) == [(1,), (2,), (3,)]
