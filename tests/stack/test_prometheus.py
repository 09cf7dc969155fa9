"""A real Prometheus takes the deployed rules, and what the exporter serves."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.deploy.test_alerts import RULES
from tests.servers.deployed import DEPLOY
from tests.servers.prometheus import CONFIGURATION, Prometheus, promtool
from tests.servers.server import wait_until

FIRES = {
    "TableIsStale": {
        'lakehouse_lag_seconds{table="t"}': "7200x1500",
        'lakehouse_stale_after_seconds{table="t"}': "3600x1500",
    },
    "ConnectorIsStalled": {'lakehouse_connector_stalled{table="t"}': "1x1500"},
    "SourceCannotBeRead": {'lakehouse_source_unreadable{table="t"}': "1x1500"},
    "CheckFailed": {'lakehouse_checks_count{layer="silver",table="t",result="failed"}': "2x1500"},
    "RunFailed": {'lakehouse_runs_total{job="increment",status="failure"}': "0+1x1500"},
    "DeadLettersCame": {'lakehouse_dead_letters_count{table="t"}': "0+1x1500"},
    "RejectsCame": {'lakehouse_rejects_count{table="t"}': "0+1x1500"},
    "MaintenanceIsDue": {'storage_snapshot_count{layer="silver",table="t"}': "6000x1500"},
    "SensorDoesNotTick": {'lakehouse_tick_age_seconds{kind="sensor",name="s"}': "3600x1500"},
    "NothingIsMeasured": {'up{job="lakehouse"}': "0x1500"},
}
"""By alert, what makes it fire, a value a minute for a day and an hour."""
CALM = {series: "0x1500" for told in FIRES.values() for series in told} | {
    'lakehouse_stale_after_seconds{table="t"}': "3600x1500",
    'up{job="lakehouse"}': "1x1500",
}


def test_the_deployed_configuration_is_what_prometheus_takes() -> None:
    checked = promtool("check", "config", str(CONFIGURATION))
    assert (checked.returncode, checked.stderr) == (0, "")
    assert f"{len(RULES)} rules found" in checked.stdout


def test_every_alert_fires_when_it_should_and_none_does_when_all_is_well(tmp_path: Path) -> None:
    assert [rule["alert"] for rule in RULES] == list(FIRES)
    fired = [promtool("test", "rules", str(_case(tmp_path, name, series))) for name, series in FIRES.items()]
    assert {name: done.stderr for name, done in zip(FIRES, fired, strict=True) if done.returncode} == {}
    calm = promtool("test", "rules", str(_case(tmp_path, None, CALM)))
    assert calm.returncode == 0, calm.stdout + calm.stderr


def _case(folder: Path, firing: str | None, series: dict[str, str]) -> Path:
    """A test of promtool's: after a day and an hour the alert fires, or with None no alert does."""
    alerts = [{"eval_time": "25h", "alertname": rule["alert"], "exp_alerts": []} for rule in RULES]
    tested = {
        "rule_files": [str(DEPLOY / "prometheus/alerts.yml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": alerts,
            }
        ],
    }
    if firing:
        tested["tests"][0] |= {"alert_rule_test": [], "promql_expr_test": [_fires(firing)]}
    path = folder / f"{firing or 'calm'}.yml"
    path.write_text(yaml.safe_dump(tested))
    return path


def _fires(alert: str) -> dict[str, object]:
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    return {"expr": firing, "eval_time": "25h", "exp_samples": [{"labels": "{}", "value": 1}]}


@pytest.fixture
def exporter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """`host:port` of `lakehouse metrics` over an empty lakehouse."""
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "home"))
    command = [sys.executable, "-m", "lakehouse_assets.cli.main", "metrics", "--port", "0", "--every", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as served:
        assert served.stderr is not None
        [address] = re.findall(r"http://(.*)/metrics", served.stderr.readline())
        yield address
        served.terminate()


def test_prometheus_scrapes_the_exporter_and_evaluates_the_rules(tmp_path: Path, exporter: str) -> None:
    with Prometheus(tmp_path / "prometheus", exporter) as prometheus:
        told = wait_until("a lag is scraped", lambda: prometheus.query('lakehouse_lag_messages{table="bank_users"}'))
        assert [sample["value"][1] for sample in told] == ["0"]
        assert [sample["metric"]["job"] for sample in prometheus.query("up == 1")] == ["lakehouse"]
        rules = wait_until("rules are evaluated", lambda: _evaluated(prometheus))
    assert {rule["name"]: (rule["health"], rule["state"]) for rule in rules} == {
        rule["alert"]: ("ok", "inactive") for rule in RULES
    }


def _evaluated(prometheus: Prometheus) -> list[dict[str, str]]:
    rules = prometheus.rules()
    return rules if all(rule["health"] != "unknown" for rule in rules) else []
