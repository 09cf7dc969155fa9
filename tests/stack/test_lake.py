"""S3, the REST catalog and Trino together: one table for all, and no secret where another user could read it."""

from __future__ import annotations

import psutil
import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog

from tests.servers.lake import Lake
from tests.servers.server import Server


def test_a_table_of_pyiceberg_is_read_and_written_by_trino(lake_with_trino: Lake) -> None:
    catalog, trino = lake_with_trino.catalog(), lake_with_trino.trino
    assert trino is not None
    catalog.create_namespace("shared")
    table = catalog.create_table("shared.numbers", pa.schema([("number", pa.int64())]))
    table.append(pa.table({"number": [1, 2]}))
    assert sorted(trino.rows("select number from shared.numbers")) == [[1], [2]]

    trino.rows("insert into shared.numbers values 3")
    assert sorted(table.refresh().scan().to_arrow()["number"].to_pylist()) == [1, 2, 3]


def test_no_secret_is_in_a_process_list_or_a_log(lake_with_trino: Lake) -> None:
    lake = lake_with_trino
    servers: list[Server] = [lake.s3, lake.rest, *([lake.trino] if lake.trino else [])]
    commands = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    assert any("RESTCatalogServer" in command for command in commands)
    assert [command for command in commands if lake.s3.secret_key in command] == []
    assert [server.name for server in servers if lake.s3.secret_key in server.log.read_text()] == []


def test_tables_survive_a_killed_catalog_and_a_killed_s3(lake: Lake) -> None:
    catalog: RestCatalog = lake.catalog()
    catalog.create_namespace("kept")
    catalog.create_table("kept.numbers", pa.schema([("number", pa.int64())])).append(pa.table({"number": [7]}))
    for server in (lake.rest, lake.s3):
        server.kill()
        server.start()
    assert lake.catalog().load_table("kept.numbers").scan().to_arrow()["number"].to_pylist() == [7]
