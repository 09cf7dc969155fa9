"""However a bank's changes arrive and whatever fails: satellites tell every change, histories have no gap.

Few histories, as each starts dbt several times; `make chaos` lives through more.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.vault.histories import STEPS, Step, live

HISTORIES = 3
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 30)), min_size=8, max_size=12)


def test_any_history_ends_with_the_satellites_and_intervals_that_the_model_says() -> None:
    happened = Counter[str]()

    @settings(
        max_examples=HISTORIES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(seed=st.integers(0, 1000), steps=steps)
    def every(seed: int, steps: list[Step]) -> None:
        with tempfile.TemporaryDirectory() as home:
            happened.update(live(Path(home), seed, steps))

    every()
    assert happened["vault message"] > 50 * HISTORIES
    assert happened["vault build failed"] > 0
