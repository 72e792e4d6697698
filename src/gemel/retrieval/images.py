"""Likeness of images, by which demonstrations that were found by text are ranked once more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gemel.retrieval.encoder import Vectors
from gemel.retrieval.hits import Rows, Scores


class ImageRanker:
    """Ranks rows of a corpus by a mix of their score by text and the likeness of their image to the query's.

    Likeness is the cosine of image vectors from which the corpus's mean was taken: the vectors of an encoder point much
    the same way, and their plain cosines hardly differ. It is 0 where a row has no image.
    """

    def __init__(self, images: Sequence[Vectors | None], weight: float) -> None:
        """images: the vector of each row of the corpus (width,), or None. weight: of the likeness, above 0, up to 1."""
        known = [row for row, image in enumerate(images) if image is not None]
        self._weight = weight
        self._place = np.full(len(images), len(known))
        self._place[known] = np.arange(len(known))
        vectors = np.array([images[row] for row in known] or np.zeros((0, 0)), dtype=np.float32)
        self._mean = vectors.sum(axis=0) / max(1, len(known))
        # The last row stands for all that have no image.
        self._units = np.concatenate((_units(vectors - self._mean), np.zeros((1, vectors.shape[1]), np.float32)))

    def rank(self, rows: Rows, scores: Scores, image: Vectors) -> Rows:
        """The same rows, best first; those of equal mix keep their order.

        scores: theirs by text, as shares of the best of which they count. image: of the query, (width,).
        """
        if len(self._units) == 1:
            return rows
        likeness = self._units[self._place[rows]] @ _units((image - self._mean)[None])[0]
        best = scores.max(initial=0)
        by_text = scores / best if best > 0 else np.zeros_like(scores)
        mixed = (1 - self._weight) * by_text + self._weight * likeness
        # Rounded, so that equal vectors stay equal whatever the order of summation.
        return rows[np.argsort(-np.round(mixed, 5), kind="stable")]


def _units(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return found
