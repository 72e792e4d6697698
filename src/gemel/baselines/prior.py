"""The prior: the entities that a mention's string stood for in training, whatever the post says."""

from __future__ import annotations

from collections import Counter

import polars as pl

from gemel.answerer import Answer
from gemel.baselines.ranking import NOTHING, candidate
from gemel.evaluation.grading import Graded


class Prior:
    """The most frequent entity of a mention in training, the next ones behind it; ties by id.

    A mention that training never had gets no answer.
    """

    def __init__(self, mentions: pl.DataFrame, entities: pl.DataFrame, top: int) -> None:
        """mentions: of all splits, of which only training's are looked at. entities: the catalog's table."""
        names = dict(entities.select("entity_id", "name").iter_rows())
        trained = mentions.filter((pl.col("split") == "train") & pl.col("in_kb"))
        counts: dict[str, Counter[str]] = {}
        for mention, entity_id in trained.select("mention", "entity_id").iter_rows():
            counts.setdefault(mention, Counter())[entity_id] += 1
        self._answers = {mention: _answer(counted, names, top) for mention, counted in counts.items()}

    def answer(self, mentions: Graded) -> list[Answer]:
        """See `Baseline`; the score is the number of training mentions."""
        return [self._answers.get(mention, NOTHING) for mention in mentions.table["mention"].to_list()]


def _answer(counted: Counter[str], names: dict[str, str], top: int) -> Answer:
    best = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:top]
    return Answer(tuple(candidate(entity_id, names[entity_id], count) for entity_id, count in best))
