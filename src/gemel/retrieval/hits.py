"""Scored rows of a corpus, and the way to them from its distinct strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Hits:
    """Rows of a corpus, ascending where nothing else is said, and their scores; the two run in parallel."""

    rows: Rows
    scores: Scores


class DistinctStrings:
    """The distinct strings of a corpus, in order of first use, and the rows that hold each.

    Many rows share a mention string; scored once, they have equal scores to the last bit.
    """

    def __init__(self, corpus: Sequence[str]) -> None:
        place: dict[str, int] = {}
        self._of_row: Rows = np.array([place.setdefault(text, len(place)) for text in corpus], dtype=np.int64)
        self.strings = list(place)
        self._by_string = np.argsort(self._of_row, kind="stable")
        self._sizes = np.bincount(self._of_row, minlength=len(place))
        self._starts = np.cumsum(self._sizes) - self._sizes
        self.first_rows = self._by_string[self._starts]

    def __len__(self) -> int:
        return len(self.strings)

    def count_rows(self, places: Rows) -> int:
        """How many rows hold the strings at these places."""
        return int(self._sizes[places].sum())

    def every_row(self, scores: Scores) -> Hits:
        """All rows. scores: of every distinct string, (strings,)."""
        return Hits(np.arange(len(self._of_row)), scores[self._of_row])

    def best_rows(self, places: Rows, scores: Scores, count: int) -> Hits:
        """The rows of some strings that score at least as much as the count-th best of them.

        places: (n,) in any order. scores: theirs, (n,).
        """
        best_first = np.argsort(-scores, kind="stable")
        enough = int(np.searchsorted(np.cumsum(self._sizes[places[best_first]]), count))
        if enough < len(places):
            kept = scores >= scores[best_first[enough]]
            places, scores = places[kept], scores[kept]
        sizes = self._sizes[places]
        first = np.repeat(self._starts[places] - np.cumsum(sizes) + sizes, sizes)
        rows = self._by_string[first + np.arange(len(first))]
        ascending = np.argsort(rows)
        return Hits(rows[ascending], np.repeat(scores, sizes)[ascending])
