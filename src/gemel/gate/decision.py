"""The decision: promote, hold or refuse, with the reasons in sentences.

Refused: a slice dropped beyond its margin. Promoted: a significant gain overall, or, when there are new data, no loss
beyond the margin; and every slice that is large enough for its margin is shown to be within it. All else is held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from gemel.gate.bounds import least_accuracy
from gemel.gate.budget import Spent
from gemel.gate.frozen_posts import FrozenTest
from gemel.gate.graded import Graded, Paired, SliceAnswers, paired
from gemel.gate.settings import GateSettings
from gemel.gate.verdicts import SliceVerdict, Verdict, judge, unjudged


class Outcome(StrEnum):
    """What becomes of a challenger."""

    PROMOTE = "promote"
    HOLD = "hold"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Accuracies:
    """Of both releases on the frozen test set. champion: None if there is none."""

    champion: float | None
    challenger: float


@dataclass(frozen=True)
class Provenance:
    """What was compared.

    time: in UTC. champion, challenger: SHA-256 of their manifests; champion: None if there is none. data_dvc: DVC's
    hash of data/; None where it isn't known. catalog: SHA-256 of its names. audit_left_out: judged links that said
    nothing, by reason; None without an audit. facts: what the run states of itself.
    """

    run: str
    time: datetime
    champion: str | None
    challenger: str
    data_dvc: str | None
    test: FrozenTest
    catalog: str
    audit_left_out: Mapping[str, int] | None
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Decision:
    """What was decided, and why: sentences, the deciding ones first.

    alpha: what the decision spends of the year's budget. spent: what those before have spent. provenance: None of a
    decision on counts alone.
    """

    outcome: Outcome
    why: tuple[str, ...]
    slices: tuple[SliceVerdict, ...]
    accuracies: Accuracies
    new_data: bool
    alpha: float
    spent: Spent
    settings: GateSettings
    provenance: Provenance | None = None

    @property
    def promoted(self) -> bool:
        """Whether the challenger is to take the champion's place."""
        return self.outcome is Outcome.PROMOTE


def decide(
    champion: Graded | None, challenger: Graded, *, new_data: bool, settings: GateSettings, spent: Spent
) -> Decision:
    """Decide on a challenger. champion: None if there is none yet. new_data: whether it was made of more than that.

    Raises: DataError if the two were not asked the same.
    """
    if champion is None:
        return _first(challenger, new_data, settings, spent)
    accuracies = Accuracies(champion.accuracy, challenger.accuracy)
    decision = decide_pairs(paired(champion, challenger), accuracies, new_data=new_data, settings=settings, spent=spent)
    if champion.digest != challenger.digest:
        return decision
    same = "the challenger is the champion, byte for byte; there is nothing to promote"
    return replace(decision, outcome=Outcome.HOLD, why=(same,), alpha=0.0)


def decide_pairs(
    pairs: Sequence[Paired], accuracies: Accuracies, *, new_data: bool, settings: GateSettings, spent: Spent
) -> Decision:
    """Decide on counts alone. pairs: overall first."""
    alpha = settings.alpha
    # Chance has a try in each slice.
    level = settings.refusal_level / len(pairs)
    verdicts = tuple(judge(pair, settings.margins.of(pair.dimension), alpha, level) for pair in pairs)
    has_room = spent.leaves(alpha, settings.false_promotions)
    dropped = [_drop(each) for each in verdicts if each.verdict is Verdict.DROPPED]
    held = list(_holds(verdicts, accuracies, new_data, settings, spent))
    outcome = Outcome.REFUSE if dropped else Outcome.HOLD if held else Outcome.PROMOTE
    reasons = [*dropped, *held] or [_praise(verdicts[0])]
    why = (*reasons, *(_untold(each) for each in verdicts if each.verdict is Verdict.CANNOT_TELL and each.too_small))
    spends = alpha if has_room else 0.0
    return Decision(outcome, tuple(dict.fromkeys(why)), verdicts, accuracies, new_data, spends, spent, settings)


def _first(challenger: Graded, new_data: bool, settings: GateSettings, spent: Spent) -> Decision:
    alpha, wanted, right = settings.alpha, settings.first_accuracy, challenger.overall.right
    least = least_accuracy(int(right.sum()), len(right), alpha)
    verdicts = tuple(unjudged(_alone(each), settings.margins.of(each.dimension), alpha) for each in challenger.slices)
    seen = f"there is no champion yet; {int(right.sum())} of {len(right)} mentions are right"
    if least >= wanted:
        outcome, why = Outcome.PROMOTE, f"{seen}, so accuracy is at least {least:.1%}, of {wanted:.1%} that are wanted"
    elif challenger.accuracy < wanted:
        outcome, why = Outcome.REFUSE, f"{seen}, {challenger.accuracy:.1%}, but {wanted:.1%} are wanted of a first one"
    else:
        outcome, why = (
            Outcome.HOLD,
            f"{seen}, which shows {least:.1%} alone, and {wanted:.1%} are wanted of a first one",
        )
    accuracies = Accuracies(None, challenger.accuracy)
    # Nothing is compared, so no false promotion can be made.
    return Decision(outcome, (why,), verdicts, accuracies, new_data, 0.0, spent, settings)


def _holds(
    verdicts: Sequence[SliceVerdict], accuracies: Accuracies, new_data: bool, settings: GateSettings, spent: Spent
) -> Iterator[str]:
    """Why a challenger that no slice refuses has to wait."""
    overall, alpha, budget = verdicts[0], settings.alpha, settings.false_promotions
    if not spent.leaves(alpha, budget):
        until = spent.room_from(alpha, budget)
        yield (
            f"budget spent until {until:%Y-%m-%d}: {len(spent.decisions)} decisions within 365 days took "
            f"{spent.alpha:.3f} of {budget:g} expected false promotions, and one more takes {alpha:.4f}"
        )
    if spent.best is not None and accuracies.challenger < spent.best - settings.largest_creep:
        yield (
            f"accuracy {accuracies.challenger:.1%} lies more than {_points(settings.largest_creep)} below the "
            f"{spent.best:.1%} of this year's best champion: small losses have added up"
        )
    for each in verdicts:
        if each.verdict is Verdict.WORSE:
            yield f"{each.title}: worse, {_seen(each)}, and not shown to be within {_points(each.margin)}"
        elif each.verdict is Verdict.CANNOT_TELL and _waits(each, overall, settings):
            yield _untold(each) if each.too_small else _unclear(each)
    if overall.verdict is Verdict.NO_WORSE and not new_data:
        yield f"overall: no significant gain, {_seen(overall)}, and no new data that would make up for that"


def _waits(each: SliceVerdict, overall: SliceVerdict, settings: GateSettings) -> bool:
    """A slice that is large enough must be told, or it would be outside of what the budget is kept for."""
    return each is overall or not each.too_small or each.slice.dimension in settings.hold_where_too_small


def _alone(each: SliceAnswers) -> Paired:
    return Paired(each.dimension, each.group, len(each.right), 0, int(each.right.sum()), 0, 0)


def _praise(overall: SliceVerdict) -> str:
    if overall.verdict is Verdict.BETTER:
        return f"overall: a significant gain, {_seen(overall)}"
    return f"overall: no worse than the margin of {_points(overall.margin)}, {_seen(overall)}; the data are new"


def _drop(each: SliceVerdict) -> str:
    return f"{each.title}: dropped beyond its margin of {_points(each.margin)}, {_seen(each)}"


def _unclear(each: SliceVerdict) -> str:
    return f"{each.title}: cannot tell whether the loss is within {_points(each.margin)}, {_seen(each)}"


def _untold(each: SliceVerdict) -> str:
    if not each.slice.n:
        return f"{each.title}: cannot tell, as there is no such mention"
    return (
        f"{each.title}: cannot tell, its {each.slice.n} mentions are too few for a margin of {_points(each.margin)}; "
        f"{each.enough} could do"
    )


def _seen(each: SliceVerdict) -> str:
    found = each.slice
    least = "" if each.least is None else f", at least {100 * each.least:+.1f}"
    return f"{100 * found.gain:+.1f} points{least} ({found.fixed} fixed, {found.broken} broken of {found.n})"


def _points(share: float) -> str:
    return f"{100 * share:g} points"
