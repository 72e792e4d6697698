"""A release with changed entities: catalog, trie and demonstrations agree."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from gemel.bundle import Contents
from gemel.changes.assembly import with_entity_changes
from gemel.core.schema import Entity
from gemel.entities.catalog import Catalog
from gemel.entities.changed import EntityChange
from gemel.entities.trie_build import NameTokens, build_trie
from gemel.tasks.linking.demonstrations import CORPUS_SCHEMA

CATALOG = Catalog.of([Entity("Q308", "Mercury"), Entity("Q313", "Venus"), Entity("Q2", "Earth")])


def spell(names: Sequence[str]) -> NameTokens:
    return NameTokens.of([[ord(letter) for letter in name] for name in names])


def shown(*entity_ids: str) -> pl.DataFrame:
    rows = [
        {"mention_id": f"m{row}", "mention": key, "text": key, "entity_id": key, "name": CATALOG.entity(key).name}
        for row, key in enumerate(entity_ids)
    ]
    return pl.DataFrame(rows, schema=CORPUS_SCHEMA)


@pytest.fixture
def base() -> Contents:
    return Contents(
        Path("mapper"),
        CATALOG,
        build_trie(spell(CATALOG.names)),
        shown("Q308", "Q313", "Q2", "Q313"),
        {},
        Path("confidence"),
    )


def test_trie_is_that_of_the_changed_names(base: Contents) -> None:
    changes = [EntityChange("X", added=Entity("X", "Mars")), EntityChange("Q313", removed=True)]
    contents = with_entity_changes(base, changes, spell).contents
    assert contents.catalog.names == ("Mercury", "Earth", "Mars")
    for index, name in enumerate(contents.catalog.names):
        assert contents.trie.index_of([ord(letter) for letter in name]) == index
    assert contents.trie.index_of([ord(letter) for letter in "Venus"]) == -1


def test_without_changes_contents_are_the_base(base: Contents) -> None:
    changed = with_entity_changes(base, (), spell)
    assert changed.contents == base
    assert not any(changed.counts.values())


def test_demonstrations_follow_their_entities(base: Contents) -> None:
    changes = [
        EntityChange("Q308", removed=True),
        EntityChange("Q313", redirect="Q2"),
        EntityChange("Q2", name="Terra"),
    ]
    changed = with_entity_changes(base, changes, spell)
    rows = changed.contents.demonstrations.select("mention_id", "entity_id", "name").rows()
    assert rows == [("m1", "Q2", "Terra"), ("m2", "Q2", "Terra"), ("m3", "Q2", "Terra")]
    assert changed.counts == {
        "added": 0,
        "renamed": 1,
        "removed": 1,
        "redirected": 1,
        "demonstrations_removed": 1,
        "demonstrations_redirected": 2,
    }
