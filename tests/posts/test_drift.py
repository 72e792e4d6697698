"""How far a version of a data set is from the accepted one."""

import pytest

from gemel.posts.drift import Movement, compare
from gemel.posts.profile import Profile

COUNTS = {"posts": 100}


def moved(accepted: dict[str, float], current: dict[str, float]) -> Movement:
    (_, movement) = compare(Profile("a", COUNTS, {"x": accepted}), Profile("a", COUNTS, {"x": current}))
    return movement


def lost(before: int, after: int) -> Movement:
    (movement,) = compare(Profile("a", {"posts": before}, {}), Profile("a", {"posts": after}, {}))
    return movement


def test_equal_distributions_have_no_distance() -> None:
    assert moved({"a": 0.5, "b": 0.5}, {"b": 0.5, "a": 0.5}) == Movement("x", 0.0, None, "nothing")


def test_distributions_with_nothing_in_common_have_distance_one() -> None:
    assert moved({"a": 1.0}, {"b": 1.0}).distance == 1.0


def test_distance_is_the_square_root_of_the_jensen_shannon_divergence_in_bits() -> None:
    # 1/2 KL((1, 0) to (3/4, 1/4)) + 1/2 KL((1/2, 1/2) to (3/4, 1/4)) = 0.31128 bits.
    assert moved({"a": 1.0}, {"a": 0.5, "b": 0.5}).distance == pytest.approx(0.31128**0.5, abs=1e-4)


def test_largest_moves_are_told_first() -> None:
    before, after = {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1}, {"a": 0.1, "b": 0.35, "c": 0.25, "d": 0.3}
    assert moved(before, after).moved == "a: 40.0% → 10.0%, d: 10.0% → 30.0%, b: 30.0% → 35.0%"


def test_chance_among_equally_rare_values_is_no_move() -> None:
    before = {"a": 0.01, "b": 0.01, "(other)": 0.98}
    assert moved(before, {"c": 0.01, "d": 0.01, "(other)": 0.98}).distance == 0.0


def test_rare_value_that_becomes_frequent_is_a_move() -> None:
    movement = moved({"a": 0.01, "b": 0.01, "(other)": 0.98}, {"a": 0.01, "c": 0.3, "(other)": 0.69})
    assert movement.distance is not None and movement.distance > 0.3
    assert movement.moved == "c: 1.0% → 30.0%, (other): 97.0% → 68.0%"


def test_frequent_value_that_becomes_rare_is_a_move() -> None:
    movement = moved({"a": 0.01, "c": 0.3, "(other)": 0.69}, {"a": 0.01, "b": 0.01, "(other)": 0.98})
    assert movement.distance is not None and movement.distance > 0.3


def test_feature_that_only_one_version_has_is_as_far_as_can_be() -> None:
    assert moved({"a": 1.0}, {}) == Movement("x", 1.0, None, "a: 100.0% → 0.0%")
    accepted = Profile("a", COUNTS, {})
    assert compare(accepted, Profile("a", COUNTS, {"x": {"a": 1.0}}))[-1].distance == 1.0


def test_feature_that_is_empty_in_both_has_not_moved() -> None:
    assert moved({}, {}) == Movement("x", 0.0, None, "nothing")


def test_lost_rows_are_a_share_of_the_accepted_ones() -> None:
    assert lost(200, 150) == Movement("number of posts", None, 0.25, "200 → 150")


def test_more_rows_are_no_loss() -> None:
    assert lost(200, 500).lost == 0.0
    assert lost(0, 500).lost == 0.0
