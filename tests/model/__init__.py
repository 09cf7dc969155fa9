"""The independent model: what every layer of the lakehouse must hold, computed from the raw inputs alone.

Plain Python over the log's lines and the CSV files. It imports nothing of the project and types in its own table
descriptions, so that an error in a contract, a cast, a fold or a formula cannot hide in both places.
Start with `read_home` (or `read_capture`, `inputs_of`), ask each layer's function, hold the answer against the
lakehouse's rows with `compare`. Rows are shared between calls: do not change them.
"""

from __future__ import annotations

from .bronze import Accounting, DeadLetter, accounting
from .changes import changes, current, truncates
from .compare import compare
from .events import user_events
from .files import retail
from .inputs import Inputs, Message, inputs_of, json_message, read_capture, read_home
from .marts import MART_KEYS, mart
from .refined import current_rows, rejects
from .tables import TABLES, Column, Table, table
from .vault import HUBS, LINKS, SATELLITES, history, hub, link, satellite

__all__ = [
    "HUBS",
    "LINKS",
    "MART_KEYS",
    "SATELLITES",
    "TABLES",
    "Accounting",
    "Column",
    "DeadLetter",
    "Inputs",
    "Message",
    "Table",
    "accounting",
    "changes",
    "compare",
    "current",
    "current_rows",
    "history",
    "hub",
    "inputs_of",
    "json_message",
    "link",
    "mart",
    "read_capture",
    "read_home",
    "rejects",
    "retail",
    "satellite",
    "table",
    "truncates",
    "user_events",
]
