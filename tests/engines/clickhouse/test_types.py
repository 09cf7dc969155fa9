"""Every type that a published mart may have arrives with its values."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from pyiceberg.catalog import Catalog

from lakehouse_assets.engines.clickhouse.ddl import gold_table
from lakehouse_assets.engines.clickhouse.publish import publish
from lakehouse_assets.engines.iceberg.commit import commit, write_files
from lakehouse_assets.engines.iceberg.tables import TableSpec, ensure

ROW = {
    "id": 1,
    "number": 2**40,
    "amount": Decimal("-12.50"),
    "rate": 0.5,
    "ratio": 0.25,
    "is_open": True,
    "day": date(1960, 2, 29),
    "seen_at": datetime(2026, 1, 1, 12, tzinfo=UTC),
    "local": datetime(2026, 1, 1, 12),
    "name": "å",
    "raw": b"\x00\xff",
    "codes": [1, None],
    "names": ["a", "b"],
}
SCHEMA = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        ("number", pa.int64()),
        ("amount", pa.decimal128(9, 2)),
        ("rate", pa.float64()),
        ("ratio", pa.float32()),
        ("is_open", pa.bool_()),
        ("day", pa.date32()),
        ("seen_at", pa.timestamp("us", tz="UTC")),
        ("local", pa.timestamp("us")),
        ("name", pa.string()),
        ("raw", pa.binary()),
        ("codes", pa.list_(pa.int64())),
        ("names", pa.list_(pa.string())),
    ]
)


def test_every_type_is_published_with_its_values(clickhouse: Client, catalog: Catalog, home: Path) -> None:
    table = ensure(catalog, TableSpec("marts.every_type", SCHEMA))
    empty = dict.fromkeys(ROW) | {"id": 2, "codes": [], "names": []}
    commit(table, summary={}, added=write_files(table, pa.Table.from_pylist([ROW, empty], SCHEMA)))
    table = catalog.load_table("marts.every_type")
    publish(clickhouse, table, gold_table("every_type", {"order_by": ["id"]}), home=home)
    full, nulls = clickhouse.query(
        "SELECT * EXCEPT raw, hex(raw) FROM gold.every_type ORDER BY id", tz_mode="schema"
    ).result_rows
    assert full == (*(value for name, value in ROW.items() if name != "raw"), "00FF")
    assert nulls == (2, *[None] * 9, [], [], None)
