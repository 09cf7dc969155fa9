"""What must be true of a column, beyond its type.

A rule is named as a claim (`status_is_known`). Where it stops: how a claim is tested is `silver/cast.py`'s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Severity = Literal["flag", "fail"]


@dataclass(frozen=True)
class Rule(ABC):
    """`severity` says what a broken rule does to a CDC table: `flag` the row, or `fail` the run.

    Events and files that break a rule are rejected whatever the severity.
    """

    severity: Severity = field(default="flag", kw_only=True)

    @abstractmethod
    def claim(self, column: str) -> str:
        """The rule as a claim that can be true of the column: the name of its check."""


@dataclass(frozen=True)
class Present(Rule):
    """Derived from a column that is not nullable; never written in a contract."""

    def claim(self, column: str) -> str:
        return f"{column}_is_present"


@dataclass(frozen=True)
class Fits(Rule):
    """Derived from `varchar(n)` and `char(n)`; never written in a contract."""

    length: int

    def claim(self, column: str) -> str:
        return f"{column}_fits_{self.length}_characters"


@dataclass(frozen=True)
class OneOf(Rule):
    values: tuple[str, ...]

    def claim(self, column: str) -> str:
        return f"{column}_is_known"


@dataclass(frozen=True)
class AtLeast(Rule):
    minimum: Decimal

    def claim(self, column: str) -> str:
        return f"{column}_is_at_least_{self.minimum}".replace("-", "minus_").replace(".", "_")


@dataclass(frozen=True)
class Between(Rule):
    minimum: Decimal
    maximum: Decimal

    def claim(self, column: str) -> str:
        return f"{column}_is_between_{self.minimum}_and_{self.maximum}".replace("-", "minus_").replace(".", "_")


@dataclass(frozen=True)
class StartsWith(Rule):
    prefix: str

    def claim(self, column: str) -> str:
        return f"{column}_starts_as_declared"


@dataclass(frozen=True)
class Unique(Rule):
    """No two current rows share the value (nulls do not count)."""

    def claim(self, column: str) -> str:
        return f"{column}_is_unique"


@dataclass(frozen=True)
class RefersTo(Rule):
    """Each value is the single-column key of a current row of another table of the same source."""

    table: str

    def claim(self, column: str) -> str:
        return f"{column}_refers_to_{self.table}"


TableRule = Unique | RefersTo
"""Rules that need more than one row: checked on the current table, never row by row."""


def one_of(*values: str, severity: Severity = "flag") -> OneOf:
    return OneOf(values, severity=severity)


def at_least(minimum: int | str, severity: Severity = "flag") -> AtLeast:
    return AtLeast(Decimal(minimum), severity=severity)


def between(minimum: int | str, maximum: int | str, severity: Severity = "flag") -> Between:
    return Between(Decimal(minimum), Decimal(maximum), severity=severity)


def starts_with(prefix: str, severity: Severity = "flag") -> StartsWith:
    return StartsWith(prefix, severity=severity)


def unique(severity: Severity = "flag") -> Unique:
    return Unique(severity=severity)


def refers_to(table: str, severity: Severity = "flag") -> RefersTo:
    return RefersTo(table, severity=severity)
