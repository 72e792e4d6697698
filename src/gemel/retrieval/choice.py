"""The choice of demonstrations: the most relevant rows of a corpus of solved mentions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from threading import Lock

import numpy as np

from gemel.core.settings import ComparedBy, Diversity
from gemel.retrieval.encoder import Vectors
from gemel.retrieval.hits import Hits, Rows, Scores
from gemel.retrieval.images import ImageRanker
from gemel.retrieval.scorers import Scorer

REMEMBERED = 10_000
# So many of the best rows by text, at least, are ranked once more by images, or have entities of their own picked out.
POOL = 64


@dataclass(frozen=True)
class Corpus:
    """Solved mentions that may serve as demonstrations; the lists run in parallel."""

    mentions: Sequence[str]
    texts: Sequence[str]
    entity_ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.mentions)

    def strings(self, by: ComparedBy) -> list[str]:
        """What each row is found by."""
        return [compared(mention, text, by) for mention, text in zip(self.mentions, self.texts, strict=True)]


def compared(mention: str, text: str, by: ComparedBy) -> str:
    """The string of a mention that is compared: itself, or itself and the text around it."""
    return mention if by == "mention" else f"{mention} {text}"


class Chooser:
    """Chooses demonstrations; remembers the rankings of the latest strings compared, on which alone they depend.

    Threads may share it.
    """

    def __init__(
        self,
        corpus: Corpus,
        scorer: Scorer,
        count: int,
        remembered: int = REMEMBERED,
        *,
        by: ComparedBy = "mention",
        diversity: Diversity = "entity",
        images: ImageRanker | None = None,
    ) -> None:
        """scorer: over the corpus's strings by the same. count: demonstrations per query; fewer where the corpus has
        fewer. remembered: how many rankings. diversity: see DemonstrationSettings. images: over the corpus's, where
        they play a part.
        """
        self._scorer, self._by, self._diversity, self._images = scorer, by, diversity, images
        self._count = min(count, len(corpus))
        self._reach = self._count if images is None and diversity != "one_each" else max(count, POOL)
        self._remembered = remembered
        _, self._entities = np.unique(np.asarray(corpus.entity_ids, dtype=object), return_inverse=True)
        self._same_post: dict[tuple[str, str], set[int]] = {}
        for row, key in enumerate(zip(corpus.mentions, corpus.texts, strict=True)):
            self._same_post.setdefault(key, set()).add(row)
        self._most_excluded: dict[str, int] = {}
        for (mention, text), rows in self._same_post.items():
            string = compared(mention, text, by)
            self._most_excluded[string] = max(self._most_excluded.get(string, 0), len(rows))
        self._ranked: dict[str, Hits] = {}
        self._remembering = Lock()

    def choose(self, mention: str, text: str, image: Vectors | None = None) -> tuple[int, ...]:
        """Rows of the corpus, the most relevant first, without those that have the same mention and the same text.

        image: the post's image vector, where it has one and images play a part.
        """
        return self.choose_all([mention], [text], [image])[0]

    def choose_all(
        self, mentions: Sequence[str], texts: Sequence[str], images: Sequence[Vectors | None] | None = None
    ) -> list[tuple[int, ...]]:
        """Choose for each mention in its text; the lists run in parallel. Distinct strings are ranked in batches.

        images: see `choose`; None: of no post.
        """
        if not self._count:
            return [()] * len(mentions)
        asked = [compared(mention, text, self._by) for mention, text in zip(mentions, texts, strict=True)]
        with self._remembering:
            rankings = self._rankings(dict.fromkeys(asked))
        chosen = []
        for string, post, image in zip(
            asked, zip(mentions, texts, strict=True), images or [None] * len(asked), strict=True
        ):
            ranked = rankings[string]
            rows = ranked.rows
            if self._images is not None and image is not None:
                rows = self._images.rank(rows, ranked.scores, image)
            chosen.append(self._pick(rows, self._same_post.get(post, set())))
        return chosen

    def _pick(self, rows: Rows, excluded: set[int]) -> tuple[int, ...]:
        """The first rows that may be shown. rows: best first."""
        kept = (row for row in rows.tolist() if row not in excluded)
        return tuple(islice(self._one_each(kept) if self._diversity == "one_each" else kept, self._count))

    def _one_each(self, rows: Iterable[int]) -> Iterator[int]:
        shown: set[int] = set()
        for row in rows:
            entity = int(self._entities[row])
            if entity not in shown:
                shown.add(entity)
                yield row

    def _rankings(self, strings: Iterable[str]) -> dict[str, Hits]:
        """Of each string, the rows that could be chosen for it in any text, best first."""
        # Taken out and put back, the ones asked for now are the latest.
        found = {string: ranked for string in strings if (ranked := self._ranked.pop(string, None))}
        missing = sorted((string for string in strings if string not in found), key=self._rows_needed)
        for needed, group in groupby(missing, key=self._rows_needed):
            queries = list(group)
            for string, hits in zip(queries, self._scorer.best(queries, needed), strict=True):
                kept = rank(hits.scores, self._told_apart(hits.rows), needed)
                found[string] = Hits(hits.rows[kept], hits.scores[kept])
        self._ranked |= islice(found.items(), self._remembered)
        for oldest in list(islice(self._ranked, max(0, len(self._ranked) - self._remembered))):
            self._ranked.pop(oldest, None)
        return found

    def _told_apart(self, rows: Rows) -> Rows:
        """What must not come twice among equals as long as another is there: entities, or nothing."""
        return rows if self._diversity == "none" else self._entities[rows]

    def _rows_needed(self, string: str) -> int:
        return self._reach + self._most_excluded.get(string, 0)


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
