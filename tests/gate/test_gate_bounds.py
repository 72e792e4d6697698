"""Bounds of the change between two releases: published values, and what they promise."""

import numpy as np
import pytest
from scipy.stats import binom

from gemel.gate.bounds import chance_of, design_effect, enough, least_accuracy, least_gain

ALPHA = 0.5 / 52


def test_score_bound_is_tangos() -> None:
    # Tango 1998, soft contact lenses: of 44 pairs one changed; the 90 % interval is -0.096 to 0.037.
    assert least_gain(1, 0, 44, 0.05) == pytest.approx(-0.037, abs=5e-4)


def test_bound_has_a_width_where_nothing_changed() -> None:
    assert least_gain(0, 0, 570, ALPHA) == pytest.approx(-(1 - ALPHA ** (1 / 570)))


def test_without_mentions_nothing_is_known() -> None:
    assert least_gain(0, 0, 0, ALPHA) == -1.0


@pytest.mark.parametrize("margin", [0.01, 0.02, 0.05, 0.1])
def test_enough_mentions_show_the_margin_and_one_fewer_does_not(margin: float) -> None:
    wanted = enough(margin, ALPHA)
    assert least_gain(0, 0, wanted, ALPHA) >= -margin
    assert least_gain(0, 0, wanted - 1, ALPHA) < -margin


@pytest.mark.parametrize(("n", "margin"), [(91, 0.05), (200, 0.05), (570, 0.02)])
@pytest.mark.parametrize("fixed_share", [0.0, 0.002, 0.02])
def test_chance_of_passing_at_the_margin_is_at_most_alpha(n: int, margin: float, fixed_share: float) -> None:
    most, broken_share = 40, fixed_share + margin
    passed = 0.0
    for broken in range(most):
        fixed = np.arange(most)
        likely = binom.pmf(broken, n, broken_share) * binom.pmf(fixed, n - broken, fixed_share / (1 - broken_share))
        passes = [least_gain(int(each), broken, n, ALPHA) > -margin for each in fixed]
        passed += float(likely[passes].sum())
    assert passed <= 1.02 * ALPHA


def test_chance_is_mcnemars() -> None:
    assert chance_of(5, 0) == pytest.approx(0.5**5)
    assert chance_of(0, 0) == 1.0


def test_fractions_count_against_a_finding() -> None:
    assert chance_of(5.9, 0.1) == chance_of(5, 1)


def test_first_accuracy_is_the_exact_bound() -> None:
    assert least_accuracy(10, 10, 0.05) == pytest.approx(0.05**0.1)
    assert least_accuracy(0, 10, 0.05) == 0.0


def test_mentions_of_one_post_that_change_together_count_for_one() -> None:
    assert design_effect(np.array([1, 1, -1, -1]), ["a", "a", "b", "b"]) == 2.0


def test_mentions_of_one_post_that_change_apart_count_each() -> None:
    assert design_effect(np.array([1, -1, 0, 0]), ["a", "a", "b", "b"]) == 1.0
