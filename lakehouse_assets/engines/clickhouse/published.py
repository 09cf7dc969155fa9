"""What a gold table remembers of the mart version that it holds, and what changed in the mart since.

It lies in the table's comment, so that it is swapped together with the rows. Where it stops: it reads metadata only.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

from clickhouse_connect.driver.client import Client
from pyiceberg.table import Table

from lakehouse_assets.engines.iceberg.progress import last_change, touched_days


@dataclass(frozen=True)
class Version:
    """`table` is the mart's Iceberg uuid, so that one made again begins anew; `definition` is the DDL's hash.

    `sequence` numbers the last commit that changed rows: a compacted mart is the same version under another snapshot.
    """

    table: str
    snapshot_id: int | None = field(compare=False)
    sequence: int
    definition: str

    def text(self) -> str:
        return json.dumps({"lakehouse": asdict(self)})


def version_of(table: Table, ddl: str) -> Version:
    """The version that the handle shows."""
    snapshot = table.current_snapshot()
    return Version(
        table=str(table.metadata.table_uuid),
        snapshot_id=snapshot.snapshot_id if snapshot else None,
        sequence=last_change(table),
        definition=hashlib.sha256(ddl.encode()).hexdigest()[:16],
    )


def recorded(client: Client, database: str, name: str) -> tuple[bool, Version | None]:
    """Whether the table exists, and the version that it says to hold."""
    rows = client.query(
        "SELECT comment FROM system.tables WHERE database = {database:String} AND name = {name:String}",
        parameters={"database": database, "name": name},
    ).result_rows
    if not rows:
        return False, None
    try:
        return True, Version(**json.loads(rows[0][0])["lakehouse"])
    except (json.JSONDecodeError, KeyError, TypeError):
        return True, None


def months_since(table: Table, held: Version | None, present: Version) -> set[int] | None:
    """The months (e.g. 202601) of the days that commits since `held` touched; None where that is not known."""
    if held is None or (held.table, held.definition) != (present.table, present.definition):
        return None
    days = touched_days(table, held.sequence)
    return None if days is None else {int(day[:7].replace("-", "")) for day in days}
