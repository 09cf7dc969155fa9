"""A connector's configuration, from the contracts and an address: pure.

The password is not in it: Connect looks `${env:...}` up in its own environment.
Where it stops: what the database must hold for it is `preparation`'s.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

from lakehouse_assets.contracts.table import Source, Table
from lakehouse_assets.engines.connect import names
from lakehouse_assets.engines.connect.database import Database, System

_CLASSES: dict[System, str] = {
    "postgresql": "io.debezium.connector.postgresql.PostgresConnector",
    "mysql": "io.debezium.connector.mysql.MySqlConnector",
    "mariadb": "io.debezium.connector.mariadb.MariaDbConnector",
}
_JSON = "org.apache.kafka.connect.json.JsonConverter"
HEARTBEAT_SECONDS = 10
_ALWAYS = {
    "tasks.max": "1",
    "provide.transaction.metadata": "true",
    "heartbeat.interval.ms": str(HEARTBEAT_SECONDS * 1000),
    "poll.interval.ms": "20",
    "snapshot.mode": "initial",
    "signal.enabled.channels": "source",
    "topic.creation.default.replication.factor": "-1",
    "topic.creation.default.partitions": "3",
    "key.converter": _JSON,
    "key.converter.schemas.enable": "false",
    "value.converter": _JSON,
    "value.converter.schemas.enable": "false",
}
_ADDED = {
    "postgresql": "op,source.ts_ms,source.snapshot,source.lsn,source.sequence,source.txId",
    "mysql": "op,source.ts_ms,source.snapshot,source.file,source.pos,source.row,source.gtid",
}


def configuration(
    source: Source, tables: Sequence[Table], database: Database, kafka: Mapping[str, str]
) -> dict[str, str]:
    """`tables` are the source's; `kafka` are librdkafka's settings, of which no password is used.

    Raises ValueError for a contract that no connector can serve.
    """
    return {
        **_ALWAYS,
        "connector.class": _CLASSES[database.system_of(source)],
        "database.hostname": database.host,
        "database.port": str(database.port),
        "database.user": database.connector_user,
        "database.password": _from_environment(names.password_variable(source)),
        "topic.prefix": names.topic_prefix(source),
        "table.include.list": ",".join(names.in_database(table) for table in tables),
        "signal.data.collection": names.signals(source),
        "heartbeat.action.query": heartbeat_query(source),
        "decimal.handling.mode": source.decimal,
        "time.precision.mode": source.time,
        "binary.handling.mode": source.binary,
        **(
            _of_postgresql(source, database) if source.connector == "postgresql" else _of_mysql(source, database, kafka)
        ),
        **(_flat(source) if source.envelope == "flat" else {}),
    }


def heartbeat_query(source: Source) -> str:
    """What the connector runs at each heartbeat, so that a quiet source's slot or binlog place moves on."""
    insert = f"insert into {names.heartbeat(source)} (id, beat) values (1, now())"
    if source.connector == "postgresql":
        return f"{insert} on conflict (id) do update set beat = excluded.beat"
    return f"{insert} on duplicate key update beat = now()"


def _of_postgresql(source: Source, database: Database) -> dict[str, str]:
    return {
        "database.dbname": str(source.database),
        "database.sslmode": "require" if database.tls else "prefer",
        "interval.handling.mode": source.interval,
        "plugin.name": "pgoutput",
        "slot.name": names.slot(source),
        "slot.drop.on.stop": "false",
        "publication.name": names.slot(source),
        "publication.autocreate.mode": "disabled",
    }


def _of_mysql(source: Source, database: Database, kafka: Mapping[str, str]) -> dict[str, str]:
    """One place differs for MariaDB: its driver has no `preferred`."""
    unencrypted = "disable" if database.system_of(source) == "mariadb" else "preferred"
    return {
        "database.include.list": f"{source.database},{names.SCHEMA}",
        "database.server.id": str(server_id(source)),
        "database.ssl.mode": "required" if database.tls else unencrypted,
        "bigint.unsigned.handling.mode": source.unsigned,
        "schema.history.internal.kafka.topic": f"_schema_history.{source.name}",
        **_history_client(kafka),
    }


def server_id(source: Source) -> int:
    """The replica's number in MySQL, which no other replica may have: 10000 and more, by the source's name."""
    return 10_000 + zlib.crc32(source.name.encode()) % 1_000_000_000


def _history_client(kafka: Mapping[str, str]) -> dict[str, str]:
    """How the connector itself reaches Kafka, to read and write the history of the database's schema."""
    known = {"schema.history.internal.kafka.bootstrap.servers": kafka["bootstrap.servers"]}
    protocol = kafka.get("security.protocol", "PLAINTEXT")
    if protocol == "PLAINTEXT":
        return known
    client = {"security.protocol": protocol}
    if protocol.startswith("SASL"):
        client["sasl.mechanism"] = kafka["sasl.mechanism"]
        client["sasl.jaas.config"] = _from_environment("KAFKA_JAAS_CONFIG")
    if protocol.endswith("SSL"):
        client["ssl.truststore.type"] = "PEM"
        client["ssl.truststore.location"] = _from_environment("KAFKA_CA_LOCATION")
    for side in ("producer", "consumer"):
        known |= {f"schema.history.internal.{side}.{name}": value for name, value in client.items()}
    return known


def _flat(source: Source) -> dict[str, str]:
    return {
        "transforms": "flat",
        "transforms.flat.type": "io.debezium.transforms.ExtractNewRecordState",
        "transforms.flat.delete.tombstone.handling.mode": "rewrite",
        "transforms.flat.add.fields": _ADDED[str(source.connector)],
    }


def _from_environment(variable: str) -> str:
    return f"${{env:{variable}}}"
