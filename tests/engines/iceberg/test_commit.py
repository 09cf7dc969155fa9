"""One commit is one snapshot, with marks that are carried forward, or nothing at all."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from lakehouse_assets.engines.iceberg.commit import (
    CHANGED,
    DAYS,
    PER_COMMIT,
    REBUILT,
    MarksLost,
    commit,
    discard,
    marks,
    next_sequence,
    write_files,
)
from lakehouse_assets.engines.iceberg.progress import touched_days
from lakehouse_assets.engines.iceberg.scan import ancestors, data_files, sequence_of
from lakehouse_assets.engines.iceberg.transaction import COMMIT_ID, Conflict
from tests.other_engine import commit_from_outside, maintain_from_outside

from .conftest import SCHEMA, Accounts


def _files(accounts: Accounts, *ids: int) -> Any:
    return write_files(accounts.table(), pa.Table.from_pylist([{"id": n} for n in ids], schema=SCHEMA))


def _snapshots(accounts: Accounts) -> int:
    return len(list(ancestors(accounts.table())))


def test_rows_added_files_removed_and_marks_are_one_snapshot(accounts: Accounts) -> None:
    accounts.add([{"id": 1}])
    table = accounts.table()
    old = data_files(table)
    snapshot = commit(table, summary={"lakehouse.x": "1"}, added=_files(accounts, 2, 3), removed=old)
    assert accounts.ids() == [2, 3]
    assert _snapshots(accounts) == 2
    assert snapshot.snapshot_id == accounts.table().current_snapshot().snapshot_id  # type: ignore[union-attr]
    assert snapshot.summary is not None
    assert snapshot.summary["lakehouse.x"] == "1"


def test_rows_are_written_in_the_tables_own_order_and_with_its_own_columns(accounts: Accounts) -> None:
    table = accounts.table()
    given = pa.table({"name": ["b", "a"], "id": pa.array([2, 1], pa.int32())})
    (file,) = write_files(table, given)
    commit(table, summary={}, added=[file])
    assert accounts.table().scan().to_arrow().to_pylist() == [
        {"id": 1, "day": None, "name": "a"},
        {"id": 2, "day": None, "name": "b"},
    ]
    assert write_files(table, given.slice(0, 0)) == []


def test_a_null_in_a_required_column_is_refused_before_anything_is_written(accounts: Accounts) -> None:
    with pytest.raises(ValueError, match="id"):
        write_files(accounts.table(), pa.table({"id": pa.array([None], pa.int64())}))


def test_marks_are_carried_forward_and_overridden_and_those_of_one_commit_are_not(accounts: Accounts) -> None:
    of_one = {key.removeprefix("lakehouse.").replace("-", "_"): "[]" for key in PER_COMMIT - {COMMIT_ID}}
    accounts.add([{"id": 1}], offsets="5", through="a", **of_one)
    first = marks(accounts.table())
    accounts.add([{"id": 2}], offsets="6")
    found = marks(accounts.table())
    own = {COMMIT_ID, CHANGED, REBUILT}
    assert {k: v for k, v in found.items() if k not in own} == {"lakehouse.offsets": "6", "lakehouse.through": "a"}
    assert found[COMMIT_ID] != first[COMMIT_ID]
    assert first.keys() - found.keys() == PER_COMMIT - {COMMIT_ID}


def test_marks_are_found_beyond_a_snapshot_of_another_engine_and_carried_over_it(accounts: Accounts) -> None:
    accounts.add([{"id": 1}], offsets="5")
    accounts.table().append(pa.Table.from_pylist([{"id": 2}], schema=SCHEMA))
    assert marks(accounts.table())["lakehouse.offsets"] == "5"
    accounts.add([{"id": 3}])
    assert marks(accounts.table())["lakehouse.offsets"] == "5"
    assert accounts.ids() == [1, 2, 3]


def test_marks_survive_every_snapshot_that_held_them(accounts: Accounts) -> None:
    accounts.add([{"id": 1}], offsets="5", days="[]")
    maintain_from_outside(accounts.catalog, "lab.accounts")
    assert marks(accounts.table())["lakehouse.offsets"] == "5"
    assert DAYS not in marks(accounts.table())
    accounts.add([{"id": 2}], through="a")
    assert marks(accounts.table())["lakehouse.offsets"] == "5"


def test_marks_that_tell_of_what_was_rolled_back_are_not_believed(accounts: Accounts) -> None:
    first = accounts.add([{"id": 1}], offsets="5")
    kept = commit_from_outside(accounts.table())
    accounts.add([{"id": 2}], offsets="6")
    accounts.table().maintenance.expire_snapshots().by_id(first.snapshot_id).commit()
    accounts.table().manage_snapshots().rollback_to_snapshot(kept).commit()
    with pytest.raises(MarksLost, match=r"lab\.accounts: it was rolled back to a snapshot that does not say"):
        marks(accounts.table())


def test_a_commit_without_files_is_a_snapshot(accounts: Accounts) -> None:
    assert marks(accounts.table()) == {}
    accounts.add([], offsets="1")
    accounts.add([], offsets="2")
    assert _snapshots(accounts) == 2
    assert marks(accounts.table())["lakehouse.offsets"] == "2"
    assert accounts.ids() == []


def test_properties_are_set_with_the_snapshot_and_the_fence_is_not_stored(accounts: Accounts) -> None:
    commit(accounts.table(), summary={}, properties={"lakehouse.epochs": "x"})
    properties = accounts.table().properties
    assert properties["lakehouse.epochs"] == "x"
    assert "commit.retry.num-retries" not in properties


@pytest.mark.parametrize("begun", [0, 1])
@pytest.mark.parametrize("removes", [False, True])
def test_a_table_that_moved_is_a_conflict_and_nothing_of_the_commit_is_visible(
    accounts: Accounts, begun: int, removes: bool
) -> None:
    accounts.add([{"id": n} for n in range(begun)])
    late = accounts.table()
    added, removed = _files(accounts, 100), data_files(late) if removes else []
    accounts.add([{"id": 50}], offsets="5")
    before = accounts.table().metadata_location
    with pytest.raises(Conflict, match=r"lab\.accounts was changed"):
        commit(late, summary={"lakehouse.offsets": "9"}, added=added, removed=removed, properties={"p": "1"})
    assert accounts.table().metadata_location == before
    assert accounts.ids() == [*range(begun), 50]
    assert marks(accounts.table())["lakehouse.offsets"] == "5"
    assert "p" not in accounts.table().properties


def test_files_of_a_refused_commit_can_be_committed_again_or_discarded(accounts: Accounts) -> None:
    late = accounts.table()
    added = _files(accounts, 100)
    accounts.add([{"id": 1}])
    with pytest.raises(Conflict):
        commit(late, summary={}, added=added)
    commit(accounts.table(), summary={}, added=added)
    assert accounts.ids() == [1, 100]
    unused = _files(accounts, 200)
    discard(late, unused)
    assert not late.io.new_input(unused[0].file_path).exists()


def test_an_answer_that_was_lost_is_found_by_the_commits_id(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = accounts.table()
    real = accounts.catalog.commit_table

    def commits_and_then_is_cut_off(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        raise ConnectionError("reset by peer")

    with monkeypatch.context() as patched:
        patched.setattr(accounts.catalog, "commit_table", commits_and_then_is_cut_off)
        snapshot = commit(table, summary={"lakehouse.offsets": "1"}, added=_files(accounts, 1))
    assert accounts.ids() == [1]
    assert _snapshots(accounts) == 1
    assert snapshot.summary is not None
    assert snapshot.summary["lakehouse.offsets"] == "1"


def test_an_answer_that_was_lost_is_found_below_what_others_committed_meanwhile(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, added = accounts.table(), _files(accounts, 1)
    real = accounts.catalog.commit_table

    def commits_and_is_overtaken(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        monkeypatch.undo()
        accounts.add([{"id": 2}])
        raise ConnectionError("reset by peer")

    monkeypatch.setattr(accounts.catalog, "commit_table", commits_and_is_overtaken)
    snapshot = commit(table, summary={"lakehouse.x": "mine"}, added=added)
    assert snapshot.snapshot_id == list(ancestors(accounts.table()))[1].snapshot_id
    assert accounts.ids() == [1, 2]


def test_an_error_before_the_commit_is_raised_as_it_is(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    table, added = accounts.table(), _files(accounts, 1)

    def is_cut_off(*_: object, **__: object) -> None:
        raise ConnectionError("reset by peer")

    with monkeypatch.context() as patched:
        patched.setattr(accounts.catalog, "commit_table", is_cut_off)
        with pytest.raises(ConnectionError):
            commit(table, summary={}, added=added)
    assert accounts.ids() == []


def test_the_next_sequence_is_the_number_that_the_commit_gets(accounts: Accounts) -> None:
    for _ in range(3):
        expected = next_sequence(accounts.table())
        assert accounts.add([{"id": expected}]).sequence_number == expected
        assert sequence_of(accounts.table()) == expected


def test_touched_days_are_those_of_the_commits_after_a_sequence(accounts: Accounts) -> None:
    for n, days in enumerate((["2026-01-05"], ["2026-01-06", "2026-01-05"], [], ["2026-02-01"])):
        accounts.add([{"id": n}], days=json.dumps(days))
    table = accounts.table()
    assert touched_days(table, 0) == {"2026-01-05", "2026-01-06", "2026-02-01"}
    assert touched_days(table, 2) == {"2026-02-01"}
    assert touched_days(table, 4) == set()


def test_touched_days_are_unknown_where_a_commit_did_not_say_or_has_expired(accounts: Accounts) -> None:
    accounts.add([{"id": 1}], days='["2026-01-05"]')
    accounts.add([{"id": 2}])
    accounts.add([{"id": 3}], days='["2026-01-07"]')
    assert touched_days(accounts.table(), 1) is None
    assert touched_days(accounts.table(), 2) == {"2026-01-07"}
    first, second = list(ancestors(accounts.table()))[:0:-1]
    accounts.table().maintenance.expire_snapshots().by_ids([first.snapshot_id, second.snapshot_id]).commit()
    assert touched_days(accounts.table(), 0) is None
