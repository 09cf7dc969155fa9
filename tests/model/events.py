"""Clickstream: one row per event, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from .bronze import valid_contents
from .changes import FIRST_DAY
from .inputs import Inputs, Row, Rows
from .rules import Refused, judged
from .tables import table

CONFLICT = "conflicting_duplicate"


def user_events(inputs: Inputs) -> Rows:
    """`silver.clickstream_user_events`: the event's columns, event_date (UTC), topic, partition, offset.

    Of one event_id the first valid event by partition and offset. The same typed values again are a redelivery.
    """
    return _folded(inputs)[0]


def refused_events(inputs: Inputs) -> tuple[Refused, ...]:
    """The events that break a rule, cannot be cast, lie before 2020 or more than a day ahead of `inputs.today`, or
    contradict the first one of their event_id."""
    return _folded(inputs)[1]


@cache
def _folded(inputs: Inputs) -> tuple[Rows, tuple[Refused, ...]]:
    first: dict[str, Row] = {}
    rows, refused = [], []
    for message, content in valid_contents(inputs, table("clickstream_user_events")):
        event, broken = judged(table("clickstream_user_events"), content, "string")
        if broken is None:
            broken = _out_of_range(inputs, event) or _conflict(first, event)
        if broken is not None:
            refused.append(Refused(message.topic, message.partition, message.offset, broken))
        elif event["event_id"] not in first:
            first[event["event_id"]] = event
            place = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
            rows.append({**event, "event_date": event["timestamp"].date(), **place})
    return rows, tuple(refused)


def _out_of_range(inputs: Inputs, event: Row) -> str | None:
    last = inputs.today + timedelta(days=1)
    return None if FIRST_DAY <= event["timestamp"].date() <= last else "event_date_is_in_range"


def _conflict(first: dict[str, Row], event: Row) -> str | None:
    return None if first.get(event["event_id"], event) == event else CONFLICT
