"""A subset of a trie offers the way to its names and to nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.errors import DataError
from gemel.entities.subset import TrieSubset, subset_of
from gemel.entities.trie import NONE, ROOT
from gemel.entities.trie_build import build_trie

NAME_SETS = st.sets(st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple), min_size=1, max_size=30).map(list)


def names_in(subset: TrieSubset) -> dict[tuple[int, ...], int]:
    found = {}
    stack: list[tuple[int, tuple[int, ...]]] = [(ROOT, ())]
    while stack:
        state, path = stack.pop()
        name = int(subset.names_at(np.array([state]))[0])
        if name != NONE:
            found[path] = name
        below = subset.continuations(np.array([state]))
        ways_on = zip(below.tokens, below.children, strict=True)
        stack += [(int(child), (*path, int(token))) for token, child in ways_on if child != NONE]
    return found


@given(NAME_SETS, st.data())
def test_subset_holds_its_names_and_nothing_else(names, data):
    wanted = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1))
    subset = subset_of(build_trie(names), np.array(wanted))
    assert names_in(subset) == {names[index]: index for index in wanted}
    assert subset.name_count == len(set(wanted))


@given(NAME_SETS, st.data())
def test_subset_leads_nowhere_that_ends_without_a_name(names, data):
    wanted = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1))
    subset = subset_of(build_trie(names), np.array(wanted))
    nodes = np.flatnonzero(subset.open_nodes)
    assert (subset.continuations(nodes).counts > 0).all()


@given(NAME_SETS, st.data())
def test_ends_are_offered_where_a_name_of_the_subset_ends(names, data):
    wanted = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1))
    subset = subset_of(build_trie(names), np.array(wanted))
    nodes = np.arange(len(subset.trie))
    below = subset.continuations(nodes)
    assert below.rows[below.children == NONE].tolist() == np.flatnonzero(subset.names_at(nodes) != NONE).tolist()
    assert below.counts.tolist() == np.bincount(below.rows, minlength=len(nodes)).tolist()


def test_a_name_outside_the_subset_does_not_end_on_the_way():
    subset = subset_of(build_trie([(1,), (1, 2)]), np.array([1]))
    assert subset.names_at(np.array([1, 2, NONE])).tolist() == [NONE, 1, NONE]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [([], "no entity to choose among"), ([2], r"indices 0 … 1, found 2 … 2"), ([-1], r"indices 0 … 1, found -1 … -1")],
)
def test_impossible_subsets_are_refused(wanted, words):
    with pytest.raises(DataError, match=words):
        subset_of(build_trie([(1,), (1, 2)]), np.array(wanted, dtype=np.int64))
