"""The log in files: lines like kcat's, offsets that go on where they ended, and no trace of a crash."""

from __future__ import annotations

import base64
import gzip
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.engines.log.log import LogError
from lakehouse_assets.sources.events import EventStream
from lakehouse_assets.sources.messages import Message
from lakehouse_assets.sources.writer import append, copy_capture, next_offset

SAMPLE = Path(__file__).parents[2] / "sample_data"


def _message(offset: int, value: bytes | None = b'{"a": "\xc3\xa9"}', **changes: Any) -> Message:
    return Message("lab.t", 0, offset, 1767571200000 + offset, b'{"id":1}', value)._replace(**changes)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def test_a_line_has_the_fields_of_a_recorded_one_in_their_order(tmp_path: Path) -> None:
    append(tmp_path, [_message(0, headers=(("a", "1"), ("b", "2")))])
    (line,) = _lines(tmp_path / "lab.t" / "0.jsonl")
    with gzip.open(SAMPLE / "bank-string" / "bank.public.users.jsonl.gz", "rt", encoding="utf-8") as recorded:
        assert list(line) == list(json.loads(recorded.readline()))
    assert line["headers"] == ["a", "1", "b", "2"]
    assert (line["key"], line["payload"]) == ('{"id":1}', '{"a": "é"}')


def test_a_tombstone_is_a_null_payload_and_bytes_that_are_no_text_are_kept_exactly(tmp_path: Path) -> None:
    append(tmp_path, [_message(0, None), _message(1, b"\xff\x00")])
    tombstone, binary = _lines(tmp_path / "lab.t" / "0.jsonl")
    assert tombstone["payload"] is None
    assert "payload" not in binary
    assert base64.b64decode(binary["payload_base64"]) == b"\xff\x00"


def test_offsets_go_on_where_the_partition_ends_and_keep_their_holes(tmp_path: Path) -> None:
    path = tmp_path / "lab.t" / "0.jsonl"
    assert next_offset(path) == 0
    assert append(tmp_path, [_message(0), _message(2)]) == {("lab.t", 0): 3}
    assert append(tmp_path, [_message(0), _message(1, partition=1)]) == {("lab.t", 0): 4, ("lab.t", 1): 2}
    assert [line["offset"] for line in _lines(path)] == [0, 2, 3]
    assert next_offset(path) == 4


@pytest.mark.parametrize("torn", [b'{"topic":"lab.t","offs', b"x" * 200_000])
def test_a_line_that_a_crash_left_unterminated_is_cut_off_before_appending(tmp_path: Path, torn: bytes) -> None:
    append(tmp_path, [_message(0), _message(1)])
    path = tmp_path / "lab.t" / "0.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    assert next_offset(path) == 2
    append(tmp_path, [_message(0)])
    assert path.read_bytes().startswith(whole)
    assert [line["offset"] for line in _lines(path)] == [0, 1, 2]


def test_a_file_that_holds_nothing_but_a_torn_line_starts_anew(tmp_path: Path) -> None:
    path = tmp_path / "lab.t" / "0.jsonl"
    path.parent.mkdir()
    path.write_bytes(b'{"topic"')
    append(tmp_path, [_message(0)])
    assert [line["offset"] for line in _lines(path)] == [0]


def test_the_end_is_found_behind_a_line_longer_than_a_block(tmp_path: Path) -> None:
    append(tmp_path, [_message(0), _message(1, b"y" * 300_000)])
    assert next_offset(tmp_path / "lab.t" / "0.jsonl") == 2


def test_a_log_whose_last_line_is_no_message_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "lab.t" / "0.jsonl"
    path.parent.mkdir()
    path.write_bytes(b"hello\n")
    with pytest.raises(LogError, match=r"0\.jsonl: the last line is not a message: b'hello'; mend or remove"):
        append(tmp_path, [_message(0)])


@pytest.mark.parametrize("topic", ["..", "a/b", ""])
def test_a_topic_that_would_leave_the_folder_is_refused(tmp_path: Path, topic: str) -> None:
    with pytest.raises(ValueError, match="is not a topic's name"):
        append(tmp_path, [_message(0, topic=topic)])


def test_a_topic_keeps_the_identity_it_got_first(tmp_path: Path) -> None:
    append(tmp_path, [_message(0)])
    identity = (tmp_path / "lab.t" / "topic-id").read_text(encoding="ascii")
    append(tmp_path, [_message(0)])
    assert (tmp_path / "lab.t" / "topic-id").read_text(encoding="ascii") == identity
    assert uuid.UUID(identity.strip()).version == 4


def test_generated_events_come_back_byte_for_byte(tmp_path: Path) -> None:
    messages = EventStream().take(300).messages
    append(tmp_path, messages)
    read = {
        (i, line["offset"]): line["payload"] for i in range(3) for line in _lines(tmp_path / f"user-events/{i}.jsonl")
    }
    assert read == {(m.partition, m.offset): (m.value or b"").decode() for m in messages}


def test_copying_a_capture_again_adds_nothing(tmp_path: Path) -> None:
    first = copy_capture(SAMPLE / "bank-string", tmp_path)
    assert first["bank.public.accounts"] > 2900
    users = tmp_path / "bank.public.users"
    kept = {path.name: path.read_bytes() for path in users.glob("*.jsonl")}
    assert set(copy_capture(SAMPLE / "bank-string", tmp_path).values()) == {0}
    assert {path.name: path.read_bytes() for path in users.glob("*.jsonl")} == kept
    with gzip.open(SAMPLE / "bank-string" / "bank.public.users.jsonl.gz", "rb") as recorded:
        assert b"".join(kept[name] for name in sorted(kept)) == recorded.read()


def test_an_interrupted_copy_is_completed_by_the_next(tmp_path: Path) -> None:
    copy_capture(SAMPLE / "bank-string", tmp_path)
    path = tmp_path / "bank.public.users" / "0.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert copy_capture(SAMPLE / "bank-string", tmp_path)["bank.public.users"] > 0
    assert path.read_bytes() == whole
