"""From which offset on a source's log is a new one: the epochs of a bronze table.

They are a property of the table, set by a commit that is fenced by a snapshot: whoever reads bronze, a fold or a
rebuild years later, gives each row the same epoch, and neither expiry nor a rollback of rows takes it away.
Where it stops: when an epoch is begun is `operations/epochs.py`'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.engines.debezium.position import Epochs
from lakehouse_assets.engines.iceberg.commit import commit

PROPERTY = "lakehouse.epochs"
"""JSON: a list of first offsets by partition."""


def epochs(bronze: IcebergTable) -> Epochs:
    known = json.loads(bronze.properties.get(PROPERTY, "[]"))
    return [{int(partition): int(offset) for partition, offset in offsets.items()} for offsets in known]


def begin(bronze: IcebergTable, first_offsets: Mapping[int, int]) -> None:
    """A new epoch from these offsets on. Raises Conflict where rows were landed since the handle was loaded."""
    known = [*epochs(bronze), first_offsets]
    commit(bronze, summary={}, properties={PROPERTY: json.dumps(known)})
