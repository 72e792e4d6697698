"""The reliability diagram and the expected calibration error."""

import math

import polars as pl
import pytest

from gemel.report.calibration import calibration, probabilities


def answers(*rows: tuple[float, bool]) -> pl.DataFrame:
    """Judged answers: the chance of being right, and whether it is."""
    outcomes = ["right" if right else "wrong" for _, right in rows]
    return pl.DataFrame({"chance_right": [chance for chance, _ in rows], "outcome": outcomes})


def test_probabilities_are_the_softmax_of_the_beam() -> None:
    assert probabilities([math.log(0.6), math.log(0.3), math.log(0.1)]) == pytest.approx([0.6, 0.3, 0.1])
    assert probabilities([-800.0, -801.0]).sum() == pytest.approx(1)


def test_answers_that_are_as_sure_as_right_have_no_error() -> None:
    found = calibration(answers((0.75, True), (0.75, True), (0.75, True), (0.75, False)))
    assert found.error == pytest.approx(0)
    (only,) = [each for each in found.bins if each.count]
    assert (only.low, only.high, only.count, only.accuracy) == (0.7, 0.8, 4, 0.75)


def test_error_is_the_mean_gap_weighted_by_answers() -> None:
    found = calibration(answers((0.95, True), (0.95, False), (0.95, False), (0.55, True)))
    assert found.error == pytest.approx((3 * (0.95 - 1 / 3) + (1 - 0.55)) / 4)


def test_certain_answer_counts_in_the_last_bin() -> None:
    found = calibration(answers((1.0, True)))
    assert found.bins[-1].count == 1
