"""Fitting chances, and the thresholds that reach a precision."""

import numpy as np
import pytest
from confidence.made_up_answers import made_up

from gemel.confidence.calibrator import NIL, RIGHT, WRONG, Calibrator
from gemel.confidence.evidence import EVIDENCE
from gemel.confidence.fitting import fit_calibrator
from gemel.core.errors import DataError

COUNT = 4_000


@pytest.fixture(scope="module")
def fitted() -> Calibrator:
    evidence, outcomes, _ = made_up(COUNT)
    return fit_calibrator(evidence, outcomes, np.ones(COUNT), nil_precision=0.7, sure_precision=0.95)


def test_chances_are_found_again_on_other_answers(fitted: Calibrator) -> None:
    evidence, _, right = made_up(1_000, seed=1)
    assert np.abs(fitted.chances(evidence)[:, RIGHT] - right).mean() < 0.02


def test_chances_sum_to_one(fitted: Calibrator) -> None:
    assert fitted.chances(made_up(50, seed=2)[0]).sum(axis=1) == pytest.approx(1)


def test_nil_answers_have_the_precision_on_the_answers_of_the_fit(fitted: Calibrator) -> None:
    evidence, outcomes, _ = made_up(COUNT)
    said = fitted.says_nil(fitted.chances(evidence))
    assert said.sum() > 100
    assert 0.7 <= (outcomes[said] == NIL).mean() < 0.72


def test_threshold_is_the_lowest_that_has_the_precision(fitted: Calibrator) -> None:
    evidence, outcomes, _ = made_up(COUNT)
    chances = fitted.chances(evidence)[:, NIL]
    assert fitted.nil_above is not None
    below = np.sort(chances[chances < fitted.nil_above])[::-1]
    precisions = [(outcomes[chances >= least] == NIL).mean() for least in below]
    assert max(precisions) < 0.7


def test_sure_links_have_their_precision_and_are_no_nil_answers(fitted: Calibrator) -> None:
    evidence, outcomes, _ = made_up(COUNT)
    chances = fitted.chances(evidence)
    sure = (chances[:, RIGHT] >= fitted.sure_above) & ~fitted.says_nil(chances)
    assert 0.95 <= (outcomes[sure] == RIGHT).mean() < 0.96


def test_without_a_wanted_precision_nil_is_never_said() -> None:
    evidence, outcomes, _ = made_up(500)
    never = fit_calibrator(evidence, outcomes, np.ones(500), nil_precision=None, sure_precision=0.95)
    assert never.nil_above is None
    assert not never.says_nil(never.chances(evidence)).any()


def test_precision_that_nothing_reaches_gives_no_threshold() -> None:
    # Equal evidence for all: one answer can't be taken without the others.
    evidence, outcomes = np.zeros((4, len(EVIDENCE))), np.array([RIGHT, WRONG, NIL, NIL])
    found = fit_calibrator(evidence, outcomes, np.ones(4), nil_precision=0.6, sure_precision=0.98)
    assert (found.nil_above, found.sure_above) == (None, None)


def test_outcome_that_never_occurred_has_no_chance() -> None:
    evidence, outcomes, _ = made_up(500)
    known = outcomes != NIL
    found = fit_calibrator(
        evidence[known], outcomes[known], np.ones(known.sum()), nil_precision=0.6, sure_precision=0.9
    )
    assert found.chances(evidence)[:, NIL].max() == 0
    assert found.nil_above is None
    # Of two outcomes each has its own side.
    chances = found.chances(evidence[known])
    assert chances[outcomes[known] == RIGHT, RIGHT].mean() > chances[outcomes[known] == WRONG, RIGHT].mean()


@pytest.mark.parametrize("only", [RIGHT, WRONG])
def test_one_outcome_alone_is_certain(only: int) -> None:
    evidence = made_up(10)[0]
    found = fit_calibrator(evidence, np.full(10, only), np.ones(10), nil_precision=0.6, sure_precision=0.98)
    assert found.chances(evidence)[:, only] == pytest.approx(1)


def test_weights_count_answers() -> None:
    evidence, outcomes, _ = made_up(300)
    weights = np.where(outcomes == NIL, 0.25, 1.0)
    lighter = fit_calibrator(evidence, outcomes, weights, nil_precision=None, sure_precision=0.9)
    plain = fit_calibrator(evidence, outcomes, np.ones(300), nil_precision=None, sure_precision=0.9)
    assert lighter.chances(evidence)[:, NIL].mean() < 0.7 * plain.chances(evidence)[:, NIL].mean()


def test_no_answer_is_refused() -> None:
    nothing = np.zeros((0, len(EVIDENCE)))
    with pytest.raises(DataError, match=r"no answer to fit chances to.*import the data set with its dev"):
        fit_calibrator(nothing, np.zeros(0, dtype=np.int64), np.zeros(0), nil_precision=0.6, sure_precision=0.9)
