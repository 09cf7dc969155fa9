"""Makes room in a table whose rows are about to be replaced for columns of another type.

1. The marks are withdrawn: whatever happens then, the next run builds the model from the beginning.
2. Columns that the model no longer has, or has with a type that does not fit, are deleted; those that it has with
   another type are added anew, under other field ids, so that no reader sees old values as new ones.
3. The caller commits the rows with their marks.

Where it stops: a column that the table is partitioned or sorted by stays, so that `ensure` refuses it.
"""

from __future__ import annotations

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import ResolveError
from pyiceberg.schema import promote
from pyiceberg.types import IcebergType

from lakehouse_assets.engines.dbt.marks import CODE, THROUGH
from lakehouse_assets.engines.iceberg.commit import commit
from lakehouse_assets.engines.iceberg.tables import load


def make_room(catalog: Catalog, identifier: str, wanted: pa.Schema) -> None:
    """Does nothing where the table does not exist or has these columns. Raises Conflict where another writer was."""
    table = load(catalog, identifier)
    if table is None:
        return
    held = {f.name: f for f in table.schema().fields}
    types = _types(wanted)
    fixed = {f.source_id for f in table.spec().fields} | {f.source_id for f in table.sort_order().fields}
    outdated = [n for n, f in held.items() if f.field_id not in fixed and not _fits(f.field_type, types.get(n))]
    if not outdated:
        return
    commit(table, summary={THROUGH: "{}", CODE: ""})
    with table.update_schema(allow_incompatible_changes=True) as update:
        for name in outdated:
            update.delete_column(name)
            if name in types:
                update.add_column(name, types[name])


def _fits(held: IcebergType, wanted: IcebergType | None) -> bool:
    if wanted is None:
        return False
    try:
        return held == wanted or bool(promote(held, wanted))
    except ResolveError:
        return False


def _types(schema: pa.Schema) -> dict[str, IcebergType]:
    # Importing PyIceberg's Arrow reader, and with it pandas, takes a second that reading definitions must not.
    from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids

    converted = _pyarrow_to_schema_without_ids(schema, downcast_ns_timestamp_to_us=True)
    return {f.name: f.field_type for f in converted.fields}
