"""The cost of an increment follows the new rows and the files that they touch, not the size of the tables.

Each lakehouse is built at two sizes: the second has ten times the days, the last days being the same. Then the same new
rows arrive in both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from lakehouse_assets.contracts.registry import table
from lakehouse_assets.engines.iceberg import rewrite
from lakehouse_assets.operations.materialize import Outcome
from lakehouse_assets.sources.change_stream import change_stream
from lakehouse_assets.sources.changes import Knobs
from lakehouse_assets.sources.events import EventStream
from lakehouse_assets.sources.events import Traffic as Visits
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append
from tests.counting import Traffic, count_opens, counted, keeps_access_times
from tests.end_to_end.lakehouse import Lakehouse, open_lakehouse

LAST_DAY = datetime(2026, 3, 20, tzinfo=UTC)
DAYS, TIMES = 20, 10
A_DAY, NEW_EVENTS, NEW_CHANGES = 200, 500, 16
TOLERANCE = 0.03
"""Offsets and sequence numbers compress a little differently."""

EVENTS = ("bronze.clickstream_user_events", "silver.clickstream_user_events")
DAILY_MARTS = (
    "conversion_rate_daily",
    "daily_active_users",
    "events_per_source_daily",
    "purchases_per_page_daily",
)
ORDERS = ("bronze.shop_orders", "silver.shop_orders_changes")
VAULT_OF_ORDERS = (
    "raw_vault.h_shop_orders",
    "raw_vault.l_shop_orders_users",
    "raw_vault.l_shop_orders_products",
    "raw_vault.s_shop_orders",
    "raw_vault.e_l_shop_orders_users",
    "raw_vault.e_l_shop_orders_products",
)


@dataclass(frozen=True)
class Increment:
    """`looked_up` are the data files, by table, in which the lookup of keys had to look."""

    outcome: Outcome
    traffic: Traffic
    metadata: dict[str, dict[str, Any]]
    looked_up: dict[str, int]


Sizes = tuple[Increment, Increment]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Sizes:
    small, large = (_events(tmp_path_factory.mktemp(f"events{times}"), times) for times in (1, TIMES))
    return small, large


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Sizes:
    small, large = (_orders(tmp_path_factory.mktemp(f"orders{times}"), times) for times in (1, TIMES))
    return small, large


def _events(home: Path, times: int) -> Increment:
    recent = LAST_DAY - timedelta(days=DAYS - 1)
    if times > 1:
        older = Visits(seed=3, start=LAST_DAY - timedelta(days=DAYS * times - 1), rate=A_DAY / 86_400)
        append(home / "events", EventStream(older).until(recent).messages)
    noon = LAST_DAY + timedelta(hours=12)
    append(home / "events", EventStream(Visits(seed=4, start=recent, rate=A_DAY / 86_400)).until(noon).messages)
    news = EventStream(Visits(seed=5, start=noon, rate=NEW_EVENTS / 3600)).take(NEW_EVENTS).messages
    return _increment(home, ["clickstream_user_events"], news)


def _orders(home: Path, times: int) -> Increment:
    """Orders that were not there before, with their changes."""
    for other in ("shop_users", "shop_products", "shop_user_sessions"):
        append(home / "events", change_stream(table(other), 1, Knobs(rows=20, transactions=20)).messages)
    days = DAYS * times
    only_new: dict[str, Any] = dict.fromkeys(("updates", "deletes", "reinserts", "key_updates", "restarts"), 0)
    life = Knobs(rows=0, transactions=days * 20, start=LAST_DAY - timedelta(days=days), days=days, inserts=1,
                 interleaved=0.0, large=0.0, awkward=0.0, **only_new)  # fmt: skip
    told = change_stream(table("shop_orders"), 3, life).messages
    append(home / "events", told[:-NEW_CHANGES])
    known = {message.key for message in told[:-NEW_CHANGES]}
    news = [message for message in told[-NEW_CHANGES:] if message.key not in known]
    return _increment(home, ["shop_orders", "shop_users", "shop_products", "shop_user_sessions"], news)


def _increment(home: Path, landed: list[str], news: list[Message]) -> Increment:
    if not keeps_access_times(home):
        pytest.skip("this file system does not tell which files were read")
    with open_lakehouse(home) as lakehouse:
        count_opens(lakehouse.platform.open_catalog())
        first = lakehouse.increment(" or ".join(f"key:bronze/{name}+" for name in landed))
        assert first.success, lakehouse.errors
        append(home / "events", _from_zero(news))
        with counted(home) as traffic, _lookups() as looked_up:
            outcome = lakehouse.increment(f"key:bronze/{landed[0]}+")
        assert outcome.success, lakehouse.errors
        return Increment(outcome, traffic, _metadata(lakehouse, outcome), looked_up)


def _from_zero(messages: list[Message]) -> Iterator[Message]:
    """Offsets as `append` wants them: counted from the partition's end."""
    seen: Counter[int] = Counter()
    for message in messages:
        yield message._replace(offset=seen[message.partition])
        seen[message.partition] += 1


@contextmanager
def _lookups() -> Iterator[Counter[str]]:
    """Counts the files that `rewrite` plans to look keys up in."""
    counts: Counter[str] = Counter()
    plan = rewrite.candidates

    def counting(handle: Table, *keys: Any) -> list[DataFile]:
        files = plan(handle, *keys)
        counts[".".join(handle.name())] += len(files)
        return files

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rewrite, "candidates", counting)
        yield counts


def _metadata(lakehouse: Lakehouse, outcome: Outcome) -> dict[str, dict[str, Any]]:
    """What the runs said of each asset."""
    found: dict[str, dict[str, Any]] = {}
    of_type = dg.DagsterEventType.ASSET_MATERIALIZATION
    for run in outcome.runs:
        for record in lakehouse.instance.get_records_for_run(run, of_type=of_type).records:
            shown = record.asset_materialization
            assert shown is not None
            found[shown.asset_key.to_user_string()] = {name: value.value for name, value in shown.metadata.items()}
    return found


def test_an_increment_reads_and_writes_as_much_of_the_events_at_ten_times_the_size(events: Sizes) -> None:
    small, large = (size.traffic for size in events)
    for name in EVENTS:
        assert small.files_read(name) == large.files_read(name) <= 1, name
        assert small.files_written(name) == large.files_written(name) == 1, name
        assert large.bytes_read(name) == pytest.approx(small.bytes_read(name), rel=TOLERANCE), name
        assert large.bytes_written(name) == pytest.approx(small.bytes_written(name), rel=TOLERANCE), name


def test_an_increment_touches_no_table_that_is_not_downstream(events: Sizes) -> None:
    for size in events:
        downstream = {*EVENTS, *(f"marts.{name}" for name in DAILY_MARTS)}
        assert size.traffic.tables_written() == downstream
        assert size.traffic.tables_read() <= downstream


def test_only_the_touched_days_month_of_a_mart_is_written(events: Sizes) -> None:
    small, large = (size.traffic for size in events)
    for name in (f"marts.{mart}" for mart in DAILY_MARTS):
        assert small.files_written(name) == large.files_written(name) == 1, name
        assert large.bytes_written(name) == pytest.approx(small.bytes_written(name), rel=TOLERANCE), name


def test_a_marts_tests_read_the_touched_month_and_no_other(events: Sizes) -> None:
    small, large = (size.traffic for size in events)
    for name in (f"marts.{mart}" for mart in DAILY_MARTS):
        assert small.files_read(name) == large.files_read(name) <= 1, name
        assert large.bytes_read(name) == pytest.approx(small.bytes_read(name), rel=TOLERANCE), name


def test_gold_loads_the_touched_month_and_no_other(events: Sizes) -> None:
    small, large = ({m: size.metadata[f"gold/{m}"] for m in DAILY_MARTS} for size in events)
    for mart in DAILY_MARTS:
        assert large[mart]["how"] == "replace_partition", mart
        assert large[mart]["months"] == small[mart]["months"] == [f"{LAST_DAY:%Y-%m}"], mart
        assert large[mart]["rows_loaded"] == small[mart]["rows_loaded"], mart


def test_a_commit_adds_one_manifest_and_one_list(events: Sizes) -> None:
    for size in events:
        for name in EVENTS:
            assert size.traffic.files_written(name, "manifest") == 1, name
            assert size.traffic.files_written(name, "list") == 1, name
        for mart in DAILY_MARTS:  # an overwrite tells what stays, what went and what came
            assert size.traffic.files_written(f"marts.{mart}", "manifest") <= 3, mart
            assert size.traffic.files_written(f"marts.{mart}", "list") == 1, mart


def test_pyiceberg_opens_as_many_files_at_ten_times_the_size(events: Sizes) -> None:
    small, large = (size.traffic.opened for size in events)
    for name in EVENTS:
        for kind in ("data", "manifest", "list"):
            assert large[name, kind] == small[name, kind], (name, kind)
    assert {name for name, kind in large if kind == "data"} == set()


def test_new_orders_read_no_old_change_and_add_as_much_to_the_vault(orders: Sizes) -> None:
    small, large = (size.traffic for size in orders)
    for name in ORDERS:
        assert small.files_read(name) == large.files_read(name) == 0, name
    for name in (*ORDERS, *VAULT_OF_ORDERS):
        assert small.files_written(name) == large.files_written(name), name
        assert large.bytes_written(name) == pytest.approx(small.bytes_written(name), rel=0.1), name
        assert large.files_written(name, "manifest") <= 1, name


def test_keys_that_grow_are_looked_up_in_no_old_file_of_hubs_and_satellites(orders: Sizes) -> None:
    """A hub knows its business key, a satellite the position. Links and histories have hash keys alone, which lie
    anywhere: their lookups read the key column of every file."""
    for size in orders:
        looked_up = {name: count for name, count in size.looked_up.items() if count}
        assert "raw_vault.h_shop_orders" not in looked_up
        assert not {name for name in looked_up if name.startswith("raw_vault.s_")}
