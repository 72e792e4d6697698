"""A subset of a trie offers the way to its names and to nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entities.naive_tries import expected, looked_up
from gemel.core.errors import DataError
from gemel.entities.subset import subset_of
from gemel.entities.trie import NONE
from gemel.entities.trie_build import build_trie

NAME_SETS = st.sets(st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple), min_size=1, max_size=30).map(list)


@settings(deadline=None)
@given(NAME_SETS, st.data())
def test_subset_is_as_a_trie_of_its_names_alone(names, data):
    wanted = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1))
    subset = subset_of(build_trie(names), np.array(wanted))
    alone = expected({names[index]: index for index in wanted})
    assert looked_up(subset) == alone
    assert (subset.name_count, subset.depth) == (len(set(wanted)), alone[()].height)


@settings(deadline=None)
@given(NAME_SETS, st.data())
def test_subset_keeps_no_node_beside_the_way_to_its_names(names, data):
    wanted = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1))
    subset = subset_of(build_trie(names), np.array(wanted))
    assert len(subset.nodes) == len(expected({names[index]: index for index in wanted}))


@settings(deadline=None)
@given(NAME_SETS, st.data())
def test_nodes_outside_the_subset_lead_nowhere(names, data):
    wanted = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1))
    trie = build_trie(names)
    subset = subset_of(trie, np.array(wanted))
    outside = np.setdiff1d(np.arange(NONE, len(trie)), subset.nodes)
    below = subset.children(outside)
    assert not below.counts.any()
    assert not below.ends.any()
    assert not subset.heights_at(outside).any()
    assert (subset.names_at(outside) == NONE).all()


def test_a_name_outside_the_subset_does_not_end_on_the_way():
    subset = subset_of(build_trie([(1,), (1, 2)]), np.array([1]))
    assert subset.names_at(np.array([1, 2, NONE])).tolist() == [NONE, 1, NONE]
    assert subset.children(np.array([1, 2, NONE])).ends.tolist() == [False, True, False]


def test_names_and_heights_have_the_shape_of_the_states():
    subset, states = subset_of(build_trie([(1,), (1, 2)]), np.array([1])), np.array([[NONE, 1], [2, 0]])
    assert subset.names_at(states).tolist() == [[NONE, NONE], [1, NONE]]
    assert subset.heights_at(states).tolist() == [[0, 2], [1, 3]]


def test_depth_is_that_of_the_subsets_own_names():
    trie = build_trie([(1, 2, 3, 4), (1, 2), (5,)])
    assert subset_of(trie, np.array([2])).depth == 2
    assert subset_of(trie, np.array([1, 2])).depth == 3


@pytest.mark.parametrize(
    ("wanted", "words"),
    [([], "no entity to choose among"), ([2], r"indices 0 … 1, found 2 … 2"), ([-1], r"indices 0 … 1, found -1 … -1")],
)
def test_impossible_subsets_are_refused(wanted, words):
    with pytest.raises(DataError, match=words):
        subset_of(build_trie([(1,), (1, 2)]), np.array(wanted, dtype=np.int64))
