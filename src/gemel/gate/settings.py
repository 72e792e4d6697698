"""What the gate is held to: margins, and how many false promotions a year are put up with."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Dimension = Literal["overall", "tail", "unseen", "nil", "nil_false_alarms", "source", "audit"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
Margin = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
# However few decisions a year are expected, one of them alone is not taken on weaker evidence than is usual.
LARGEST_ALPHA = 0.05


class Margins(BaseModel):
    """How far accuracy may truly drop before a promotion counts as false, in each slice; shares, 0.02 is 2 points.

    overall: mentions of the frozen test set with an entity of the catalog. tail, unseen: of these, entities that the
    champion was trained on seldom, or never. nil: mentions of no entity, right if that is the answer.
    nil_false_alarms: mentions of an entity, right unless the answer is that there is none. source: each source of the
    test posts, or topic where they state none. audit: links that people judged.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    overall: Margin = 0.02
    tail: Margin = 0.05
    unseen: Margin = 0.05
    nil: Margin = 0.1
    nil_false_alarms: Margin = 0.03
    source: Margin = 0.05
    audit: Margin = 0.05

    def of(self, dimension: Dimension) -> float:
        """The margin of a slice's dimension."""
        margin: float = getattr(self, dimension)
        return margin


class GateSettings(BaseModel):
    """How promotions are decided.

    expected_decisions: a year. false_promotions: how many of these may be false promotions, on average over years like
    it; each decision gets its part, alpha. What is spent within 365 days never exceeds it: more decisions than expected
    are held until there is room again.
    margins: see Margins. hold_where_too_small: slices that are held for when they are too small for their margin; of
    the others the card says so, and no more. Overall always holds.
    refusal_level: how often chance alone may refuse a challenger for a drop in slices that are too small, all of them
    together.
    largest_creep: how far the accuracy seen may lie below that of the year's best champion on the same test set: many
    steps within the margin must not add up.
    first_accuracy: what a first champion's accuracy must be shown to reach.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    expected_decisions: int = Field(default=52, ge=1)
    false_promotions: float = Field(default=0.5, gt=0)
    margins: Margins = Margins()
    hold_where_too_small: tuple[Dimension, ...] = ()
    refusal_level: float = Field(default=0.05, gt=0, lt=1)
    largest_creep: Margin = 0.03
    first_accuracy: Share = 0.5

    @property
    def alpha(self) -> float:
        """The chance of a false promotion that one decision may take."""
        return min(self.false_promotions / self.expected_decisions, LARGEST_ALPHA)
