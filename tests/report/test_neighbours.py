"""Names that begin with the same tokens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.entities.trie_build import build_trie
from gemel.report import neighbours as module
from gemel.report.neighbours import Neighbour, neighbours

NAMES = [[1, 2, 3], [1, 2, 4], [1, 5], [6], [1, 2]]
NAME_SETS = st.sets(st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple), min_size=2, max_size=30).map(list)


def shared(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return next(
        (place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )


def test_longest_common_beginning_comes_first() -> None:
    assert neighbours(build_trie(NAMES), 0, 5) == (Neighbour(4, 2), Neighbour(1, 2), Neighbour(2, 1))


def test_no_more_than_asked_for() -> None:
    assert neighbours(build_trie(NAMES), 0, 1) == (Neighbour(4, 2),)


def test_name_with_a_first_token_of_its_own_has_none() -> None:
    assert neighbours(build_trie(NAMES), 3, 5) == ()


@settings(deadline=None)
@given(NAME_SETS)
def test_neighbours_are_those_of_a_look_at_all_names(names: list[tuple[int, ...]]) -> None:
    found = neighbours(build_trie(names), 0, len(names))
    wanted = {place: shared(names[0], name) for place, name in enumerate(names) if place}
    assert {each.name: each.shared for each in found} == {place: count for place, count in wanted.items() if count}
    assert [each.shared for each in found] == sorted((each.shared for each in found), reverse=True)


def test_wide_trie_is_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NODES", 3)
    names = [[1, token] for token in range(20)]
    assert len(neighbours(build_trie(names), 19, 5)) == 3
