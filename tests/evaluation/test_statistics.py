"""Figures on cases that can be worked out by hand."""

import numpy as np
import pytest

from gemel.evaluation.statistics import Figure, Hits, difference, gap_closed, share


def hits(*runs: str) -> Hits:
    """One run a string, one mention a digit."""
    return np.array([[int(outcome) for outcome in run] for run in runs], dtype=np.float64)


def found(figure: Figure | None) -> Figure:
    assert figure is not None
    return figure


def test_share_is_the_mean() -> None:
    figure = found(share(hits("1101")))
    assert (figure.mean, figure.n, figure.seeds, figure.spread) == (0.75, 4, 1, 0.0)


def test_share_averages_over_seeds_and_gives_their_spread() -> None:
    figure = found(share(hits("1100", "1111")))
    assert (figure.mean, figure.n, figure.seeds) == (0.75, 4, 2)
    assert figure.spread == pytest.approx(np.std([0.5, 1.0], ddof=1))


def test_share_of_a_slice_counts_its_mentions_alone() -> None:
    figure = found(share(hits("1100"), np.array([True, False, True, False])))
    assert (figure.mean, figure.n) == (0.5, 2)


def test_share_of_an_empty_slice_is_none() -> None:
    assert share(hits("1100"), np.zeros(4, dtype=bool)) is None


def test_share_of_no_mentions_is_none() -> None:
    assert share(np.zeros((2, 0))) is None


def test_interval_of_equal_outcomes_has_no_width() -> None:
    figure = found(share(hits("1111")))
    assert (figure.low, figure.high) == (1.0, 1.0)


def test_interval_is_about_that_of_the_binomial() -> None:
    figure = found(share(hits("10" * 200)))
    wanted = 1.96 * np.sqrt(0.25 / 400)
    assert figure.mean - figure.low == pytest.approx(wanted, rel=0.1)
    assert figure.high - figure.mean == pytest.approx(wanted, rel=0.1)


def test_interval_is_repeatable() -> None:
    assert share(hits("1101001")) == share(hits("1101001"))


def test_interval_resamples_mentions_not_runs() -> None:
    once, thrice = found(share(hits("1010"))), found(share(hits("1010", "1010", "1010")))
    assert (once.low, once.high) == (thrice.low, thrice.high)


def test_difference_is_paired() -> None:
    figure = found(difference(hits("1110"), hits("1000")))
    assert (figure.mean, figure.n) == (0.5, 4)
    # Resampled in pairs, a constant gain has no width; unpaired it would have one.
    same = found(difference(hits("1010"), hits("1010")))
    assert (same.mean, same.low, same.high) == (0.0, 0.0, 0.0)


def test_difference_of_runs_with_fewer_baselines() -> None:
    figure = found(difference(hits("1110", "1111"), hits("1000")))
    assert (figure.mean, figure.seeds) == (0.625, 2)
    assert figure.spread == pytest.approx(np.std([0.5, 0.75], ddof=1))


def test_difference_of_a_slice() -> None:
    where = np.array([False, True, True, False])
    assert found(difference(hits("1110"), hits("1000"), where)).mean == 1.0
    assert difference(hits("1110"), hits("1000"), np.zeros(4, dtype=bool)) is None


def test_gap_closed_is_the_share_of_the_way() -> None:
    figure = found(gap_closed(hits("1110"), hits("1000"), hits("1111")))
    assert figure.mean == pytest.approx((0.75 - 0.25) / (1.0 - 0.25))
    assert figure.low <= figure.mean <= figure.high


def test_gap_closed_may_go_beyond_the_ceiling() -> None:
    assert found(gap_closed(hits("1111"), hits("1000"), hits("1110"))).mean == pytest.approx(1.5)


@pytest.mark.parametrize("ceiling", ["1000", "0000"])
def test_gap_that_is_not_there_is_none(ceiling: str) -> None:
    assert gap_closed(hits("1110"), hits("1000"), hits(ceiling)) is None


def test_gap_over_no_mentions_is_none() -> None:
    nothing = np.zeros((1, 0))
    assert gap_closed(nothing, nothing, nothing) is None


def test_figure_is_rounded_for_the_metrics_file() -> None:
    values = Figure(1 / 3, 0.0, 1.0, 3, 1).as_dict()
    assert values == {"mean": 0.333333, "low": 0.0, "high": 1.0, "n": 3, "seeds": 1, "spread": 0.0}
