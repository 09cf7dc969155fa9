"""Reads what `record` wrote. Where it stops: what an event means, and what a text stands for, is the test's."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

from .recording import NULL

HERE = Path(__file__).parent
RECORDINGS = sorted(path.parent for path in HERE.glob("*/manifest.json"))
"""The folders `<case>_<database>`."""


def settings(recording: Path) -> list[Path]:
    """The folders of one recording; `copy_capture` takes each."""
    return sorted(path for path in recording.iterdir() if path.is_dir())


def topics(setting: Path) -> list[str]:
    return sorted(path.name.removesuffix(".jsonl.gz") for path in setting.glob("*.jsonl.gz"))


def messages(setting: Path, topic: str) -> list[dict[str, Any]]:
    """As `kcat -C -J` prints them; `key` and `payload` are text or None."""
    return [json.loads(line) for line in gzip.open(setting / f"{topic}.jsonl.gz", "rt", encoding="utf-8")]


def truth(recording: Path, table: str) -> list[dict[str, str | None]]:
    """The rows in the end, each value as SQL printed it."""
    text = gzip.decompress((recording / f"{table}.csv.gz").read_bytes()).decode()
    lines = csv.DictReader(io.StringIO(text, newline=""))
    return [{name: None if value == NULL else value for name, value in line.items()} for line in lines]


def manifest(recording: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((recording / "manifest.json").read_text())
    return loaded
