"""The recordings are whole: as many messages as the manifest says, and the rows that the database had in the end."""

from __future__ import annotations

import json
from pathlib import Path

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
    told: dict[str, set[int]] = {table: set() for table in tables}
    for topic in topics(setting):
        for message in messages(setting, topic) if (table := topic.rpartition(".")[2]) in tables else []:
            key = json.loads(message["key"])
            identity = key.get("payload", key)["id"]
            if _is_there(message["payload"]):
                told[table].add(identity)
            else:
                told[table].discard(identity)

    held = {table: {int(row["id"] or "") for row in truth(setting.parent, table)} for table in tables}
    assert all(held.values())
    assert told == held


def _is_there(payload: str | None) -> bool:
    """Whether a row is there after a message, in either envelope, with schemas or without."""
    if payload is None:
        return False
    value = json.loads(payload)
    value = value["payload"] if value.keys() == {"schema", "payload"} else value
    return value["__deleted"] == "false" if "__deleted" in value else value["after"] is not None
