"""What changed between two runs that were graded on the same mentions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from gemel.core.errors import DataError
from gemel.evaluation.statistics import Change, Figure, change, difference, share
from gemel.report.calibration import probabilities
from gemel.report.comparable import SPLIT, Side, differences, settings
from gemel.report.page_data import marked

Outcome = Literal["fixed", "broken", "unchanged right", "unchanged wrong"]
OUTCOMES: tuple[Outcome, ...] = ("fixed", "broken", "unchanged right", "unchanged wrong")


@dataclass(frozen=True)
class Words:
    """What ids stand for. mentions: id -> mention, text, start. names: entity id -> name."""

    mentions: Mapping[str, tuple[str, str, int | None]]
    names: Mapping[str, str]


@dataclass(frozen=True)
class Changed:
    """A mention and what each run answered. Answers: entity id, name, and share within the beam."""

    mention_id: str
    mention: str
    text: str
    start: int | None
    gold: tuple[str, str]
    a: tuple[str, str, float]
    b: tuple[str, str, float]
    outcome: Outcome


@dataclass(frozen=True)
class Comparison:
    """Run B against run A on the test split, best seed against best seed.

    change: from A to B, with McNemar's exact test;
    seeds_difference: the same of the means over all seeds. settings: what may differ between the two, and does.
    """

    a: Side
    b: Side
    rows: tuple[Changed, ...]
    change: Change
    accuracy_a: Figure
    accuracy_b: Figure
    seeds_difference: Figure
    settings: Mapping[str, tuple[object, object]]

    @cached_property
    def counts(self) -> dict[Outcome, int]:
        """Mentions by outcome."""
        return {outcome: len(self.of(outcome)) for outcome in OUTCOMES}

    @property
    def verdict(self) -> str:
        """Which run is better, or that the difference may be chance."""
        if self.change.in_noise:
            return "inside the noise"
        return "B is better" if self.change.gain.mean > 0 else "A is better"

    def of(self, outcome: Outcome) -> tuple[Changed, ...]:
        """The mentions with an outcome."""
        return tuple(row for row in self.rows if row.outcome == outcome)

    def as_dict(self) -> dict[str, Any]:
        """For programs: figures, and the mentions that were fixed and broken."""
        return {
            "a": {"name": self.a.name, "seed": self.a.seed, "accuracy": self.accuracy_a.as_dict()},
            "b": {"name": self.b.name, "seed": self.b.seed, "accuracy": self.accuracy_b.as_dict()},
            "split": SPLIT,
            "mentions": len(self.rows),
            "counts": {outcome.replace(" ", "_"): count for outcome, count in self.counts.items()},
            "p_value": self.change.p,
            "difference": self.change.gain.as_dict(),
            "difference_of_seed_means": self.seeds_difference.as_dict(),
            "verdict": self.verdict,
            "settings": {key: list(values) for key, values in self.settings.items()},
            "fixed": [asdict(row) for row in self.of("fixed")],
            "broken": [asdict(row) for row in self.of("broken")],
        }


def compare(a: Side, b: Side, words: Words) -> Comparison:
    """Compare two runs.

    Raises: DataError if they were not graded alike, with what differs.
    """
    unlike = differences(a, b)
    if unlike:
        raise DataError(
            f"{a.name} and {b.name} can't be compared, they were graded differently: {'; '.join(unlike)}; "
            "evaluate both on the same data set and catalog with the same `evaluation` settings"
        )
    first, second = a.answers(), b.answers()
    right_a, right_b = ((rows["place"] == 1).to_numpy() for rows in (first, second))
    hits_a, hits_b = (right[None].astype(np.float64) for right in (right_a, right_b))
    rows = tuple(
        _changed(one, other, words)
        for one, other in zip(first.iter_rows(named=True), second.iter_rows(named=True), strict=True)
    )
    return Comparison(
        a,
        b,
        rows,
        change(hits_a, hits_b),
        _there(share(hits_a)),
        _there(share(hits_b)),
        _there(difference(b.hits(), a.hits())),
        settings(a, b),
    )


def _changed(a: Mapping[str, Any], b: Mapping[str, Any], words: Words) -> Changed:
    right_a, right_b = a["place"] == 1, b["place"] == 1
    outcome: Outcome = (
        "fixed" if right_b and not right_a else "broken" if right_a and not right_b else "unchanged right"
    )
    if not right_a and not right_b:
        outcome = "unchanged wrong"
    gold, (mention, text, start) = a["entity_id"], words.mentions[a["mention_id"]]
    answers = [
        (row["answers"][0], words.names.get(row["answers"][0], ""), round(float(probabilities(row["scores"])[0]), 4))
        for row in (a, b)
    ]
    return Changed(
        a["mention_id"], mention, text, start, (gold, words.names.get(gold, "")), answers[0], answers[1], outcome
    )


def browser_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """The rows of the page's list, as JSON-able values: fixed ones first, then broken, then unchanged ones."""
    return [
        {
            "id": row.mention_id,
            "mention": row.mention,
            "text": marked(row.text, row.mention, row.start),
            "gold": row.gold,
            "a": row.a,
            "b": row.b,
            "outcome": outcome,
        }
        for outcome in OUTCOMES
        for row in comparison.of(outcome)
    ]


def _there(figure: Figure | None) -> Figure:
    assert figure is not None  # of at least one mention: an evaluation without any is refused
    return figure
