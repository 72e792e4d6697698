"""The choice of demonstrations: the most relevant rows of a corpus of solved mentions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gemel.retrieval.scorers import Scorer, Scores

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Corpus:
    """Solved mentions that may serve as demonstrations; the lists run in parallel."""

    mentions: Sequence[str]
    texts: Sequence[str]
    entity_ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.mentions)


class Chooser:
    """Chooses demonstrations; remembers the ranking of each mention string, which is all that it depends on."""

    def __init__(self, corpus: Corpus, scorer: Scorer, count: int) -> None:
        """count: demonstrations per query; fewer where the corpus has fewer."""
        self._corpus, self._scorer, self._count = corpus, scorer, count
        _, self._entities = np.unique(np.asarray(corpus.entity_ids, dtype=object), return_inverse=True)
        self._same_post: dict[tuple[str, str], set[int]] = {}
        for row, key in enumerate(zip(corpus.mentions, corpus.texts, strict=True)):
            self._same_post.setdefault(key, set()).add(row)
        self._ranked: dict[str, Rows] = {}

    def choose(self, mention: str, text: str) -> tuple[int, ...]:
        """Rows of the corpus, the most relevant first, without those that have the same mention and the same text."""
        if self._count == 0 or not len(self._corpus):
            return ()
        excluded = self._same_post.get((mention, text), set())
        if mention not in self._ranked:
            self._ranked[mention] = rank(self._scorer.scores(mention), self._entities, self._count + 64)
        ranked = self._ranked[mention]
        if len(excluded) > 64:
            ranked = rank(self._scorer.scores(mention), self._entities, self._count + len(excluded))
        chosen = [int(row) for row in ranked if int(row) not in excluded]
        return tuple(chosen[: self._count])


def rank(scores: Scores, entities: Rows, count: int) -> Rows:
    """The `count` best rows, best first.

    Among rows of equal score, an entity that was not shown yet goes first, then corpus order: many rows share a mention
    string, and the first few of them could all stand for one entity.
    """
    kept = np.arange(len(scores))
    if count < len(scores):
        threshold = np.partition(scores, -count)[-count]
        kept = np.flatnonzero(scores >= threshold)
    score, entity = scores[kept], entities[kept]
    by_entity = np.lexsort((kept, entity, -score))
    same = (np.diff(score[by_entity]) == 0) & (np.diff(entity[by_entity]) == 0)
    starts = np.flatnonzero(np.concatenate(([True], ~same)))
    repeats = np.empty(len(kept), dtype=np.int64)
    repeats[by_entity] = np.arange(len(kept)) - np.repeat(starts, np.diff(np.append(starts, len(kept))))
    return kept[np.lexsort((kept, repeats, -score))][:count]
