"""The settings and the platform of this process: the only reader of the environment.

An empty variable counts as not set. Where it stops: whoever needs another environment makes `Settings` by hand.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from lakehouse_assets.engines.connect.database import Database
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.mendable import BadInput
from lakehouse_assets.profiles import embedded, stack
from lakehouse_assets.profiles.settings import PREFIX, Settings, variable

_PLATFORMS = {"embedded": embedded.platform, "stack": stack.platform}
_INSTANCE = Path(__file__).resolve().parents[2] / "dagster.yaml"


class InvalidSetting(BadInput):
    """One line that names the setting, the value given unless it is secret, and what is valid."""


@cache
def settings() -> Settings:
    """Raises InvalidSetting."""
    return settings_from(os.environ)


@cache
def platform() -> Platform:
    """Nothing is opened before it is used. Raises InvalidSetting."""
    return _PLATFORMS[settings().profile](settings())


def settings_from(environment: Mapping[str, str]) -> Settings:
    """The settings of the variables that begin with LAKEHOUSE_. Raises InvalidSetting."""
    fields = {variable(field): field for field in Settings.model_fields}
    given = {name: value for name, value in environment.items() if name.startswith(PREFIX) and value}
    if unknown := sorted(given.keys() - fields.keys()):
        raise InvalidSetting(f"unknown setting {', '.join(unknown)}; valid are {', '.join(fields)}")
    try:
        return Settings.model_validate({fields[name]: value for name, value in given.items()})
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
    raise InvalidSetting("; ".join(_problem(each) for each in details))


def instance_home() -> Path:
    """Dagster's folder in the lakehouse, with the dagster.yaml of the settings, else the project's; made when missing,
    mended when different."""
    folder = settings().home / "dagster"
    settings().home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    wanted, config = (settings().dagster_yaml or _INSTANCE).read_bytes(), folder / "dagster.yaml"
    if not config.exists() or config.read_bytes() != wanted:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix="dagster-")
        with os.fdopen(handle, "wb") as file:
            file.write(wanted)
        Path(temporary).replace(config)  # a process that starts meanwhile reads the old one or the new one, whole
    return folder


def _problem(detail: ErrorDetails) -> str:
    said = detail["msg"].removeprefix("Value error, ")
    if not detail["loc"]:
        return said
    field = str(detail["loc"][0])
    value = str(detail["input"])
    shown = "" if _is_secret(field) or "@" in value else f"={value[:80]!r}"
    inside = "".join(f"{part}." for part in detail["loc"][1:])
    where = f"{inside.removesuffix('.')}: " if inside else ""
    return f"{variable(field)}{shown}: {where}{said.replace('Input should be', 'must be')}"


def _is_secret(field: str) -> bool:
    annotation = str(Settings.model_fields[field].annotation)
    return SecretStr.__name__ in annotation or Database.__name__ in annotation
