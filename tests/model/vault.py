"""The vault by business keys: no hash keys, which are the lakehouse's own business.

A truncate names no key and is in no hub or link. It deletes every key of lower position: in a satellite it is a row of
each key that changed since the truncate before it, whichever of them arrived first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise
from typing import Any

from .changes import changes, states
from .inputs import Inputs, Row, Rows
from .tables import table


@dataclass(frozen=True)
class Link:
    """A link: the table whose changes make it and the two columns of its pairs, in the order of the link's name."""

    table_id: str
    columns: tuple[str, str]


HUBS = {
    "h_users": "bank_users",
    "h_accounts": "bank_accounts",
    "h_shop_users": "shop_users",
    "h_shop_products": "shop_products",
    "h_shop_orders": "shop_orders",
    "h_shop_user_sessions": "shop_user_sessions",
}
LINKS = {
    "l_users_accounts": Link("bank_accounts", ("user_id", "id")),
    "l_shop_orders_users": Link("shop_orders", ("id", "user_id")),
    "l_shop_orders_products": Link("shop_orders", ("id", "product_id")),
    "l_shop_user_sessions_users": Link("shop_user_sessions", ("id", "user_id")),
}
SATELLITES = {hub.replace("h_", "s_", 1): table_id for hub, table_id in HUBS.items()}
_REFERENCES = {
    "h_users": (("bank_accounts", "user_id"),),
    "h_shop_users": (("shop_orders", "user_id"), ("shop_user_sessions", "user_id")),
    "h_shop_products": (("shop_orders", "product_id"),),
}


@cache
def hub(inputs: Inputs, name: str) -> frozenset[Any]:
    """The business keys of a hub: of every change of its table, deletes included, and those that a change of another
    table refers to. A delete refers to nothing."""
    [key] = table(HUBS[name]).key
    own = {row[key] for row in changes(inputs, HUBS[name])}
    referred = {
        row[column]
        for table_id, column in _REFERENCES.get(name, ())
        for row in changes(inputs, table_id)
        if not row["is_deleted"] and row[column] is not None
    }
    return frozenset(own | referred)


@cache
def link(inputs: Inputs, name: str) -> frozenset[tuple[Any, Any]]:
    """The pairs of business keys that any change but a delete ever held, in the order of `LINKS`."""
    described = LINKS[name]
    left, right = described.columns
    return frozenset(
        (row[left], row[right])
        for row in changes(inputs, described.table_id)
        if not row["is_deleted"] and row[left] is not None and row[right] is not None
    )


@cache
def satellite(inputs: Inputs, name: str) -> Rows:
    """`raw_vault.<name>`: one row per change and per truncate that reached the key, by business key, then position.

    business_key, change_number (1, 2, ... along change_position), is_deleted, effective_from, and every column of the
    table but the key, foreign keys included; all null in a delete or truncate.
    """
    described = table(SATELLITES[name])
    [column] = described.key
    streams = groupby(states(inputs, SATELLITES[name]), key=lambda row: row[column])
    return [
        {
            "business_key": key,
            "change_number": number,
            "is_deleted": row["is_deleted"],
            "effective_from": row["change_time"],
            **{each.name: row[each.name] for each in described.payload},
        }
        for key, stream in streams
        for number, row in enumerate(stream, start=1)
    ]


@cache
def history(inputs: Inputs, name: str) -> Rows:
    """`business_vault.<name>_history`: the satellite with equal neighbours collapsed.

    business_key, is_deleted, the payload, valid_from (effective_from of the run's first change), valid_to (the next
    run's valid_from; null for the last). A delete or truncate is a run as well, its payload null.
    """
    described = table(SATELLITES[name])
    columns = ("is_deleted", *(column.name for column in described.payload))
    [key] = described.key
    rows = [{**row, "business_key": row[key]} for row in states(inputs, SATELLITES[name])]
    return intervals(rows, columns, "change_time")


def intervals(rows: Rows, columns: tuple[str, ...], since: str) -> Rows:
    """Rows in order of business_key and time, with runs of equal `columns` collapsed to the first and end-dated."""
    collapsed: Rows = []
    for key, stream in groupby(rows, key=lambda row: row["business_key"]):
        starts: list[Row] = []
        for row in stream:
            if not starts or any(row[column] != starts[-1][column] for column in columns):
                starts.append(row)
        ends = [*(following[since] for _, following in pairwise(starts)), None]
        collapsed += [
            {
                "business_key": key,
                **{column: start[column] for column in columns},
                "valid_from": start[since],
                "valid_to": end,
            }
            for start, end in zip(starts, ends, strict=True)
        ]
    return collapsed
