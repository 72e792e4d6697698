"""The packed trie holds exactly the names it was built from."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.errors import ArtifactError, DataError
from gemel.entities.trie import NONE, ROOT, PackedTrie, read_trie, write_trie
from gemel.entities.trie_build import build_trie

# Few tokens and short names, so that shared prefixes and names inside names are the rule.
NAME_SETS = st.sets(st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple), min_size=1, max_size=40).map(list)


def names_in(trie: PackedTrie) -> dict[tuple[int, ...], int]:
    """Walk the whole trie; return the index that ends behind each path."""
    found = {}
    stack: list[tuple[int, tuple[int, ...]]] = [(ROOT, ())]
    while stack:
        state, path = stack.pop()
        if trie.names[state] != NONE:
            found[path] = int(trie.names[state])
        below = trie.continuations(np.array([state]))
        ways_on = zip(below.tokens, below.children, strict=True)
        stack += [(int(child), (*path, int(token))) for token, child in ways_on if child != NONE]
    return found


def walk(trie: PackedTrie, path: tuple[int, ...]) -> int:
    state = ROOT
    for token in path:
        state = trie.child(state, token)
        if state == NONE:
            return NONE
    return state


@given(NAME_SETS)
def test_trie_holds_all_names_and_nothing_else(names):
    assert names_in(build_trie(names)) == {name: index for index, name in enumerate(names)}


@given(NAME_SETS)
def test_child_finds_exactly_the_prefixes_of_names(names):
    trie = build_trie(names)
    prefixes = {name[:length] for name in names for length in range(len(name) + 1)}
    for length in range(5):
        for path in itertools.product(range(4), repeat=length):
            assert (walk(trie, path) != NONE) == (path in prefixes)


@given(NAME_SETS)
def test_height_is_the_longest_way_to_an_end(names):
    trie = build_trie(names)
    for name in names:
        for length in range(len(name) + 1):
            longest = max(len(other) for other in names if other[:length] == name[:length])
            assert trie.heights[walk(trie, name[:length])] == longest - length + 1


@given(NAME_SETS, st.lists(st.integers(-1, 100), max_size=12))
def test_continuations_of_many_states_equal_those_of_each(names, states):
    trie = build_trie(names)
    states = [state % len(trie) if state >= 0 else NONE for state in states]
    together = trie.continuations(np.array(states, dtype=np.int64))
    each = [(row, child) for row, state in enumerate(states) for child in followers_of(trie, state)]
    assert list(zip(together.rows, together.children, strict=True)) == each
    assert together.tokens.tolist() == [NONE if child == NONE else trie.tokens[child] for _, child in each]
    assert together.counts.tolist() == [sum(row == other for other, _ in each) for row in range(len(states))]


def followers_of(trie: PackedTrie, state: int) -> list[int]:
    if state == NONE:
        return []
    children = range(trie.first_child[state], trie.first_child[state + 1])
    return [*children, *([] if trie.names[state] == NONE else [NONE])]


def test_children_are_contiguous_and_sorted_by_token():
    trie = build_trie([(5, 1), (2,), (9, 9), (2, 7), (5, 0)])
    assert trie.tokens.tolist() == [0, 2, 5, 9, 7, 0, 1, 9]
    assert trie.first_child.tolist() == [1, 4, 5, 7, 8, 8, 8, 8, 8]
    assert trie.names.tolist() == [-1, 1, -1, -1, 3, 4, 0, 2]
    assert trie.heights.tolist() == [3, 2, 2, 2, 1, 1, 1, 1]


def test_depth_counts_the_end_of_sequence_token():
    assert build_trie([(1,), (1, 2, 3)]).depth == 4


def test_name_count_counts_names_that_are_prefixes_of_others():
    assert build_trie([(1,), (1, 2), (3,)]).name_count == 3


def test_large_token_ids_do_not_collide():
    most = 2**31 - 1
    names = [(most, most), (most,), (0, most), (0, 0)]
    assert names_in(build_trie(names)) == {name: index for index, name in enumerate(names)}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no names to build from; check the entity catalog"),
        ([(1,), ()], "name 1 has no tokens; check its text"),
        ([(4, 2), (1,), (4, 2)], "names 0 and 2 have the same token ids; tell them apart"),
        ([(1,), (2, -3)], "name 1 has token id -3, outside 0"),
        ([(1,), (2**31,)], "name 1 has token id 2147483648, outside 0"),
        ([(1,), (1,) * 40_000], "name 1 has 40000 tokens, at most"),
    ],
)
def test_build_refuses(names, message):
    with pytest.raises(DataError, match=message):
        build_trie(names)


@pytest.fixture
def folder(tmp_path):
    write_trie(build_trie([(1, 2), (1,), (3, 4, 5)]), tmp_path)
    return tmp_path


def test_written_trie_reads_back_memory_mapped(folder):
    trie = read_trie(folder)
    assert names_in(trie) == {(1, 2): 0, (1,): 1, (3, 4, 5): 2}
    assert isinstance(trie.tokens, np.memmap)


def test_read_refuses_a_missing_file(folder):
    (folder / "heights.npy").unlink()
    with pytest.raises(ArtifactError, match=r"heights\.npy: missing; run `dvc repro entity_trie`"):
        read_trie(folder)


@pytest.mark.parametrize("size", [0, 5, 130])
def test_read_refuses_a_truncated_file(folder, size):
    path = folder / "tokens.npy"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ArtifactError, match=r"tokens\.npy: damaged or truncated .* run `dvc repro entity_trie`"):
        read_trie(folder)


@pytest.mark.parametrize("array", [np.zeros(8), np.zeros((8, 1), dtype=np.int32), np.zeros((), dtype=np.int32)])
def test_read_refuses_what_is_no_row_of_integers(folder, array):
    np.save(folder / "names.npy", array)
    with pytest.raises(ArtifactError, match=r"names\.npy: expected a row of integers, got"):
        read_trie(folder)


def test_read_refuses_arrays_that_do_not_belong_together(folder):
    np.save(folder / "names.npy", np.zeros(3, dtype=np.int32))
    with pytest.raises(ArtifactError, match=r"arrays of .* entries are no trie; run `dvc repro entity_trie`"):
        read_trie(folder)


def test_read_refuses_links_that_lead_nowhere(folder):
    links = np.load(folder / "first_child.npy")
    np.save(folder / "first_child.npy", links * 0)
    with pytest.raises(ArtifactError, match="damaged trie, 0 linked nodes of 6"):
        read_trie(folder)
