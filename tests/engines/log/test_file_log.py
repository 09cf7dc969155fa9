"""The event log in files: found by offset, read in bounded batches, and clear about what is not a message."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.engines.log.file_log import BLOCK_BYTES, FileLog
from lakehouse_assets.engines.log.log import MESSAGES, Bounds, LogError

TOPIC = "lab.t"


def _line(offset: int, payload: str | None = "{}", **changes: Any) -> bytes:
    fields = {"topic": TOPIC, "partition": 0, "offset": offset, "ts": 1_767_571_200_000 + offset, "key": "k"}
    return json.dumps({**fields, "payload": payload, **changes}).encode() + b"\n"


def _log(root: Path, *lines: bytes, partition: int = 0) -> FileLog:
    (root / TOPIC).mkdir(parents=True, exist_ok=True)
    (root / TOPIC / f"{partition}.jsonl").write_bytes(b"".join(lines))
    return FileLog(root)


def _read(log: FileLog, starts: dict[int, int], ends: dict[int, int], limit: int = 1000) -> list[dict[str, Any]]:
    return [row for batch in log.read(TOPIC, starts, ends, limit) for row in batch.messages.to_pylist()]


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 400)), min_size=1, max_size=60),
    first=st.integers(0, 5),
    data=st.data(),
)
def test_any_offset_is_found_whatever_the_holes_and_the_lengths_of_lines(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[tuple[int, int]], first: int, data: st.DataObject
) -> None:
    offsets = [first + step for step in accumulate(gap for gap, _ in gaps)]
    lines = [_line(offset, "x" * length) for offset, (_, length) in zip(offsets, gaps, strict=True)]
    log = _log(tmp_path_factory.mktemp("log"), *lines)
    start = data.draw(st.integers(0, offsets[-1] + 2))
    end = data.draw(st.integers(0, offsets[-1] + 1))
    found = [row["offset"] for row in _read(log, {0: start}, {0: end}, limit=7)]
    assert found == [offset for offset in offsets if start <= offset < end]


def test_bounds_are_the_first_offset_held_and_the_next_one_to_come(tmp_path: Path) -> None:
    _log(tmp_path, _line(5), _line(9))
    log = _log(tmp_path, _line(0, partition=2), partition=2)
    assert log.bounds(TOPIC) == {0: Bounds(5, 10), 2: Bounds(0, 1)}


def test_an_unterminated_last_line_is_the_end_of_the_log(tmp_path: Path) -> None:
    log = _log(tmp_path, _line(0), _line(1), _line(2)[:-1])
    assert log.bounds(TOPIC) == {0: Bounds(0, 2)}
    assert [row["offset"] for row in _read(log, {0: 0}, {0: 3})] == [0, 1]
    torn = _log(tmp_path / "torn", b'{"topic"')
    assert torn.bounds(TOPIC) == {0: Bounds(0, 0)}


def test_a_topic_without_messages_or_without_a_folder_is_empty(tmp_path: Path) -> None:
    log = _log(tmp_path, b"")
    assert log.bounds(TOPIC) == {0: Bounds(0, 0)}
    assert _read(log, {0: 0}, {0: 0}) == []
    assert log.bounds("other") == {}
    assert log.identity("other") is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"hello\n", "not a message of kcat -J"),
        (b"\n", "not a message of kcat -J"),
        (b'{"partition": 0, "offset": "three"}\n', "not a message of kcat -J"),
        (_line(3, headers=["name"]), "not a message of kcat -J"),
        (_line(3, partition=1), "not a message of kcat -J"),
        (_line(3, None, payload_base64="@@@"), "not a message of kcat -J"),
        (b'{"partition": 0, "offset": 3, "payload": "\xff"}\n', "not UTF-8"),
    ],
)
def test_a_corrupt_line_is_named_by_file_line_and_reason(tmp_path: Path, bad: bytes, reason: str) -> None:
    log = _log(tmp_path, _line(0), _line(1), _line(2), bad, _line(4))
    with pytest.raises(LogError, match=rf"lab\.t/0\.jsonl, line 4: it is {reason}"):
        _read(log, {0: 0}, {0: 5})


def test_a_corrupt_line_far_into_the_file_is_named_by_its_own_number(tmp_path: Path) -> None:
    many = [_line(n, "x" * 4000) for n in range(BLOCK_BYTES // 4000 + 50)]
    bad = len(many) - 10
    log = _log(tmp_path, *many[:bad], b"hello\n", *many[bad + 1 :])
    with pytest.raises(LogError, match=rf"0\.jsonl, line {bad + 1}: "):
        _read(log, {0: bad - 5}, {0: len(many)})


def test_a_corrupt_last_line_is_named_when_the_bounds_are_asked(tmp_path: Path) -> None:
    log = _log(tmp_path, _line(0), b"hello\n")
    with pytest.raises(LogError, match=r"0\.jsonl, line 2: it is not a message"):
        log.bounds(TOPIC)


def test_offsets_that_do_not_grow_stop_the_read(tmp_path: Path) -> None:
    log = _log(tmp_path, _line(0), _line(2), _line(2))
    with pytest.raises(LogError, match="offsets do not grow"):
        _read(log, {0: 0}, {0: 3})


@pytest.mark.parametrize(("limit", "sizes"), [(4, [4, 4, 2]), (5, [5, 5]), (100, [10])])
def test_batches_hold_at_most_the_limit_and_say_where_each_partition_goes_on(
    tmp_path: Path, limit: int, sizes: list[int]
) -> None:
    _log(tmp_path, *(_line(n * 2) for n in range(6)))
    log = _log(tmp_path, *(_line(n, partition=1) for n in range(4)), partition=1)
    batches = list(log.read(TOPIC, {0: 0, 1: 0}, {0: 11, 1: 4}, limit))
    assert [batch.messages.num_rows for batch in batches] == sizes
    reached: dict[int, int] = {}
    for batch in batches:
        assert batch.messages.schema == MESSAGES
        for partition, offset in batch.next_offsets.items():
            held = [r["offset"] for r in batch.messages.to_pylist() if r["partition"] == partition]
            assert max(held) < offset
        reached.update(batch.next_offsets)
    assert reached == {0: 11, 1: 4}


def test_a_hole_at_the_end_is_passed_once(tmp_path: Path) -> None:
    log = _log(tmp_path, _line(0))
    assert [dict(b.next_offsets) for b in log.read(TOPIC, {0: 0}, {0: 8}, 10)] == [{0: 8}]
    (empty,) = log.read(TOPIC, {0: 1}, {0: 8}, 10)
    assert (empty.messages.num_rows, empty.messages.schema, empty.next_offsets) == (0, MESSAGES, {0: 8})


def test_a_message_of_ten_megabytes_is_read_whole_among_small_ones(tmp_path: Path) -> None:
    large = "é" * 5_000_000
    log = _log(tmp_path, _line(0), _line(1, large), _line(2))
    assert log.bounds(TOPIC) == {0: Bounds(0, 3)}
    assert [len(row["value"]) for row in _read(log, {0: 0}, {0: 3})] == [2, 10_000_000, 2]
    assert [row["offset"] for row in _read(log, {0: 2}, {0: 3})] == [2]


def test_headers_keep_their_order_repeats_and_nulls(tmp_path: Path) -> None:
    log = _log(tmp_path, _line(0), _line(1, headers=["a", "1", "a", "2", "é", None]), _line(2, headers=[]), _line(3))
    found = [row["headers"] for row in _read(log, {0: 0}, {0: 4})]
    assert found == [None, [("a", "1"), ("a", "2"), ("é", None)], [], None]


def test_values_come_as_the_bytes_that_were_sent(tmp_path: Path) -> None:
    binary = b"\xff\x00\xfe"
    lines = [
        _line(0, None),
        _line(1, "a\0b \N{DIRECT HIT}"),
        _line(2, ""),
        _line(3, None, payload_base64=base64.b64encode(binary).decode()),
        _line(4, key=None),
    ]
    rows = _read(_log(tmp_path, *lines), {0: 0}, {0: 5})
    assert [row["value"] for row in rows] == [None, "a\0b \N{DIRECT HIT}".encode(), b"", binary, b"{}"]
    assert [row["key"] for row in rows] == [b"k"] * 4 + [None]
    assert rows[1]["timestamp_ms"] == 1_767_571_200_001


def test_readers_that_race_agree_on_the_topic_id_that_one_of_them_made(tmp_path: Path) -> None:
    log = _log(tmp_path, b"")
    with ThreadPoolExecutor(8) as readers:
        named = {*readers.map(lambda _: log.identity(TOPIC), range(32))}
    ask = "import sys, pathlib; from lakehouse_assets.engines.log.file_log import FileLog; "
    ask += "print(FileLog(pathlib.Path(sys.argv[1])).identity(sys.argv[2]))"
    other = subprocess.run([sys.executable, "-c", ask, tmp_path, TOPIC], capture_output=True, text=True, check=True)
    assert named == {other.stdout.strip()}
    assert [path.name for path in (tmp_path / TOPIC).glob("*topic-id*")] == ["topic-id"]


def test_a_log_that_is_not_there_says_what_writes_one(tmp_path: Path) -> None:
    FileLog(tmp_path).check()
    with pytest.raises(LogError, match="lakehouse events"):
        FileLog(tmp_path / "nowhere").check()
