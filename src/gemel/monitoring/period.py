"""The time that a report is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from gemel.core.errors import RequestError

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Period:
    """From a moment on until another, which is outside; both in UTC."""

    start: datetime
    until: datetime

    @property
    def days(self) -> float:
        """Its length in days."""
        return (self.until - self.start) / timedelta(days=1)

    @property
    def name(self) -> str:
        """For a folder: 2026-W47 if it is an ISO week, else the first and the last day."""
        if self.until - self.start == WEEK and self.start.isoweekday() == 1 and self.start.time() == time():
            return f"{self.start:%G-W%V}"
        return f"{self.start:%Y-%m-%d}_{self.until - timedelta(microseconds=1):%Y-%m-%d}"


def week_before(now: datetime) -> Period:
    """The last ISO week, Monday to Sunday in UTC, that is over."""
    today = now.astimezone(UTC).date()
    monday = today - timedelta(days=today.weekday())
    return days_between(monday - WEEK, monday)


def days_between(start: date, until: date) -> Period:
    """From the first moment of a day until that of another, in UTC.

    Raises: RequestError unless `until` is later.
    """
    if until <= start:
        raise RequestError(f"a period from {start} until {until} holds no day; give a later --until, which is outside")
    first, last = (datetime.combine(day, time(), tzinfo=UTC) for day in (start, until))
    return Period(first, last)
