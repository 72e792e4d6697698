"""The judgement of one answer: the chance of each candidate, and whether the catalog has the entity at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemel.confidence.calibrator import NIL, RIGHT, WRONG, Calibrator
from gemel.confidence.entity_images import EntityImages, Vector
from gemel.confidence.evidence import CANDIDATES, evidence
from gemel.core.schema import Candidate


@dataclass(frozen=True)
class Judgement:
    """Candidates with their chances of being right; nil_probability: that none is, as the catalog lacks the entity.

    nil: whether that is the answer. sure: whether the best candidate is as probable as links of the wanted precision.
    """

    candidates: tuple[Candidate, ...]
    nil_probability: float
    nil: bool
    sure: bool


class Judge:
    """Gives answers their probabilities."""

    def __init__(self, calibrator: Calibrator, images: EntityImages) -> None:
        self._calibrator, self._images = calibrator, images

    def judge(self, candidates: Sequence[Candidate], vector: Vector | None) -> Judgement:
        """Judge the candidates of one mention. vector: of the post's image, (vision_dim,), or None.

        The best candidate gets its chance of being right, the others share the chance that it is wrong, in proportion
        to their shares within the beam.
        """
        first = candidates[:CANDIDATES]
        alike = None if vector is None else self._images.likeness([each.entity_id for each in first], vector)
        pieces = np.array([evidence([each.score for each in first], alike)])
        chances = self._calibrator.chances(pieces)
        right, wrong, nil = (float(chances[0, outcome]) for outcome in (RIGHT, WRONG, NIL))
        best, *others = candidates
        rest = sum(each.probability for each in others) or 1.0
        judged = [dataclasses.replace(each, probability=wrong * each.probability / rest) for each in others]
        said = bool(self._calibrator.says_nil(chances)[0])
        above = self._calibrator.sure_above
        sure = not said and above is not None and right >= above
        return Judgement((dataclasses.replace(best, probability=right), *judged), nil, said, sure)
