"""How far a data set moved from the version that a person accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import jensenshannon

from gemel.posts.profile import DIGITS, OTHER, Profile

MOST_MOVES = 3


@dataclass(frozen=True)
class Movement:
    """How one feature moved.

    distance: of its distributions, Jensen-Shannon with base 2, from 0 (the same) to 1 (nothing in common); None for a
    count of rows. lost: of a count, the share of the accepted rows that is gone; None for a distribution.
    moved: what changed, largest first, in words.
    """

    feature: str
    distance: float | None
    lost: float | None
    moved: str


def compare(accepted: Profile, current: Profile) -> tuple[Movement, ...]:
    """Compare two profiles: every count, then every distribution."""
    features = dict.fromkeys((*accepted.shares, *current.shares))
    return (
        *(_count_movement(table, before, current.counts.get(table, 0)) for table, before in accepted.counts.items()),
        *(_movement(name, accepted.shares.get(name, {}), current.shares.get(name, {})) for name in features),
    )


def _count_movement(table: str, before: int, after: int) -> Movement:
    lost = max(0.0, 1 - after / before) if before else 0.0
    return Movement(f"number of {table}", None, round(lost, DIGITS), f"{before} → {after}")


def _movement(feature: str, accepted: Mapping[str, float], current: Mapping[str, float]) -> Movement:
    if not accepted or not current:
        return Movement(feature, float(bool(accepted) != bool(current)), None, _in_words(accepted, current))
    before, after = _completed(accepted, current), _completed(current, accepted)
    distance = jensenshannon(*(_vector(shares, before.keys() | after.keys()) for shares in (before, after)), base=2)
    return Movement(feature, round(float(distance), DIGITS), None, _in_words(before, after))


def _completed(shares: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Give each value of the other list a share in this one too.

    A value that this list is too short for may be as frequent as its last one, and is taken to be, at most: chance
    alone decides which of many equally rare values are listed, and must not look like a change.
    """
    named = {value: share for value, share in shares.items() if value != OTHER}
    most = min(named.values(), default=0.0) if OTHER in shares else 0.0
    whole = named | {value: min(most, other[value]) for value in other if value not in named and value != OTHER}
    return whole | ({OTHER: max(0.0, round(1 - sum(whole.values()), DIGITS))} if OTHER in shares else {})


def _vector(shares: Mapping[str, float], values: set[str]) -> np.ndarray:
    return np.array([shares.get(value, 0.0) for value in sorted(values)])


def _in_words(before: Mapping[str, float], after: Mapping[str, float]) -> str:
    changes = {value: after.get(value, 0.0) - before.get(value, 0.0) for value in before.keys() | after.keys()}
    largest = sorted((value for value in changes if changes[value]), key=lambda value: (-abs(changes[value]), value))
    words = [f"{value}: {before.get(value, 0.0):.1%} → {after.get(value, 0.0):.1%}" for value in largest[:MOST_MOVES]]
    return ", ".join(words) or "nothing"
