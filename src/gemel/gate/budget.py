"""The year's budget of false promotions: what the decisions before have spent of it.

Each decision that compares takes a chance alpha of a false promotion. Expectations add up, whatever depends on what, so
the sum of the alphas bounds the expected number of false promotions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

YEAR = timedelta(days=365)
# Sums of alphas are compared with budgets that they are fractions of.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Spending:
    """One decision: when, and the alpha that it spent. run: its id."""

    run: str
    time: datetime
    alpha: float


@dataclass(frozen=True)
class Spent:
    """What the decisions of the last 365 days have spent, the oldest first.

    best: the highest accuracy that a champion of these days had on the test set in use; None: not known.
    """

    decisions: tuple[Spending, ...] = ()
    best: float | None = None

    @property
    def alpha(self) -> float:
        """The sum."""
        return sum(each.alpha for each in self.decisions)

    def leaves(self, alpha: float, budget: float) -> bool:
        """Whether one more decision stays within the budget."""
        return self.alpha + alpha <= budget + _ROUNDING

    def room_from(self, alpha: float, budget: float) -> datetime:
        """When enough of the decisions will be a year old for one more. There must be no room now; alpha: at most the
        budget."""
        left = accumulate(self.decisions, lambda rest, each: rest - each.alpha, initial=self.alpha)
        old = next(count for count, rest in enumerate(left) if rest + alpha <= budget + _ROUNDING)
        return self.decisions[old - 1].time + YEAR


def within_a_year(decisions: Iterable[Spending], now: datetime) -> tuple[Spending, ...]:
    """The decisions that count at a moment, the oldest first.

    One that lies in the future counts as well: a clock that was put back makes no room.
    """
    return tuple(sorted((each for each in decisions if each.time > now - YEAR), key=lambda each: each.time))
