"""What `lakehouse query` answers, and that no statement gets past its lock."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from pyiceberg.catalog import Catalog

from tests.cli.conftest import Lakehouse

pytestmark = pytest.mark.usefixtures("held")


def _data_file(catalog: Catalog) -> Path:
    (task,) = catalog.load_table("marts.days").scan().plan_files()
    return Path(task.file.file_path.removeprefix("file://"))


def _refused(lakehouse: Lakehouse, sql: str, engine: str = "duckdb") -> str:
    result = lakehouse("query", sql, "--engine", engine)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("lakehouse: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_json_is_valid_and_exact(lakehouse: Lakehouse) -> None:
    result = lakehouse("query", "select * from marts.days order by rate", "--format", "json")
    rows = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert rows == [
        {"day": "2026-01-05", "amount": None, "rate": 0.1},
        {"day": "2026-01-05", "amount": "12.50", "rate": None},
        {"day": "2026-01-05", "amount": "12.50", "rate": None},
    ]


def test_json_has_a_form_for_every_type(lakehouse: Lakehouse) -> None:
    sql = """select 170141183460469231731687303715884105727 as huge, 'é"\\' as t, '\\xff'::blob as b, [1.5, null] as l,
      map {1: 'x'} as m, timestamptz '2026-01-05 10:00+00' as at, interval 1 day as i, {'a': date '2026-01-05'} as s"""
    (row,) = json.loads(lakehouse("query", sql, "--format", "json").stdout)
    assert row == {
        "huge": 170141183460469231731687303715884105727,
        "t": 'é"\\',
        "b": "/w==",
        "l": ["1.5", None],
        "m": {"1": "x"},
        "at": "2026-01-05T10:00:00+00:00",
        "i": "1 day, 0:00:00",
        "s": {"a": "2026-01-05"},
    }


def test_csv_quotes_what_needs_it(lakehouse: Lakehouse) -> None:
    result = lakehouse("query", "select 'a,b' as x, 'two\nlines' as x, null as z", "--format", "csv")
    assert list(csv.reader(io.StringIO(result.stdout))) == [["x", "x_1", "z"], ["a,b", "two\nlines", ""]]


def test_no_row_is_still_an_answer(lakehouse: Lakehouse) -> None:
    assert json.loads(lakehouse("query", "from silver.nothing", "--format", "json").stdout) == []
    assert lakehouse("query", "from silver.nothing", "--format", "csv").stdout == "day,amount,rate\n"


def test_the_order_that_the_statement_asks_for_is_kept(lakehouse: Lakehouse) -> None:
    sql = "select range as n from range(300000) order by n desc -- last first"
    result = lakehouse("query", sql, "--format", "csv", "--limit", "150000")
    assert result.stdout.split() == ["n", *(str(n) for n in range(299_999, 149_999, -1))]


def test_a_row_of_a_table_is_one_line_where_no_terminal_ends_it(lakehouse: Lakehouse) -> None:
    long = "x" * 500
    result = lakehouse("query", f"select '{long}' as text, amount from marts.days")
    assert [line.count("x") for line in result.stdout.splitlines()] == [1, 500, 500, 500]


def test_a_table_is_cut_and_says_so(lakehouse: Lakehouse) -> None:
    result = lakehouse("query", "from range(101)")
    assert "only the first 100 rows" in result.stderr
    assert "100" not in result.stdout


def test_an_unknown_table_is_answered_with_the_known_ones(lakehouse: Lakehouse) -> None:
    message = _refused(lakehouse, "select * from marts.dayz")
    assert "dayz" in message
    assert "marts.days, silver.nothing" in message


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "select 1; select 2",
        "selec 1",
        "insert into marts.days values (null, null, null)",
        "delete from marts.days",
        "create table t as select 1",
        "drop view marts.days",
        "copy (select 1) to 'out.csv'",
        "export database 'out'",
        "attach 'other.db'",
        "attach ':memory:' as other",
        "install httpfs",
        "load httpfs",
        "set threads = 1",
        "set enable_external_access = true",
        "reset allowed_paths",
        "pragma database_list",
        "call pragma_version()",
        "explain analyze select 1",
    ],
)
def test_only_one_select_is_taken(lakehouse: Lakehouse, sql: str) -> None:
    _refused(lakehouse, sql)


@pytest.mark.parametrize(
    "function", ["read_csv", "read_text", "read_blob", "read_json", "read_parquet", "glob", "sniff_csv", "read_duckdb"]
)
def test_no_other_file_is_read(lakehouse: Lakehouse, home: Path, function: str) -> None:
    beside = home / "warehouse" / "beside.csv"
    beside.write_text("a\nsecret\n")
    for path in ("/etc/passwd", str(beside), str(home / "catalog.db"), "http://127.0.0.1:9/x.csv"):
        assert "secret" not in _refused(lakehouse, f"select * from {function}('{path}')")


def test_no_file_is_read_by_its_name(lakehouse: Lakehouse) -> None:
    _refused(lakehouse, "select * from '/etc/passwd'")


def test_no_variable_of_this_program_is_read(lakehouse: Lakehouse) -> None:
    for name in ("platform", "known", "sql", "catalog"):
        _refused(lakehouse, f"select * from {name}")


@pytest.mark.parametrize("within", ["{}", "select * from ({}) as t", "from query('{quoted}')"])
def test_a_copy_inside_with_writes_nothing(lakehouse: Lakehouse, held: Catalog, home: Path, within: str) -> None:
    data = _data_file(held)
    before = data.read_bytes()
    for target in (data, home / "warehouse" / "new.csv"):
        copy = f"with x as (copy (select 1) to '{target}' (format csv, use_tmp_file false)) select * from x, marts.days"
        _refused(lakehouse, within.format(copy, quoted=copy.replace("'", "''")))
    assert data.read_bytes() == before
    assert not (home / "warehouse" / "new.csv").exists()


def test_an_insert_inside_with_writes_nothing(lakehouse: Lakehouse) -> None:
    _refused(lakehouse, "with x as (insert into marts.days values (null, null, null) returning 1) select * from x")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM gold.nothing",
        "SELECT 1; SELECT 2",
        "SELECT 1 INTO OUTFILE 'out.csv'",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT file('/etc/passwd')",
        "SELECT * FROM url('http://127.0.0.1:9/', 'LineAsString')",
        "INSERT INTO gold.days VALUES (1)",
        "CREATE TABLE gold.other (a Int8) ENGINE = Memory",
        "DROP DATABASE gold",
        "SET readonly = 0",
        "SELECT 1 SETTINGS readonly = 0",
    ],
)
def test_clickhouse_takes_only_a_select_that_stays_inside(lakehouse: Lakehouse, home: Path, sql: str) -> None:
    _refused(lakehouse, sql, "clickhouse")
    assert not list(home.rglob("out.csv"))


def test_clickhouse_answers_in_the_same_formats(lakehouse: Lakehouse) -> None:
    sql = "SELECT toDecimal64(1.5, 2) AS d, toDate('2026-01-05') AS day, nan AS n"
    result = lakehouse("query", sql, "--engine", "clickhouse", "--format", "json")
    assert json.loads(result.stdout) == [{"d": "1.50", "day": "2026-01-05", "n": None}]
