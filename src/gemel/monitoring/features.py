"""The features that are watched: of each, what the training data show and what the period shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import polars as pl

from gemel.evaluation.statistics import wilson
from gemel.monitoring.feedback import Feedback
from gemel.monitoring.permutation import (
    Counts,
    Distance,
    Tested,
    bins,
    compare_counts,
    compare_vectors,
    divergence,
    largest_gap,
    rise,
)
from gemel.monitoring.records import Records
from gemel.monitoring.reference import Reference, folded

Test = Callable[[float, np.random.Generator], Tested]
MOST_POINTS, MOST_MOVES = 60, 5
OTHERS = "(all others)"
# feature: what it is, and what its distance is
FEATURES = {
    "text_length": ("length of the texts", "largest gap of the two distributions (Kolmogorov-Smirnov)"),
    "image_missing": ("posts without an image", "difference of the shares"),
    "images": ("images", "maximum mean discrepancy of their vectors"),
    "mention_unseen": ("mentions whose string training lacks", "difference of the shares"),
    "mention_strings": ("frequent mention strings", "Jensen-Shannon distance"),
    "probability": ("probability of the links", "largest gap of the two distributions (Kolmogorov-Smirnov)"),
    "sure": ("sure links", "difference of the shares"),
    "nil": ("NIL answers", "difference of the shares"),
    "reported_wrong": ("answers reported as wrong, against the errors of the test", "by how much the share is above"),
}


@dataclass(frozen=True)
class Share:
    """Rows of which something is so, with the 95 % Wilson interval of their share."""

    count: int
    rows: int

    @property
    def value(self) -> float:
        """The share; of no rows 0."""
        return self.count / self.rows if self.rows else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Its ends."""
        return wilson(self.count, self.rows)


@dataclass(frozen=True)
class Curve:
    """Shares of both sides up to and with a value: values ascending, before and after from above 0 to 1."""

    values: tuple[float, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]


@dataclass(frozen=True)
class Feature:
    """One feature on both sides. reference_rows, rows: of the training data and of the period.

    unknown: why it can't be compared; "": it can. words: what it was and is. before, after, curve: to be shown, where
    it is a share or a number.
    """

    name: str
    reference_rows: int = 0
    rows: int = 0
    unknown: str = ""
    words: str = ""
    before: Share | None = None
    after: Share | None = None
    curve: Curve | None = None
    test: Test | None = field(default=None, repr=False)


def features_of(
    reference: Reference, records: Records | None, feedback: Feedback | None, frequent: int
) -> Iterator[Feature]:
    """Every feature of FEATURES, in that order. frequent: mention strings that are told apart."""
    if records is None:
        yield from (Feature(name, unknown="the service keeps no records") for name in FEATURES)
        return
    posts, answers, known = records.posts, records.answers, reference.answers
    yield _number("text_length", reference.text_lengths, posts["text_length"], "characters")
    yield _share("image_missing", reference.imageless, posts["image"] != "read")
    yield _images(reference, records)
    if records.with_texts or answers.is_empty():
        strings = folded(answers["mention"].drop_nulls())
        yield _share("mention_unseen", _unseen(reference, reference.held_out), _unseen(reference, strings))
        yield _strings(reference.strings, strings, frequent)
    else:
        why = "not recorded: the service's records are numbers alone"
        yield from (Feature(name, unknown=why) for name in ("mention_unseen", "mention_strings"))
    yield _number("probability", known["probability"], answers["probability"], "")
    yield _share("sure", known["sure"], answers["sure"])
    yield _share("nil", known["nil"], answers["nil"])
    yield _reported(known["wrong"], answers.height, feedback)


def _number(name: str, before: pl.Series, after: pl.Series, unit: str) -> Feature:
    sides = [series.drop_nulls().to_numpy().astype(np.float64) for series in (before, after)]
    if not all(len(side) for side in sides):
        return Feature(name, len(sides[0]), len(sides[1]))
    ends, counts = bins(*sides)
    middles = (f"{np.median(side):.3g}" for side in sides)
    return Feature(
        name,
        len(sides[0]),
        len(sides[1]),
        words=f"median {' → '.join(middles)} {unit}".rstrip(),
        curve=_curve(ends, counts),
        test=partial(compare_counts, counts, largest_gap),
    )


def _curve(ends: np.ndarray, counts: Counts) -> Curve:
    below = np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True)
    places = np.unique(np.linspace(0, len(ends) - 1, MOST_POINTS).round().astype(int))
    values, before, after = (tuple(np.round(line[places], 6).tolist()) for line in (ends, *below))
    return Curve(values, before, after)


def _share(name: str, before: pl.Series, after: pl.Series) -> Feature:
    was, now = (Share(int(side.sum()), len(side)) for side in (before, after))
    # Of two values the largest gap is the difference of their shares.
    return _shares(name, was, now, largest_gap)


def _shares(name: str, before: Share, after: Share, distance: Distance) -> Feature:
    counts = np.array([[side.rows - side.count, side.count] for side in (before, after)])
    words = f"{_percent(before)} → {_percent(after)} ({' – '.join(f'{100 * end:.1f}' for end in after.interval)})"
    return Feature(
        name,
        before.rows,
        after.rows,
        words=words,
        before=before,
        after=after,
        test=partial(compare_counts, counts, distance),
    )


def _percent(share: Share) -> str:
    return f"{100 * share.value:.1f} %"


def _images(reference: Reference, records: Records) -> Feature:
    before, after = reference.vectors, records.vectors
    if records.other_widths and not len(after):
        width = before.shape[1]
        why = f"the recorded vectors are of another encoder: {records.other_widths} have not its width of {width}"
        return Feature("images", len(before), unknown=why)
    return Feature(
        "images",
        len(before),
        len(after),
        words=f"{len(after):,} of {records.pictures:,} different pictures",
        test=partial(compare_vectors, before, after),
    )


def _unseen(reference: Reference, strings: pl.Series) -> pl.Series:
    return ~strings.is_in(list(reference.known))


def _strings(before: pl.Series, after: pl.Series, frequent: int) -> Feature:
    named = before.value_counts().sort(pl.col("count"), before.name, descending=[True, False])[:frequent]
    labels = [*named[before.name].to_list(), OTHERS]
    counts = np.array([_counted(side, labels) for side in (before, after)])
    return Feature(
        "mention_strings",
        len(before),
        len(after),
        words=_moves(labels, counts) if len(after) else "",
        test=partial(compare_counts, counts, divergence),
    )


def _counted(strings: pl.Series, labels: list[str]) -> list[int]:
    found = dict(strings.value_counts().iter_rows())
    counts = [int(found.get(label, 0)) for label in labels[:-1]]
    return [*counts, len(strings) - sum(counts)]


def _moves(labels: list[str], counts: Counts) -> str:
    """The largest changes. Only strings of the training data are named, none that users wrote."""
    before, after = (side / max(1, side.sum()) for side in counts)
    largest = np.argsort(-np.abs(after - before), kind="stable")[:MOST_MOVES]
    return ", ".join(f"{labels[place]} {100 * before[place]:.1f} → {100 * after[place]:.1f} %" for place in largest)


def _reported(wrong: pl.Series, answered: int, feedback: Feedback | None) -> Feature:
    """People report some of the errors and not the rest, so that only a share above all errors of the test tells."""
    if feedback is None:
        return Feature("reported_wrong", len(wrong), answered, unknown="there is no feedback")
    if feedback.wrong > answered:
        why = f"{feedback.wrong} reports on {answered} recorded answers: they are of other answers too"
        return Feature("reported_wrong", len(wrong), answered, unknown=why)
    return _shares("reported_wrong", Share(int(wrong.sum()), len(wrong)), Share(feedback.wrong, answered), rise)
