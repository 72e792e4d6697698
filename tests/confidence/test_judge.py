"""Answers get their chances."""

import numpy as np
import polars as pl
import pytest

from gemel.confidence.calibrator import Calibrator
from gemel.confidence.entity_images import EntityImages
from gemel.confidence.evidence import EVIDENCE
from gemel.confidence.judge import Judge
from gemel.core.schema import Candidate

PICTURES = {"cat": np.array([1.0, 0.0], dtype=np.float32), "car": np.array([-1.0, 0.0], dtype=np.float32)}
SOLVED = pl.DataFrame({"entity_id": ["Q1", "Q2"], "image_sha256": ["cat", "car"]})
IMAGES = EntityImages(SOLVED, PICTURES)
CANDIDATES = (Candidate("Q1", "cat", -0.1, 0.5), Candidate("Q2", "car", -0.4, 0.4), Candidate("Q3", "team", -2.0, 0.1))


def judge(nil_above: float | None = 0.5, sure_above: float | None = None) -> Judge:
    """Right by margin, NIL by an image that is unlike the entity's pictures."""
    slope = {"right": {"margin": 2.0}, "nil": {"likeness": -3.0}}
    weights = tuple(
        tuple(slope.get(outcome, {}).get(piece, 0.0) for piece in EVIDENCE) for outcome in ("right", "wrong", "nil")
    )
    zeros, ones = (0.0,) * len(EVIDENCE), (1.0,) * len(EVIDENCE)
    return Judge(Calibrator(EVIDENCE, zeros, ones, weights, (0.0, 0.0, 0.0), nil_above, sure_above), IMAGES)


def test_chances_of_all_outcomes_sum_to_one() -> None:
    found = judge().judge(CANDIDATES, PICTURES["cat"])
    assert sum(each.probability for each in found.candidates) + found.nil_probability == pytest.approx(1)


def test_candidates_and_their_scores_stay() -> None:
    found = judge().judge(CANDIDATES, PICTURES["cat"]).candidates
    assert [(each.entity_id, each.score) for each in found] == [(each.entity_id, each.score) for each in CANDIDATES]


def test_others_share_what_is_left_as_in_the_beam() -> None:
    _, second, third = judge().judge(CANDIDATES, PICTURES["cat"]).candidates
    assert second.probability == pytest.approx(4 * third.probability)


def test_image_unlike_the_entity_is_nil() -> None:
    assert judge().judge(CANDIDATES, PICTURES["car"]).nil
    assert not judge().judge(CANDIDATES, PICTURES["cat"]).nil


def test_without_a_threshold_nothing_is_nil() -> None:
    found = judge(nil_above=None).judge(CANDIDATES, PICTURES["car"])
    assert (found.nil, found.nil_probability > 0.5) == (False, True)


def test_sure_is_what_is_as_probable_as_the_threshold_and_not_nil() -> None:
    chance = judge().judge(CANDIDATES, PICTURES["cat"]).candidates[0].probability
    assert judge(sure_above=chance).judge(CANDIDATES, PICTURES["cat"]).sure
    assert not judge(sure_above=chance + 1e-6).judge(CANDIDATES, PICTURES["cat"]).sure
    assert not judge().judge(CANDIDATES, PICTURES["cat"]).sure
    assert not judge(sure_above=0.0).judge(CANDIDATES, PICTURES["car"]).sure


def test_only_candidate() -> None:
    (only,) = judge().judge(CANDIDATES[:1], None).candidates
    assert only.probability == pytest.approx(1, abs=1e-6)
