"""Tables follow their specification as far as nothing that they hold is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog

from lakehouse_assets.engines.duckdb.session import connect, select
from lakehouse_assets.engines.iceberg.commit import commit, write_files
from lakehouse_assets.engines.iceberg.scan import data_files
from lakehouse_assets.engines.iceberg.tables import SchemaConflict, TableSpec, ensure, load

from .rest_catalog import refuses_what_it_made, rest_catalog

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int32(), False, metadata={"doc": "The number."}),
        pa.field("amount", pa.decimal128(10, 2)),
        pa.field("ratio", pa.float32()),
        pa.field("day", pa.date32()),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("headers", pa.map_(pa.string(), pa.string())),
    ]
)
SPEC = TableSpec(
    "lab.orders",
    SCHEMA,
    (("month", "day"),),
    ("id",),
    exact_bounds=("amount",),
    properties={"a": "b"},
    description="D.",
)


def _with(name: str, kind: pa.DataType) -> TableSpec:
    at = SCHEMA.get_field_index(name)
    return replace(SPEC, schema=SCHEMA.set(at, pa.field(name, kind, SCHEMA.field(at).nullable)))


def _put(lake: Catalog, spec: TableSpec, **row: Any) -> None:
    table = ensure(lake, spec)
    commit(table, summary={}, added=write_files(table, pa.Table.from_pylist([row], schema=spec.schema)))


def test_a_table_is_created_with_columns_partitions_order_and_properties(lake: Catalog) -> None:
    assert load(lake, SPEC.identifier) is None
    table = ensure(lake, SPEC)
    assert [(f.name, f.required) for f in table.schema().fields] == [(f.name, not f.nullable) for f in SCHEMA]
    assert table.schema().find_field("id").doc == "The number."
    assert [(f.name, str(f.transform)) for f in table.spec().fields] == [("day_month", "month")]
    assert [f.source_id for f in table.sort_order().fields] == [table.schema().find_field("id").field_id]
    expected = {"a": "b", "comment": "D.", "write.metadata.metrics.column.amount": "full"}
    assert expected.items() <= table.properties.items()
    assert table.format_version == 2
    assert load(lake, SPEC.identifier) is not None


def test_asking_again_changes_nothing_also_in_other_words_for_the_same_types(lake: Catalog) -> None:
    first = ensure(lake, SPEC)
    assert ensure(lake, SPEC).metadata_location == first.metadata_location
    for name, kind in (("id", pa.int16()), ("tags", pa.large_list(pa.large_string()))):
        assert ensure(lake, _with(name, kind)).metadata_location == first.metadata_location


def test_added_columns_are_optional_whatever_is_declared_and_null_in_older_rows(lake: Catalog) -> None:
    _put(lake, SPEC, id=1, day=date(2026, 1, 5))
    grown = replace(SPEC, schema=SCHEMA.append(pa.field("status", pa.string(), False)))
    _put(lake, grown, id=2, day=date(2026, 1, 5), status="paid")
    table = ensure(lake, grown)
    assert not table.schema().find_field("status").required
    assert table.schema().find_field("id").required
    found = connect().sql(f"select id, status from ({select(table, data_files(table))}) order by id").fetchall()
    assert found == [(1, None), (2, "paid")]


def test_a_renamed_column_keeps_its_values_and_takes_new_ones(lake: Catalog) -> None:
    _put(lake, SPEC, id=1, amount=Decimal("1.50"), day=date(2026, 1, 5))
    renamed = replace(
        SPEC,
        schema=pa.schema([f.with_name("total") if f.name == "amount" else f for f in SCHEMA]),
        renamed={"amount": "total"},
    )
    _put(lake, renamed, id=2, total=Decimal("2.50"), day=date(2026, 1, 5))
    table = ensure(lake, renamed)
    assert "amount" not in table.schema().column_names
    found = connect().sql(f"select id, total from ({select(table, data_files(table))}) order by id").fetchall()
    assert found == [(1, Decimal("1.50")), (2, Decimal("2.50"))]
    assert ensure(lake, renamed).metadata_location == table.metadata_location


@pytest.mark.parametrize(
    ("name", "kind", "iceberg"),
    [
        ("id", pa.int64(), "long"),
        ("amount", pa.decimal128(20, 2), "decimal(20, 2)"),
        ("ratio", pa.float64(), "double"),
    ],
)
def test_a_wider_type_applies_and_older_files_are_read_with_it(
    lake: Catalog, name: str, kind: pa.DataType, iceberg: str
) -> None:
    row = {"id": 1, "amount": Decimal("1.50"), "ratio": 0.5, "day": date(2026, 1, 5)}
    _put(lake, SPEC, **row)
    table = ensure(lake, _with(name, kind))
    assert str(table.schema().find_field(name).field_type) == iceberg
    _put(lake, _with(name, kind), **row)
    found = connect().sql(f"select {name} from ({select(table, data_files(table.refresh()))})").fetchall()
    assert found == [(row[name],)] * 2


@pytest.mark.parametrize(
    ("name", "kind", "holds", "declared"),
    [
        ("id", pa.bool_(), "int", "boolean"),
        ("amount", pa.decimal128(8, 2), "decimal(10, 2)", "decimal(8, 2)"),
        ("amount", pa.decimal128(10, 4), "decimal(10, 2)", "decimal(10, 4)"),
        ("amount", pa.decimal128(14, 4), "decimal(10, 2)", "decimal(14, 4)"),
        ("amount", pa.float64(), "decimal(10, 2)", "double"),
        ("day", pa.string(), "date", "string"),
        ("tags", pa.string(), "list<string>", "string"),
        ("tags", pa.list_(pa.int32()), "list<string>", "list<int>"),
        ("ratio", pa.int64(), "float", "long"),
    ],
)
def test_a_type_that_cannot_hold_what_is_there_is_refused_with_column_and_both_types(
    lake: Catalog, name: str, kind: pa.DataType, holds: str, declared: str
) -> None:
    before = ensure(lake, SPEC)
    with pytest.raises(SchemaConflict) as refused:
        ensure(lake, _with(name, kind))
    assert f"lab.orders: column {name} holds {holds}, declared is {declared};" in str(refused.value)
    assert lake.load_table(SPEC.identifier).metadata_location == before.metadata_location


def test_a_wide_column_is_never_narrowed_back(lake: Catalog) -> None:
    ensure(lake, _with("id", pa.int64()))
    with pytest.raises(SchemaConflict, match="column id holds long, declared is int"):
        ensure(lake, SPEC)


def test_a_column_gone_from_the_specification_stays(lake: Catalog) -> None:
    ensure(lake, SPEC)
    smaller = replace(SPEC, schema=SCHEMA.remove(SCHEMA.get_field_index("ratio")))
    grown = replace(smaller, schema=smaller.schema.append(pa.field("n", pa.int32())))
    assert "ratio" in ensure(lake, smaller).schema().column_names
    assert {"ratio", "n"} <= set(ensure(lake, grown).schema().column_names)


def test_a_refused_type_leaves_a_rename_beside_it_undone(lake: Catalog) -> None:
    ensure(lake, SPEC)
    both = _with("id", pa.string())
    both = replace(both, schema=both.schema.append(pa.field("share", pa.float32())), renamed={"ratio": "share"})
    with pytest.raises(SchemaConflict):
        ensure(lake, both)
    assert "ratio" in lake.load_table(SPEC.identifier).schema().column_names


@pytest.mark.parametrize("other", ["status", "another"])
def test_a_table_grows_also_where_others_change_its_schema_at_the_same_time(
    lake: Catalog, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    ensure(lake, SPEC)
    commit_table, raced = lake.commit_table, []

    def comes_second(*request: Any) -> Any:
        if not raced:
            raced.append(other)
            ensure(lake, _grown(other))
        return commit_table(*request)

    monkeypatch.setattr(lake, "commit_table", comes_second)
    assert {"status", other} <= set(ensure(lake, _grown("status")).schema().column_names)
    assert raced


def test_a_schema_change_that_is_refused_although_it_was_made_is_one_change(lake: Catalog) -> None:
    ensure(lake, SPEC)
    with rest_catalog(lake, [refuses_what_it_made(409), refuses_what_it_made(500)]) as catalog:
        ensure(catalog, _grown("status"))
        table = ensure(catalog, _grown("another"))
    assert table.schema().column_names[-2:] == ["status", "another"]
    assert len(table.schemas()) == 3


def _grown(name: str) -> TableSpec:
    return replace(SPEC, schema=SCHEMA.append(pa.field(name, pa.string())))
