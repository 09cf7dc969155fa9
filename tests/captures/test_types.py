"""Every value of every recorded type under every setting is what SQL answered, or refused, and never another one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from . import types_document
from .decoded import outcomes
from .recorded import HERE, settings

SETTINGS = [s for folder in types_document.DATABASES for s in settings(HERE / folder)]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: f"{s.parent.name}-{s.name}")
def test_a_recorded_value_is_what_sql_answered_or_refused(setting: Path) -> None:
    found = outcomes(setting)
    assert [o for o in found if o.verdict == "other"] == []
    verdicts = Counter(o.verdict for o in found)
    assert verdicts["same"] > 10 * (len(found) - verdicts["same"])


@pytest.mark.parametrize("folder", types_document.DATABASES)
@pytest.mark.parametrize("name", ["precise-microseconds", "string-isostring", "double-microseconds", "flat-default"])
def test_a_schema_in_the_message_overrides_what_the_source_declares(folder: str, name: str) -> None:
    told = HERE / folder / f"{name}-schemas"
    if told in SETTINGS:
        assert repr(outcomes(told, lying=True)) == repr(outcomes(told))


def test_the_document_of_types_is_what_the_recordings_give() -> None:
    stale = "docs/types.md is stale: run .venv/bin/python -m tests.captures.types_document"
    assert types_document.DOCUMENT.read_text("utf-8") == types_document.render(), stale
