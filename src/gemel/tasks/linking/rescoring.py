"""Re-scoring of a beam by images: is the post's image like those that the entity was shown with in training?

The LLM's score says how well a name goes on from the prompt. An entity that training posts show has an image of its own
besides: their mean. A candidate's score gains where the post's image is more like it than a level, and loses where it
is less; a candidate that no training image shows keeps its score, as does every candidate of a post without an image.
So an entity that was never trained on gains where the trained ones of its name don't fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from gemel.core.schema import Candidate
from gemel.core.settings import Rescoring
from gemel.retrieval.encoder import Vectors

# Keeps the weights finite where the images tell everything.
RIDGE = 0.01
Likeness = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float64]


class EntityImages:
    """The mean image of each entity among solved mentions."""

    def __init__(self, solved: pl.DataFrame, vectors: Mapping[str, Vectors]) -> None:
        """solved: with entity_id and image_sha256, as the corpus of demonstrations. vectors: by image SHA-256."""
        shown = solved.select("entity_id", "image_sha256").drop_nulls().rows()
        self._units: dict[str, npt.NDArray[np.float64]] = {}
        if not shown:
            return
        images = np.array([vectors[sha256] for _, sha256 in shown], dtype=np.float64)
        # An encoder's vectors point much the same way; less their mean, they tell images apart.
        self._mean = images.mean(axis=0)
        of_entity: dict[str, list[int]] = {}
        for row, (entity_id, _) in enumerate(shown):
            of_entity.setdefault(entity_id, []).append(row)
        self._units = {
            entity_id: _unit(images[rows].mean(axis=0) - self._mean) for entity_id, rows in of_entity.items()
        }

    def likeness(self, entity_ids: Sequence[str], image: Vectors | None) -> Likeness:
        """Cosine of an image and the mean image of each entity; NaN where either isn't there.

        image: its vector (vision_dim,). Returns: (entities,).
        """
        found = np.full(len(entity_ids), np.nan)
        known = [place for place, entity_id in enumerate(entity_ids) if entity_id in self._units]
        if image is not None and known:
            asked = _unit(image.astype(np.float64) - self._mean)
            found[known] = np.array([self._units[entity_ids[place]] for place in known]) @ asked
        return found


@dataclass(frozen=True)
class Beam:
    """Candidates of one mention whose gold entity is known.

    scores: the LLM's, (candidates,). likeness: as EntityImages gives it. place: of the gold entity among them, from 1;
    0: nowhere.
    """

    scores: npt.NDArray[np.float64]
    likeness: Likeness
    place: int


def fit_rescoring(beams: Sequence[Beam]) -> Rescoring | None:
    """Fit how much images count, by conditional logit: the gold entity against the others of its beam.

    Beams without the gold entity, or without any likeness, tell nothing.
    Returns: None if nothing is to be learned, or if likeness doesn't speak for an entity.
    """
    telling = [beam for beam in beams if beam.place and not np.isnan(beam.likeness).all()]
    if not telling:
        return None
    features = [
        np.column_stack([beam.scores, np.nan_to_num(beam.likeness), ~np.isnan(beam.likeness)]) for beam in telling
    ]

    of_score, of_likeness, of_known = conditional_logit(features, [beam.place - 1 for beam in telling])
    if of_score <= 0 or of_likeness <= 0:
        return None
    return Rescoring(slope=float(of_likeness / of_score), level=float(-of_known / of_likeness))


def conditional_logit(features: Sequence[Weights], gold: Sequence[int]) -> Weights:
    """Weights under which the gold candidates are likeliest: softmax over the candidates of each beam.

    features: of each beam, (candidates, features); the first, the LLM's score, starts with weight 1, the others with 0.
    gold: row of the gold candidate of each beam. Returns: (features,).
    """

    def loss(weights: Weights) -> float:
        picked = [log_softmax(each @ weights)[row] for each, row in zip(features, gold, strict=True)]
        return float(-np.sum(picked) + RIDGE * weights @ weights)

    found: Weights = minimize(loss, np.eye(features[0].shape[1])[0]).x
    return found


def rescored(candidates: Sequence[Candidate], likeness: Likeness, by: Rescoring) -> tuple[Candidate, ...]:
    """The candidates, best first by their scores and images; their probabilities are shares of the new scores.

    likeness: theirs, (candidates,).
    """
    scores = np.array([candidate.score for candidate in candidates])
    scores = scores + np.nan_to_num(by.slope * (likeness - by.level))
    shares = softmax(scores)
    order = np.argsort(-scores, kind="stable").tolist()
    return tuple(replace(candidates[at], score=float(scores[at]), probability=float(shares[at])) for at in order)


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
