"""Messages of a log as bronze rows: valid ones taken apart, the others kept whole with the reason.

Where it stops: nothing is typed or dropped here.
"""

from __future__ import annotations

from datetime import datetime

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse_assets.bronze.schema import COLUMNS
from lakehouse_assets.contracts.table import Table
from lakehouse_assets.engines.debezium import envelope
from lakehouse_assets.engines.duckdb.session import quoted

_EVENT = """
    select *, case when problem is null then text end as data from (
      select *, case when key_text is null and value is null then 'neither key nor value'
        when is_tombstone then null
        when text is null then 'the value is not UTF-8'
        when not json_valid(text) then 'the value is not JSON'
        when json_type(text) != 'OBJECT' then 'the value is not a JSON object' end as problem
      from ({messages}))"""

_LAX = r"(?i)[:\[,]\s*[-+]?(nan|inf)|,\s*[}\]]"
"""Finds every text that DuckDB reads although it is not JSON, and a few that are."""

_MESSAGES = """select *, value is null as is_tombstone,
    case when timestamp_ms between 0 and 253402300799999 then make_timestamptz(timestamp_ms * 1000) end
      as kafka_timestamp
  from messages"""


def rows(conn: duckdb.DuckDBPyConnection, table: Table, messages: pa.Table, landed_at: datetime) -> pa.Table:
    """Bronze rows (COLUMNS), one per message of the log's MESSAGES, in the same order of offsets."""
    prepared = messages.append_column("text", _strict(_text(messages.column("value")))).append_column(
        "key_text", _text(messages.column("key"))
    )
    conn.register("messages", prepared)
    is_cdc = table.source.kind == "cdc"
    decoded = envelope.select(_MESSAGES, table.source) if is_cdc else _EVENT.format(messages=_MESSAGES)
    present = set(conn.sql(f"select * from ({decoded}) limit 0").columns)
    derived = {
        "topic": "$topic",
        "key": "coalesce(key_text, hex(key))",
        "raw": "case when problem is not null then value end",
        "error": "problem",
        "ingestion_timestamp": "$landed_at::timestamptz",
        "source_system": "$source",
        "source_file": "$topic || '/' || partition",
        "record_hash": "md5(coalesce(value, key, ''::blob))",
    }
    columns = ", ".join(
        f"{derived.get(name, quoted(name) if name in present else 'null')} as {quoted(name)}" for name in COLUMNS.names
    )
    parameters = {"topic": table.topic, "source": table.source.name, "landed_at": landed_at}
    result = conn.sql(f'select {columns} from ({decoded}) order by partition, "offset"', params=parameters)
    found = result.to_arrow_table().cast(pa.schema([pa.field(f.name, f.type) for f in COLUMNS]))
    conn.unregister("messages")
    return found


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Bytes as text; null where they are not UTF-8."""
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.chunked_array([pa.array([_decoded(v) for v in values.to_pylist()], pa.string())])


def _strict(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts with nothing in place of what only DuckDB takes for JSON: NaN, Infinity and commas before a bracket."""
    lax = pc.fill_null(pc.match_substring_regex(texts, _LAX), False)
    if not pc.any(lax).as_py():
        return texts
    kept = [
        t if not suspect or _is_json(t) else "" for t, suspect in zip(texts.to_pylist(), lax.to_pylist(), strict=True)
    ]
    return pa.chunked_array([pa.array(kept, pa.string())])


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _decoded(value: bytes | None) -> str | None:
    try:
        return value.decode() if value is not None else None
    except UnicodeDecodeError:
        return None
