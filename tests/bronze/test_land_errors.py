"""What the lander says when it cannot go on: table, topic, partition, offset, what was expected and what to do.

After each of them the table is as it was, and once the log is mended the same command lands the rest.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse_assets.bronze.land import Landed, has_news, land
from lakehouse_assets.engines.log.log import LogError
from lakehouse_assets.engines.platform import Platform

from .lander import EVENTS, event, places, write_events

HEAD = "bronze.clickstream_user_events: topic user-events"
Damage = Callable[[Path], None]


def _keep(first: int, end: int) -> Damage:
    def cut(topic: Path) -> None:
        lines = (topic / "0.jsonl").read_bytes().splitlines(keepends=True)
        (topic / "0.jsonl").write_bytes(b"".join(lines[first:end]))

    return cut


def _made_again(topic: Path) -> None:
    (topic / "topic-id").write_text("another")


def _without_partition(topic: Path) -> None:
    (topic / "0.jsonl").unlink()


CASES = {
    "expired": (
        _keep(5, 8),
        f"{HEAD} partition 0: the next offset to land is 4, the log holds offsets 5 to 8: messages were removed before"
        " they were landed; bring them back, or give them up with `lakehouse skip-expired clickstream_user_events`",
    ),
    "cut": (
        _keep(0, 2),
        f"{HEAD} partition 0: the next offset to land is 4, the log holds offsets 0 to 2: it lost messages that were"
        " landed; bring them back, or roll the table back to what the log holds",
    ),
    "no partition": (
        _without_partition,
        f"{HEAD} partition 0: the next offset to land is 4, the log holds no such partition; bring the partition back",
    ),
    "made again": (
        _made_again,
        f"{HEAD} is not the one that was landed (id another, landed LANDED): it was deleted and made again; bring the"
        " old one back, or declare the new one as a table of its own",
    ),
    "gone": (
        shutil.rmtree,
        f"{HEAD} is not the one that was landed (id None, landed LANDED): it was deleted and made again; bring the old"
        " one back, or declare the new one as a table of its own",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_error_says_where_it_is_what_was_expected_and_what_to_do(
    platform: Platform, tmp_path: Path, case: str
) -> None:
    topic = platform.home / "events" / EVENTS.topic
    write_events(platform, [event(n) for n in range(4)])
    land(platform, EVENTS)
    write_events(platform, [event(n) for n in range(4, 8)])
    landed = platform.log.identity(EVENTS.topic)
    shutil.copytree(topic, tmp_path / "kept")
    damage, said = CASES[case]
    damage(topic)
    assert has_news(platform, EVENTS)
    with pytest.raises(LogError) as raised:
        land(platform, EVENTS)
    assert str(raised.value) == said.replace("LANDED", str(landed))
    assert places(platform, EVENTS) == [(0, n) for n in range(4)]
    assert _unnamed_files(platform) == 0

    shutil.rmtree(topic, ignore_errors=True)
    shutil.copytree(tmp_path / "kept", topic)
    assert land(platform, EVENTS) == Landed(4, 0, 1)
    assert places(platform, EVENTS) == [(0, n) for n in range(8)]


def _unnamed_files(platform: Platform) -> int:
    table = platform.open_catalog().load_table("bronze.clickstream_user_events")
    return len(list((platform.home / "warehouse").rglob("*.parquet"))) - len(list(table.scan().plan_files()))


def test_a_line_that_is_not_a_message_stops_the_landing_before_its_batch_and_names_table_and_line(
    platform: Platform,
) -> None:
    write_events(platform, [event(n) for n in range(6)])
    path = platform.home / "events" / EVENTS.topic / "0.jsonl"
    sound = path.read_bytes()
    lines = sound.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b"hello\n", *lines[3:]]))
    with pytest.raises(LogError) as raised:
        land(platform, EVENTS)
    assert str(raised.value) == (
        f"bronze.clickstream_user_events: {path}, line 4: it is not a message of kcat -J: b'hello'; mend or remove the"
        " line"
    )
    assert places(platform, EVENTS) == []
    assert _unnamed_files(platform) == 0
    path.write_bytes(sound)
    assert land(platform, EVENTS) == Landed(6, 0, 1)
