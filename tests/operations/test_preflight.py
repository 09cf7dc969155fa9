"""What a run needs is looked for before it, and every system that does not answer is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.bronze.assets import source_spec
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.operations.preflight import REACHABLE, Unreachable, check, reachable_checks
from lakehouse_assets.profiles import embedded
from lakehouse_assets.profiles.settings import Settings
from tests.end_to_end.lakehouse import open_lakehouse


@pytest.fixture
def working(tmp_path: Path) -> Iterator[Platform]:
    """A lakehouse that holds nothing yet."""
    (tmp_path / "working" / "events").mkdir(parents=True)
    with open_lakehouse(tmp_path / "working") as opened:
        yield opened.platform


def test_a_working_lakehouse_passes(working: Platform) -> None:
    check(working)


def test_every_system_that_does_not_answer_is_named_with_its_own_error(platform: Platform, tmp_path: Path) -> None:
    elsewhere = embedded.platform(Settings(home=tmp_path / "elsewhere"))
    with pytest.raises(Unreachable) as refused:
        check(replace(platform, log=elsewhere.log))
    clickhouse, log = str(refused.value).splitlines()
    assert clickhouse == "clickhouse cannot be reached: this test has no ClickHouse"
    assert log.startswith(f"event log cannot be reached: there is no event log at {tmp_path / 'elsewhere'}")


def test_the_check_of_a_source_fails_with_the_problems(platform: Platform) -> None:
    results = _evaluated(platform)
    assert {result.asset_key for result in results} == {source_spec(t).key for t in tables()}
    assert {(result.check_name, result.passed) for result in results} == {(REACHABLE, False)}
    assert all("no ClickHouse" in str(result.metadata["problems"].value) for result in results)


def test_the_check_of_a_source_passes_where_everything_answers(working: Platform) -> None:
    assert {result.passed for result in _evaluated(working)} == {True}


def _evaluated(platform: Platform) -> list[dg.AssetCheckEvaluation]:
    checks = dg.define_asset_job("checks", selection=dg.AssetSelection.all_asset_checks())
    definitions = dg.Definitions(
        assets=[source_spec(t) for t in tables()], asset_checks=[reachable_checks(platform)], jobs=[checks]
    )
    done = definitions.resolve_job_def("checks").execute_in_process(raise_on_error=False)
    return list(done.get_asset_check_evaluations())
