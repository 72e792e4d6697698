"""Entities by the first letters of a name: the same as by a scan of all names."""

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.entity_columns import ENTITIES_SCHEMA
from gemel.core.schema import Entity
from gemel.entities import prefixes
from gemel.entities.catalog import Catalog
from gemel.entities.prefixes import PrefixIndex, fold

BREAK = re.compile(r"(?<=[ -/:-@\[-`{-~])(?=[^ -/:-@\[-`{-~])")


def scan(catalog: Catalog, prefix: str, limit: int) -> tuple[int, ...]:
    """What PrefixIndex.find gives, by looking at every spelling."""
    wanted = fold(prefix)
    order = sorted(range(len(catalog)), key=lambda index: -catalog.at(index).popularity)
    spellings = [[fold(text) for text in (each.name, each.label, *each.aliases)] for each in map(catalog.at, order)]
    first = [index for index, texts in zip(order, spellings, strict=True) if any(t.startswith(wanted) for t in texts)]
    words = [[text[at.start() :] for text in texts for at in BREAK.finditer(text)] for texts in spellings]
    second = [index for index, texts in zip(order, words, strict=True) if any(t.startswith(wanted) for t in texts)]
    return tuple(dict.fromkeys(first + second))[:limit]


def catalog_of(*entities: tuple[str, float]) -> Catalog:
    """Entities with these names and popularities."""
    return Catalog.of([Entity(f"Q{i}", name, popularity=known) for i, (name, known) in enumerate(entities)])


def names_found(catalog: Catalog, prefix: str, limit: int = 10) -> list[str]:
    return [catalog.names[index] for index in PrefixIndex.of(catalog.table).find(prefix, limit)]


LETTERS = st.text("aAbß éİﬁ.-(\0\x1f\u2003\u0301", max_size=6)
ENTITIES = st.builds(
    lambda name, label, aliases, known: Entity("", name or "a", label, aliases=tuple(aliases), popularity=known),
    LETTERS,
    LETTERS,
    st.lists(LETTERS, max_size=3),
    st.sampled_from([0.0, 1.0, 2.5]),
)


@given(st.lists(ENTITIES, min_size=1, max_size=12, unique_by=lambda each: each.name), LETTERS, st.integers(0, 5))
def test_finds_what_a_scan_finds(entities: list[Entity], prefix: str, limit: int) -> None:
    rows = [[f"Q{i}", e.name, e.label, "", "", list(e.aliases), e.popularity] for i, e in enumerate(entities)]
    catalog = Catalog(pl.DataFrame(rows, schema=ENTITIES_SCHEMA, orient="row"))
    assert PrefixIndex.of(catalog.table).find(prefix, limit) == scan(catalog, prefix, limit)


@pytest.mark.parametrize("prefix", ["a", "b", "ab", "c a", ""])
@pytest.mark.parametrize("limit", [1, 7, 300])
def test_many_of_one_prefix_are_the_same_as_by_a_scan(prefix: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefixes, "BLOCK", 4)
    random = np.random.default_rng(0)
    letters = [" ".join(random.choice(list("abc"), 5)).replace(" ", "", 1) + f" {i}" for i in range(400)]
    known = random.integers(0, 40, 400).astype(float)
    catalog = catalog_of(*zip(letters, known.tolist(), strict=True))
    assert PrefixIndex.of(catalog.table).find(prefix, limit) == scan(catalog, prefix, limit)


def test_entity_of_many_spellings_is_there_once_and_leaves_room_for_others() -> None:
    aliases = tuple(f"Jag {i}" for i in range(1_000))
    catalog = Catalog.of([Entity("Q1", "Jaguar", aliases=aliases, popularity=9), Entity("Q2", "Jago")])
    assert PrefixIndex.of(catalog.table).find("jag", 2) == (0, 1)


@pytest.mark.parametrize("prefix", ["str", "STRASS", "straß", "ｓｔｒ", " Straße  "])
def test_spellings_of_a_letter_are_one(prefix: str) -> None:
    assert names_found(catalog_of(("Straße", 1), ("Stadt", 2)), prefix) == ["Straße"]


def test_beginning_goes_before_a_later_word_however_well_known() -> None:
    catalog = catalog_of(("Jaguar Cars", 9), ("Cars (film)", 1), ("Toy (cars)", 5))
    assert names_found(catalog, "cars") == ["Cars (film)", "Jaguar Cars", "Toy (cars)"]


def test_inside_of_a_word_is_no_beginning() -> None:
    assert names_found(catalog_of(("Oscars", 1)), "cars") == []


def test_aliases_and_labels_lead_to_their_entity() -> None:
    table = Catalog.of([Entity("Q1", "New York City", "NYC", aliases=("Big Apple",))]).table
    index = PrefixIndex.of(table)
    assert [index.find(prefix, 5) for prefix in ("nyc", "big a", "apple", "bronx")] == [(0,), (0,), (0,), ()]


@pytest.mark.parametrize("prefix", ["", "  ", "\0"])
def test_empty_prefix_gives_the_best_known_ties_in_catalog_order(prefix: str) -> None:
    assert names_found(catalog_of(("a", 1), ("b", 2), ("c", 1)), prefix, 3) == ["b", "a", "c"]


@pytest.mark.parametrize("prefix", ["\ud800", "a" * 10_000, "a\0b"])
def test_odd_prefix_finds_nothing(prefix: str) -> None:
    assert names_found(catalog_of(("aa", 1)), prefix) == []


def test_missing_label_aliases_and_popularity_are_empty() -> None:
    row = ["Q1", "Jaguar", None, None, None, None, None]
    assert PrefixIndex.of(pl.DataFrame([row], schema=ENTITIES_SCHEMA, orient="row")).find("jag", 1) == (0,)


def test_size_counts_every_part() -> None:
    index = PrefixIndex.of(catalog_of(("Jaguar Cars", 1)).table)
    # Twelve bytes of text; of each of two starts an offset of one byte and a rank of four; one entity.
    assert index.nbytes == 12 + 2 * (1 + 4) + 4
