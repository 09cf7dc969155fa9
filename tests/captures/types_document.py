"""Writes docs/types.md from the recordings: `.venv/bin/python -m tests.captures.types_document`.

A test fails where the document is stale. Where it stops: what became of each value is `decoded`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids

from lakehouse_assets.contracts.types import LogicalType
from lakehouse_assets.engines.debezium.encodings import Encoding, declared
from lakehouse_assets.engines.iceberg.schema import arrow_type

from .decoded import Outcome, Verdict, alteration, columns_of, declared_table, outcomes
from .recorded import HERE, settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "types.md"
DATABASES = {"types_postgres": "PostgreSQL", "types_mariadb": "MariaDB"}

_HEAD = """# Types

Generated from the recordings in `tests/captures` by `.venv/bin/python -m tests.captures.types_document`; do not edit.

Each type of a source, the type that a contract declares for it, the type of the Iceberg column, and what became of the
recorded edge values: every other recorded value is in the lakehouse as SQL on the database answered.

- **Written as** is what Debezium sends: `json` the value itself, `precise` base64 of the unscaled number or a struct
  with its scale, `float` a binary number, `days`, `millis`, `micros` and `nanos` a count from 1970 or midnight, `iso`
  ISO 8601 text, `base64`, `base64url` and `hex` bytes, `bits` base64 of little-endian bytes. The contract's source says
  which modes the connector has (`decimal`, `time`, `interval`, `binary`, `unsigned`); a schema in the message overrides
  it.
- **Refused** values came and have no form in the declared type, or the mode does not hold them for certain: the row is
  a reject `not_representable`. Declare the column `text` to keep what came.
- **Not told** are values that the connector itself replaces by null or by another value: no reader can tell.
"""


def render() -> str:
    return "\n".join([_HEAD, *(_section(folder, name) for folder, name in DATABASES.items())])


def _section(folder: str, name: str) -> str:
    forms: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    kinds: dict[str, dict[LogicalType, None]] = defaultdict(dict)
    became: dict[tuple[str, Verdict], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    plain = [s for s in settings(HERE / folder) if not s.name.endswith("-schemas") and "flat" not in s.name]
    for setting in plain:
        table = declared_table(setting)
        for column in columns_of(setting):
            kind = table.column(column.name).type
            kinds[column.name][kind] = None
            forms[column.name][_form(declared(kind, table.source))].append(setting.name)
        for outcome in outcomes(setting):
            modes = became[outcome.column, outcome.verdict][_shown(folder, outcome)]
            if setting.name not in modes:
                modes.append(setting.name)
    lines = [
        f"## {name}\n",
        "| Type | Contract | Iceberg | Written as | Refused | Not told |",
        "|---|---|---|---|---|---|",
    ]
    for column in columns_of(plain[0]):
        own = column.name
        untold = {**became[own, "lost"], **became[own, "altered"]}
        cells = [
            f"`{column.type}`",
            ", ".join(f"`{k}`" for k in kinds[own]),
            ", ".join(dict.fromkeys(f"`{_iceberg(k)}`" for k in kinds[own])),
            *(_listed(values, len(plain)) for values in (forms[own], became[own, "refused"], untold)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _form(encoding: Encoding) -> str:
    return f"`{encoding.element.form}` each" if encoding.element else f"`{encoding.form}`"


def _iceberg(kind: LogicalType) -> str:
    (field,) = _pyarrow_to_schema_without_ids(pa.schema([pa.field("c", arrow_type(kind))])).fields
    return str(field.field_type)


def _shown(folder: str, outcome: Outcome) -> str:
    if outcome.verdict == "altered":
        column = next(c for c in columns_of(HERE / folder / "any") if c.name == outcome.column)
        return alteration(column, outcome.sql or "") or ""
    text = outcome.sql or ""
    return f"`{text if len(text) <= 32 else text[:28] + '...'}`"


def _listed(values: Mapping[str, Iterable[str]], of: int) -> str:
    """Each value, with its settings where it is not all of them."""
    return "; ".join(
        text if len(modes := list(names)) == of else f"{text} ({', '.join(modes)})" for text, names in values.items()
    )


if __name__ == "__main__":
    DOCUMENT.write_text(render(), "utf-8")
