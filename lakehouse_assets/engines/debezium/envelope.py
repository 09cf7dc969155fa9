"""Debezium's messages, taken apart in DuckDB: the envelope of a change, or the flat row of ExtractNewRecordState.

Facts of the formats: https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-events
(an envelope has `before`, `after`, `source`, `op`, `ts_ms`; with the JSON converter's schemas on, it is the `payload`,
and so it is from Debezium Server) and https://debezium.io/documentation/reference/stable/transformations/event-flattening.html
(a flat row has what its `add.fields` names, after two underscores).
Where it stops: values stay JSON here; typing them is `decoding`'s, ordering them `position`'s.
"""

from __future__ import annotations

from lakehouse_assets.contracts.table import Source

OPS = ("c", "r", "u", "d", "t", "m")

_SOURCE = {
    "connector": "VARCHAR",
    "db": "VARCHAR",
    "schema": "VARCHAR",
    "table": "VARCHAR",
    "ts_ms": "BIGINT",
    "snapshot": "VARCHAR",
    "txId": "VARCHAR",
    "sequence": "VARCHAR",
    "lsn": "BIGINT",
    "gtid": "VARCHAR",
    "file": "VARCHAR",
    "pos": "BIGINT",
    "row": "INTEGER",
}
_PLACES = {"postgresql": ("lsn",), "mysql": ("file", "pos", "row")}
"""What of the source's block tells a change's place in the log."""

_AFTER = """case when wrapped.schema->>'$.fields[1].field' = 'after' then wrapped.schema->'$.fields[1].fields'
    else list_filter(json_extract(wrapped.schema, '$.fields[*]'), lambda f: f->>'field' = 'after')[1]->'fields' end"""
"""Debezium's envelopes begin with `before` and `after`, which is quicker to look at than every field."""
_DELETED = "coalesce(case when json_type(e.before) = 'OBJECT' then e.before end, key_document)"
_OTHERS = (
    ("ts_ms",),
    ("status", "id", "event_count", "data_collections", "ts_ms"),
    ("source", "ts_ms", "databaseName", "schemaName", "ddl", "tableChanges"),
)
"""The fields of a heartbeat, of a transaction's begin or end, and of a change of the schema: none is a change."""


def select(messages: str, source: Source) -> str:
    """SQL over a relation with `text`, `key_text`, `is_tombstone` and any further columns.

    Adds `data`, `data_schema` (the schema that came with the row's values), `before`, `op`, `ts_ms`, the `source_*`
    columns and `problem`, the reason why a message is not one of Debezium's that can be folded or passed over.
    """
    known = ", ".join(f"'{op}'" for op in OPS)
    is_flat = source.envelope == "flat"
    unfit = _unfit(source) if is_flat else "null"
    fields = "wrapped.schema->'$.fields'"
    if not is_flat:
        fields = _AFTER
    return f"""
    with unwrapped as (
      select *, {_wrapped("text")} as wrapped, {_wrapped("key_text")} as wrapped_key from ({messages})),
    documents as (
      select *, {_document("text", "wrapped")} as document, {_document("key_text", "wrapped_key")} as key_json
      from unwrapped),
    parsed as (
      select *, {_flat_parts() if is_flat else f"from_json(document, '{_shape()}')"} as e,
        case when json_type(key_json) = 'OBJECT' then key_json end as key_document
      from documents),
    told as (select *, case when e.op is null then {_is_other("document")} else false end as is_other from parsed)
    select * exclude (wrapped, wrapped_key, document, is_other, key_json, key_document, e),
      case when e.op in ('c', 'r', 'u') then e.after when e.op = 'd' then {_DELETED} when e.op = 'm' then e.message
        when is_other then document end as data,
      case when wrapped.schema is not null then nullif(({fields})::varchar, 'null') end as data_schema,
      case when json_type(e.before) = 'OBJECT' then e.before end as before,
      e.op as op, e.ts_ms as ts_ms, e.source.connector as source_connector, e.source.db as source_db,
      e.source.schema as source_schema, e.source.table as source_table, e.source.ts_ms as source_ts_ms,
      e.source.snapshot as source_snapshot, coalesce(e.source.txId, e.source.gtid) as source_tx_id,
      e.source.sequence as source_sequence, e.source.lsn as source_lsn, e.source.gtid as source_gtid,
      e.source.file as source_file_name, e.source.pos as source_pos, e.source.row as source_row,
      case when is_tombstone then case when key_text is null then 'neither key nor value' end
        when text is null then 'the value is not UTF-8'
        when document is null then 'the value is not JSON'
        when is_other then null
        when {unfit} is not null then {unfit}
        when e.op is null then 'no envelope: op is missing'
        when e.op not in ({known}) then 'op ' || e.op || ' is not one of c r u d t m'
        when e.source.ts_ms is null then 'source.ts_ms is missing or not a number'
        when e.op in ('c', 'r', 'u') and coalesce(json_type(e.after), 'NULL') != 'OBJECT' then 'after is not an object'
        when e.op = 'd' and {_DELETED} is null then 'a delete without before and without key'
        when e.op in ('c', 'r', 'u', 'd', 't') and coalesce(e.source.lsn, e.source.pos) is null
          then 'the source has neither lsn nor pos'
        end as problem
    from told"""


def _shape() -> str:
    block = ", ".join(f'"{name}": "{kind}"' for name, kind in _SOURCE.items())
    return (
        '{"before": "JSON", "after": "JSON", "op": "VARCHAR", "ts_ms": "BIGINT", "message": "JSON",'
        f' "source": {{{block}}}}}'
    )


def _flat_parts() -> str:
    """SQL of an envelope's parts out of a flat row: a field of the source's block is there with its block's name, or
    without where none of the envelope's has it."""
    taken = {"op": "VARCHAR", "deleted": "VARCHAR", "ts_ms": "BIGINT"}
    taken |= {name: kind for name, kind in _SOURCE.items() if name not in taken}
    taken |= {f"source_{name}": kind for name, kind in _SOURCE.items()}
    shape = ", ".join(f'"__{name}": "{kind}"' for name, kind in taken.items())
    block = ", ".join(
        f"'{name}': " + (f"f.__source_{name}" if name == "ts_ms" else f"coalesce(f.__source_{name}, f.__{name})")
        for name in _SOURCE
    )
    row = "case when json_type(document) = 'OBJECT' then document end"
    parts = (
        f"{{'before': case when f.__deleted = 'true' then document end, 'after': {row}, 'ts_ms': f.__ts_ms,"
        f" 'op': case when f.__deleted = 'true' then 'd' else f.__op end, 'deleted': f.__deleted,"
        f" 'message': null::json, 'source': {{{block}}}}}"
    )
    return f"list_transform([from_json(document, '{{{shape}}}')], lambda f: {parts})[1]"


def _unfit(source: Source) -> str:
    """SQL of what a flat row does not tell although the source's order, or that a row is gone, needs it."""
    needed = {"__op": "e.op", "__deleted": "e.deleted"}
    needed |= {f"__source_{n}": f"e.source.{n}" for n in ("ts_ms", *_PLACES[source.connector or "mysql"])}
    # Null where the change was streamed.
    needed["__source_snapshot"] = "case when e.op = 'r' then e.source.snapshot else '' end"
    tests = ", ".join(f"case when {value} is null then '{name}' end" for name, value in needed.items())
    missing = f"list_filter([{tests}], lambda name: name is not null)"
    return f"case when len({missing}) > 0 then 'a flat message without ' || array_to_string({missing}, ', ') end"


def _is_other(document: str) -> str:
    """SQL of whether an object has just the fields of one of Debezium's messages that is no change."""
    lists = ", ".join("['" + "', '".join(sorted(fields)) + "']" for fields in _OTHERS)
    keys = f"list_sort(json_keys({document}))"
    return f"coalesce(json_type({document}) = 'OBJECT' and {keys} in ({lists}), false)"


def _wrapped(text: str) -> str:
    """SQL of the schema and the payload that a text consists of where the converter was told to send schemas.

    A row may have a column of such a name, but no column holds an object.
    """
    begins = f"regexp_matches({text}, '^\\s*\\{{\\s*\"(schema|payload)\"\\s*:\\s*(\\{{|null)')"
    shape = '{"schema": "JSON", "payload": "JSON"}'
    return f"case when {begins} and json_valid({text}) then from_json({text}, '{shape}') end"


def _document(text: str, wrapped: str) -> str:
    """The JSON document of a text, without the schema around it; null where it is none."""
    return f"case when {wrapped} is not null then {wrapped}.payload when json_valid({text}) then {text} end"
