"""Rounding and the starts of periods, one definition for all marts."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal


def cents(amount: Decimal) -> Decimal:
    """decimal(18,2), half away from zero."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def week_of(day: date) -> date:
    """The week's Monday."""
    return date(day.year, day.month, day.day) - timedelta(days=day.weekday())


def month_of(day: date) -> date:
    """The month's first day."""
    return date(day.year, day.month, 1)
