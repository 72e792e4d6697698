"""Re-scoring of a beam by images: is the post's image like those that the entity was shown with in training?

The LLM's score says how well a name goes on from the prompt. An entity that training posts show has an image of its own
besides: their mean. A candidate's score gains where the post's image is more like it than a level, and loses where it
is less; a candidate that no training image shows keeps its score, as does every candidate of a post without an image.
So an entity that was never trained on gains where the trained ones of its name don't fit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from gemel.confidence.entity_images import Likeness
from gemel.core.errors import ArtifactError
from gemel.core.schema import Candidate
from gemel.core.settings import Rescoring

# Keeps the weights finite where the images tell everything.
RIDGE = 0.01
Weights = npt.NDArray[np.float64]


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


def write_rescoring(path: Path, rescoring: Rescoring | None) -> None:
    """Write what was fitted; null for nothing."""
    path.write_text(json.dumps(rescoring and asdict(rescoring), indent=1) + "\n", encoding="utf-8")


def read_rescoring(path: Path) -> Rescoring | None:
    """Read what was fitted; None: no beam is re-scored.

    Raises: ArtifactError if it is absent or damaged.
    """
    try:
        return TypeAdapter(Rescoring | None).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ArtifactError(f"{path}: unreadable ({reason}); run `dvc repro confidence`") from error
