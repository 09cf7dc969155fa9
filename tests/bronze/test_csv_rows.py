"""CSV files as records: each byte is in one record, and what is no record says why and in which line."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.bronze.csv_rows import Record, UnreadableFile, content_hash, records

NEEDED = ("id", "name")


def _records(content: bytes | str) -> list[Record]:
    file = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    return list(records(file, "a.csv", NEEDED))


def _rows(found: list[Record]) -> list[dict[str, str]]:
    return [json.loads(r.data) for r in found if r.data is not None]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(max_size=30)), max_size=8
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_whatever_a_csv_writer_wrote_is_read_back(written: list[tuple[str, str]], end: str) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(NEEDED)
    writer.writerows(written)
    found = _records(text.getvalue())
    assert [(row["id"], row["name"]) for row in _rows(found)] == written
    assert [r.problem for r in found] == [None] * len(written)


def test_a_quoted_line_break_is_one_record_with_its_first_line_and_its_bytes() -> None:
    found = _records('id,name\n1,"de\nla Cruz"\n2,x\n')
    assert [(r.line, r.raw) for r in found] == [(2, b'1,"de\nla Cruz"'), (4, b"2,x")]
    assert _rows(found) == [{"id": "1", "name": "de\nla Cruz"}, {"id": "2", "name": "x"}]


def test_text_of_any_script_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    found = _records("\ufeffid, name \r\n1,さくら 👩\r\n2,Łoś".encode())
    assert _rows(found) == [{"id": "1", "name": "さくら 👩"}, {"id": "2", "name": "Łoś"}]
    assert [r.raw for r in found] == ["1,さくら 👩".encode(), "2,Łoś".encode()]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"1", "line 3: 1 fields, the header has 2"),
        (b"1,a,b", "line 3: 3 fields, the header has 2"),
        (b"1,\xff", "line 3: it is not UTF-8"),
        (b'1,"a"b', "line 3: ',' expected after '\"'"),
    ],
)
def test_a_bad_record_is_kept_with_its_line_and_the_next_ones_are_read(line: bytes, problem: str) -> None:
    found = _records(b"id,name\n0,a\n" + line + b"\n2,c\n")
    assert [r.problem for r in found] == [None, problem, None]
    assert (found[1].raw, found[1].data) == (line, None)
    assert [row["id"] for row in _rows(found)] == ["0", "2"]


def test_a_quote_that_is_never_closed_takes_the_rest_of_the_file_as_one_bad_record() -> None:
    found = _records('id,name\n0,a\n1,"open\n2,c\n3,d\n')
    assert [r.raw for r in found] == [b"0,a", b'1,"open\n2,c\n3,d']
    assert found[1].problem == "line 3: unexpected end of data"


def test_no_byte_of_a_damaged_file_is_lost() -> None:
    lines = [b"0,a", b'1,"x"y', b"", b'2,"' + b"long " * 40_000, b"3,c", b'4,"d"', b"\xff"]
    found = _records(b"id,name\n" + b"\n".join(lines))
    assert b"\n".join(r.raw for r in found).replace(b"\n", b"") == b"".join(lines)


def test_blank_lines_are_no_records_and_do_not_shift_line_numbers() -> None:
    found = _records("id,name\n\n1,a\n\n\n2,b\n\n")
    assert [r.line for r in found] == [3, 6]


def test_columns_beyond_the_required_stay_in_the_data_and_order_does_not_matter() -> None:
    assert _rows(_records("name,extra,id\na,x,1\n")) == [{"name": "a", "extra": "x", "id": "1"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no header"),
        (b"id\n1\n", "the header lacks name; it has id"),
        (b"1,a\n2,b\n", "the header lacks id, name"),
        (b"id,name,id\n", "a column is named twice"),
        (b'id,"name\n', "no header"),
        (b"id,name,\xff\n1,a,b\n", "the header is not UTF-8"),
        ("id,name\n1,a\n".encode("utf-16"), "line 1"),
    ],
)
def test_a_file_without_a_usable_header_is_refused_by_name(content: bytes, message: str) -> None:
    with pytest.raises(UnreadableFile, match=rf"a\.csv, line 1: .*{message}|a\.csv, {message}"):
        _records(content)


def test_the_hash_follows_the_content() -> None:
    assert content_hash(io.BytesIO(b"abc")) == content_hash(io.BytesIO(b"abc"))
    assert content_hash(io.BytesIO(b"abc")) != content_hash(io.BytesIO(b"abd"))
