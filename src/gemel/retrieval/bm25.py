"""Okapi BM25 for whole batches of queries, with the scores of rank_bm25."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from gemel.retrieval.hits import DistinctStrings, Hits, Rows, Scores

# A score takes 12 bytes of a sparse matrix: 240 MB if every query of a batch shared a word with every string.
SCORES_AT_ONCE = 20_000_000


class Bm25Scorer:
    """BM25 over case-folded words. rank_bm25 counts and weighs them; the weights are kept as a sparse matrix."""

    def __init__(self, corpus: Sequence[str]) -> None:
        self._distinct = DistinctStrings(corpus)
        self._places: dict[str, int] = {}
        self._weights = csr_array((0, len(self._distinct)))
        documents = [_words(text) for text in corpus]
        if any(documents):  # rank_bm25 divides by the number of words
            from rank_bm25 import BM25Okapi

            okapi = BM25Okapi(documents)
            self._places = {word: place for place, word in enumerate(okapi.idf)}
            self._weights = _weights(okapi, self._distinct.first_rows, self._places)

    def best(self, queries: Sequence[str], count: int) -> Iterator[Hits]:
        """See `Scorer`. Equals rank_bm25's scores to the last bit, rounded to float32."""
        at_once = max(1, SCORES_AT_ONCE // max(1, len(self._distinct)))
        for first in range(0, len(queries), at_once):
            found = self._asked(queries[first : first + at_once]) @ self._weights
            for start, end in zip(found.indptr[:-1], found.indptr[1:], strict=True):
                yield self._hits(found.indices[start:end], found.data[start:end].astype(np.float32), count)

    def _asked(self, queries: Sequence[str]) -> Any:
        """The words of each query, (queries, words); in the query's order and repeated, as rank_bm25 adds them up."""
        known = [[self._places[word] for word in _words(query) if word in self._places] for query in queries]
        ends = np.cumsum([0, *map(len, known)])
        words = np.fromiter(chain.from_iterable(known), dtype=np.int64, count=ends[-1])
        return csr_array((np.ones(len(words)), words, ends), shape=(len(queries), len(self._places)))

    def _hits(self, places: Rows, scores: Scores, count: int) -> Hits:
        """places: of the strings that share a word with the query, any order; all others score 0."""
        positive = scores > 0
        if self._distinct.count_rows(places[positive]) >= count:
            return self._distinct.best_rows(places[positive], scores[positive], count)
        of_all = np.zeros(len(self._distinct), dtype=np.float32)
        of_all[places] = scores
        return self._distinct.every_row(of_all)


def _weights(okapi: Any, rows: Rows, places: dict[str, int]) -> Any:
    """What a word adds to the score of a string: (words, strings), float64, sparse.

    rows: of each string, one that holds it. places: of each word.
    """
    counted = [okapi.doc_freqs[row] for row in rows]
    words = np.array([places[word] for counts in counted for word in counts])
    times = np.array([times for counts in counted for times in counts.values()])
    strings = np.repeat(np.arange(len(rows)), [len(counts) for counts in counted])
    lengths = np.array(okapi.doc_len)[rows][strings]
    idf = np.array(list(okapi.idf.values()))[words]
    # The order of operations is that of BM25Okapi.get_scores, so that no bit differs.
    norm = times + okapi.k1 * (1 - okapi.b + okapi.b * lengths / okapi.avgdl)
    return csr_array((idf * (times * (okapi.k1 + 1) / norm), (words, strings)), shape=(len(places), len(rows)))


def _words(text: str) -> list[str]:
    return text.casefold().split()
