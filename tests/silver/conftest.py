"""A database for all sessions of DuckDB, of which these tests open thousands: each has its own views and tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.histories.lakehouse import one_database


@pytest.fixture(autouse=True, scope="module")
def sessions() -> Iterator[None]:
    with one_database():
        yield
