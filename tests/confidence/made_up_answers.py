"""Answers whose outcome follows from their evidence with known chances."""

import numpy as np

from gemel.confidence.calibrator import NIL, RIGHT, WRONG, Floats
from gemel.confidence.evidence import EVIDENCE
from gemel.confidence.fitting import Outcomes


def made_up(count: int, seed: int = 0) -> tuple[Floats, Outcomes, Floats]:
    """Evidence (count, pieces), outcomes, and the chance of being right that they were drawn with."""
    rng = np.random.default_rng(seed)
    evidence = rng.normal(size=(count, len(EVIDENCE)))
    logits = np.stack([2 * evidence[:, 1] + 1, np.zeros(count), -2 * evidence[:, 2] - 1], axis=1)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    drawn = (rng.random(count)[:, None] > chances.cumsum(axis=1)).sum(axis=1)
    return evidence, np.array([RIGHT, WRONG, NIL])[drawn], chances[:, RIGHT]
