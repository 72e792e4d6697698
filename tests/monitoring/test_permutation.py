"""Distances agree with scipy's, and chance goes beyond a threshold as often as was asked for."""

import numpy as np
import pytest
from scipy.stats import fisher_exact, ks_2samp

from gemel.monitoring.permutation import bins, compare_counts, compare_vectors, divergence, draws, largest_gap, rise

RNG = np.random.default_rng


def test_largest_gap_is_the_statistic_of_kolmogorov_and_smirnov() -> None:
    before, after = RNG(0).integers(0, 30, 80), RNG(1).integers(5, 40, 60)
    _, counts = bins(before.astype(float), after.astype(float))
    shares = counts / counts.sum(axis=1, keepdims=True)
    assert largest_gap(*shares) == pytest.approx(ks_2samp(before, after).statistic)


def test_p_of_two_shares_is_that_of_fishers_exact_test() -> None:
    counts = np.array([[190, 10], [80, 20]])
    tested = compare_counts(counts, rise, 0.001, RNG(0))
    assert tested.p == pytest.approx(fisher_exact(counts, alternative="greater").pvalue, abs=0.001)


def test_divergence_of_nothing_in_common_is_one() -> None:
    assert divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0


def test_fall_is_no_rise() -> None:
    assert rise(np.array([0.2, 0.8]), np.array([0.7, 0.3])) == 0.0


def test_chance_goes_beyond_the_threshold_as_rarely_as_was_asked_for() -> None:
    rng, alpha, tries = RNG(0), 0.05, 600
    population = np.array([0.4, 0.3, 0.2, 0.05, 0.05])
    beyond = 0
    for _ in range(tries):
        counts = np.stack([rng.multinomial(rows, population) for rows in (300, 120)])
        tested = compare_counts(counts, divergence, alpha, rng)
        beyond += tested.distance > tested.threshold
    # Three standard deviations above what was asked for, and not so rare that nothing is ever found.
    assert 0.4 * alpha < beyond / tries < alpha + 3 * (alpha * (1 - alpha) / tries) ** 0.5


def test_distance_beyond_the_threshold_has_a_p_below_alpha() -> None:
    for shift in range(0, 60, 3):
        counts = np.array([[100, 100], [100 - shift, 100 + shift]])
        tested = compare_counts(counts, largest_gap, 0.01, RNG(shift))
        assert (tested.distance > tested.threshold) == (tested.p <= 0.01)


def test_rare_events_take_more_draws() -> None:
    assert draws(0.5) == 999
    assert draws(0.001) == 10_000


def test_vectors_that_moved_are_found() -> None:
    before, after = RNG(0).normal(size=(100, 16)), RNG(1).normal(size=(100, 16))
    same = compare_vectors(before.astype("f4"), after.astype("f4"), 0.01, RNG(2))
    moved = compare_vectors(before.astype("f4"), (after + 0.5).astype("f4"), 0.01, RNG(2))
    assert same.distance <= same.threshold
    assert moved.distance > moved.threshold


def test_discrepancy_is_the_unbiased_estimate() -> None:
    before, after = RNG(0).normal(size=(12, 3)), RNG(1).normal(size=(9, 3)) + 1
    both = np.concatenate([before, after])
    squares = ((both[:, None] - both[None]) ** 2).sum(axis=2)
    kernel = np.exp(-squares / np.median(squares[~np.eye(21, dtype=bool)]))
    inside = [kernel[np.ix_(side, side)][~np.eye(len(side), dtype=bool)].mean() for side in (range(12), range(12, 21))]
    wanted = sum(inside) - 2 * kernel[:12, 12:].mean()
    found = compare_vectors(before.astype("f4"), after.astype("f4"), 0.5, RNG(0)).distance
    assert found**2 == pytest.approx(wanted, abs=1e-5)


def test_values_that_all_agree_have_one_bin() -> None:
    ends, counts = bins(np.ones(5), np.ones(3))
    assert ends.tolist() == [1.0]
    assert counts.tolist() == [[5], [3]]
