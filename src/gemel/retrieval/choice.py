"""The choice of demonstrations: the most relevant rows of a corpus of solved mentions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from threading import Lock

import numpy as np

from gemel.retrieval.hits import Rows, Scores
from gemel.retrieval.scorers import Scorer

REMEMBERED = 10_000


@dataclass(frozen=True)
class Corpus:
    """Solved mentions that may serve as demonstrations; the lists run in parallel."""

    mentions: Sequence[str]
    texts: Sequence[str]
    entity_ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.mentions)


class Chooser:
    """Chooses demonstrations; remembers the rankings of the latest mention strings, on which alone they depend.

    Threads may share it.
    """

    def __init__(self, corpus: Corpus, scorer: Scorer, count: int, remembered: int = REMEMBERED) -> None:
        """count: demonstrations per query; fewer where the corpus has fewer. remembered: how many rankings."""
        self._scorer = scorer
        self._count = min(count, len(corpus))
        self._remembered = remembered
        _, self._entities = np.unique(np.asarray(corpus.entity_ids, dtype=object), return_inverse=True)
        self._same_post: dict[tuple[str, str], set[int]] = {}
        for row, key in enumerate(zip(corpus.mentions, corpus.texts, strict=True)):
            self._same_post.setdefault(key, set()).add(row)
        self._most_excluded: dict[str, int] = {}
        for (mention, _), rows in self._same_post.items():
            self._most_excluded[mention] = max(self._most_excluded.get(mention, 0), len(rows))
        self._ranked: dict[str, list[int]] = {}
        self._remembering = Lock()

    def choose(self, mention: str, text: str) -> tuple[int, ...]:
        """Rows of the corpus, the most relevant first, without those that have the same mention and the same text."""
        return self.choose_all([mention], [text])[0]

    def choose_all(self, mentions: Sequence[str], texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Choose for each mention in its text; the two run in parallel. Distinct mentions are ranked in batches."""
        if not self._count:
            return [()] * len(mentions)
        with self._remembering:
            rankings = self._rankings(dict.fromkeys(mentions))
        chosen = []
        for mention, text in zip(mentions, texts, strict=True):
            excluded = self._same_post.get((mention, text), set())
            chosen.append(tuple(islice((row for row in rankings[mention] if row not in excluded), self._count)))
        return chosen

    def _rankings(self, mentions: Iterable[str]) -> dict[str, list[int]]:
        """Of each mention, the rows that could be chosen for it in any text, best first."""
        # Taken out and put back, the ones asked for now are the latest.
        found = {mention: ranked for mention in mentions if (ranked := self._ranked.pop(mention, None))}
        missing = sorted((mention for mention in mentions if mention not in found), key=self._rows_needed)
        for needed, group in groupby(missing, key=self._rows_needed):
            queries = list(group)
            for mention, hits in zip(queries, self._scorer.best(queries, needed), strict=True):
                kept = rank(hits.scores, self._entities[hits.rows], needed)
                found[mention] = hits.rows[kept].tolist()
        self._ranked |= islice(found.items(), self._remembered)
        for oldest in list(islice(self._ranked, max(0, len(self._ranked) - self._remembered))):
            self._ranked.pop(oldest, None)
        return found

    def _rows_needed(self, mention: str) -> int:
        return self._count + self._most_excluded.get(mention, 0)


def rank(scores: Scores, entities: Rows, count: int) -> Rows:
    """The `count` best rows, best first.

    Among rows of equal score, an entity that was not shown yet goes first, then corpus order: many rows share a mention
    string, and the first few of them could all stand for one entity.
    """
    kept = np.arange(len(scores))
    if count < len(scores):
        threshold = _threshold(scores, count)
        above, ties = np.flatnonzero(scores > threshold), np.flatnonzero(scores == threshold)
        kept = np.concatenate((above, _first_ties(ties, entities, count - len(above))))
    score, entity = scores[kept], entities[kept]
    by_entity = np.lexsort((kept, entity, -score))
    same = (np.diff(score[by_entity]) == 0) & (np.diff(entity[by_entity]) == 0)
    starts = np.flatnonzero(np.concatenate(([True], ~same)))
    repeats = np.empty(len(kept), dtype=np.int64)
    repeats[by_entity] = np.arange(len(kept)) - np.repeat(starts, np.diff(np.append(starts, len(kept))))
    return kept[np.lexsort((kept, repeats, -score))][:count]


def _threshold(scores: Scores, count: int) -> np.float32:
    """The count-th best score."""
    lowest: np.float32 = scores.min()
    # Most strings share no word with a BM25 query, and a partition is slow where most scores are equal.
    if np.count_nonzero(scores > lowest) < count:
        return lowest
    best: np.float32 = np.partition(scores, -count)[-count]
    return best


def _first_ties(ties: Rows, entities: Rows, count: int) -> Rows:
    """The head of some rows of equal score that has `count` entities, as no later row goes before these; or all."""
    size = 4 * count
    while size < len(ties):
        if len(np.unique(entities[ties[:size]])) >= count:
            return ties[:size]
        size *= 4
    return ties
