"""Connectors' configurations that several cases are recorded with."""

from __future__ import annotations

SANE = {"decimal.handling.mode": "string", "time.precision.mode": "isostring"}
"""What the contracts expect."""

SCHEMAS = {
    "key.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "key.converter.schemas.enable": "true",
    "value.converter.schemas.enable": "true",
}
TOLD_MORE = {"provide.transaction.metadata": "true", "heartbeat.interval.ms": "1000"}

_POSITIONS = {True: ["lsn", "txId", "sequence"], False: ["gtid", "file", "pos", "row"]}


def flat_envelope(postgres: bool) -> dict[str, str]:
    """Rows with what the position needs beside them; not the recorder's own topics, which have no table's rows."""
    source = ["ts_ms", "ts_us", "table", "snapshot", *_POSITIONS[postgres]]
    return {
        "transforms": "flat",
        "transforms.flat.type": "io.debezium.transforms.ExtractNewRecordState",
        "transforms.flat.delete.tombstone.handling.mode": "rewrite",
        "transforms.flat.add.fields": ",".join(["op", *(f"source.{name}" for name in source)]),
    }


def sane_and_flat(postgres: bool) -> dict[str, dict[str, str]]:
    """The settings of a case about changes, not types: with schemas and without, and flat."""
    return {
        "envelope": {**SANE, **TOLD_MORE},
        "envelope-schemas": {**SANE, **TOLD_MORE, **SCHEMAS},
        "flat": {**SANE, **TOLD_MORE, **flat_envelope(postgres)},
    }
