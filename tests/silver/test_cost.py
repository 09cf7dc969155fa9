"""What a fold costs follows the new rows and the files that hold their keys, whatever else the table holds.

Of 100,000 and of a million rows here; `make chaos` asks the same of 1, 10 and 50 million.
"""

from __future__ import annotations

import pytest

from tests.counting import Traffic, keeps_access_times
from tests.silver.grown import CHANGES, CURRENT, cost
from tests.silver.lakes import open_platform

SIZES = (100_000, 1_000_000)
Costs = dict[int, Traffic]


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> Costs:
    """By size."""
    found = {}
    for rows in SIZES:
        home = tmp_path_factory.mktemp(str(rows))
        if not keeps_access_times(home):
            pytest.skip("this file system does not tell which files were read")
        with open_platform(home) as platform:
            found[rows] = cost(platform, rows)
    return found


def test_a_fold_reads_and_writes_the_same_data_at_ten_times_the_size(costs: Costs) -> None:
    small, large = costs.values()
    for name in (CHANGES, CURRENT):
        assert large.read[name, "data"] == small.read[name, "data"], name
        assert large.written[name, "data"] == small.written[name, "data"], name


def test_late_changes_and_redeliveries_are_looked_up_in_the_one_file_of_their_keys(costs: Costs) -> None:
    for traffic in costs.values():
        assert traffic.files_read(CHANGES) == 1
        assert traffic.files_written(CHANGES) == 1


def test_the_two_files_of_current_rows_that_hold_touched_keys_are_replaced(costs: Costs) -> None:
    for traffic in costs.values():
        assert traffic.files_read(CURRENT) == traffic.files_written(CURRENT) == 2


def test_the_metadata_grows_by_a_manifest_and_the_list(costs: Costs) -> None:
    for traffic in costs.values():
        assert traffic.files_written(CHANGES, "manifest") == traffic.files_written(CHANGES, "list") == 1
        # Of current rows also the manifest that named the replaced files.
        assert traffic.files_written(CURRENT, "manifest") == 2
        assert traffic.files_written(CURRENT, "list") == 1
