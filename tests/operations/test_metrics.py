"""What Prometheus scrapes: equal to what the engines say, counted once, and served without opening anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from lakehouse_assets.operations.metrics import Metrics
from tests.end_to_end.lakehouse import Lakehouse

from .conftest import START, add_events

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def exporter(lakehouse: Lakehouse, price: float = 0.0) -> Metrics:
    keys = list(lakehouse.definitions.resolve_asset_graph().asset_check_keys)
    told = Metrics(lakehouse.platform, lakehouse.instance, keys, price)
    told.measure()
    return told


def scraped(told: Metrics) -> Samples:
    families = text_string_to_metric_families(generate_latest(told.registry).decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_sizes_rows_files_and_snapshots_are_those_that_iceberg_tells(lakehouse: Lakehouse) -> None:
    found = scraped(exporter(lakehouse))
    for layer, name in (("bronze", "bank_users"), ("silver", "clickstream_user_events"), ("raw_vault", "h_users")):
        table = lakehouse.table(f"{layer}.{name}")
        files = table.inspect.files().to_pylist()
        told = {
            "storage_table_size_bytes": sum(f["file_size_in_bytes"] for f in files),
            "storage_table_rows_count": sum(f["record_count"] for f in files),
            "storage_table_files_count": len(files),
            "storage_snapshot_count": table.inspect.snapshots().num_rows,
        }
        assert min(told.values()) > 0
        assert {metric: value(found, metric, layer=layer, table=name) for metric in told} == told


def test_the_cost_of_a_layer_is_its_bytes_by_the_price(lakehouse: Lakehouse) -> None:
    found = scraped(exporter(lakehouse, price=5.0))
    layer = ("layer", "silver")
    size = sum(n for (name, labels), n in found.items() if name == "storage_table_size_bytes" and layer in labels)
    assert value(found, "storage_cost_per_month", layer="silver") == pytest.approx(size / 10**9 * 5)


def test_what_waits_is_lag_until_it_is_landed(lakehouse: Lakehouse) -> None:
    add_events(lakehouse, START + timedelta(days=40), 30, 100, seed=40)
    events = {"table": "clickstream_user_events"}
    waiting = scraped(exporter(lakehouse))
    assert value(waiting, "lakehouse_lag_messages", **events) == 30
    assert value(waiting, "lakehouse_lag_seconds", **events) > 0
    lakehouse.increment()
    assert value(scraped(exporter(lakehouse)), "lakehouse_lag_messages", **events) == 0


def test_a_run_is_counted_once_however_often_it_is_measured(lakehouse: Lakehouse) -> None:
    told = exporter(lakehouse)
    assert not [name for name, _ in scraped(told) if name == "lakehouse_runs_total"]
    add_events(lakehouse, START + timedelta(days=41), 10, 100, seed=41)
    runs = len(lakehouse.increment("key:bronze/clickstream_user_events").runs)
    told.measure()
    told.measure()
    found = scraped(told)
    counted = sum(n for (name, _), n in found.items() if name == "lakehouse_runs_total")
    assert counted == runs > 0
    assert value(found, "storage_write_duration_seconds_count", layer="bronze", operation="land") == 1


def test_a_scrape_opens_nothing_and_a_measurement_that_fails_leaves_the_last_one(lakehouse: Lakehouse) -> None:
    told = exporter(lakehouse)
    before = generate_latest(told.registry)

    def gone() -> None:
        raise ConnectionRefusedError("the catalog is gone")

    told.platform = replace(told.platform, open_catalog=gone, open_clickhouse=gone)
    with pytest.raises(ConnectionRefusedError):
        told.measure()
    assert generate_latest(told.registry) == before
