"""The job `maintain` does per table what the command line does, and says so on the asset."""

from __future__ import annotations

import dagster as dg

from lakehouse_assets.bronze.land import land
from lakehouse_assets.contracts.registry import table
from lakehouse_assets.operations.upkeep import MAINTAIN
from tests.end_to_end.lakehouse import Lakehouse
from tests.operations.conftest import START, add_events

BRONZE = "bronze.clickstream_user_events"


def test_the_job_compacts_and_tells_the_asset_what_was_before_and_after(lakehouse: Lakehouse) -> None:
    for number in range(5):
        add_events(lakehouse, START, 3, 100, seed=100 + number)
        land(lakehouse.platform, table("clickstream_user_events"))
    assert lakehouse.increment().success
    before = sorted(map(repr, lakehouse.rows(BRONZE)))
    job = lakehouse.definitions.resolve_job_def(MAINTAIN)
    result = job.execute_in_process(
        instance=lakehouse.instance, op_selection=["maintain_bronze__clickstream_user_events"]
    )
    assert result.success
    assert sorted(map(repr, lakehouse.rows(BRONZE))) == before
    [told] = lakehouse.instance.fetch_observations(dg.AssetKey(BRONZE.split(".")), 10).records
    assert told.asset_observation is not None
    shown = {name: value.value for name, value in told.asset_observation.metadata.items()}
    assert (shown["kind"], shown["files_after"]) == ("compact", 1)
    assert int(str(shown["files_before"])) > 5
    assert int(str(shown["bytes_before"])) > int(str(shown["bytes_after"]))
    assert lakehouse.increment().runs == ()


def test_every_table_is_maintained_in_the_pool_of_its_writers_and_the_schedule_is_stopped(lakehouse: Lakehouse) -> None:
    job = lakehouse.definitions.resolve_job_def(MAINTAIN)
    pools = {
        node.name: next(iter(node.definition.pools))
        for node in job.nodes
        if isinstance(node.definition, dg.OpDefinition)
    }
    assert pools["maintain_bronze__bank_users"] == "bronze_bank_users"
    assert pools["maintain_silver__bank_users_changes"] == "silver_bank_users_changes"
    assert pools["maintain_raw_vault__h_users"] == "vault"
    schedule = lakehouse.definitions.resolve_schedule_def("maintain_nightly")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
