"""`.env`: made on first use, for its owner alone, with random passwords that stay."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from .compose import ROOT

FILES = ("docker-compose.yml", "docker-compose.secure.yml")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program of `make stack`, on copies of the compose files."""
    found = importlib.util.spec_from_file_location("make_env", ROOT / "deploy/make_env.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    for name in FILES:
        (tmp_path / name).write_text((ROOT / name).read_text())
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


def test_every_variable_gets_a_password_of_its_own(made: ModuleType, tmp_path: Path) -> None:
    made.main()
    held = made.held((tmp_path / ".env").read_text())
    assert sorted(held) == made.needed("".join((ROOT / name).read_text() for name in FILES))
    assert {
        "MYSQL_ROOT_PASSWORD",
        "KAFKA_BROKER_PASSWORD",
        "BANK_PASSWORD",
        "DATABASE_PASSWORD_SHOP",
        "GRAFANA_ADMIN_PASSWORD",
    } <= held.keys()
    assert all(len(value) == 48 and value.isalnum() for value in held.values())
    assert len(set(held.values())) == len(held)


def test_it_is_for_its_owner_alone_also_when_it_was_not(made: ModuleType, tmp_path: Path) -> None:
    made.main()
    file = tmp_path / ".env"
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_text()
    file.chmod(0o644)
    made.main()
    assert (file.stat().st_mode & 0o777, file.read_text()) == (0o600, before)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".env")] == [".env"]


def test_what_is_there_stays_and_what_is_empty_or_missing_is_made(made: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# mine\nBANK_PASSWORD=chosen\nSHOP_PASSWORD=\nCOMPOSE_PROFILES=none\n")
    made.main()
    held = made.held(file.read_text())
    assert (held["BANK_PASSWORD"], held["COMPOSE_PROFILES"]) == ("chosen", "none")
    assert len(held["SHOP_PASSWORD"]) == 48
    assert file.read_text().startswith("# mine\n")
    after = file.read_text()
    made.main()
    assert file.read_text() == after


def test_passwords_are_no_file_of_the_project() -> None:
    assert {".env", ".certificates/"} <= set((ROOT / ".gitignore").read_text().splitlines())
    assert "!.env" not in (ROOT / ".dockerignore").read_text()
    assert (ROOT / ".dockerignore").read_text().startswith("*\n")
