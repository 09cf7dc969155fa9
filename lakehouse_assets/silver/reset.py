"""Notices that the source's log began anew, before its changes are taken for late ones and the table stands still.

After a failover, a restore or RESET MASTER the log's positions begin lower than those that were folded. A batch of
such changes that the source made long after the highest one is no late arrival and no redelivery.
MariaDB says it at once: it numbers the transactions of a domain in the order of its binlog, so that a higher number at
a lower position was written to another server's log.
Where it stops: the new log's epoch is begun by a person, with `lakehouse connectors reset`.
"""

from __future__ import annotations

import duckdb
from pyiceberg.table import Table as IcebergTable

from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.debezium.position import place_sql
from lakehouse_assets.engines.duckdb.session import quoted
from lakehouse_assets.engines.iceberg import rewrite
from lakehouse_assets.mendable import Mendable

_GTID = "[0-9]+-[0-9]+-[0-9]+"
"""MariaDB's: domain, server, number."""

LONGER_THAN_MS = 3_600_000
"""What clocks of two servers may differ by."""


class SourceWasReset(Mendable):
    """Changes lie below what was folded although they are newer; the message names the command that helps."""


def refuse_reset(
    conn: duckdb.DuckDBPyConnection, table: Table, silver: IcebergTable, highest: str, highest_ms: str | None
) -> None:
    """Raises SourceWasReset where every change of `incoming` lies below `highest` and is newer than it by more than an
    hour. Reads of an incremental snapshot have no place of their own, and what was folded before is a redelivery."""
    if not highest_ms:
        return
    [(told, behind)] = conn.execute(
        f"""
        select count(*), count(*) filter ({place_sql("change_position")} < {place_sql("$highest::varchar")}
          and epoch_ms(change_time) > $moment + {LONGER_THAN_MS})
        from incoming where not is_incremental""",
        {"highest": highest, "moment": int(highest_ms)},
    ).fetchall()
    if behind == 0 or behind < told or _is_redelivered(conn, table, silver):
        return
    [(topic, partition, first, position)] = conn.execute("""
        select topic, partition, "offset", change_position from incoming where not is_incremental
        order by topic, partition, "offset" limit 1""").fetchall()
    raise SourceWasReset(
        f"{table.id}: the source was reset: from topic {topic}, partition {partition}, offset {first} on every change"
        f" lies below the highest folded position {highest} (the first at {position}), although the source made it more"
        " than an hour later; after a failover, a restore or RESET MASTER run"
        f" `lakehouse connectors reset {table.source.name}`"
    )


def refuse_other_log(conn: duckdb.DuckDBPyConnection, table: Table, highest: str, highest_tx: str | None) -> None:
    """Raises SourceWasReset where MariaDB numbered a change of `incoming` after one that lies above it, in `incoming`
    or at the position `highest`, whose transaction is `highest_tx`."""
    found = conn.execute(
        f"""
        with told as (
          select topic, partition, "offset", change_position, source_tx_id as gtid from incoming where op != 'r'
          union all select null, null, null, $highest, $gtid),
        numbered as (
          select *, split_part(gtid, '-', 1) as domain, split_part(gtid, '-', 3)::hugeint as number
          from told where regexp_full_match(gtid, '{_GTID}')),
        last as (
          select domain, max(change_position) as change_position, arg_max(gtid, change_position) as gtid,
            arg_max(number, change_position) as number
          from numbered group by domain)
        select n.topic, n.partition, n."offset", n.gtid, n.change_position, l.gtid, l.change_position
        from numbered n join last l using (domain)
        where n.number > l.number and {place_sql("n.change_position")} < {place_sql("l.change_position")}
        order by n.topic, n.partition, n."offset" limit 1""",
        {"highest": highest, "gtid": highest_tx},
    ).fetchall()
    for topic, partition, offset, gtid, position, last, above in found:
        raise SourceWasReset(
            f"{table.id}: the source was reset: transaction {gtid} (topic {topic}, partition {partition}, offset"
            f" {offset}) lies at {position}, below the older {last} at {above}: another server's binlog tells it; after"
            f" a failover run `lakehouse connectors reset {table.source.name}`"
        )


def _is_redelivered(conn: duckdb.DuckDBPyConnection, table: Table, silver: IcebergTable) -> bool:
    identity = ", ".join([*(quoted(k) for k in table.key), "change_position"])
    told = conn.sql(f"select distinct {identity} from incoming where not is_incremental").to_arrow_table()
    return bool(rewrite.match(conn, silver, told).rows.num_rows == told.num_rows)
