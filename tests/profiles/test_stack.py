"""The stack profile: every setting reaches its client under that client's name, and nothing connects by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.engines.iceberg import rest
from lakehouse_assets.engines.iceberg.storage import RETRIES
from lakehouse_assets.profiles import stack
from lakehouse_assets.profiles.settings import Settings


def _settings(home: Path, **changes: Any) -> Settings:
    # Port 1 answers nobody: whatever connected would fail.
    given: dict[str, Any] = {
        "profile": "stack",
        "home": home,
        "kafka_bootstrap_servers": "127.0.0.1:1",
        "catalog_uri": "http://127.0.0.1:1",
        "warehouse": "s3://lake/",
        "clickhouse_host": "127.0.0.1",
        "clickhouse_port": 1,
        "patience_seconds": 0,
    }
    return Settings.model_validate({**given, **changes})


def test_making_the_platform_connects_to_nothing(tmp_path: Path) -> None:
    platform = stack.platform(_settings(tmp_path / "home", batch_messages=9))
    assert (platform.name, platform.dbt_target, platform.batch_messages) == ("stack", "stack", 9)
    assert not (tmp_path / "home").exists()


def test_a_server_that_is_not_there_fails_when_it_is_asked_for(tmp_path: Path) -> None:
    platform = stack.platform(_settings(tmp_path))
    for open_it in (platform.open_catalog, platform.open_clickhouse):
        with pytest.raises(Exception, match=r"127\.0\.0\.1"):
            open_it()


def test_secrets_reach_the_clients_and_no_text_of_the_platform(tmp_path: Path) -> None:
    login = {"kafka_sasl_username": "lakehouse", "kafka_sasl_password": "hunter2"}
    settings = _settings(
        tmp_path, kafka_security_protocol="SASL_SSL", s3_access_key="key", s3_secret_key="hunter3", **login
    )
    kafka, catalog = stack.kafka_settings(settings), stack.catalog_properties(settings)
    assert (kafka["sasl.username"], kafka["sasl.password"]) == ("lakehouse", "hunter2")
    assert kafka["sasl.mechanism"] == "SCRAM-SHA-512"
    assert (catalog["s3.access-key-id"], catalog["s3.secret-access-key"]) == ("key", "hunter3")
    assert "hunter" not in repr(stack.platform(settings))


def test_without_a_login_no_login_is_configured(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    assert set(stack.kafka_settings(settings)) == {"bootstrap.servers", "security.protocol"}
    assert set(stack.catalog_properties(settings)) == {"uri", "warehouse", "s3.region", *RETRIES}


@pytest.mark.parametrize(("patience", "sent_again"), [(0, 1), (0.5, 2), (8, 5), (26, 8), (600, 8)])
def test_a_catalog_that_does_not_answer_is_asked_again_for_no_longer_than_the_patience(
    patience: float, sent_again: int
) -> None:
    assert rest.attempts(patience) == sent_again
