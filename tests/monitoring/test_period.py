"""Weeks are those of ISO 8601 in UTC."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from gemel.core.errors import RequestError
from gemel.monitoring.period import days_between, week_before


def test_last_week_that_is_over_is_meant() -> None:
    period = week_before(datetime(2026, 11, 22, 23, 59, tzinfo=UTC))
    assert period.start == datetime(2026, 11, 9, tzinfo=UTC)
    assert period.until == datetime(2026, 11, 16, tzinfo=UTC)
    assert period.name == "2026-W46"


def test_week_is_that_of_utc() -> None:
    monday_in_tokyo = datetime(2026, 11, 23, 8, tzinfo=timezone(timedelta(hours=9)))
    assert week_before(monday_in_tokyo).name == "2026-W46"


def test_week_of_the_turn_of_the_year_has_the_year_of_its_thursday() -> None:
    assert days_between(date(2026, 12, 28), date(2027, 1, 4)).name == "2026-W53"


def test_other_periods_are_named_by_their_days() -> None:
    assert days_between(date(2026, 11, 9), date(2026, 11, 12)).name == "2026-11-09_2026-11-11"


def test_period_without_a_day_is_refused() -> None:
    with pytest.raises(RequestError, match="holds no day; give a later --until"):
        days_between(date(2026, 11, 9), date(2026, 11, 9))
