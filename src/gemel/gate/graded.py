"""A release as the gate sees it: what it got right, slice by slice; and two releases on the same mentions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gemel.core.errors import DataError
from gemel.evaluation.statistics import change
from gemel.gate.bounds import design_effect
from gemel.gate.settings import Dimension

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SliceAnswers:
    """What a release got right in one slice.

    group: which of its dimension's, e.g. a source; "": the only one. right: (mentions,). posts: of each mention.
    """

    dimension: Dimension
    group: str
    right: Flags
    posts: tuple[str, ...]


@dataclass(frozen=True)
class Graded:
    """The answers of a release to the questions of the gate. digest: SHA-256 of its manifest.

    slices: overall first; each side of a comparison has the same, with the same mentions in the same order.
    """

    digest: str
    slices: tuple[SliceAnswers, ...]

    @property
    def overall(self) -> SliceAnswers:
        """All mentions of the test set with an entity of the catalog."""
        return self.slices[0]

    @property
    def accuracy(self) -> float:
        """Over all of these; NaN where there are none."""
        right = self.overall.right
        return float(right.mean()) if len(right) else float("nan")


@dataclass(frozen=True)
class Paired:
    """A slice of two releases.

    before, after: mentions that the champion, the challenger got right, of n; fixed, broken: that only the challenger,
    or only the champion did. interval: of the change of accuracy, 95 % bootstrap over mentions; p: of McNemar's exact
    test, two-sided. effect: how many mentions count for one, see bounds.design_effect.
    """

    dimension: Dimension
    group: str
    n: int
    before: int
    after: int
    fixed: int
    broken: int
    interval: tuple[float, float] = (-1.0, 1.0)
    p: float = 1.0
    effect: float = 1.0

    @property
    def gain(self) -> float:
        """The change of accuracy that was seen; 0 of no mentions."""
        return (self.fixed - self.broken) / self.n if self.n else 0.0


def paired(champion: Graded, challenger: Graded) -> tuple[Paired, ...]:
    """The slices of two releases, in their order.

    Raises: DataError if they were not asked the same.
    """
    first, second = (
        [(each.dimension, each.group, each.posts) for each in side.slices] for side in (champion, challenger)
    )
    if first != second:
        raise DataError(
            f"the releases {champion.digest[:16]} and {challenger.digest[:16]} answered other mentions; grade both on "
            "the same questions"
        )
    return tuple(_pair(before, after) for before, after in zip(champion.slices, challenger.slices, strict=True))


def _pair(before: SliceAnswers, after: SliceAnswers) -> Paired:
    counts = len(before.right), int(before.right.sum()), int(after.right.sum())
    if not counts[0]:
        return Paired(before.dimension, before.group, *counts, fixed=0, broken=0)
    found = change(before.right[None].astype(np.float64), after.right[None].astype(np.float64))
    effect = design_effect(after.right.astype(np.int64) - before.right.astype(np.int64), before.posts)
    interval = (found.gain.low, found.gain.high)
    return Paired(before.dimension, before.group, *counts, found.fixed, found.broken, interval, found.p, effect)
