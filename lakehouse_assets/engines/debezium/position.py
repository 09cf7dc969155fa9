"""The place of a change in its source's own order, as fixed-width text that sorts.

`<epoch>.<commit or file>.<lsn or pos>.<row>.<rank>`. PostgreSQL: (last commit's LSN, LSN) from `source.sequence`; raw
LSNs of interleaved transactions are not in commit order, nor do they all lie beyond a snapshot that was taken while
they ran. MySQL: (number of the binlog file, position, row).
By rank, a snapshot's reads sort before the changes that were made at its place, and its end, which deletes what it
did not show, before its reads.
The epoch counts how often the source's log began anew, so that a new log sorts after everything of the old one.
Where it stops: never a clock. Kafka's offset only breaks ties, in the fold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Epochs = Sequence[Mapping[int, int]]
"""Of each epoch but the first the offset per partition from which it holds; a partition that is not named began in it.
Every change of a topic is of the newest epoch that holds at its offset."""

WIDTH, ROW_WIDTH = 20, 10

RANK_END, RANK_READ, RANK_STREAMED = 0, 1, 2

COMMIT = "try_cast(from_json(source_sequence, '[\"VARCHAR\"]')[1] as hugeint)"
"""SQL of the last commit's LSN; null where a change names none."""

_BEGINNING = f".{'0' * WIDTH}.{'0' * WIDTH}.{'0' * ROW_WIDTH}."


def sql(epochs: Epochs = (), snapshot: str = "null") -> str:
    """SQL over bronze's `source_*` columns, `op`, `partition` and `offset`; null for an incremental snapshot's read,
    which takes the position of the streamed change before it.

    `snapshot` is the LSN of the snapshot that a change follows which names no commit."""
    alone = f"case when source_lsn is not null then greatest(source_lsn, {snapshot} + 1) end"
    first = f"coalesce({COMMIT}, {alone}, try_cast(regexp_extract(source_file_name, '([0-9]+)$', 1) as bigint))"
    second = "coalesce(source_lsn, source_pos, 0)"
    rank = f"case when op = 'r' then {RANK_READ} else {RANK_STREAMED} end"
    return (
        f"case when coalesce(source_snapshot, '') != 'incremental' then {epoch_sql(epochs)} || '.'"
        f" || {_padded(first)} || '.' || {_padded(second)} || '.' || {_padded('coalesce(source_row, 0)', ROW_WIDTH)}"
        f" || '.' || {rank} end"
    )


def incremental_sql(before: str, epochs: Epochs = ()) -> str:
    """The position of an incremental snapshot's read: that of the change `before` it, with the rank of a read; the
    beginning of its epoch where no change of the epoch came before it."""
    epoch = epoch_sql(epochs)
    known = f"starts_with({before}, {epoch})"
    return f"case when {known} then left({before}, -1) else {epoch} || '{_BEGINNING}' end || '{RANK_READ}'"


def epoch_sql(epochs: Epochs) -> str:
    """The epoch that holds at `offset` of `partition`, as the first four digits of a position."""
    begun = " + ".join(f'("offset" >= {_first_offset(offsets)})::int' for offsets in epochs)
    return f"lpad(({begun})::varchar, 4, '0')" if begun else "'0000'"


def _first_offset(offsets: Mapping[int, int]) -> str:
    named = " ".join(f"when {int(partition)} then {int(offset)}" for partition, offset in offsets.items())
    return f"case partition {named} else 0 end" if named else "0"


def within_epoch(position: str) -> str:
    """What a position says beyond its epoch."""
    return position.partition(".")[2]


def place(position: str) -> str:
    """A position without its rank."""
    return position.rpartition(".")[0]


def is_end(position: str) -> bool:
    """Whether it is that of the end of a complete snapshot."""
    return position.endswith(f".{RANK_END}")


def place_sql(position: str) -> str:
    """A position without its rank: what a snapshot's reads share with the changes that were made right there."""
    return f"left({position}, -1)"


def end_sql(position: str) -> str:
    """The position of the end of the snapshot that a read of this position is of."""
    return f"{place_sql(position)} || '{RANK_END}'"


def is_end_sql(position: str) -> str:
    return f"ends_with({position}, '.{RANK_END}')"


def _padded(expression: str, width: int = WIDTH) -> str:
    return f"lpad(({expression})::varchar, {width}, '0')"
