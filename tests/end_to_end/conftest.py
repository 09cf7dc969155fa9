"""Two lakehouses that several tests look at; who changes one takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.feeds import feed, generated, record
from tests.end_to_end.lakehouse import Lakehouse, open_lakehouse

SEED = 5
BATCHES = 3


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakehouse]:
    """The recordings, events and files after one increment."""
    home = tmp_path_factory.mktemp("recorded")
    record(home)
    with open_lakehouse(home) as lakehouse:
        outcome = lakehouse.increment()
        assert outcome.success, lakehouse.errors
        yield lakehouse


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakehouse]:
    """Generated histories of every source, an increment after each batch."""
    home = tmp_path_factory.mktemp("grown")
    with open_lakehouse(home) as lakehouse:
        for messages, delivery in generated(SEED, BATCHES):
            feed(home, messages, delivery)
            outcome = lakehouse.increment()
            assert outcome.success, lakehouse.errors
        yield lakehouse


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Lakehouse]:
    """A lakehouse of the test's own, the recordings before it and nothing landed yet."""
    record(tmp_path)
    with open_lakehouse(tmp_path) as lakehouse:
        yield lakehouse
