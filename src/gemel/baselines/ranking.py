"""What every baseline gives, and how those that score entities rank them."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from gemel.answerer import Answer
from gemel.core.schema import Candidate
from gemel.evaluation.grading import Graded

Rows = npt.NDArray[np.int64]
NOTHING = Answer(())


class Baseline(Protocol):
    """Another way to link than the linker."""

    def answer(self, mentions: Graded) -> list[Answer]:
        """One answer for each mention, without candidates where it has none.

        Candidates have a score of the baseline's own kind and no probability.
        """
        ...


def candidate(entity_id: str, name: str, score: float) -> Candidate:
    """A candidate whose score says nothing of its probability."""
    return Candidate(entity_id, name, float(score), math.nan)


class Ranking:
    """The entities of a catalog by row, ranked by score; of equal scores the better known first, then by id."""

    def __init__(self, entities: pl.DataFrame, top: int) -> None:
        """entities: with the columns entity_id, name and popularity. top: candidates of an answer, at most."""
        self._ids, self._names = entities["entity_id"].to_list(), entities["name"].to_list()
        self.row_of = {entity_id: row for row, entity_id in enumerate(self._ids)}
        order = entities.with_row_index("row").sort("popularity", "entity_id", descending=[True, False])["row"]
        self._place = np.empty(len(order), dtype=np.int64)
        self._place[order.to_numpy()] = np.arange(len(order))
        self._top = top

    def __len__(self) -> int:
        return len(self._ids)

    def best(self, rows: Rows, scores: npt.NDArray[np.floating]) -> Answer:
        """The best of some entities.

        rows: (n,); one that occurs more than once counts with its best score. scores: theirs, (n,); higher is better.
        """
        found: dict[int, float] = {}
        for at in np.lexsort((self._place[rows], -scores)):
            found.setdefault(int(rows[at]), float(scores[at]))
            if len(found) == self._top:
                break
        return Answer(tuple(candidate(self._ids[row], self._names[row], score) for row, score in found.items()))

    def best_of_all(self, scores: npt.NDArray[np.floating]) -> Answer:
        """The best of all entities. scores: of every row, (entities,)."""
        if self._top >= len(scores):
            return self.best(np.arange(len(scores)), scores)
        # All that tie with the last one, as a partition alone would take any of them.
        rows = np.flatnonzero(scores >= np.partition(scores, -self._top)[-self._top])
        return self.best(rows, scores[rows])
