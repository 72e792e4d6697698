"""What may be written for an entity, and a trie in which several names lead to one."""

from pathlib import Path

import numpy as np
import pytest

from gemel.core.errors import ArtifactError, DataError, RequestError
from gemel.core.schema import Entity
from gemel.entities.catalog import Catalog
from gemel.entities.choices import Choices
from gemel.entities.spellings import Spellings, readable, spellings_of
from gemel.entities.subset import subset_of
from gemel.entities.trie import NONE, OWNERS, PackedTrie, read_trie, write_trie
from gemel.entities.trie_build import NameTokens, build_trie
from gemel.report.neighbours import neighbours

CATALOG = Catalog.of(
    [
        Entity("Q1", "Jaguar Cars", "Jaguar", entity_type="maker", aliases=("JLR", "Jag", " Jag ", "")),
        Entity("Q2", "Jaguar (animal)", "Jaguar", aliases=("Panthera onca", "Onca", "Jaguar Cars")),
        Entity("Q3", "Onza", "Onza", entity_type="maker", aliases=("Onca", "JaguarX")),
    ]
)


def tokens_of(texts: list[str] | tuple[str, ...]) -> NameTokens:
    return NameTokens.of([list(text.encode()) for text in texts])


@pytest.fixture
def spellings() -> Spellings:
    return spellings_of(CATALOG, aliases=True)


@pytest.fixture
def trie(spellings: Spellings) -> PackedTrie:
    return build_trie(tokens_of(spellings.texts), spellings.owners)


def test_aliases_stand_behind_the_names_with_their_entities(spellings: Spellings) -> None:
    assert spellings.texts == ("Jaguar Cars", "Jaguar (animal)", "Onza", "JLR", "Jag", "Panthera onca", "JaguarX")
    assert spellings.owners is not None
    assert spellings.owners.tolist() == [0, 1, 2, 0, 0, 1, 2]


def test_alias_of_two_entities_or_the_name_of_another_is_left_out_and_counted(spellings: Spellings) -> None:
    # The label "Jaguar" and the alias "Onca" belong to two each; "Jaguar Cars" is the name of another.
    assert spellings.facts() == {"aliases": 4, "aliases_left_out": {"anothers_name": 1, "shared": 4, "tokens": 0}}


def test_names_alone_have_no_owners_and_no_facts() -> None:
    alone = spellings_of(CATALOG, aliases=False)
    assert (alone.texts, alone.owners, alone.facts()) == (CATALOG.names, None, {})
    tokens = tokens_of(alone.texts)
    assert readable(alone, tokens) == (alone, tokens)


@pytest.mark.parametrize(
    ("alias_tokens", "kept"),
    [((), False), ((1, 2), False), ((9,), True), ((9, 9, 9), True), ((9, 9, 9, 9), False)],
)
def test_alias_that_the_trie_can_not_hold_is_left_out(alias_tokens: tuple[int, ...], kept: bool) -> None:
    given = Spellings(("name", "other", "alias", "last"), np.array([0, 1, 1, 0], dtype=np.int32), 2)
    left, tokens = readable(given, NameTokens.of([(1, 2), (3, 4, 5), alias_tokens, (8,)]))
    assert (list(left.texts) == ["name", "other", "alias", "last"]) is kept
    assert left.left_out == {"tokens": int(not kept)}
    assert tokens.to_lists() == [[1, 2], [3, 4, 5], *([list(alias_tokens)] if kept else []), [8]]
    assert left.owners is not None
    assert left.owners.tolist() == ([0, 1, 1, 0] if kept else [0, 1, 0])


def test_aliases_of_the_same_tokens_are_both_left_out() -> None:
    given = Spellings(("name", "Ab", "ab"), np.array([0, 0, 0], dtype=np.int32), 1)
    left, _ = readable(given, NameTokens.of([(1, 2), (7,), (7,)]))
    assert (list(left.texts), left.left_out) == (["name"], {"tokens": 2})


def test_names_of_the_same_tokens_are_still_an_error() -> None:
    given = Spellings(("a", "A", "x"), np.array([0, 1, 0], dtype=np.int32), 2)
    left, tokens = readable(given, NameTokens.of([(1,), (1,), (2,)]))
    with pytest.raises(DataError, match="names 0 and 1 have the same token ids"):
        build_trie(tokens, left.owners)


def test_every_spelling_leads_to_its_entity(spellings: Spellings, trie: PackedTrie) -> None:
    assert spellings.owners is not None
    found = [trie.index_of(list(text.encode())) for text in spellings.texts]
    assert found == spellings.owners.tolist()
    assert trie.index_of(list(b"Onca")) == NONE
    assert (trie.name_count, trie.entity_count) == (7, 3)


@pytest.mark.parametrize("entities", [[0], [1, 2], [2, 0, 1], [0, 0]])
def test_ends_of_entities_are_those_of_all_their_names(entities: list[int], trie: PackedTrie) -> None:
    ends = trie.ends_of(np.array(entities))
    assert trie.names_at(ends).tolist() == [each for each in entities for _ in range((3, 2, 2)[each])]
    assert len({*ends.tolist()}) == sum((3, 2, 2)[each] for each in {*entities})


def test_restricted_choice_has_the_aliases_too(trie: PackedTrie) -> None:
    choices = Choices(CATALOG, trie)
    subset = choices.among(("Q1",))
    assert subset is not None
    assert subset.name_count == 3
    assert {*subset.names_at(subset.ends).tolist()} == {0}
    makers = choices.among((), "maker")
    assert makers is not None
    assert {*makers.names_at(makers.ends).tolist()} == {0, 2}
    with pytest.raises(RequestError, match="no entity 'Q9'"):
        choices.among(("Q9",))


def test_index_of_an_alias_is_no_entity(trie: PackedTrie) -> None:
    with pytest.raises(DataError, match="expected indices 0 … 2, found 3 … 3"):
        subset_of(trie, np.array([3]))


def test_neighbours_of_a_name_are_other_entities(trie: PackedTrie) -> None:
    found = neighbours(trie, 0, 5)
    # "Jaguar " is shared with the animal, "Jaguar" with an alias of the third; its own aliases are no neighbours.
    assert [(each.name, each.shared) for each in found] == [(1, 7), (2, 6)]


def test_trie_is_read_back_with_its_owners(trie: PackedTrie, tmp_path: Path) -> None:
    write_trie(trie, tmp_path)
    again = read_trie(tmp_path)
    assert again.owners is not None
    assert trie.owners is not None
    assert again.owners.tolist() == trie.owners.tolist()
    assert again.index_of(list(b"Jag")) == 0


def test_trie_of_names_alone_writes_no_owners(tmp_path: Path) -> None:
    write_trie(build_trie(tokens_of(CATALOG.names)), tmp_path)
    assert not (tmp_path / OWNERS).exists()
    assert read_trie(tmp_path).owners is None


def test_owners_of_another_trie_are_refused(trie: PackedTrie, tmp_path: Path) -> None:
    write_trie(trie, tmp_path)
    np.save(tmp_path / OWNERS, np.zeros(3, dtype=np.int32))
    with pytest.raises(ArtifactError, match=r"owners\.npy: 3 owners of 7 names; run `dvc repro entity_trie`"):
        read_trie(tmp_path)
