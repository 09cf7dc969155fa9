"""The demo's sources are filled once, and whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations import samples
from lakehouse_assets.operations.traffic import log_end

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_captures_are_copied_once(platform: Platform) -> None:
    assert samples.add_captures(platform) > 0
    assert samples.add_captures(platform) == 0
    assert platform.log.bounds("bank.public.users")


def test_missing_captures_name_where_they_belong(platform: Platform, tmp_path: Path) -> None:
    with pytest.raises(samples.NoSamples, match=r"bank-string.*shop-string.*checkout"):
        samples.add_captures(platform, tmp_path)


def test_events_fill_thirty_days_once(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "TRAFFIC", samples.Traffic(rate=0.001))
    written = samples.add_events(platform, now=NOW)
    end = log_end(platform.log)
    assert written == end.offsets > 2000
    assert end.at is not None
    assert NOW - timedelta(hours=2) < end.at <= NOW
    assert samples.add_events(platform, now=NOW) == 0
    assert [p.name for p in platform.home.glob(".events-*")] == []


def test_more_events_go_on_from_there(platform: Platform) -> None:
    samples.add_more_events(platform, 100, NOW)
    before = log_end(platform.log)
    assert samples.add_more_events(platform, 100, NOW + timedelta(days=1)) == 100
    after = log_end(platform.log)
    assert after.offsets == before.offsets + 100
    assert before.at is not None
    assert after.at is not None
    assert after.at > before.at


def test_retail_is_delivered_once(platform: Platform) -> None:
    assert samples.add_files(platform, NOW) == len(list((platform.home / "files").glob("retail/*/*.csv"))) > 4
    assert samples.add_files(platform, NOW + timedelta(days=1)) == 0
