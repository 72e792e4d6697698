"""Baselines that compare the mention's string with the names of the catalog: equal names, and BM25."""

from __future__ import annotations

import numpy as np
import polars as pl

from gemel.answerer import Answer
from gemel.baselines.ranking import NOTHING, Ranking
from gemel.evaluation.grading import Graded
from gemel.retrieval.bm25 import Bm25Scorer


class ExactName:
    """The entities that have the mention as a name (generated, label, title or alias), the better known first.

    A mention that is nobody's name to the letter gets no answer.
    """

    def __init__(self, entities: pl.DataFrame, names: pl.DataFrame, top: int) -> None:
        """entities, names: the posts' tables."""
        self._ranking = Ranking(entities, top)
        self._popularity = entities["popularity"].to_numpy()
        self._rows: dict[str, set[int]] = {}
        for entity_id, name in names.select("entity_id", "name").iter_rows():
            self._rows.setdefault(name, set()).add(self._ranking.row_of[entity_id])

    def answer(self, mentions: Graded) -> list[Answer]:
        """See `Baseline`; the score is the entity's popularity."""
        return [self._answer(mention) for mention in mentions.table["mention"].to_list()]

    def _answer(self, mention: str) -> Answer:
        if not (found := self._rows.get(mention)):
            return NOTHING
        rows = np.fromiter(found, dtype=np.int64)
        return self._ranking.best(rows, self._popularity[rows])


class Bm25Names:
    """BM25 of the mention over all names of the catalog; an entity counts with its best name.

    Names that share no word with the mention are no answer.
    """

    def __init__(self, entities: pl.DataFrame, names: pl.DataFrame, top: int) -> None:
        """entities, names: the posts' tables."""
        self._ranking = Ranking(entities, top)
        distinct = names.select("entity_id", "name").unique(maintain_order=True)
        self._entity = np.array([self._ranking.row_of[entity_id] for entity_id in distinct["entity_id"]])
        self._scorer = Bm25Scorer(distinct["name"].to_list())
        # However many names the best entities have, so many rows hold enough of them.
        self._rows_wanted = top * int(np.bincount(self._entity).max())

    def answer(self, mentions: Graded) -> list[Answer]:
        """See `Baseline`; the score is BM25's."""
        answers = []
        for hits in self._scorer.best(mentions.table["mention"].to_list(), self._rows_wanted):
            shared = hits.scores > 0
            answers.append(self._ranking.best(self._entity[hits.rows[shared]], hits.scores[shared]))
        return answers
