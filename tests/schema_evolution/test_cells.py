"""One test per cell: what becomes of a table of each connector when its source changes, live, layer by layer.

`docs/schema-evolution.md` says the same in words, and is written from what these tests look at.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakehouse_assets.engines.dbt.runner import DbtFailed
from lakehouse_assets.vault.build import build
from tests.schema_evolution.cells import CELLS, SOURCES
from tests.schema_evolution.document import AS_SOURCE, AS_TOLD, COMMAND, DOCUMENT, render, words
from tests.schema_evolution.story import FOLLOWED, LAYERS, REBUILT, TOLD, Life, Story, told

ABOVE_BRONZE = LAYERS[1:]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with told(tmp_path_factory.mktemp("evolution")) as seen:
        yield seen


@pytest.fixture(params=SOURCES)
def connector(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def life(story: Story, connector: str, request: pytest.FixtureRequest) -> Life:
    """The table of the cell that the test is named after: `test_add_nullable`."""
    return story.lives[connector, request.function.__name__.removeprefix("test_")]


def seen(life: Life, phase: int) -> set[str]:
    """What the layers above bronze hold, in words; equal ones once."""
    modelled = [layer for layer in ABOVE_BRONZE if life.has_vault or layer not in ("satellite", "history")]
    return {words(life, phase, layer) for layer in modelled}


def test_add_nullable(life: Life) -> None:
    assert seen(life, TOLD) == {"no `note`"}
    assert list(life.undeclared[TOLD]) == ["note"]
    assert life.undeclared[TOLD]["note"].endswith("partition 0, offset 2")
    assert words(life, FOLLOWED, "satellite") == "null in rows told meanwhile"
    assert life.undeclared[FOLLOWED] == {}
    assert seen(life, REBUILT) == {AS_SOURCE}
    # The satellite took the column without a new version of any row, nor writing one again.
    assert {n: life.hashes[FOLLOWED][n] for n in life.hashes[TOLD]} == life.hashes[TOLD]
    assert life.files[TOLD] < life.files[FOLLOWED]


def test_add_with_default(life: Life) -> None:
    assert words(life, FOLLOWED, "current") == "null in earlier rows and rows told meanwhile"
    assert seen(life, REBUILT) == {AS_SOURCE}
    assert life.held[REBUILT]["gold"] == {0: 1, 2: 2, 3: 3, 4: 4}


def test_drop(life: Life) -> None:
    assert [seen(life, phase) for phase in (TOLD, FOLLOWED, REBUILT)] == [{AS_TOLD}] * 3
    assert life.held[REBUILT]["current"] == {0: "a", 2: None, 3: None, 4: None}


def test_rename_declared(life: Life) -> None:
    assert [seen(life, phase) for phase in (TOLD, FOLLOWED, REBUILT)] == [{AS_SOURCE}] * 3
    assert life.undeclared[TOLD] == {}


def test_rename_undeclared(life: Life) -> None:
    assert seen(life, TOLD) == {"null in rows told meanwhile"}
    assert list(life.undeclared[TOLD]) == ["title"]
    assert seen(life, FOLLOWED) == {"null in rows told meanwhile"}
    assert seen(life, REBUILT) == {AS_SOURCE}


def test_widen_int(life: Life) -> None:
    assert life.rejects[TOLD] == ["2: count: '3000000000' is not int", "3: count: '4000000000' is not int"]
    assert words(life, TOLD, "current") == "as before or missing in rows told meanwhile"
    assert (life.rejects[REBUILT], seen(life, REBUILT)) == ([], {AS_SOURCE})


def test_widen_float(life: Life) -> None:
    assert len(life.rejects[TOLD]) == 2
    assert words(life, FOLLOWED, "gold") == "as before or missing in rows told meanwhile"
    assert (life.rejects[REBUILT], seen(life, REBUILT)) == ([], {AS_SOURCE})


def test_widen_decimal(life: Life) -> None:
    assert len(life.rejects[TOLD]) == 2
    assert (life.rejects[REBUILT], seen(life, REBUILT)) == ([], {AS_SOURCE})


def test_narrow(life: Life) -> None:
    assert [seen(life, phase) for phase in (TOLD, FOLLOWED, REBUILT)] == [{AS_SOURCE}] * 3
    assert [line.partition(";")[0] for line in life.refusals] == [
        f"silver.{life.id}{which}: column count holds long, declared is int" for which in ("_changes", "")
    ]
    assert life.moved_by_refusals == set()


def test_incompatible(life: Life) -> None:
    assert life.rejects[TOLD] == ["2: code: 'n/a' is not int", "3: code: 'x-3' is not int"]
    assert [line.partition(";")[0] for line in life.refusals] == [
        f"silver.{life.id}{which}: column code holds int, declared is string" for which in ("_changes", "")
    ]
    assert life.moved_by_refusals == set()
    assert (life.rejects[REBUILT], seen(life, REBUILT)) == ([], {AS_SOURCE})


def test_reorder(life: Life) -> None:
    assert [seen(life, phase) for phase in (TOLD, FOLLOWED, REBUILT)] == [{AS_SOURCE}] * 3
    assert {n: life.hashes[FOLLOWED][n] for n in life.hashes[TOLD]} == life.hashes[TOLD]


def test_new_table(life: Life) -> None:
    assert seen(life, TOLD) == {"no table"}
    assert [seen(life, phase) for phase in (FOLLOWED, REBUILT)] == [{AS_SOURCE}] * 2


def test_dropped_table(life: Life) -> None:
    assert [seen(life, phase) for phase in (TOLD, FOLLOWED, REBUILT)] == [{AS_TOLD}] * 3


def test_bronze_keeps_every_message_as_it_came(story: Story, connector: str) -> None:
    for cell in CELLS:
        stages = range(len(cell.values))
        told_rows = [row for stage in stages for row in cell.rows(stage)]
        assert story.lives[connector, cell.name].bronze == told_rows, cell.name


def test_an_older_snapshot_is_read_with_its_own_schema(story: Story, connector: str) -> None:
    lives = [story.lives[connector, cell.name] for cell in CELLS]
    read = 0
    for life in lives:
        for identifier, (snapshot, names, rows) in life.snapshots.items():
            found = story.table(identifier).scan(snapshot_id=snapshot).to_arrow()
            assert found.schema.names == names, identifier
            assert sorted(found.to_pylist(), key=repr) == sorted(rows, key=repr), identifier
            read += story.table(identifier).schema().column_names != names
    assert read > 10


def test_a_mart_that_names_a_column_that_is_gone_says_so_and_keeps_its_rows(story: Story, connector: str) -> None:
    life = story.lives[connector, "rename_undeclared"]
    before = story.table(f"marts.{life.id}").metadata_location
    project = story.with_mart(life, f"select id, name, label from {{{{ source('silver', '{life.id}') }}}}")
    with pytest.raises(DbtFailed, match=r'Referenced column "label" not found'):
        list(build(story.platform, project, [project.model(life.id)]))
    assert story.table(f"marts.{life.id}").metadata_location == before


def test_the_document_is_what_was_seen(story: Story) -> None:
    assert render(story) == DOCUMENT.read_text("utf-8"), f"{DOCUMENT.name} is stale: run `{COMMAND}`"


def test_every_cell_has_a_test() -> None:
    assert {f"test_{cell.name}" for cell in CELLS} <= globals().keys()
