"""Every layer of a lakehouse held against the independent model, column by column; each answer is sentences.

Where it stops: `model` knows what must be there, `Lakehouse` what is there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tests import model
from tests.end_to_end.lakehouse import Lakehouse, Rows

UNPUBLISHED = frozenset({"int_order_items_enriched", "int_customer_orders"})
_HASH = re.compile(r"[0-9a-f]{32}")
_BESIDES_KEYS = frozenset({"load_datetime", "record_source"})


def differences(lakehouse: Lakehouse, inputs: model.Inputs) -> list[str]:
    """Of every layer; [] when the lakehouse equals the model."""
    return [
        *(text for table_id in model.TABLES for text in bronze(lakehouse, inputs, table_id)),
        *(text for table_id in model.TABLES for text in silver(lakehouse, inputs, table_id)),
        *vault(lakehouse, inputs),
        *(text for name in model.MART_KEYS for text in mart(lakehouse, inputs, name)),
        *(text for name in sorted(model.MART_KEYS.keys() - UNPUBLISHED) for text in gold(lakehouse, inputs, name)),
    ]


def bronze(lakehouse: Lakehouse, inputs: model.Inputs, table_id: str) -> list[str]:
    """Each message once, dead letters and tombstones known as such."""
    described, account = model.table(table_id), model.accounting(inputs, table_id)
    dead = {(letter.partition, letter.offset) for letter in account.dead}
    if described.feed == "files":
        places = [(0, offset, False) for offset in range(account.consumed)]
    else:
        places = [(m.partition, m.offset, m.value is None) for m in inputs.messages.get(described.topic, ())]
    expected = [
        {"partition": partition, "offset": offset, "is_dead": (partition, offset) in dead, "is_tombstone": tombstone}
        for partition, offset, tombstone in places
    ]
    held = [{**row, "is_dead": row["error"] is not None} for row in lakehouse.rows(f"bronze.{table_id}")]
    return model.compare(f"bronze.{table_id}", expected, held, ("partition", "offset"))


def silver(lakehouse: Lakehouse, inputs: model.Inputs, table_id: str) -> list[str]:
    """The current rows, the rejects, and of a captured table its changes."""
    described = model.table(table_id)
    held = lakehouse.rows(f"silver.{table_id}")
    found = model.compare(f"silver.{table_id}", model.current_rows(inputs, table_id), held, described.key)
    place = ("table", "topic", "partition", "offset")
    expected = [{column: row[column] for column in place} for row in model.rejects(inputs, table_id)]
    refused = [row for row in lakehouse.rows("silver.rejects") if row["table"] == table_id]
    found += model.compare("silver.rejects", expected, refused, place)
    if described.feed in ("postgresql", "mariadb"):
        found += changes(lakehouse, inputs, table_id)
    return found


def changes(lakehouse: Lakehouse, inputs: model.Inputs, table_id: str) -> list[str]:
    """`change_number` is the rank of change_position within the key."""
    name, key = f"silver.{table_id}_changes", model.table(table_id).key
    held = lakehouse.rows(name)
    told = numbered([row for row in held if row["op"] != "t"], key)
    truncates = [row for row in held if row["op"] == "t"]
    return [
        *model.compare(name, model.changes(inputs, table_id), told, (*key, "change_number")),
        *model.compare(f"{name} (truncates)", model.truncates(inputs, table_id), truncates, ("partition", "offset")),
    ]


def vault(lakehouse: Lakehouse, inputs: model.Inputs) -> list[str]:
    keys = BusinessKeys(lakehouse)
    return [
        *(text for name in model.HUBS for text in hub(lakehouse, inputs, name)),
        *(text for name in model.LINKS for text in link(lakehouse, inputs, keys, name)),
        *(text for name in model.LINKS for text in effectivity(lakehouse, inputs, keys, name)),
        *(text for name in model.SATELLITES for text in satellite(lakehouse, inputs, keys, name)),
        *(text for name in model.SATELLITES for text in history(lakehouse, inputs, keys, name)),
    ]


class BusinessKeys:
    """The business key of each hash key, per hash key column, as the hubs tell it."""

    def __init__(self, lakehouse: Lakehouse) -> None:
        self._keys: dict[str, dict[str, Any]] = {}
        for name in model.HUBS:
            for row in lakehouse.rows(f"raw_vault.{name}"):
                hash_key, business_key = _hub_columns(row)
                self._keys.setdefault(hash_key, {})[row[hash_key]] = row[business_key]

    def of(self, column: str, hash_key: str) -> Any:
        return self._keys.get(column, {}).get(hash_key, f"no hub knows {column} {hash_key}")


def hub(lakehouse: Lakehouse, inputs: model.Inputs, name: str) -> list[str]:
    rows = lakehouse.rows(f"raw_vault.{name}")
    found = [{"business_key": row[_hub_columns(row)[1]]} for row in rows]
    expected = [{"business_key": key} for key in model.hub(inputs, name)]
    hashes = [row[_hub_columns(row)[0]] for row in rows]
    return [*model.compare(f"raw_vault.{name}", expected, found, "business_key"), *_bad_hashes(name, hashes)]


def link(lakehouse: Lakehouse, inputs: model.Inputs, keys: BusinessKeys, name: str) -> list[str]:
    rows = lakehouse.rows(f"raw_vault.{name}")
    found = [{"left": left, "right": right} for left, right in _pairs(rows, keys).values()]
    expected = [{"left": left, "right": right} for left, right in model.link(inputs, name)]
    hashes = [next(iter(row.values())) for row in rows]
    return [*model.compare(f"raw_vault.{name}", expected, found, ("left", "right")), *_bad_hashes(name, hashes)]


def effectivity(lakehouse: Lakehouse, inputs: model.Inputs, keys: BusinessKeys, name: str) -> list[str]:
    """What each change of the driving key says of its pair: which one holds, or that none does."""
    described = model.LINKS[name]
    [own] = model.table(described.table_id).key
    driving = next(name for name, table_id in model.SATELLITES.items() if table_id == described.table_id)
    expected = []
    for row in model.satellite(inputs, driving):
        pair = tuple(row["business_key"] if column == own else row[column] for column in described.columns)
        kept = {column: row[column] for column in ("business_key", "change_number", "effective_from")}
        expected.append({**kept, "is_active": None not in pair, "pair": pair if None not in pair else None})
    pairs = _pairs(lakehouse.rows(f"raw_vault.{name}"), keys)
    found = []
    for row in lakehouse.rows(f"raw_vault.e_{name}"):
        link_key, hash_key = list(row)[:2]
        found.append({**row, "business_key": keys.of(hash_key, row[hash_key]), "pair": pairs.get(row[link_key])})
    return model.compare(
        f"raw_vault.e_{name}", expected, numbered(found, ("business_key",)), ("business_key", "change_number")
    )


def satellite(lakehouse: Lakehouse, inputs: model.Inputs, keys: BusinessKeys, name: str) -> list[str]:
    """Every change, and that two rows have one hashdiff just when they tell the same."""
    found = numbered(_with_business_key(lakehouse.rows(f"raw_vault.{name}"), keys), ("business_key",))
    payload = ("is_deleted", *(column.name for column in model.table(model.SATELLITES[name]).payload))
    told = {(row["hashdiff"], *(row[column] for column in payload)) for row in found}
    ambiguous = len(told) - min(len({each[0] for each in told}), len({each[1:] for each in told}))
    return [
        *model.compare(f"raw_vault.{name}", model.satellite(inputs, name), found, ("business_key", "change_number")),
        *([f"raw_vault.{name}: {ambiguous} hashdiffs do not follow from the payload"] if ambiguous else []),
    ]


def history(lakehouse: Lakehouse, inputs: model.Inputs, keys: BusinessKeys, name: str) -> list[str]:
    found = _with_business_key(lakehouse.rows(f"business_vault.{name}_history"), keys)
    expected = model.history(inputs, name)
    return model.compare(f"business_vault.{name}_history", expected, found, ("business_key", "valid_from", "valid_to"))


def mart(lakehouse: Lakehouse, inputs: model.Inputs, name: str) -> list[str]:
    return model.compare(
        f"marts.{name}", model.mart(inputs, name), lakehouse.rows(f"marts.{name}"), model.MART_KEYS[name]
    )


def gold(lakehouse: Lakehouse, inputs: model.Inputs, name: str) -> list[str]:
    return model.compare(f"gold.{name}", model.mart(inputs, name), lakehouse.gold(name), model.MART_KEYS[name])


def _pairs(links: Rows, keys: BusinessKeys) -> dict[str, tuple[Any, Any]]:
    """The business keys of each link's hash key."""
    pairs = {}
    for row in links:
        link_key, left, right = (column for column in row if column not in _BESIDES_KEYS)
        pairs[row[link_key]] = (keys.of(left, row[left]), keys.of(right, row[right]))
    return pairs


def _with_business_key(rows: Rows, keys: BusinessKeys) -> Rows:
    return [{**row, "business_key": keys.of(next(iter(row)), next(iter(row.values())))} for row in rows]


def numbered(held: Rows, key: Sequence[str]) -> Rows:
    """With `change_number`: 1, 2, ... along the position within the key."""
    counts: Counter[Any] = Counter()
    result = []
    for row in sorted(held, key=lambda each: each["change_position"]):
        identity = tuple(row[column] for column in key)
        counts[identity] += 1
        result.append({**row, "change_number": counts[identity]})
    return result


def _hub_columns(row: dict[str, Any]) -> tuple[str, str]:
    hash_key, business_key = (column for column in row if column not in _BESIDES_KEYS)
    return hash_key, business_key


def _bad_hashes(name: str, hashes: Iterable[str]) -> Iterator[str]:
    listed = list(hashes)
    if len(set(listed)) != len(listed):
        yield f"raw_vault.{name}: a hash key repeats"
    yield from (f"raw_vault.{name}: {each!r} is no hash key" for each in listed if not _HASH.fullmatch(each))
