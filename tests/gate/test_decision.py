"""Promote, hold or refuse: from counts to an outcome and its words."""

import pytest
from gate.slices import SETTINGS, counted, decided, graded

from gemel.core.errors import DataError
from gemel.gate.budget import Spent
from gemel.gate.decision import Outcome, decide
from gemel.gate.graded import paired
from gemel.gate.settings import GateSettings
from gemel.gate.verdicts import Verdict, judge

PROMOTE, HOLD, REFUSE = Outcome


def test_significant_gain_is_promoted_without_new_data() -> None:
    found = decided(counted(fixed=100, broken=20), new_data=False)
    assert found.outcome is PROMOTE
    assert found.why == ("overall: a significant gain, +1.6 points, at least +1.1 (100 fixed, 20 broken of 5000)",)


def test_no_loss_beyond_the_margin_is_promoted_with_new_data_alone() -> None:
    pair = counted(fixed=50, broken=50)
    assert decided(pair).outcome is PROMOTE
    held = decided(pair, new_data=False)
    assert held.outcome is HOLD
    assert held.why[0].startswith("overall: no significant gain, +0.0 points")


def test_slice_that_dropped_refuses_a_gain_overall() -> None:
    found = decided(counted(fixed=300, broken=20), counted("tail", 200, fixed=2, broken=20))
    assert found.outcome is REFUSE
    assert found.why == (
        "tail: dropped beyond its margin of 5 points, -9.0 points, at least -15.2 (2 fixed, 20 broken of 200)",
    )


def test_slice_that_is_too_small_is_named_and_passes() -> None:
    found = decided(counted(), counted("source", 12, group="forum"))
    assert found.outcome is PROMOTE
    assert (
        found.why[1] == "source 'forum': cannot tell, its 12 mentions are too few for a margin of 5 points; 91 could do"
    )


def test_slice_that_is_too_small_holds_if_so_set() -> None:
    found = decided(counted(), counted("unseen", 12), hold_where_too_small=["unseen"])
    assert found.outcome is HOLD
    assert found.why == ("unseen: cannot tell, its 12 mentions are too few for a margin of 5 points; 91 could do",)


def test_slice_that_is_too_small_still_refuses_on_a_sure_drop() -> None:
    assert decided(counted(), counted("nil", 20, broken=12)).outcome is REFUSE


def test_small_slice_does_not_refuse_on_chance() -> None:
    (_, verdict) = decided(counted(), counted("nil", 20, broken=3)).slices
    assert verdict.verdict is Verdict.CANNOT_TELL


def test_slice_without_mentions_is_named() -> None:
    found = decided(counted(), counted("audit", 0))
    assert found.why[1] == "audit: cannot tell, as there is no such mention"


def test_large_slice_that_cannot_be_told_holds() -> None:
    found = decided(counted(), counted("tail", 200, fixed=12, broken=14))
    assert found.outcome is HOLD
    assert found.why[0].startswith("tail: cannot tell whether the loss is within 5 points, -1.0 points")


def test_overall_that_cannot_be_told_holds_with_the_number_that_could_do() -> None:
    found = decided(counted(n=100))
    assert found.outcome is HOLD
    assert found.why == ("overall: cannot tell, its 100 mentions are too few for a margin of 2 points; 230 could do",)


def test_worse_without_being_beyond_the_margin_holds() -> None:
    found = decided(counted(n=570, fixed=0, broken=10))
    assert found.slices[0].verdict is Verdict.WORSE
    assert found.outcome is HOLD
    assert "worse, -1.8 points" in found.why[0]


@pytest.mark.parametrize(
    ("fixed", "broken", "verdict"),
    [
        (100, 20, Verdict.BETTER),
        (20, 30, Verdict.NO_WORSE),
        (400, 480, Verdict.WORSE),
        (950, 950, Verdict.CANNOT_TELL),
        (20, 160, Verdict.DROPPED),
    ],
)
def test_verdict_of_a_large_slice(fixed: int, broken: int, verdict: Verdict) -> None:
    assert judge(counted(fixed=fixed, broken=broken), 0.02, 0.0096, 0.05).verdict is verdict


def test_mentions_that_change_together_show_less() -> None:
    alone, together = (judge(counted(n=570, effect=effect), 0.02, 0.0096, 0.05) for effect in (1.0, 3.0))
    assert (alone.verdict, together.verdict) == (Verdict.NO_WORSE, Verdict.CANNOT_TELL)
    assert together.too_small


def test_small_losses_that_add_up_are_held() -> None:
    found = decided(counted(), spent=Spent((), best=1.0), largest_creep=0.01)
    assert found.outcome is PROMOTE
    crept = decided(counted(fixed=100, broken=110), spent=Spent((), best=0.999), largest_creep=0.01)
    assert crept.outcome is HOLD
    assert "below the 99.9% of this year's best champion: small losses have added up" in crept.why[0]


def test_first_champion_must_reach_its_accuracy_for_sure() -> None:
    right, settings = [True] * 8 + [False] * 2, GateSettings(first_accuracy=0.5)
    few = decide(None, graded("a", right), new_data=True, settings=settings, spent=Spent())
    many = decide(None, graded("a", right * 10), new_data=True, settings=settings, spent=Spent())
    assert (few.outcome, many.outcome) == (HOLD, PROMOTE)
    assert "80 of 100 mentions are right" in many.why[0]
    assert many.alpha == 0.0


def test_first_champion_below_its_accuracy_is_refused() -> None:
    found = decide(None, graded("a", [False] * 9), new_data=True, settings=SETTINGS, spent=Spent())
    assert found.outcome is REFUSE
    assert "0.0%, but 50.0% are wanted of a first one" in found.why[0]


def test_champion_itself_is_not_promoted_again() -> None:
    same = graded("a", [True] * 500)
    found = decide(same, same, new_data=True, settings=SETTINGS, spent=Spent())
    assert (found.outcome, found.alpha) == (HOLD, 0.0)
    assert found.why == ("the challenger is the champion, byte for byte; there is nothing to promote",)


def test_pairs_count_what_was_fixed_and_broken() -> None:
    (pair,) = paired(graded("a", [True, True, False, False]), graded("b", [True, False, True, True]))
    assert (pair.n, pair.before, pair.after, pair.fixed, pair.broken) == (4, 2, 3, 2, 1)
    assert pair.p == 1.0


def test_releases_that_were_asked_otherwise_are_not_compared() -> None:
    with pytest.raises(DataError, match=r"the releases a and b answered other mentions; grade both on the same"):
        paired(graded("a", [True]), graded("b", [True], ["other"]))
