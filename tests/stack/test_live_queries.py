"""ClickHouse over a real MariaDB and over Iceberg: the statements of docs/live-queries.md, as they stand there.

The engine is the embedded one; the named collection that a server has in its configuration is made in it by hand.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import Result
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from pyiceberg.table import Table
from typer.testing import CliRunner

from lakehouse_assets.cli.main import app
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.clickhouse.client import connect, stop
from lakehouse_assets.engines.clickhouse.ddl import gold_table
from lakehouse_assets.engines.clickhouse.publish import publish
from lakehouse_assets.engines.clickhouse.source import table_function
from lakehouse_assets.engines.iceberg.commit import commit, write_files
from lakehouse_assets.engines.iceberg.tables import TableSpec, ensure
from lakehouse_assets.profiles import active
from tests.servers.deployed import DEPLOY
from tests.servers.mariadb import MariaDB

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "live-queries.md"
ASKED = dict(
    zip(
        ("sessions", "active", "lifetime", "months", "snapshot", "timestamp"),
        re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL),
        strict=True,
    )
)
PASSWORD = secrets.token_hex(16)
META = {"engine": "ReplacingMergeTree", "order_by": ["user_id"]}
NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
SHOP = [t for t in tables() if t.source.name == "shop"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """With the accounts of `deploy/`, two users, a product, three orders and two sessions."""
    with MariaDB(tmp_path_factory.mktemp("shop") / "mariadb") as mariadb:
        passwords = {"shop_password": "owner", "connector_password": "connector"}
        mariadb.run(DEPLOY / "mysql/init/10-accounts.sql", {**passwords, "clickhouse_mysql_password": PASSWORD})
        with mariadb.connect("shop") as conn, conn.cursor() as cursor:
            for table in SHOP:
                columns = ", ".join(f"{c.name} {c.type} {'null' if c.nullable else 'not null'}" for c in table.columns)
                cursor.execute(f"create table if not exists {table.name} ({columns}, primary key (id))")
            for number, name in enumerate(("ada", "bob"), 1):
                _insert(cursor, "users", number, name, f"{name}@example.org", name.title(), "NO", None, 1, NOW, NOW)
            _insert(cursor, "products", 7, "sku-7", "Lamp", "light", "2.50", 3, NOW, NOW)
            for number, (user, days) in enumerate(((1, 1), (1, 20), (2, 90)), 1):
                ordered = NOW - timedelta(days=days)
                _insert(cursor, "orders", number, user, 7, 2, "2.50", "5.00", "paid", ordered, NOW)
            for number, (user, minutes) in enumerate(((1, 5), (2, 120)), 1):
                _insert(
                    cursor, "user_sessions", number, user, "web", "192.0.2.1", NOW, NOW - timedelta(minutes=minutes), 1
                )
        yield mariadb


def _insert(cursor: Any, table: str, *values: Any) -> None:
    cursor.execute(f"insert into {table} values ({', '.join(['%s'] * len(values))})", values)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, shop: MariaDB) -> Iterator[Path]:
    """An embedded lakehouse whose mart knows one of the users, and whose engine knows the way to the shop."""
    folder = tmp_path_factory.mktemp("live") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKEHOUSE_HOME", str(folder))
        active.settings.cache_clear()
        active.platform.cache_clear()
        platform = active.platform()
        mart = pa.table({"user_id": pa.array([1], pa.int32()), "lifetime_value": [Decimal("99.50")]})
        table = ensure(platform.open_catalog(), TableSpec("marts.customer_lifetime_value", _required(mart.schema)))
        commit(table, summary={}, added=write_files(table, mart.cast(_required(mart.schema))))
        table = platform.open_catalog().load_table("marts.customer_lifetime_value")
        client = platform.open_clickhouse()
        publish(client, table, gold_table("customer_lifetime_value", META), home=folder)
        client.command(
            f"CREATE NAMED COLLECTION shop AS host = '127.0.0.1', port = {shop.port}, database = 'shop',"
            f" user = 'clickhouse', password = '{PASSWORD}'"
        )
        made = _lakehouse("create")
        assert made.exit_code == 0, made.output
        yield folder
        stop(folder)
        active.settings.cache_clear()
        active.platform.cache_clear()


def _required(schema: pa.Schema) -> pa.Schema:
    return pa.schema([f.with_nullable(False) for f in schema])


def _lakehouse(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["live", *arguments])


@pytest.fixture
def reader(home: Path) -> Client:
    """The user that may only read gold."""
    return connect(home, read_only=True)


def test_a_reader_sees_the_live_tables_as_they_are_this_moment(reader: Client, shop: MariaDB) -> None:
    assert [row[0] for row in reader.query(ASKED["sessions"]).result_rows] == [1]
    assert [row[:2] for row in reader.query(ASKED["active"]).result_rows] == [("ada", "web")]
    with shop.connect("shop") as conn, conn.cursor() as cursor:
        cursor.execute("update user_sessions set last_activity = %s where id = 2", (NOW,))
        assert {row[0] for row in reader.query(ASKED["active"]).result_rows} == {"ada", "bob"}
        cursor.execute("update user_sessions set last_activity = %s where id = 2", (NOW - timedelta(minutes=120),))


def test_recent_orders_are_live_and_the_lifetime_value_is_the_lakes(reader: Client, shop: MariaDB) -> None:
    asked = ASKED["lifetime"]
    assert reader.query(asked).result_rows == [("ada", 2, Decimal("99.50")), ("bob", 0, None)]
    with shop.connect("shop") as conn, conn.cursor() as cursor:
        _insert(cursor, "orders", 4, 2, 7, 1, "1.00", "1.00", "paid", NOW, NOW)
        assert reader.query(asked).result_rows == [("ada", 2, Decimal("99.50")), ("bob", 1, None)]
        cursor.execute("delete from orders where id = 4")


def test_every_value_is_the_databases_and_no_personal_column_is_there(reader: Client, shop: MariaDB) -> None:
    for table in SHOP:
        shown = [c.name for c in table.columns if not c.pii]
        found = reader.query(f"SELECT * FROM gold.live_{table.name} ORDER BY id", tz_mode="schema")
        assert list(found.column_names) == shown
        with shop.connect("shop") as conn, conn.cursor() as cursor:
            cursor.execute(f"select {', '.join(shown)} from {table.name} order by id")
            assert [[_plain(v) for v in row] for row in found.result_rows] == [
                [_plain(v) for v in row] for row in cursor.fetchall()
            ]
    assert {c.name for t in SHOP for c in t.columns if c.pii} >= {"email", "full_name", "birth_date", "ip_address"}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return int(value) if isinstance(value, bool) else value


def test_nothing_can_be_written_through_a_live_table(home: Path, shop: MariaDB) -> None:
    owner = connect(home)
    with pytest.raises(ClickHouseError, match="denied"):
        owner.command("INSERT INTO gold.live_products SELECT 1, 'a', 'b', 'c', 1, 1, now(), now()")


def test_the_password_is_in_no_statement_and_no_definition(home: Path) -> None:
    shown = _lakehouse("create", "--dry-run", "--format", "json")
    assert shown.exit_code == 0
    assert [o["name"] for o in json.loads(shown.stdout)][-2:] == [
        "gold.active_sessions",
        "gold.customer_lifetime_value_live",
    ]
    defined = connect(home).query("SELECT create_table_query, engine_full FROM system.tables").result_rows
    assert PASSWORD not in shown.output + str(defined)


def test_what_is_missing_is_told_on_one_line_and_drop_removes_what_was_made(home: Path) -> None:
    client = connect(home)
    dropped = _lakehouse("drop", "--dry-run", "--format", "json")
    assert len(json.loads(dropped.stdout)) == len(SHOP) + 2
    assert _lakehouse("drop").exit_code == 2
    assert _lakehouse("drop", "--yes").exit_code == 0
    assert client.query("SELECT name FROM system.tables WHERE database = 'gold'").result_rows == [
        ("customer_lifetime_value",)
    ]
    client.command("RENAME TABLE gold.customer_lifetime_value TO gold.elsewhere")
    refused = _lakehouse("create")
    client.command("RENAME TABLE gold.elsewhere TO gold.customer_lifetime_value")
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "gold.customer_lifetime_value is not published yet" in refused.stderr
    assert _lakehouse("create").exit_code == 0


@pytest.fixture(scope="module")
def orders(home: Path) -> Table:
    """`silver.shop_orders` in two snapshots: one order of January, then one of each February and March."""
    schema = pa.schema(
        [("user_id", pa.int32()), ("total_amount", pa.decimal128(12, 2)), ("order_date", pa.timestamp("us"))]
    )
    spec = TableSpec("silver.shop_orders", schema, partition_by=(("month", "order_date"),))
    catalog = active.platform().open_catalog()
    table = ensure(catalog, spec)
    for months in ((1,), (2, 3)):
        rows = [{"user_id": m, "total_amount": Decimal(m), "order_date": datetime(2026, m, 5)} for m in months]
        added = write_files(table, pa.Table.from_pylist(rows, schema))
        commit(table, summary={}, added=added)
        table = catalog.load_table("silver.shop_orders")
    return table


def test_an_iceberg_table_is_read_by_month_and_at_an_earlier_snapshot_and_time(home: Path, orders: Table) -> None:
    client, first = connect(home), orders.snapshots()[0]
    known = {
        "{orders}": table_function(orders, home),
        "{snapshot_id}": str(first.snapshot_id),
        "{timestamp_ms}": str(first.timestamp_ms),
    }

    def ask(name: str) -> Any:
        statement = ASKED[name]
        for placeholder, value in known.items():
            statement = statement.replace(placeholder, value)
        return client.query(statement).result_rows

    assert ask("months") == [(202602, Decimal(2), 1), (202603, Decimal(3), 1)]
    assert ask("snapshot") == ask("timestamp") == [(1,)]
    assert client.query(f"SELECT count() FROM {known['{orders}']}").result_rows == [(3,)]
