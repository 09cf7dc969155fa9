"""The recordings are whole: as many messages as the manifest says, and the rows that the database had in the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .recorded import HERE, RECORDINGS, manifest, messages, settings, topics, truth

MOST_BYTES = 3_000_000


def test_the_recordings_are_small() -> None:
    assert sum(path.stat().st_size for path in HERE.rglob("*.gz")) < MOST_BYTES


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
def test_a_recording_holds_what_its_manifest_says(recording: Path) -> None:
    held = {s.name: {t: len(messages(s, t)) for t in topics(s)} for s in settings(recording)}
    assert held == manifest(recording)["messages"]


@pytest.mark.parametrize(
    "setting", [s for r in RECORDINGS for s in settings(r)], ids=lambda s: f"{s.parent.name}-{s.name}"
)
def test_the_keys_that_were_told_last_are_those_of_the_database(setting: Path) -> None:
    tables = {path.name.removesuffix(".csv.gz") for path in setting.parent.glob("*.csv.gz")}
    told = {topic: t for topic in topics(setting) if (t := topic.rpartition(".")[2]) in tables}
    assert set(told.values()) == tables
    vanished = {str(n) for n in manifest(setting.parent).get("lost", [])}
    for topic, table in told.items():
        if table == "renamed_table" or (setting.name == "flat" and table == "truncated"):
            continue  # its first rows were told under the old name; the flat envelope has no truncates
        names, keys = _keys_told_last(messages(setting, topic))
        held = {tuple(row[name] for name in names) for row in truth(setting.parent, table)}
        assert held, table
        assert {key for key in keys if key[0] not in vanished} == held, table


def _keys_told_last(told: list[dict[str, Any]]) -> tuple[list[str], set[tuple[str, ...]]]:
    """The key's columns, and the keys of the rows that are there after all messages."""
    there: dict[tuple[str, ...], Any] = {}
    names: list[str] = []
    truncated = max((_position(m) for m in told if _value(m).get("op") == "t"), default=None)
    for message in told:
        if message["key"] is None or (truncated and message["payload"] and _position(message) < truncated):
            continue
        key = _plain(message["key"])
        names = list(key)
        there[tuple(str(part) for part in key.values())] = message
    return names, {key for key, message in there.items() if _is_there(_value(message))}


def _plain(text: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(text)
    return value["payload"] if value.keys() == {"schema", "payload"} else value


def _value(message: dict[str, Any]) -> dict[str, Any]:
    return _plain(message["payload"]) if message["payload"] else {}


def _position(message: dict[str, Any]) -> tuple[Any, ...]:
    source = _value(message)["source"]
    return (source["lsn"],) if "lsn" in source else (source["file"], source["pos"], source["row"])


def _is_there(value: dict[str, Any]) -> bool:
    """Whether a row is there after a message in either envelope; a tombstone has no value."""
    return value["__deleted"] == "false" if "__deleted" in value else value.get("after") is not None
