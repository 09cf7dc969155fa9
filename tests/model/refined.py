"""Silver under one name each: a table's current rows and its rejects, whatever feeds it."""

from __future__ import annotations

from .changes import current, refused
from .events import refused_events, user_events
from .files import refused_rows, retail
from .inputs import Inputs, Rows
from .tables import table


def current_rows(inputs: Inputs, table_id: str) -> Rows:
    """`silver.<table>`: one row per key."""
    match table(table_id).feed:
        case "events":
            return user_events(inputs)
        case "files":
            return retail(inputs, table_id)
        case _:
            return current(inputs, table_id)


def rejects(inputs: Inputs, table_id: str) -> Rows:
    """`silver.rejects` of a table: table, topic, partition, offset, one row per message or CSV row.

    `rule` is the first broken rule in the model's own words; only `conflicting_duplicate` is also the lakehouse's.
    A CDC change is rejected only where a value cannot be cast: a broken rule is flagged, and the change applied.
    """
    match table(table_id).feed:
        case "events":
            found = refused_events(inputs)
        case "files":
            found = refused_rows(inputs, table_id)
        case _:
            found = refused(inputs, table_id)
    return [
        {"table": table_id, "topic": each.topic, "partition": each.partition, "offset": each.offset, "rule": each.rule}
        for each in found
    ]
