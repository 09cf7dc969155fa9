"""Debezium's change envelope, taken apart in DuckDB.

Facts of the format: https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-events
(an envelope has `before`, `after`, `source`, `op`, `ts_ms`; with the JSON converter's schemas on, it is the `payload`).
Where it stops: values stay JSON here; typing them is `encodings`', ordering them `position`'s.
"""

from __future__ import annotations

OPS = ("c", "r", "u", "d", "t", "m")

_SHAPE = """{"before": "JSON", "after": "JSON", "op": "VARCHAR", "ts_ms": "BIGINT",
  "source": {"connector": "VARCHAR", "db": "VARCHAR", "schema": "VARCHAR", "table": "VARCHAR", "ts_ms": "BIGINT",
    "snapshot": "VARCHAR", "txId": "VARCHAR", "sequence": "VARCHAR", "lsn": "BIGINT", "gtid": "VARCHAR",
    "file": "VARCHAR", "pos": "BIGINT", "row": "INTEGER"}}"""

_DELETED = "coalesce(case when json_type(e.before) = 'OBJECT' then e.before end, key_document)"


def select(messages: str) -> str:
    """SQL over a relation with `text`, `key_text`, `is_tombstone` and any further columns.

    Adds `data`, `before`, `op`, `ts_ms`, the `source_*` columns and `problem`, the reason why a message is not a
    change that can be folded.
    """
    known = ", ".join(f"'{op}'" for op in OPS)
    return f"""
    with documents as (select *, {_payload("text")} as document, {_payload("key_text")} as key_json from ({messages})),
    parsed as (
      select *, from_json(document, '{_SHAPE}') as e,
        case when json_type(key_json) = 'OBJECT' then key_json end as key_document
      from documents)
    select * exclude (document, key_json, key_document, e),
      case when e.op in ('c', 'r', 'u') then e.after when e.op = 'd' then {_DELETED} end as data,
      case when json_type(e.before) = 'OBJECT' then e.before end as before,
      e.op as op, e.ts_ms as ts_ms, e.source.connector as source_connector, e.source.db as source_db,
      e.source.schema as source_schema, e.source.table as source_table, e.source.ts_ms as source_ts_ms,
      e.source.snapshot as source_snapshot, coalesce(e.source.txId, e.source.gtid) as source_tx_id,
      e.source.sequence as source_sequence, e.source.lsn as source_lsn, e.source.gtid as source_gtid,
      e.source.file as source_file_name, e.source.pos as source_pos, e.source.row as source_row,
      case when is_tombstone then case when key_text is null then 'neither key nor value' end
        when text is null then 'the value is not UTF-8'
        when document is null then 'the value is not JSON'
        when e.op is null then 'no envelope: op is missing'
        when e.op not in ({known}) then 'op ' || e.op || ' is not one of c r u d t m'
        when e.source.ts_ms is null then 'source.ts_ms is missing or not a number'
        when e.op in ('c', 'r', 'u') and coalesce(json_type(e.after), 'NULL') != 'OBJECT' then 'after is not an object'
        when e.op = 'd' and {_DELETED} is null then 'a delete without before and without key'
        when e.op in ('c', 'r', 'u', 'd', 't') and coalesce(e.source.lsn, e.source.pos) is null
          then 'the source has neither lsn nor pos'
        end as problem
    from parsed"""


def _payload(text: str) -> str:
    """The JSON document of a text, without the schema that the converter may put around it; null where it is none."""
    return (
        f"case when not json_valid({text}) then null"
        f" when starts_with(ltrim({text}), '{{\"schema\"') then {text}->'payload' else {text} end"
    )
