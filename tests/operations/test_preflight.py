"""What a run needs is looked for before it, and every system that does not answer is named."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Timer

import dagster as dg
import pytest

from lakehouse_assets.bronze.assets import source_spec
from lakehouse_assets.contracts.registry import tables
from lakehouse_assets.engines.log.file_log import FileLog
from lakehouse_assets.engines.log.log import LogError
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.engines.probe import Probe, tcp
from lakehouse_assets.operations.preflight import REACHABLE, Unreachable, check, reachable_checks
from lakehouse_assets.profiles import probes
from tests.end_to_end.lakehouse import open_lakehouse


@pytest.fixture
def working(tmp_path: Path) -> Iterator[Platform]:
    """A lakehouse that holds nothing yet."""
    (tmp_path / "working" / "events").mkdir(parents=True)
    with open_lakehouse(tmp_path / "working") as opened:
        yield opened.platform


def test_a_working_lakehouse_passes(working: Platform) -> None:
    check(working)


@pytest.fixture
def broken(platform: Platform, tmp_path: Path) -> Platform:
    """Without ClickHouse, and with an event log that is not there."""
    log = FileLog(tmp_path / "elsewhere")
    looked_at = probes.embedded(tmp_path, log, platform.open_catalog, platform.open_clickhouse)
    return replace(platform, log=log, probes=looked_at)


def test_every_service_that_cannot_be_used_is_named_with_its_own_error_and_what_was_not_run(
    broken: Platform, tmp_path: Path
) -> None:
    with pytest.raises(Unreachable) as refused:
        check(broken, [dg.AssetKey(["silver", "bank_users"]), dg.AssetKey(["bronze", "bank_users"])])
    log, clickhouse, undone = str(refused.value).splitlines()
    assert log.startswith(f"event log cannot be used: there is no event log at {tmp_path / 'elsewhere'}")
    assert clickhouse.startswith("ClickHouse cannot be used: this test has no ClickHouse; see clickhouse/owner.log")
    assert undone == "not run: bronze/bank_users and 1 more"


def test_a_server_that_comes_back_in_time_is_waited_for(platform: Platform) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        late = Timer(1.0, bound.listen)
        late.start()
        probe = Probe("Kafka", "is_reachable", lambda: tcp("127.0.0.1", port), "start it")
        check(replace(platform, probes=(probe,), patience_seconds=30))
        late.join()


def test_what_does_not_pass_by_waiting_is_not_asked_again(platform: Platform) -> None:
    asked = []

    def refuse() -> str:
        asked.append(None)
        raise LogError("SASL authentication failed")

    probe = Probe("Kafka", "takes_the_login", refuse, "set the password")
    with pytest.raises(Unreachable, match="Kafka cannot be used: SASL authentication failed; set the password"):
        check(replace(platform, probes=(probe,), patience_seconds=30))
    assert len(asked) == 1


def test_what_a_run_can_do_without_does_not_stop_it(platform: Platform) -> None:
    missing = Probe("Kafka Connect", "is_reachable", lambda: tcp("127.0.0.1", 1), "start it", for_runs=False)
    check(replace(platform, probes=(missing,)))


def test_the_check_of_a_source_fails_with_the_problems(broken: Platform) -> None:
    results = _evaluated(broken)
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
