"""Alert rules: each is of what the exporter tells, and has its section in the runbook."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.servers.deployed import DEPLOY

ROOT = DEPLOY.parent
RULES = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"][0]["rules"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_grave_it_is_what_is_wrong_and_where_to_read_on(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{str(rule['alert']).lower()}"


def test_the_runbook_has_a_section_for_each_alert_and_no_other() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text()
    assert re.findall(r"^## (\w+)$", runbook, re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_an_alert_is_of_metrics_that_the_document_lists() -> None:
    listed = set(re.findall(r"`((?:storage|lakehouse)_[a-z_]+)`", (ROOT / "docs/operations.md").read_text()))
    used = {name for rule in RULES for name in re.findall(r"(?:storage|lakehouse)_[a-z_]+", rule["expr"])}
    assert used <= listed
    assert len(used) >= len(RULES) - 1
