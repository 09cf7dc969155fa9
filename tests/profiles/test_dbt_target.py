"""What dbt makes of the settings of Trino: the file profiles.yml reads them itself."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest
from dbt.config.runtime import load_profile
from dbt.flags import set_from_args
from dbt_common.context import set_invocation_context
from pydantic import ValidationError

from lakehouse_assets.profiles.settings import Settings
from lakehouse_assets.vault.manifest import PROJECT_DIR


def credentials(environment: dict[str, str]) -> Any:
    set_invocation_context(environment)
    set_from_args(Namespace(PROFILES_DIR=str(PROJECT_DIR)), None)
    return load_profile(str(PROJECT_DIR), {}, target_override="stack").credentials


def test_trino_is_reached_without_a_password_as_the_settings_default_to() -> None:
    found, default = credentials({}), Settings()
    assert (found.host, found.port, found.user) == (default.trino_host, default.trino_port, default.trino_user)
    assert (found.http_scheme.value, found.trino_auth()) == (default.trino_scheme, None)
    assert (found.database, found.timezone) == ("lakehouse", "UTC")


@pytest.mark.parametrize(("location", "trusted"), [("", True), ("/etc/lake/ca.pem", "/etc/lake/ca.pem")])
def test_a_password_is_sent_over_tls_with_a_verified_certificate_alone(location: str, trusted: object) -> None:
    found = credentials(
        {
            "LAKEHOUSE_TRINO_SCHEME": "https",
            "LAKEHOUSE_TRINO_PASSWORD": "hunter2",
            "LAKEHOUSE_TRINO_CA_LOCATION": location,
        }
    )
    assert found.http_scheme.value == "https"
    assert found.cert == trusted
    assert found.password == "hunter2"
    assert found.trino_auth() is not None
    with pytest.raises(ValidationError, match=r"LAKEHOUSE_TRINO_PASSWORD needs LAKEHOUSE_TRINO_SCHEME=https"):
        Settings(trino_password="hunter2")
