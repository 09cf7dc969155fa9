"""Memory follows the batch, not the backlog. `make chaos` asks the same of five million messages."""

from __future__ import annotations

from pathlib import Path

from .backlog import peak_memory

BATCH = 500
SIZE = 20_000


def test_peak_memory_at_ten_times_the_backlog_is_the_same(tmp_path: Path) -> None:
    small = peak_memory(tmp_path / "small", 4 * BATCH, BATCH, SIZE)
    large = peak_memory(tmp_path / "large", 40 * BATCH, BATCH, SIZE)
    assert large < 1.3 * small
