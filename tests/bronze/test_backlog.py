"""Memory follows the batch, not the backlog."""

from __future__ import annotations

from pathlib import Path

from .backlog import peak_memory


def test_peak_memory_at_ten_times_the_backlog_is_the_same(tmp_path: Path) -> None:
    batch = 10_000
    small = peak_memory(tmp_path / "small", 2 * batch, batch)
    large = peak_memory(tmp_path / "large", 20 * batch, batch)
    assert large < 1.25 * small
