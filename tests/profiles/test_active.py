"""The settings of a process: read from LAKEHOUSE_ variables, refused in one line, and never opening anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse_assets.profiles import active
from lakehouse_assets.profiles.active import InvalidSetting, settings_from

STACK = {
    "LAKEHOUSE_PROFILE": "stack",
    "LAKEHOUSE_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "LAKEHOUSE_CATALOG_URI": "http://catalog:8181",
    "LAKEHOUSE_WAREHOUSE": "s3://lake/",
    "LAKEHOUSE_CLICKHOUSE_HOST": "clickhouse",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The process's own LAKEHOUSE_HOME, not made yet."""
    active.settings.cache_clear()
    active.platform.cache_clear()
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    active.settings.cache_clear()
    active.platform.cache_clear()


def test_without_variables_it_is_the_embedded_profile_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = settings_from({"PATH": "/bin", "LAKEHOUSE_PROFILE": ""})
    assert (found.profile, found.home) == ("embedded", tmp_path.resolve() / ".lakehouse")
    assert (found.batch_messages, found.memory_limit) == (100_000, "1GB")


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("LAKEHOUSE_PROFILE", "cloud", "must be 'embedded' or 'stack'"),
        ("LAKEHOUSE_BATCH_MESSAGES", "0", "must be greater than 0"),
        ("LAKEHOUSE_BATCH_MESSAGES", "many\nlines", "must be a valid integer"),
        ("LAKEHOUSE_MEMORY_LIMIT", "much", "KMGT"),
        ("LAKEHOUSE_INTERVAL_SECONDS", "0", "must be greater than 0"),
        ("LAKEHOUSE_AUTOMATE", "often", "must be a valid boolean"),
        ("LAKEHOUSE_CLICKHOUSE_PORT", "65536", "less than 65536"),
        ("LAKEHOUSE_CATALOG_URI", "catalog:8181", "http://"),
        ("LAKEHOUSE_HOME", "/lake?house", "without ?"),
    ],
)
def test_a_wrong_value_is_one_line_with_the_setting_the_value_and_what_is_valid(
    name: str, value: str, valid: str
) -> None:
    with pytest.raises(InvalidSetting) as raised:
        settings_from({name: value})
    said = str(raised.value)
    assert f"{name}={value!r}: " in said
    assert valid in said
    assert "\n" not in said


def test_an_unknown_variable_is_refused_with_the_names_that_are_valid() -> None:
    with pytest.raises(InvalidSetting, match=r"unknown setting LAKEHOUSE_HOMES; valid are .*_HOME,"):
        settings_from({"LAKEHOUSE_HOMES": "/lake", "LAKEHOUSE_HOME": "/lake", "LAKEHOUSE_TRINO_HOST": "trino"})


def test_the_stack_profile_names_every_address_that_is_missing() -> None:
    given = {name: value for name, value in STACK.items() if not name.endswith(("_WAREHOUSE", "_CATALOG_URI"))}
    with pytest.raises(InvalidSetting, match=r"^LAKEHOUSE_CATALOG_URI, LAKEHOUSE_WAREHOUSE must be set too$"):
        settings_from(given)


def test_half_a_login_is_refused() -> None:
    with pytest.raises(InvalidSetting, match=r"^LAKEHOUSE_KAFKA_SASL_USERNAME must be set too$"):
        settings_from({"LAKEHOUSE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "LAKEHOUSE_KAFKA_SASL_PASSWORD": "hunter2"})


@pytest.mark.parametrize(
    "name", ["KAFKA_SASL_PASSWORD", "CATALOG_CREDENTIAL", "S3_SECRET_KEY", "CLICKHOUSE_PASSWORD", "TRINO_PASSWORD"]
)
def test_a_secret_is_in_no_text_and_no_error(name: str) -> None:
    given = {
        **STACK,
        f"LAKEHOUSE_{name}": "hunter2",
        "LAKEHOUSE_S3_ACCESS_KEY": "key",
        "LAKEHOUSE_S3_SECRET_KEY": "hunter2",
        "LAKEHOUSE_TRINO_SCHEME": "https",
    }
    assert "hunter2" not in repr(settings_from(given))
    with pytest.raises(InvalidSetting) as raised:
        settings_from({**given, "LAKEHOUSE_BATCH_MESSAGES": "none"})
    assert "hunter2" not in f"{raised.value!r}{raised.value.__cause__!r}{raised.value.__context__!r}"


@pytest.mark.parametrize(
    ("databases", "said"),
    [
        ('{"bank": {"host": "db", "port": 5432, "user": "bank", "password": "hunter2"', "must be JSON"),
        ('{"bank": {"host": "db", "port": 0, "user": "bank", "password": "hunter2"}}', "bank.port: must be greater"),
        ('{"bank": {"host": "db", "port": 1, "login": "hunter2"}}', "bank.user: Field required"),
    ],
)
def test_a_wrong_database_is_named_without_its_password(databases: str, said: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^LAKEHOUSE_DATABASES: ") as raised:
        settings_from({**STACK, "LAKEHOUSE_DATABASES": databases})
    assert said in str(raised.value)
    assert "hunter2" not in f"{raised.value!r}{raised.value.__cause__!r}{raised.value.__context__!r}"


def test_a_password_inside_an_address_is_refused_without_showing_it() -> None:
    with pytest.raises(InvalidSetting, match="LAKEHOUSE_CATALOG_URI: must not hold user or password") as raised:
        settings_from({"LAKEHOUSE_CATALOG_URI": "http://admin:hunter2@catalog:8181"})
    assert "hunter2" not in str(raised.value)


def test_the_active_platform_is_one_and_opens_nothing(home: Path) -> None:
    platform = active.platform()
    assert platform is active.platform()
    assert (platform.name, platform.home) == ("embedded", home)
    assert not home.exists()


def test_the_instance_has_the_projects_configuration_and_gets_it_back_when_it_was_changed(home: Path) -> None:
    config = active.instance_home() / "dagster.yaml"
    assert config.parent == home / "dagster"
    assert home.stat().st_mode & 0o777 == 0o700
    wanted = config.read_text()
    assert "telemetry" in wanted
    config.write_text("telemetry: {enabled: true}\n")
    assert active.instance_home() == config.parent
    assert config.read_text() == wanted
    assert [path.name for path in config.parent.iterdir()] == ["dagster.yaml"]
