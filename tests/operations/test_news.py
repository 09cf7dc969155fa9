"""An increment runs what has news, what is below it and what stands between them: nothing else."""

from __future__ import annotations

import dagster as dg
import pytest

from lakehouse_assets.contracts.registry import table
from lakehouse_assets.engines.clickhouse.publish import Mismatch
from lakehouse_assets.gold import assets as gold
from lakehouse_assets.operations.materialize import below_days
from lakehouse_assets.operations.news import with_news
from lakehouse_assets.sources.files import write_delivery
from lakehouse_assets.sources.writer import append
from tests.end_to_end.lakehouse import Lakehouse
from tests.scenario import calm, retail


def _news(lakehouse: Lakehouse) -> set[dg.AssetKey]:
    graph = lakehouse.definitions.resolve_asset_graph()
    selected = set(graph.materializable_asset_keys) - below_days(lakehouse.definitions)
    return with_news(lakehouse.definitions, lakehouse.platform, selected)


def _of(lakehouse: Lakehouse, selection: str) -> set[dg.AssetKey]:
    graph = lakehouse.definitions.resolve_asset_graph()
    found = dg.AssetSelection.from_string(selection).resolve(graph) & graph.materializable_asset_keys
    return set(found) - below_days(lakehouse.definitions)


def test_where_nothing_moved_nothing_has_news(lakehouse: Lakehouse) -> None:
    assert _news(lakehouse) == set()
    assert lakehouse.increment().runs == ()


def test_one_table_that_moved_brings_what_is_below_it_and_above_that(lakehouse: Lakehouse) -> None:
    write_delivery(lakehouse.home / "files", retail(4).deliveries[0])
    for path in (lakehouse.home / "files" / "retail").glob("*/*.csv"):
        if path.parent.name != "customers":
            path.unlink()
    found = _news(lakehouse)
    below = _of(lakehouse, "key:bronze/retail_customers+")
    assert below <= found
    assert found == _of(lakehouse, "+(key:bronze/retail_customers+)")
    assert {key.path[-1].partition("_")[0] for key in found if key.path[0] in ("bronze", "silver")} == {"retail"}


def test_only_what_is_selected_has_news(lakehouse: Lakehouse) -> None:
    append(lakehouse.home / "events", calm(table("bank_accounts"), 2, rows=3, transactions=2).stream.messages)
    bronze = dg.AssetKey(["bronze", "bank_accounts"])
    assert with_news(lakehouse.definitions, lakehouse.platform, {bronze}) == {bronze}
    others = _of(lakehouse, "group:bronze") - {bronze}
    assert dg.AssetKey(["silver", "bank_accounts"]) not in with_news(lakehouse.definitions, lakehouse.platform, others)


def test_a_source_that_cannot_be_read_fails_by_itself(lakehouse: Lakehouse) -> None:
    append(lakehouse.home / "events", calm(table("shop_users"), 2, rows=3, transactions=2).stream.messages)
    log = lakehouse.home / "events" / "user-events" / "0.jsonl"
    size = log.stat().st_size
    with log.open("ab") as file:
        file.write(b"{ this is no message\n")
    done = lakehouse.increment("group:bronze")
    with log.open("r+b") as file:
        file.truncate(size)
    assert (done.success, done.failed) == (False, ("land_clickstream_user_events",))
    assert len(lakehouse.rows("bronze.shop_users")) > 0


def test_gold_that_failed_is_published_by_the_next_increment(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(lakehouse.home / "events", calm(table("bank_accounts"), 5, rows=6, transactions=4).stream.messages)

    def refuse(*_: object, **__: object) -> None:
        raise Mismatch("3 rows are not 4")

    with monkeypatch.context() as patch:
        patch.setattr(gold, "publish", refuse)
        failed = lakehouse.increment("key:bronze/bank_accounts+")
    assert not failed.success
    missed = {dg.AssetKey(["gold", name.removeprefix("publish_")]) for name in failed.failed}
    assert dg.AssetKey(["gold", "account_balance_latest"]) in missed
    assert missed <= _news(lakehouse) | below_days(lakehouse.definitions)
    assert lakehouse.increment().success, lakehouse.errors
    assert _news(lakehouse) == set()
    latest = "account_balance_latest"
    assert len(lakehouse.gold(latest)) == len(lakehouse.rows(f"marts.{latest}")) > 0
