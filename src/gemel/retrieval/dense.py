"""Exact search by sentence embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gemel.retrieval.encoder import Embed, Vectors
from gemel.retrieval.hits import DistinctStrings, Hits

QUERIES_AT_ONCE = 256
# faiss holds a block of scores for each query of a batch: 64 MiB.
STRINGS_AT_ONCE = 65_536


class DenseScorer:
    """Cosine of sentence embeddings, by faiss."""

    def __init__(self, corpus: Sequence[str], embed: Embed) -> None:
        self._distinct, self._embed = DistinctStrings(corpus), embed
        self._index = _make_index(self._distinct.strings, embed)

    def best(self, queries: Sequence[str], count: int) -> Iterator[Hits]:
        """See `Scorer`."""
        for first in range(0, len(queries), QUERIES_AT_ONCE):
            vectors = self._embed(list(queries[first : first + QUERIES_AT_ONCE]))
            yield from self._search(vectors, count, reach=count + 1)

    def _search(self, vectors: Vectors, count: int, reach: int) -> list[Hits]:
        """reach: how many strings to look at first; more where the count-th is equal to the last of them."""
        reach = min(reach, len(self._distinct))
        scores, places = self._index.search(vectors, reach)
        # Rounded, so that equal vectors stay equal whatever the order of summation.
        scores = np.round(scores, 5)
        hits = [self._distinct.best_rows(*found, count) for found in zip(places, scores, strict=True)]
        if reach < len(self._distinct):
            for query in np.flatnonzero(scores[:, count - 1] == scores[:, -1]):
                hits[query] = self._search(vectors[query : query + 1], count, 4 * reach)[0]
        return hits


def _make_index(strings: list[str], embed: Embed) -> Any:
    """The vectors of some strings, for inner products; None if there are no strings, as their width is unknown."""
    # torch first: faiss then runs on torch's OpenMP threads, and `torch.set_num_threads` holds for both.
    import torch  # noqa: F401  # isort: skip
    import faiss

    # By default faiss scans vector by vector up to batches of thousands; matrix products take a fifth of the time.
    faiss.cvar.distance_compute_blas_threshold = 1
    faiss.cvar.distance_compute_blas_database_bs = STRINGS_AT_ONCE
    index = None
    for first in range(0, len(strings), STRINGS_AT_ONCE):
        vectors = embed(strings[first : first + STRINGS_AT_ONCE])
        index = index or faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
    return index
