"""CLIP zero-shot: the image alone, or the image among the names that hold the mention, picks the entity.

A trained CLIP knows many names. The sample's tiny-clip knows none: it was trained on captions of a kind, a colour, a
place and a light, so it can tell an entity's kind ("car") and by no means which car. The text of an entity therefore
has its type, where the catalog has one; entities of one type are alike to it and go by popularity.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from gemel.answerer import Answer
from gemel.baselines.clip_space import ClipSpace
from gemel.baselines.ranking import NOTHING, Ranking, Rows
from gemel.evaluation.grading import Graded
from gemel.features.tower import Vectors


class ClipEntities:
    """The entities of a catalog in CLIP's space. A mention without an image gets no answer."""

    def __init__(self, entities: pl.DataFrame, space: ClipSpace, vectors: Mapping[str, Vectors], top: int) -> None:
        """entities: the catalog's table. vectors: image SHA-256 -> vector before the projection."""
        self._ranking, self._space, self._vectors = Ranking(entities, top), space, vectors
        self._entities = space.read(entity_texts(entities))

    def answer(self, mentions: Graded) -> list[Answer]:
        """See `Baseline`; the score is the cosine."""
        return [
            NOTHING if scores is None else self._ranking.best_of_all(scores)
            for scores in map(self._scores, mentions.table["image_sha256"].to_list())
        ]

    def answer_among(self, mentions: Graded, rows: Mapping[str, Rows]) -> list[Answer]:
        """As answer, with the entities to choose among for each mention string. rows: of the catalog's table."""
        answers = []
        for mention, sha256 in mentions.table.select("mention", "image_sha256").iter_rows():
            scores, among = self._scores(sha256), rows[mention]
            answers.append(NOTHING if scores is None else self._ranking.best(among, scores[among]))
        return answers

    def _scores(self, sha256: str | None) -> Vectors | None:
        """Of every entity, (entities,)."""
        if sha256 is None:
            return None
        image = self._space.project(np.array(self._vectors[sha256])[None])[0]
        # Rounded, so that equal vectors stay equal whatever the order of summation.
        scores: Vectors = np.round(self._entities @ image, 5)
        return scores


class ClipAmongNames:
    """CLIP, but only entities compete of which a name holds the mention's string, whatever its case."""

    def __init__(self, clip: ClipEntities, entities: pl.DataFrame, names: pl.DataFrame) -> None:
        """entities, names: the posts' tables."""
        self._clip = clip
        row_of = {entity_id: row for row, entity_id in enumerate(entities["entity_id"].to_list())}
        self._names = pl.Series([name.casefold() for name in names["name"].to_list()], dtype=pl.String)
        self._rows = np.array([row_of[entity_id] for entity_id in names["entity_id"].to_list()], dtype=np.int64)

    def answer(self, mentions: Graded) -> list[Answer]:
        """See `Baseline`; the score is the cosine."""
        rows = {mention: self._holding(mention) for mention in mentions.table["mention"].unique().to_list()}
        return self._clip.answer_among(mentions, rows)

    def _holding(self, mention: str) -> Rows:
        held = self._names.str.contains(mention.casefold(), literal=True).to_numpy()
        return np.unique(self._rows[held])


def entity_texts(entities: pl.DataFrame) -> list[str]:
    """What CLIP reads of each entity: "a photo of {name}, {type}", or without the type where there is none."""
    rows = entities.select("name", "entity_type").iter_rows()
    return [f"a photo of {name}, {kind}" if kind else f"a photo of {name}" for name, kind in rows]
