"""The recorded databases: where their changes lie, and the rows that they held in the end.

Values are typed without the project's and the model's decoding. Where it stops: reading the changes is the readers'.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests import model

SAMPLES = Path(__file__).parent.parent / "sample_data"


def recorded_end(table_id: str) -> list[dict[str, Any]]:
    """The rows of a table, each with the columns of the model."""
    described = model.table(table_id)
    path = SAMPLES / f"{described.source}-truth" / f"{described.name}.csv.gz"
    casts: dict[str, Callable[[str], Any]] = {
        "text": str,
        "int": int,
        "bigint": int,
        "bool": {"0": False, "1": True}.__getitem__,
        "decimal": Decimal,
        "date": date.fromisoformat,
        "datetime": datetime.fromisoformat,
        "instant": datetime.fromisoformat,
    }
    lines = csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode(), newline=""))
    return [
        {c.name: None if line[c.name] == r"\N" else casts[c.kind](line[c.name]) for c in described.columns}
        for line in lines
    ]
