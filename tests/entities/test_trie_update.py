"""An updated trie equals one that is built from the names alone."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.core.errors import DataError
from gemel.entities.trie import ARRAYS, PackedTrie
from gemel.entities.trie_build import NameTokens, build_trie
from gemel.entities.trie_update import tokens_of, update_trie

WORDS = ("a", "b", "ab", "Zürich", "北", "x y")
NAMES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
NAME_LISTS = st.lists(NAMES, min_size=1, max_size=40, unique=True)


def spell(names: Sequence[str]) -> NameTokens:
    """A tokenizer: one token a character, by its number."""
    return NameTokens.of([[ord(letter) for letter in name] for name in names])


def built(names: Sequence[str]) -> PackedTrie:
    return build_trie(spell(names))


def assert_equal(found: PackedTrie, expected: PackedTrie) -> None:
    for name in ARRAYS:
        array, wanted = getattr(found, name), getattr(expected, name)
        assert array.dtype == wanted.dtype, name
        np.testing.assert_array_equal(array, wanted, err_msg=name)
    assert (found.block, found.largest_token) == (expected.block, expected.largest_token)


@settings(deadline=None)
@given(NAME_LISTS, NAME_LISTS)
def test_updated_trie_equals_the_rebuilt_one(before: list[str], after: list[str]) -> None:
    assert_equal(update_trie(built(before), before, after, spell), built(after))


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 2**32))
def test_thousand_random_adds_and_removes_give_the_rebuilt_trie(seed: int) -> None:
    random = Random(seed)
    names = [f"name {number}" for number in range(50)]
    trie = built(names)
    for _ in range(100):
        changed = list(names)
        for _ in range(10):
            if len(changed) > 1 and random.random() < 0.5:
                changed.pop(random.randrange(len(changed)))
            else:
                changed.insert(random.randrange(len(changed) + 1), f"{random.choice(WORDS)} {random.getrandbits(64)}")
        trie, names = update_trie(trie, names, changed, spell), changed
    assert_equal(trie, built(names))


@settings(deadline=None)
@given(NAME_LISTS, st.randoms(use_true_random=False))
def test_tokens_are_read_back_in_any_order(names: list[str], random: Random) -> None:
    order = random.choices(range(len(names)), k=2 * len(names))
    found = tokens_of(built(names), np.array(order))
    assert found.to_lists() == spell([names[place] for place in order]).to_lists()


def test_only_new_names_are_tokenized() -> None:
    asked: list[str] = []

    def tokenize(names: Sequence[str]) -> NameTokens:
        asked.extend(names)
        return spell(names)

    before = ["Mercury", "Venus", "Earth"]
    update_trie(built(before), before, ["Mars", "Earth", "Ceres", "Venus"], tokenize)
    assert asked == ["Mars", "Ceres"]
    update_trie(built(before), before, ["Earth", "Venus"], tokenize)
    assert asked == ["Mars", "Ceres"]


def test_names_of_another_trie_are_refused() -> None:
    with pytest.raises(DataError, match="trie: 2 names, but 1 are said to be in it; rebuild it"):
        update_trie(built(["a", "b"]), ["a"], ["b"], spell)


def test_no_names_are_refused() -> None:
    with pytest.raises(DataError, match="trie: no names to build from; check the entity catalog"):
        update_trie(built(["a"]), ["a"], [], spell)


def test_names_of_equal_tokens_are_refused() -> None:
    with pytest.raises(DataError, match="have the same token ids; tell them apart in the catalog"):
        update_trie(built(["a"]), ["a"], ["a", "b"], lambda names: spell(["a"] * len(names)))
