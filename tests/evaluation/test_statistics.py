"""Figures on cases that can be worked out by hand."""

import numpy as np
import pytest

from gemel.evaluation.statistics import Figure, Hits, change, difference, gap_closed, share, wilson


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


def test_change_counts_what_was_fixed_and_broken() -> None:
    before, after = hits("00000011"), hits("11111101")
    outcome = change(before, after)
    assert (outcome.fixed, outcome.broken) == (6, 1)
    assert outcome.p == pytest.approx(2 * (1 + 7) / 2**7)
    assert outcome.gain.mean == pytest.approx(5 / 8)


def test_change_that_chance_makes_is_inside_the_noise() -> None:
    outcome = change(hits("0011"), hits("1101"))
    assert (outcome.in_noise, outcome.verdict) == (True, "inside the noise")


@pytest.mark.parametrize(("before", "after", "verdict"), [("0", "1", "better"), ("1", "0", "worse")])
def test_change_beyond_chance_has_a_direction(before: str, after: str, verdict: str) -> None:
    assert change(hits(12 * before), hits(12 * after)).verdict == verdict


def test_runs_that_agree_everywhere_are_inside_the_noise() -> None:
    outcome = change(hits("101"), hits("101"))
    assert (outcome.p, outcome.fixed, outcome.broken, outcome.in_noise) == (1.0, 0, 0, True)


def test_run_of_several_seeds_is_right_where_half_of_them_are() -> None:
    outcome = change(hits("000"), hits("110", "010"))
    assert (outcome.fixed, outcome.broken) == (2, 0)


def test_runs_without_mentions_are_refused() -> None:
    with pytest.raises(ValueError, match="can't be compared"):
        change(np.ones((1, 0)), np.ones((1, 0)))


@pytest.mark.parametrize(
    ("right", "n", "low", "high"), [(0, 0, 0.0, 1.0), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)]
)
def test_wilson_interval_by_hand(right: int, n: int, low: float, high: float) -> None:
    assert wilson(right, n) == pytest.approx((low, high), abs=1e-4)
