"""How alike a mention string is to each demonstration's mention string: by words, by meaning, or by chance."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from gemel.retrieval.bm25 import Bm25Scorer
from gemel.retrieval.dense import DenseScorer
from gemel.retrieval.encoder import load_embed
from gemel.retrieval.hits import Hits, Rows


class Scorer(Protocol):
    """Finds the strings of a corpus that are most like a query string."""

    def best(self, queries: Sequence[str], count: int) -> Iterator[Hits]:
        """For each query, every row that scores at least as much as its count-th best row; there may be more.

        Higher is better. count: at least 1. However many queries there are, the memory is bounded.
        """
        ...


class RandomScorer:
    """Scores that have nothing to do with the query but follow from it, so that a query's choice can be repeated."""

    def __init__(self, corpus: Sequence[str], seed: int) -> None:
        self._rows: Rows = np.arange(len(corpus))
        self._seed = seed

    def best(self, queries: Sequence[str], count: int) -> Iterator[Hits]:  # noqa: ARG002
        """All rows for each query."""
        for query in queries:
            digest = hashlib.sha256(f"{self._seed}\t{query}".encode()).digest()
            yield Hits(self._rows, np.random.default_rng(list(digest)).random(len(self._rows), dtype=np.float32))


def make_scorer(method: str, corpus: Sequence[str], *, seed: int, encoder: str, device: str = "cpu") -> Scorer:
    """The scorer of a method: random, bm25 or dense. encoder: see `load_embed`."""
    if method == "random":
        return RandomScorer(corpus, seed)
    return Bm25Scorer(corpus) if method == "bm25" else DenseScorer(corpus, load_embed(encoder, device))
