"""Each file lands once by its content, whole or not at all, in the order of its landing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakehouse_assets.bronze import land_files as landing
from lakehouse_assets.bronze.csv_rows import UnreadableFile
from lakehouse_assets.bronze.land import Landed
from lakehouse_assets.bronze.land_files import has_news, identities, land_files
from lakehouse_assets.bronze.schema import spec
from lakehouse_assets.contracts import registry
from lakehouse_assets.engines.iceberg.scan import ancestors
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.sources.files import csv_text

from ..scenario import retail
from .lander import counts, places, rows, snapshots

ORDERS = registry.table("retail_orders")
HEADER = ",".join(c.name for c in ORDERS.columns)


def _folder(platform: Platform) -> Path:
    return platform.home / "files" / "retail" / "orders"


def _drop(platform: Platform, name: str, *lines: str) -> Path:
    path = _folder(platform) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join((HEADER, *lines, "")), encoding="utf-8")
    return path


def _order(n: int) -> str:
    return f"{n},1,2026-01-05,placed,card,4.90"


def test_every_row_of_every_delivery_lands_in_order(platform: Platform) -> None:
    history = retail(seed=3)
    told = []
    for delivery in history.deliveries:
        path = _folder(platform) / f"{delivery.number:03d}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(csv_text(delivery.rows["orders"]), encoding="utf-8")
        told += delivery.rows["orders"]
    done = land_files(replace(platform, batch_messages=20), ORDERS)
    landed = rows(platform, ORDERS)
    assert [json.loads(r["data"]) for r in landed] == told
    assert places(platform, ORDERS) == [(0, n) for n in range(len(told))]
    assert done == Landed(len(told), 0, len(history.deliveries))
    listed = sorted(identities(platform.open_catalog(), ORDERS), key=lambda i: i.landing_sequence)
    assert [i.landing_sequence for i in listed] == [1, 2, 3]
    assert [i.first_row for i in listed] == [0, listed[0].rows, listed[0].rows + listed[1].rows]


def test_a_file_lands_once_also_renamed_copied_or_touched(platform: Platform) -> None:
    path = _drop(platform, "a.csv", _order(1), _order(2))
    assert land_files(platform, ORDERS) == Landed(2, 0, 1)
    assert land_files(platform, ORDERS) == Landed()
    path.rename(path.with_name("b.csv"))
    shutil.copy(path.with_name("b.csv"), path.with_name("c.csv"))
    path.with_name("c.csv").touch()
    assert has_news(platform, ORDERS)
    assert land_files(platform, ORDERS) == Landed()
    assert not has_news(platform, ORDERS)
    assert places(platform, ORDERS) == [(0, 0), (0, 1)]


def test_two_copies_that_arrive_together_land_once(platform: Platform) -> None:
    _drop(platform, "a.csv", _order(1))
    _drop(platform, "b.csv", _order(1))
    assert land_files(platform, ORDERS) == Landed(1, 0, 1)


def test_a_file_with_new_content_under_an_old_name_is_a_new_file(platform: Platform) -> None:
    _drop(platform, "a.csv", _order(1))
    land_files(platform, ORDERS)
    _drop(platform, "a.csv", _order(1), _order(2))
    assert land_files(platform, ORDERS).consumed == 2
    assert places(platform, ORDERS) == [(0, 0), (0, 1), (0, 2)]


def test_a_crash_between_commit_and_listing_does_not_land_a_file_twice(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _drop(platform, "a.csv", _order(1))

    def crashes(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(landing, "_list", crashes)
        with pytest.raises(KeyboardInterrupt):
            land_files(platform, ORDERS)
    path.rename(path.with_name("renamed.csv"))
    _drop(platform, "b.csv", _order(2))
    assert land_files(platform, ORDERS) == Landed(1, 0, 1)
    assert [json.loads(r["data"])["order_id"] for r in rows(platform, ORDERS)] == ["1", "2"]
    assert sorted(i.landing_sequence for i in identities(platform.open_catalog(), ORDERS) if i.rows) == [1, 2]


def test_a_crash_before_the_commit_leaves_nothing(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    _drop(platform, "a.csv", _order(1))

    def fails(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(landing, "commit", fails)
        with pytest.raises(OSError, match="no space"):
            land_files(platform, ORDERS)
    assert rows(platform, ORDERS) == []
    assert land_files(platform, ORDERS) == Landed(1, 0, 1)


def test_a_second_lander_in_between_doubles_no_file_and_none_is_left_out(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        _drop(platform, f"{n}.csv", _order(n))
    write, raced = landing.write_files, []

    def another_lands_first(table: Any, found: pa.Table) -> Any:
        files = write(table, found)
        if not raced:
            raced.append(1)
            (_folder(platform) / "1.csv").rename(_folder(platform) / ".later")
            land_files(platform, ORDERS)
            (_folder(platform) / ".later").rename(_folder(platform) / "1.csv")
        return files

    monkeypatch.setattr(landing, "write_files", another_lands_first)
    assert land_files(platform, ORDERS) == Landed(1, 0, 1)
    assert sorted(json.loads(r["data"])["order_id"] for r in rows(platform, ORDERS)) == ["0", "1", "2"]
    assert places(platform, ORDERS) == [(0, 0), (0, 1), (0, 2)]
    assert len(identities(platform.open_catalog(), ORDERS)) == 3


def test_a_second_lander_between_looking_and_loading_doubles_no_file(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    _drop(platform, "a.csv", _order(1))
    hashed, raced = landing.content_hash, []

    def another_lands_first(*file: Any) -> str:
        if not raced:
            raced.append(1)
            land_files(platform, ORDERS)
        return hashed(*file)

    monkeypatch.setattr(landing, "content_hash", another_lands_first)
    assert land_files(platform, ORDERS) == Landed()
    assert places(platform, ORDERS) == [(0, 0)]


def test_a_file_that_grows_while_it_is_read_is_left_to_the_next_run(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _drop(platform, "a.csv", _order(1))
    write, grown = landing.write_files, []

    def grows(table: Any, found: pa.Table) -> Any:
        if not grown:
            grown.append(1)
            with path.open("a", encoding="utf-8") as file:
                file.write(_order(2) + "\n")
        return write(table, found)

    monkeypatch.setattr(landing, "write_files", grows)
    assert land_files(platform, ORDERS) == Landed()
    assert rows(platform, ORDERS) == []
    assert land_files(platform, ORDERS) == Landed(2, 0, 1)


def test_a_bad_record_is_a_dead_letter_with_its_line_and_bytes(platform: Platform) -> None:
    path = _drop(platform, "a.csv", _order(1), "too,few", _order(3))
    assert land_files(platform, ORDERS) == Landed(3, 1, 1)
    dead = rows(platform, ORDERS)[1]
    assert (dead["error"], dead["raw"], dead["data"]) == ("line 3: 2 fields, the header has 6", b"too,few", None)
    assert dead["source_file"] == str(path.relative_to(platform.home))
    assert counts(platform, ORDERS) == (3, 2, 1)


def test_a_file_of_nothing_but_bad_records_or_of_no_record_is_landed_too(platform: Platform) -> None:
    _drop(platform, "a.csv", "x", "y")
    _drop(platform, "b.csv")
    assert land_files(platform, ORDERS) == Landed(2, 2, 2)
    assert land_files(platform, ORDERS) == Landed()
    assert snapshots(platform, ORDERS) == 2


def test_a_file_without_a_header_stops_the_run_and_keeps_what_was_landed(platform: Platform) -> None:
    _drop(platform, "a.csv", _order(1))
    (_folder(platform) / "b.csv").write_text("1,2\n")
    with pytest.raises(UnreadableFile, match=r"b\.csv, line 1: the header lacks order_id"):
        land_files(platform, ORDERS)
    assert places(platform, ORDERS) == [(0, 0)]


def test_hidden_files_and_other_endings_are_not_landed(platform: Platform) -> None:
    path = _drop(platform, "a.csv.part", _order(1))
    path.rename(path.with_name(".a.csv"))
    assert land_files(platform, ORDERS) == Landed()


def test_identities_survive_the_bronze_tables_snapshots(platform: Platform) -> None:
    _drop(platform, "a.csv", _order(1))
    land_files(platform, ORDERS)
    catalog = platform.open_catalog()
    table = catalog.load_table(spec(ORDERS).identifier)
    first = next(ancestors(table))
    table.delete()
    table = catalog.load_table(spec(ORDERS).identifier)
    table.maintenance.expire_snapshots().by_id(first.snapshot_id).commit()
    assert land_files(platform, ORDERS) == Landed()
    _drop(platform, "b.csv", _order(2))
    land_files(platform, ORDERS)
    assert places(platform, ORDERS) == [(0, 1)]
    assert {i.landing_sequence for i in identities(catalog, ORDERS)} == {1, 2}


def test_a_table_that_was_rolled_back_lands_again_exactly_the_files_that_were_rolled_away(platform: Platform) -> None:
    for n in range(3):
        _drop(platform, f"{n}.csv", _order(n))
        land_files(platform, ORDERS)
    catalog = platform.open_catalog()
    table = catalog.load_table(spec(ORDERS).identifier)
    first = list(ancestors(table))[-1]
    table.manage_snapshots().rollback_to_snapshot(first.snapshot_id).commit()
    (_folder(platform) / "1.csv").rename(_folder(platform) / "9.csv")
    assert has_news(platform, ORDERS)
    assert land_files(platform, ORDERS) == Landed(2, 0, 2)
    assert [json.loads(r["data"])["order_id"] for r in rows(platform, ORDERS)] == ["0", "2", "1"]
    assert places(platform, ORDERS) == [(0, 0), (0, 1), (0, 2)]
    listed = sorted(identities(catalog, ORDERS), key=lambda i: i.landing_sequence)
    assert [(i.landing_sequence, Path(i.path).name) for i in listed] == [(1, "0.csv"), (2, "2.csv"), (3, "9.csv")]
    assert not has_news(platform, ORDERS)
    assert land_files(platform, ORDERS) == Landed()
