"""What a decision card says: its parts, and how they follow from a decision."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gemel.core.errors import DataError
from gemel.gate.decision import Decision, Outcome, Provenance
from gemel.gate.settings import Dimension, GateSettings
from gemel.gate.verdicts import SliceVerdict, Verdict

FORMAT: Literal[1] = 1
MapperStart = Literal["scratch", "champion"]
MAPPER_STARTS: tuple[MapperStart, ...] = get_args(MapperStart)


class Part(BaseModel):
    """A part of a card: nothing is missing, nothing unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SliceEntry(Part):
    """A slice. Shares; before, change, interval and at_least are null without a champion, or of an empty slice.

    change: of accuracy, seen; interval: its 95 % bootstrap; p: of McNemar's exact test, two-sided; at_least: what the
    change is above, but for a chance of alpha. enough: mentions that could show the margin. mentions_for_one: more than
    1 where the mentions of a post are alike.
    """

    slice: Dimension
    group: str
    verdict: Verdict
    n: int
    before: float | None
    after: float | None
    fixed: int
    broken: int
    change: float | None
    interval: tuple[float, float] | None
    p: float | None
    at_least: float | None
    margin: float
    enough: int
    too_small: bool
    mentions_for_one: float


class Alpha(Part):
    """Of the budget: what this decision spent, what those within 365 days before it had spent, and which these were."""

    spent: float = Field(ge=0)
    before: float = Field(ge=0)
    budget: float
    runs_before: tuple[str, ...]


class Sides(Part):
    """SHA-256 of both releases' manifests, and their accuracy on the test set."""

    champion: str | None
    challenger: str
    champion_accuracy: float | None
    challenger_accuracy: float


class Data(Part):
    """What was decided on: DVC's hash of the data, the test set's and the catalog's SHA-256, the batch that came in.

    audit_left_out: judged links that said nothing, by reason; null without an audit.
    """

    data_dvc: str | None
    test: str
    catalog: str
    batch: str | None
    audit_left_out: dict[str, int] | None


class Card(Part):
    """A decision card. mapper_start: what the mapper's training began from. intake: rows by what became of them.

    facts: what else the run states of itself.
    """

    format: Literal[1] = FORMAT
    run: str
    time: AwareDatetime
    outcome: Outcome
    why: tuple[str, ...]
    new_data: bool
    releases: Sides
    slices: tuple[SliceEntry, ...]
    alpha: Alpha
    data: Data
    mapper_start: MapperStart | None
    intake: dict[str, Any]
    facts: dict[str, Any]
    settings: GateSettings


def entry_of(verdict: SliceVerdict) -> SliceEntry:
    """A slice as the card has it."""
    found, compared = verdict.slice, verdict.least is not None and verdict.slice.n > 0
    return SliceEntry(
        slice=found.dimension,
        group=found.group,
        verdict=verdict.verdict,
        n=found.n,
        before=found.before / found.n if compared else None,
        after=found.after / found.n if found.n else None,
        fixed=found.fixed,
        broken=found.broken,
        change=found.gain if compared else None,
        interval=found.interval if compared else None,
        p=found.p if compared else None,
        at_least=verdict.least if compared else None,
        margin=verdict.margin,
        enough=verdict.enough,
        too_small=verdict.too_small,
        mentions_for_one=found.effect,
    )


def card_of(decision: Decision) -> Card:
    """The card of a decision.

    Raises: DataError if it is not said what was compared.
    """
    made = decision.provenance
    if made is None:
        raise DataError("a decision without its provenance has no card; decide with evaluate_and_decide")
    facts = dict(made.facts)
    return Card(
        run=made.run,
        time=made.time,
        outcome=decision.outcome,
        why=decision.why,
        new_data=decision.new_data,
        releases=_sides(decision, made),
        slices=tuple(map(entry_of, decision.slices)),
        alpha=_alpha(decision),
        data=Data(
            data_dvc=made.data_dvc,
            test=made.test.fingerprint,
            catalog=made.catalog,
            batch=facts.pop("batch", None),
            audit_left_out=None if made.audit_left_out is None else dict(made.audit_left_out),
        ),
        mapper_start=facts.pop("mapper_start", None),
        intake=facts.pop("intake", {}),
        facts=facts,
        settings=decision.settings,
    )


def _sides(decision: Decision, made: Provenance) -> Sides:
    accuracies = decision.accuracies
    return Sides(
        champion=made.champion,
        challenger=made.challenger,
        champion_accuracy=accuracies.champion,
        challenger_accuracy=accuracies.challenger,
    )


def _alpha(decision: Decision) -> Alpha:
    spent = decision.spent
    return Alpha(
        spent=decision.alpha,
        before=spent.alpha,
        budget=decision.settings.false_promotions,
        runs_before=tuple(each.run for each in spent.decisions),
    )
