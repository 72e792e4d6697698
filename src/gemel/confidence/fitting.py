"""Fitting a calibrator to answers whose outcome is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from gemel.confidence.calibrator import NIL, OUTCOMES, RIGHT, Calibrator, Floats
from gemel.confidence.evidence import EVIDENCE
from gemel.core.errors import DataError

Outcomes = npt.NDArray[np.int64]
_ITERATIONS = 5_000


def fit_calibrator(
    evidence: Floats, outcomes: Outcomes, weights: Floats, *, nil_precision: float | None, sure_precision: float
) -> Calibrator:
    """Fit chances by maximum likelihood under scikit-learn's unit ridge penalty, then choose both thresholds.

    evidence: (answers, pieces). outcomes: places in OUTCOMES, (answers,). weights: how often each answer counts,
    likewise. nil_precision: wanted share of NIL answers that are right, None never to answer NIL; sure_precision: of
    links that are right. Of the thresholds that reach it on these answers the lowest is taken.
    Raises: DataError if there are no answers.
    """
    if not len(evidence):
        raise DataError("no answer to fit chances to: the dev split has no mention; import the data set with its dev")
    centre, scale = evidence.mean(axis=0), np.maximum(evidence.std(axis=0), 1e-9)
    slopes, bias = _fit((evidence - centre) / scale, outcomes, weights)
    fitted = Calibrator(
        EVIDENCE, _floats(centre), _floats(scale), tuple(_floats(row) for row in slopes), bias, None, None
    )
    chances = fitted.chances(evidence)
    nil = None if nil_precision is None else _lowest(chances[:, NIL], outcomes == NIL, weights, nil_precision)
    linked = np.ones(len(outcomes), dtype=np.bool_) if nil is None else chances[:, NIL] < nil
    sure = _lowest(chances[linked, RIGHT], outcomes[linked] == RIGHT, weights[linked], sure_precision)
    return Calibrator(fitted.evidence, fitted.centre, fitted.scale, fitted.weights, fitted.bias, nil, sure)


def _fit(evidence: Floats, outcomes: Outcomes, weights: Floats) -> tuple[Floats, tuple[float | None, ...]]:
    """The slopes (3, pieces) and biases of the outcomes; where only one occurred, its chance is 1."""
    present = np.unique(outcomes)
    slopes, bias = np.zeros((len(OUTCOMES), evidence.shape[1])), np.zeros(len(OUTCOMES))
    if len(present) > 1:
        model = LogisticRegression(max_iter=_ITERATIONS).fit(evidence, outcomes, sample_weight=weights)
        # Of two outcomes scikit-learn has the log-odds of the second alone.
        slopes[present[-len(model.coef_) :]], bias[present[-len(model.coef_) :]] = model.coef_, model.intercept_
    return slopes, tuple(float(bias[place]) if place in present else None for place in range(len(OUTCOMES)))


def _lowest(chances: Floats, hits: npt.NDArray[np.bool_], weights: Floats, precision: float) -> float | None:
    """The lowest chance from which on the answers have a precision; None if no threshold has it."""
    order = np.argsort(-chances, kind="stable")
    chances, hits, weights = chances[order], hits[order], weights[order]
    reached = np.cumsum(hits * weights) / np.cumsum(weights) >= precision
    # A threshold takes all answers of equal chance.
    reached &= np.append(chances[1:] != chances[:-1], True)
    places = np.flatnonzero(reached)
    return float(chances[places[-1]]) if len(places) else None


def _floats(values: Floats) -> tuple[float, ...]:
    return tuple(values.tolist())
