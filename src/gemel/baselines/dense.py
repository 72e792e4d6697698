"""The dense baseline: a bi-encoder over the names and descriptions of the catalog."""

from __future__ import annotations

import numpy as np
import polars as pl

from gemel.answerer import Answer
from gemel.baselines.ranking import Ranking
from gemel.evaluation.grading import Graded
from gemel.retrieval.dense import DenseScorer
from gemel.retrieval.encoder import Embed


class DenseEntities:
    """Cosine of "mention: text" and "name: description", exactly, over the whole catalog.

    An entity without a description is its name alone. The encoder is not trained for this.
    """

    def __init__(self, entities: pl.DataFrame, embed: Embed, top: int) -> None:
        """entities: the catalog's table."""
        self._ranking, self._top = Ranking(entities, top), min(top, entities.height)
        self._scorer = DenseScorer(_entity_texts(entities), embed)

    def answer(self, mentions: Graded) -> list[Answer]:
        """See `Baseline`; the score is the cosine."""
        rows = mentions.table.select("mention", "text").iter_rows()
        queries = [f"{mention}: {text}" for mention, text in rows]
        hits = self._scorer.best(queries, self._top)
        return [self._ranking.best(each.rows, each.scores.astype(np.float64)) for each in hits]


def _entity_texts(entities: pl.DataFrame) -> list[str]:
    rows = entities.select("name", "description").iter_rows()
    return [f"{name}: {description}" if description else name for name, description in rows]
