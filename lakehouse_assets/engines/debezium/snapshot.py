"""Which read is the last one of a complete snapshot of its table.

A snapshot marks its reads in `source.snapshot`: `first`, `first_in_data_collection`, `true`, and at the end of a table
`last_in_data_collection` or, of the last table, `last`. It is sent whole or begun anew, so that the mark says that
every row of the table was sent. A snapshot on demand (blocking, with its own conditions) marks its reads in the same
way, but it reads in the middle of a log, of which it names the last commit or transaction; it may be of a part of the
table, and misses nothing, because the log goes on. An incremental snapshot marks no end.
Facts: io.debezium.connector.SnapshotRecord, and `source` as recorded in sample_data and tests.
Where it stops: an empty table sends no read, and so no end; what an end means is silver's.
"""

from __future__ import annotations

_ENDS = ("last", "last_in_data_collection")


def is_end_sql() -> str:
    """SQL over bronze's columns, true where a row is the last read of a complete snapshot."""
    ends = ", ".join(f"'{mark}'" for mark in _ENDS)
    committed = "from_json(source_sequence, '[\"VARCHAR\"]')[1]"
    return f"coalesce(op = 'r' and source_snapshot in ({ends}) and source_gtid is null and {committed} is null, false)"
