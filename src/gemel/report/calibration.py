"""Whether the best candidate's probability is the chance that it is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from gemel.evaluation.trust import BINS, calibration_error


@dataclass(frozen=True)
class Bin:
    """Answers whose best candidate has a probability from `low` to `high`.

    accuracy, confidence: share of them that is right, and their mean probability; None in an empty bin.
    """

    low: float
    high: float
    count: int
    accuracy: float | None
    confidence: float | None


@dataclass(frozen=True)
class Calibration:
    """A reliability diagram.

    error: the expected calibration error, the mean of |accuracy - confidence| over the answers, between 0 and 1.
    """

    bins: tuple[Bin, ...]
    count: int
    error: float


def probabilities(scores: Sequence[float]) -> npt.NDArray[np.float64]:
    """Share of each candidate within its beam, the softmax of the scores, (candidates,), as the linker states it."""
    shares = np.exp(np.array(scores, dtype=np.float64) - max(scores))
    normalized: npt.NDArray[np.float64] = shares / shares.sum()
    return normalized


def calibration(answers: pl.DataFrame) -> Calibration:
    """The reliability of the best candidates. answers: rows of judged answers, one a mention, at least one."""
    confidence = answers["chance_right"].to_numpy()
    right = (answers["outcome"] == "right").to_numpy()
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = tuple(_bin(place, confidence[places == place], right[places == place]) for place in range(BINS))
    return Calibration(bins, len(right), calibration_error(confidence, right.astype(np.float64)))


def _bin(place: int, confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> Bin:
    low, high = place / BINS, (place + 1) / BINS
    if not len(right):
        return Bin(low, high, 0, None, None)
    return Bin(low, high, len(right), float(right.mean()), float(confidence.mean()))
