"""Large values of every kind that PostgreSQL left out of an update: looked up in the key's other changes, never kept as
the placeholder, never a silent null."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from itertools import permutations
from typing import Any

from lakehouse_assets.contracts import types
from lakehouse_assets.contracts.table import Column
from lakehouse_assets.contracts.types import LogicalType
from lakehouse_assets.engines.platform import Platform
from lakehouse_assets.silver.fold_changes import fold_changes
from lakehouse_assets.silver.rebuild import rebuild_changes
from tests.silver.lakes import changes, current, fold, refused, state, take
from tests.silver.told import NOON, UNTOLD, USERS, user

BYTES = UNTOLD.encode()
EACH_BYTE = list(BYTES)
KIND, PLACEHOLDER, OLD, NEW, READ = range(5)
CASES: dict[str, tuple[LogicalType, Any, Any, Any, Any]] = {
    "text": (types.text, UNTOLD, "old", "new", "new"),
    "varchar": (types.varchar(4000), UNTOLD, "old", "new", "new"),
    "json": (types.json, UNTOLD, '{"a":1}', "{}", "{}"),
    "hstore": (types.json, json.dumps({UNTOLD: UNTOLD}, separators=(",", ":")), '{"a":"1"}', "{}", "{}"),
    "bytes": (types.binary, b64encode(BYTES).decode(), "AAE=", "AAD/", b"\x00\x00\xff"),
    "hexadecimal": (types.binary, BYTES.hex(), "AAE=", "AAD/", b"\x00\x00\xff"),
    "texts": (types.array(types.text), [UNTOLD], ["a", None], ["b", UNTOLD], ["b", UNTOLD]),
    "uuids": (
        types.array(types.uuid),
        ["b68a35a7-17ad-35b3-af2a-ae46edb4545a"],
        [],
        ["00000000-0000-0000-0000-00000000000b"],
        ["00000000-0000-0000-0000-00000000000b"],
    ),
    "integers": (types.array(types.integer), EACH_BYTE, [1], [2, None], [2, None]),
    "bigints": (types.array(types.bigint), EACH_BYTE, [1], [95, 95], [95, 95]),
    "doubles": (types.array(types.double), [float(byte) for byte in EACH_BYTE], [1.5], [2.5], [2.5]),
    "booleans": (types.array(types.boolean), [True] * len(BYTES), [True], [False], [False]),
}


TABLE = replace(
    USERS,
    columns=(
        *USERS.columns,
        *(Column(name, case[KIND], "Stored out of line.", nullable=True) for name, case in CASES.items()),
    ),
)


def told(value: int) -> dict[str, Any]:
    """Every column as the placeholder, or as its old or new value."""
    return {name: case[value] for name, case in CASES.items()}


def large(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in CASES}


def test_a_value_of_any_kind_that_was_left_out_is_the_last_known_one(platform: Platform) -> None:
    for batch in (
        [user(0, "a", "u", 9, **told(PLACEHOLDER), name="before anything"), user(1, "a", "c", 1, **told(OLD))],
        [user(2, "a", "u", 10, **told(PLACEHOLDER)), user(3, "b", "u", 6, **told(PLACEHOLDER))],
        [user(4, "a", "u", 5, **told(NEW), name="late")],
    ):
        take(platform, TABLE, batch)
        fold(platform, TABLE)

    assert refused(platform, TABLE) == []
    new = {name: case[READ] for name, case in CASES.items()}
    held = {row["offset"]: large(row) for row in changes(platform, TABLE)}
    assert (held[0], held[2], held[3]) == (new, new, dict.fromkeys(CASES))
    assert held[4] == new != held[1]
    assert {row["id"][-1]: (large(row), row["violations"]) for row in current(platform, TABLE)} == {
        "a": (new, []),
        "b": (dict.fromkeys(CASES), [f"{name}_is_available" for name in CASES]),
    }
    before = state(platform, TABLE)
    rebuild_changes(platform, TABLE, NOON.date(), NOON.date())
    fold(platform, TABLE)
    assert state(platform, TABLE) == before


def test_what_only_resembles_the_placeholder_is_a_value(platform: Platform) -> None:
    resembling = {"texts": [UNTOLD, UNTOLD], "integers": [*EACH_BYTE, 1], "bytes": b64encode(BYTES * 2).decode()}
    take(platform, TABLE, [user(0, "a", "c", 1, **resembling)])
    fold(platform, TABLE)

    [row] = current(platform, TABLE)
    assert (row["texts"], row["integers"], row["bytes"]) == ([UNTOLD, UNTOLD], [*EACH_BYTE, 1], BYTES * 2)


def test_the_order_of_batches_does_not_matter_to_what_was_left_out(platform: Platform) -> None:
    untold = b64encode(BYTES).decode()
    facts = [("c", 1, "AAE="), ("u", 2, untold), ("u", 3, "AAI="), ("u", 4, untold)]
    orders = dict(zip("abcdef", list(permutations(facts))[3::4], strict=True))
    for turn in range(len(facts)):
        batch = [(key, *order[turn]) for key, order in orders.items()]
        messages = [
            user(turn * 6 + n, key, op, lsn * 10 + n, bytes=value) for n, (key, op, lsn, value) in enumerate(batch)
        ]
        take(platform, TABLE, messages)
        fold_changes(platform, TABLE)

    for key in orders:
        mine = sorted((r for r in changes(platform, TABLE) if r["id"][-1] == key), key=lambda r: r["change_position"])
        assert [row["bytes"] for row in mine] == [b"\x00\x01", b"\x00\x01", b"\x00\x02", b"\x00\x02"]
