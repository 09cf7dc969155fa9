"""The place of a change in its source's own order, as fixed-width text that sorts.

`<epoch>.<commit or file>.<lsn or pos>.<row>.<rank>`. PostgreSQL: (last commit's LSN, LSN) from `source.sequence`; raw
LSNs of interleaved transactions are not in commit order. MySQL: (number of the binlog file, position, row).
A snapshot read sorts at its snapshot's position and, by rank, before a streamed change at the same place.
Where it stops: never a clock. Kafka's offset only breaks ties, in the fold.
"""

from __future__ import annotations

WIDTH = 20

RANK_READ, RANK_STREAMED = 0, 1


def sql(epoch: int = 0) -> str:
    """SQL over bronze's `source_*` columns and `op`; null for an incremental snapshot's read, which takes the position
    of the streamed change before it."""
    commit = "try_cast(from_json(source_sequence, '[\"VARCHAR\"]')[1] as hugeint)"
    first = f"coalesce({commit}, source_lsn, try_cast(regexp_extract(source_file_name, '([0-9]+)$', 1) as bigint))"
    second = "coalesce(source_lsn, source_pos, 0)"
    rank = f"case when op = 'r' then {RANK_READ} else {RANK_STREAMED} end"
    return (
        f"case when coalesce(source_snapshot, '') != 'incremental' then '{epoch:04d}.'"
        f" || {_padded(first)} || '.' || {_padded(second)} || '.' || {_padded('coalesce(source_row, 0)', 10)}"
        f" || '.' || {rank} end"
    )


def _padded(expression: str, width: int = WIDTH) -> str:
    return f"lpad(({expression})::varchar, {width}, '0')"


def incremental_sql(before: str) -> str:
    """The position of an incremental snapshot's read: that of the change `before` it, with the rank of a read."""
    return f"left({before}, -1) || '{RANK_READ}'"
