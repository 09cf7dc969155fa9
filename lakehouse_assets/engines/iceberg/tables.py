"""Creates an Iceberg table from its specification, and lets it follow a specification that grew.

Additions, widenings and declared renames apply by field id; anything narrower is refused.
Where it stops: rows are `commit`'s, reading is `scan`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException, NoSuchTableError, ValidationError
from pyiceberg.table import Table
from pyiceberg.table.sorting import NullOrder
from pyiceberg.transforms import DayTransform, IdentityTransform, MonthTransform, Transform
from pyiceberg.types import DecimalType, IcebergType

from lakehouse_assets.engines.iceberg.settle import settled
from lakehouse_assets.engines.iceberg.transaction import Conflict
from lakehouse_assets.mendable import Mendable

TRANSFORMS: Mapping[str, Transform] = {  # type: ignore[type-arg]
    "identity": IdentityTransform(),
    "day": DayTransform(),
    "month": MonthTransform(),
}

PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "write.target-file-size-bytes": str(128 * 1024 * 1024),
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "write.update.isolation-level": "snapshot",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "50",
    "history.expire.max-snapshot-age-ms": "432000000",
    "history.expire.min-snapshots-to-keep": "5",
}
"""Every table's; copy-on-write and format v2, so that every engine reads them."""

HASHED_PATHS = {"write.object-storage.enabled": "true", "write.object-storage.partitioned-paths": "false"}
"""For a table partitioned by a text: a long or strange value of the source cannot be a folder's name."""

_FIX = "declare a type that holds what the table holds, or retire the column and add another with renamed_from"
_WIDER = {("int", "long"), ("float", "double")}


class SchemaConflict(Mendable):
    """A column's declared type cannot hold what the table already holds; the message names both types."""


@dataclass(frozen=True)
class TableSpec:
    """`schema` is Arrow's: a field that is not nullable is required, its metadata may hold `doc`.

    `exact_bounds` names text columns whose file statistics must not be cut at 16 characters.
    """

    identifier: str
    schema: pa.Schema
    partition_by: tuple[tuple[str, str], ...] = ()
    sort_by: tuple[str, ...] = ()
    exact_bounds: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    description: str = ""


def ensure(catalog: Catalog, spec: TableSpec) -> Table:
    """The table of a specification, created or grown when needed. Raises SchemaConflict, and Conflict where other
    writers kept changing it."""
    return settled(lambda: _ensured(catalog, spec))


def load(catalog: Catalog, identifier: str) -> Table | None:
    """The table, or None where it does not exist yet."""
    try:
        return catalog.load_table(identifier)
    except NoSuchTableError:
        return None


def _ensured(catalog: Catalog, spec: TableSpec) -> Table:
    table = load(catalog, spec.identifier)
    return _create(catalog, spec) if table is None else _grow(table, spec)


def _create(catalog: Catalog, spec: TableSpec) -> Table:
    namespace = spec.identifier.split(".")[0]
    try:
        catalog.create_namespace_if_not_exists(namespace)
    except Exception:
        # Where two create it at once, the SQL catalog lets its database's own error through.
        if not catalog.namespace_exists(namespace):
            raise
    bounds = {f"write.metadata.metrics.column.{c}": "full" for c in spec.exact_bounds}
    paths = HASHED_PATHS if _is_partitioned_by_text(spec) else {}
    properties = {**PROPERTIES, **bounds, **paths, **spec.properties}
    if spec.description:
        properties["comment"] = spec.description
    try:
        with catalog.create_table_transaction(spec.identifier, spec.schema, properties=properties) as tx:
            if spec.partition_by:
                with tx.update_spec() as partitions:
                    for transform, column in spec.partition_by:
                        name = column if transform == "identity" else f"{column}_{transform}"
                        partitions.add_field(column, TRANSFORMS[transform], name)
            if spec.sort_by:
                with tx.update_sort_order() as order:
                    for column in spec.sort_by:
                        order.asc(column, IdentityTransform(), NullOrder.NULLS_FIRST)
    except Exception:
        # Another run was faster, or the answer was lost.
        if load(catalog, spec.identifier) is None:
            raise
    return catalog.load_table(spec.identifier)


def _is_partitioned_by_text(spec: TableSpec) -> bool:
    return any(t == "identity" and pa.types.is_string(spec.schema.field(c).type) for t, c in spec.partition_by)


def _grow(table: Table, spec: TableSpec) -> Table:
    present = {f.name for f in table.schema().fields}
    renames = _renames(spec, present)
    missing = [n for n in spec.schema.names if n not in present and n not in renames.values()]
    if not renames and not missing and _same_types(table, spec.schema):
        return table
    _refuse_narrowing(table, spec, renames)
    try:
        with table.update_schema() as update:
            for old, new in renames.items():
                update.rename_column(old, new)
        with table.update_schema() as update:
            update.union_by_name(_with_nullability_of(table, spec.schema))
    except (ValidationError, ValueError, TypeError) as error:
        raise SchemaConflict(f"{spec.identifier}: {error}; {_FIX}") from error
    except (CommitFailedException, CommitStateUnknownException) as error:
        raise Conflict(f"{spec.identifier} was changed by another writer; run it again") from error
    return table.catalog.load_table(spec.identifier)


def _renames(spec: TableSpec, present: set[str]) -> dict[str, str]:
    """What there is to rename: a column of several earlier names from the newest that the table has."""
    found: dict[str, str] = {}
    for old, new in spec.renamed.items():
        if old in present and new in spec.schema.names and new not in present and new not in found.values():
            found[old] = new
    return found


def _same_types(table: Table, schema: pa.Schema) -> bool:
    held = {f.name: f.field_type for f in table.schema().fields}
    return all(str(held.get(name, kind)) == str(kind) for name, kind in iceberg_types(schema).items())


def _refuse_narrowing(table: Table, spec: TableSpec, renames: Mapping[str, str]) -> None:
    """PyIceberg ignores a narrower type without a word, and lets a decimal change its scale, which changes values."""
    held = {renames.get(f.name, f.name): f.field_type for f in table.schema().fields}
    for name, wanted in iceberg_types(spec.schema).items():
        present = held.get(name, wanted)
        if not _can_hold(wanted, present):
            raise SchemaConflict(f"{spec.identifier}: column {name} holds {present}, declared is {wanted}; {_FIX}")


def _can_hold(wanted: IcebergType, present: IcebergType) -> bool:
    if isinstance(wanted, DecimalType) and isinstance(present, DecimalType):
        return wanted.precision >= present.precision and wanted.scale == present.scale
    return str(wanted) == str(present) or (str(present), str(wanted)) in _WIDER


def iceberg_types(schema: pa.Schema) -> dict[str, IcebergType]:
    # Importing PyIceberg's Arrow reader, and with it pandas, takes a second that reading definitions must not.
    from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids

    converted = _pyarrow_to_schema_without_ids(schema, downcast_ns_timestamp_to_us=True)
    return {f.name: f.field_type for f in converted.fields}


def _with_nullability_of(table: Table, schema: pa.Schema) -> pa.Schema:
    """A column that is added can only be optional: older rows have none. The others stay as they are."""
    required = {f.name for f in table.schema().fields if f.required}
    return pa.schema([f.with_nullable(f.name not in required) for f in schema])
