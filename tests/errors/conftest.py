"""One lakehouse for all that users do wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.conftest import home_at
from tests.errors.lake import Lake, fill


@pytest.fixture(scope="package")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("errors")
    with home_at(folder / "home") as home:
        yield fill(home, folder / "kept")
