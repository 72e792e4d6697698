"""NIL answers, calibration and sure links: every figure worked out by hand."""

import numpy as np
import polars as pl
import pytest

from gemel.confidence.calibrator import Calibrator
from gemel.confidence.evidence import EVIDENCE
from gemel.evaluation.trust import calibration_error, risk_coverage, trust_figures

# outcome, chance of being right, share within the beam, answered NIL
ROWS = [
    ("right", 0.95, 0.5, False),
    ("right", 0.95, 0.5, False),
    ("right", 0.85, 0.5, True),
    ("wrong", 0.85, 0.5, False),
    ("wrong", 0.25, 0.5, True),
    ("nil", 0.15, 0.5, True),
    ("nil", 0.85, 0.5, False),
    ("nil", 0.05, 0.5, True),
]
UNSEEN = np.array([True, False, False, True, False, False, False, False])
NO_WEIGHTS = ((0.0,) * len(EVIDENCE),) * 3
CALIBRATOR = Calibrator(EVIDENCE, NO_WEIGHTS[0], NO_WEIGHTS[0], NO_WEIGHTS, (0.0, 0.0, 0.0), 0.5, 0.8)


def judged(rows: list[tuple[str, float, float, bool]], seeds: int = 1) -> pl.DataFrame:
    columns = ["outcome", "chance_right", "share", "nil"]
    return pl.concat(
        pl.DataFrame(rows, schema=columns, orient="row").with_columns(pl.lit(seed).alias("seed"))
        for seed in range(seeds)
    )


@pytest.mark.parametrize(
    "name,mean,n",
    [
        ("nil_precision", 2 / 4, 8),
        ("nil_recall", 2 / 3, 8),
        ("nil_f1", 4 / 7, 8),
        ("accuracy_in_kb", 2 / 5, 5),  # the third is right, but NIL was answered
        ("accuracy_of_all", 4 / 8, 8),
        ("accuracy_of_all_never_nil", 3 / 8, 8),
        ("coverage_sure", 4 / 8, 8),
        ("precision_sure", 2 / 4, 8),
        ("coverage_sure_unseen", 2 / 2, 2),
        ("precision_sure_unseen", 1 / 2, 2),
        ("calibration_error_of_shares", 0.5 - 3 / 8, 8),
    ],
)
def test_figure_by_hand(name: str, mean: float, n: int) -> None:
    found = trust_figures(judged(ROWS, seeds=2), UNSEEN, CALIBRATOR)[name]
    assert found is not None
    assert (found.mean, found.n, found.seeds) == (pytest.approx(mean), n, 2)
    assert found.low <= found.mean <= found.high


def test_calibration_error_is_the_gap_of_each_bin_weighted_by_its_answers() -> None:
    chances, hits = np.array([0.95, 0.95, 0.95, 0.55]), np.array([1.0, 0.0, 0.0, 1.0])
    assert calibration_error(chances, hits) == pytest.approx((3 * (0.95 - 1 / 3) + 0.45) / 4)


def test_answers_as_sure_as_right_have_no_calibration_error() -> None:
    assert calibration_error(np.full(4, 0.75), np.array([1.0, 1.0, 1.0, 0.0])) == pytest.approx(0)


def test_without_nil_mentions_there_are_no_figures_of_them() -> None:
    figures = trust_figures(judged(ROWS[:5]), UNSEEN[:5], CALIBRATOR)
    assert (figures["nil_f1"], figures["nil_recall"]) == (None, None)
    assert figures["accuracy_of_all_never_nil"] is not None


def test_without_a_threshold_no_link_is_sure() -> None:
    never = Calibrator(EVIDENCE, NO_WEIGHTS[0], NO_WEIGHTS[0], NO_WEIGHTS, (0.0, 0.0, 0.0), 0.5, None)
    figures = trust_figures(judged(ROWS), UNSEEN, never)
    assert figures["coverage_sure"] is not None
    assert (figures["coverage_sure"].mean, figures["precision_sure"]) == (0, None)


def test_risk_grows_as_less_sure_links_are_taken() -> None:
    rows = risk_coverage(judged(ROWS))
    assert [row["coverage"] for row in rows] == [1 / 8 * n for n in range(1, 9)]
    assert [row["by chance"] for row in rows[:2]] == [0, 0]
    assert rows[-1]["by chance"] == rows[-1]["by share within the beam"] == 5 / 8
