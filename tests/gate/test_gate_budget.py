"""The year's budget: what counts, and when there is room again."""

from datetime import UTC, datetime, timedelta

from gate.slices import counted, decided

from gemel.gate.budget import YEAR, Spending, Spent, within_a_year
from gemel.gate.decision import Outcome
from gemel.gate.settings import GateSettings

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def spending(days_ago: float, alpha: float = 0.01) -> Spending:
    return Spending(f"r{days_ago}", NOW - timedelta(days=days_ago), alpha)


def test_decisions_older_than_a_year_count_no_more() -> None:
    found = within_a_year([spending(1), spending(366), spending(364)], NOW)
    assert [each.run for each in found] == ["r364", "r1"]


def test_decision_of_the_future_counts() -> None:
    assert len(within_a_year([spending(-400)], NOW)) == 1


def test_last_decision_that_fits_leaves_nothing() -> None:
    spent = Spent(tuple(spending(day, 0.1) for day in (3, 2)))
    assert spent.leaves(0.1, 0.3)
    assert not spent.leaves(0.11, 0.3)


def test_room_comes_when_enough_is_a_year_old() -> None:
    spent = Spent((spending(300, 0.1), spending(200, 0.2), spending(100, 0.2)))
    assert spent.room_from(0.25, 0.5) == NOW - timedelta(days=200) + YEAR


def test_spent_budget_holds_and_says_until_when() -> None:
    settings = GateSettings()
    spent = Spent(tuple(spending(day, settings.alpha) for day in range(100, 48, -1)))
    found = decided(counted(fixed=200), spent=spent)
    assert found.outcome is Outcome.HOLD
    until = NOW - timedelta(days=100) + YEAR
    assert found.why[0].startswith(f"budget spent until {until:%Y-%m-%d}: 52 decisions within 365 days took 0.500 of")
    assert found.alpha == 0.0


def test_drop_is_refused_without_a_budget() -> None:
    spent = Spent((spending(1, 0.5),))
    assert decided(counted(broken=500), spent=spent).outcome is Outcome.REFUSE


def test_decision_spends_its_part_whatever_comes_of_it() -> None:
    settings = GateSettings(expected_decisions=26, false_promotions=0.26)
    found = decided(counted(broken=500), expected_decisions=26, false_promotions=0.26)
    assert found.alpha == settings.alpha == 0.01


def test_few_expected_decisions_do_not_make_one_careless() -> None:
    assert GateSettings(expected_decisions=2, false_promotions=1.0).alpha == 0.05
