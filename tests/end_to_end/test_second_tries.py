"""Messages that a mended decoder reads reach every layer, each at its own place."""

from __future__ import annotations

from pathlib import Path

from lakehouse_assets.contracts.registry import table
from lakehouse_assets.sources.writer import append
from tests.end_to_end.differences import gold, mart, silver, vault
from tests.end_to_end.lakehouse import Lakehouse, open_lakehouse
from tests.scenario import scenario
from tests.silver.second_tries import misreading, replay_dead_letters

BANK = (table("bank_users"), table("bank_accounts"))
BELOW_BANK = "key:bronze/bank_users+ or key:bronze/bank_accounts+"
MARTS = ("account_balance_latest", "account_balance_history")


def _differences(lakehouse: Lakehouse) -> list[str]:
    inputs = lakehouse.inputs()
    found = [text for each in BANK for text in silver(lakehouse, inputs, each.id)] + vault(lakehouse, inputs)
    return found + [text for layer in (mart, gold) for name in MARTS for text in layer(lakehouse, inputs, name)]


def test_replayed_dead_letters_reach_the_vault_the_marts_and_gold(tmp_path: Path) -> None:
    for each in BANK:
        append(tmp_path / "events", scenario(each, 2, late=0.2).stream.messages)
    with open_lakehouse(tmp_path) as lakehouse:
        with misreading('"op":"u"'):
            assert lakehouse.increment(BELOW_BANK).success, lakehouse.errors
        missing = _differences(lakehouse)
        replayed = [replay_dead_letters(lakehouse.platform, each).taken for each in BANK]
        assert lakehouse.increment(BELOW_BANK).success, lakehouse.errors

        assert min(replayed) > 5
        for layer in ("silver.", "raw_vault.", "business_vault.", "marts.", "gold."):
            assert [text for text in missing if layer in text], layer
        assert _differences(lakehouse) == []
