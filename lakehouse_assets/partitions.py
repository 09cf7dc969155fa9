"""The one daily partitions definition that changes, events and date-grained marts and gold share.

It is one object: Dagster splits a run whose assets' definitions differ. Days are UTC; tomorrow is a partition because
events may be up to a day ahead.
"""

from __future__ import annotations

from datetime import date

import dagster as dg

FIRST_DAY = date(2020, 1, 1)

DAILY = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), timezone="UTC", end_offset=2)
