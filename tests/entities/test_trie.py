"""The packed trie holds exactly the names it was built from."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entities.naive_tries import expected, looked_up
from gemel.core.errors import ArtifactError, DataError
from gemel.entities.trie import ARRAYS, NONE, ROOT, PackedTrie, read_trie, write_trie
from gemel.entities.trie_build import NameTokens, build_trie

# Few tokens and short names, so that shared prefixes and names inside names are the rule.
NAME_SETS = st.sets(st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple), min_size=1, max_size=40).map(list)


def numbered(names):
    return {tuple(name): index for index, name in enumerate(names)}


def many_names() -> list[tuple[int, ...]]:
    """Names whose nodes fill many blocks and words."""
    rng = np.random.default_rng(0)
    return list(dict.fromkeys(tuple(rng.integers(9, size=rng.integers(1, 9)).tolist()) for _ in range(3000)))


def walk(trie: PackedTrie, path: tuple[int, ...]) -> int:
    state = ROOT
    for token in path:
        state = trie.child(state, token)
        if state == NONE:
            return NONE
    return state


@settings(deadline=None)
@given(NAME_SETS)
def test_trie_holds_all_names_and_nothing_else(names):
    assert looked_up(build_trie(names)) == expected(numbered(names))


def test_trie_of_many_blocks_holds_all_names_and_nothing_else():
    names = many_names()
    assert looked_up(build_trie(names)) == expected(numbered(names))


@settings(deadline=None)
@given(NAME_SETS)
def test_child_finds_exactly_the_prefixes_of_names(names):
    trie = build_trie(names)
    prefixes = {name[:length] for name in names for length in range(len(name) + 1)}
    for length in range(5):
        for path in itertools.product(range(4), repeat=length):
            assert (walk(trie, path) != NONE) == (path in prefixes)


def test_parents_and_children_are_each_others():
    trie = build_trie(many_names())
    below = trie.children(np.arange(len(trie)))
    parents = trie.parents(np.arange(1, len(trie)))
    assert parents.tolist() == np.repeat(np.arange(len(trie)), below.counts).tolist()


def test_ends_are_where_each_name_leads():
    names = many_names()
    trie = build_trie(names)
    assert trie.ends.tolist() == [walk(trie, name) for name in names]


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64])
def test_no_state_has_nothing_below_it(kind):
    trie, states = build_trie([(1,), (1, 2)]), np.array([NONE, 1, NONE], dtype=kind)
    below = trie.children(states)
    assert (below.counts.tolist(), below.ends.tolist()) == ([0, 1, 0], [False, True, False])
    assert trie.names_at(states).tolist() == [NONE, 0, NONE]
    assert trie.heights_at(states).tolist() == [0, 2, 0]


def test_names_and_heights_have_the_shape_of_the_states():
    trie, states = build_trie([(1,), (1, 2)]), np.array([[NONE, 1], [2, 0]])
    assert trie.names_at(states).tolist() == [[NONE, 0], [1, NONE]]
    assert trie.heights_at(states).tolist() == [[0, 2], [1, 3]]


def test_children_are_contiguous_and_sorted_by_token():
    trie = build_trie([(5, 1), (2,), (9, 9), (2, 7), (5, 0)])
    below = trie.children(np.arange(len(trie)))
    assert trie.tokens.tolist() == [0, 2, 5, 9, 7, 0, 1, 9]
    assert below.first.tolist() == [1, 4, 5, 7, 8, 8, 8, 8]
    assert below.counts.tolist() == [3, 1, 2, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("names", "block"),
    [
        ([(token,) for token in range(65_535)], 64),
        ([(token,) for token in range(65_536)], 1),
        ([*((0, token) for token in range(65_532)), (1, 0)], 64),
        ([*((0, token) for token in range(65_533)), (1, 0)], 2),
        ([*((token,) for token in range(70_000)), (1, 69_999)], 1),
    ],
    ids=["offset of 65,535", "of 65,536", "of 65,535 at the block's end", "of 65,536 there", "vocabulary of 70,000"],
)
def test_nodes_share_a_base_as_far_as_16_bits_reach(names, block):
    trie = build_trie(names)
    assert trie.block == block
    assert looked_up(trie) == expected(numbered(names))
    counts = trie.children(np.arange(len(trie))).counts
    assert trie.parents(np.arange(1, len(trie))).tolist() == np.repeat(np.arange(len(trie)), counts).tolist()


def test_depth_counts_the_end_of_sequence_token():
    assert build_trie([(1,), (1, 2, 3)]).depth == 4


def test_height_of_a_name_of_300_tokens_is_kept():
    names = [(7,) * 300, (7,), (2, 7)]
    assert looked_up(build_trie(names)) == expected(numbered(names))


def test_name_count_counts_names_that_are_prefixes_of_others():
    assert build_trie([(1,), (1, 2), (3,)]).name_count == 3


def test_large_token_ids_do_not_collide():
    most = 2**31 - 1
    names = [(most, most), (most,), (0, most), (0, 0)]
    assert looked_up(build_trie(names)) == expected(numbered(names))


@pytest.mark.parametrize(("largest", "kind"), [(65_535, np.uint16), (65_536, np.int32), (2**31 - 1, np.int32)])
def test_token_ids_are_kept_in_the_narrowest_type(largest, kind):
    tokens = NameTokens.joined([NameTokens.of([(0, 5)]), NameTokens.of([(largest,)])])
    assert tokens.token_ids.dtype == kind
    assert tokens.to_lists() == [[0, 5], [largest]]


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
    assert looked_up(trie) == expected({(1, 2): 0, (1,): 1, (3, 4, 5): 2})
    assert all(isinstance(getattr(trie, name).base, np.memmap) for name in ARRAYS)


@pytest.mark.parametrize("name", ARRAYS)
def test_read_refuses_a_missing_file(folder, name):
    (folder / f"{name}.npy").unlink()
    with pytest.raises(ArtifactError, match=rf"{name}\.npy: missing; run `dvc repro entity_trie`"):
        read_trie(folder)


@pytest.mark.parametrize("size", [0, 5, 130])
def test_read_refuses_a_truncated_file(folder, size):
    path = folder / "tokens.npy"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ArtifactError, match=r"tokens\.npy: damaged or truncated .* run `dvc repro entity_trie`"):
        read_trie(folder)


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((3, 1), dtype=np.int32), np.zeros(3, dtype=np.uint16)])
def test_read_refuses_what_is_no_row_of_the_right_integers(folder, array):
    np.save(folder / "names.npy", array)
    with pytest.raises(ArtifactError, match=r"names\.npy: expected a row of int32, got"):
        read_trie(folder)


@pytest.mark.parametrize("name", ARRAYS)
def test_read_refuses_arrays_that_do_not_belong_together(folder, name):
    array = np.load(folder / f"{name}.npy")
    np.save(folder / f"{name}.npy", np.concatenate([array, array]))
    with pytest.raises(ArtifactError, match=r"arrays of .* entries are no trie of .*; run `dvc repro entity_trie`"):
        read_trie(folder)


def test_read_refuses_links_that_lead_nowhere(folder):
    np.save(folder / "child_offsets.npy", np.load(folder / "child_offsets.npy") * 0)
    with pytest.raises(ArtifactError, match="damaged trie, 1 linked nodes of 6"):
        read_trie(folder)


def test_read_refuses_another_number_of_ends_than_of_names(folder):
    np.save(folder / "end_bits.npy", np.load(folder / "end_bits.npy") * 0)
    with pytest.raises(ArtifactError, match=r"damaged trie, .* 0 ends of 3 names"):
        read_trie(folder)


def test_read_refuses_the_former_format(folder):
    (folder / "trie.json").write_text(json.dumps({"names": 3, "largest_token": 5}))
    with pytest.raises(ArtifactError, match=r"expected a trie of format 2, found .*; run `dvc repro entity_trie`"):
        read_trie(folder)


@pytest.mark.parametrize("key", ["names", "block", "largest_token"])
def test_read_refuses_facts_without_a_number(folder, key):
    facts = json.loads((folder / "trie.json").read_text())
    (folder / "trie.json").write_text(json.dumps(facts | {key: None}))
    with pytest.raises(ArtifactError, match=r"trie\.json: expected the numbers names, block and largest_token, found"):
        read_trie(folder)
