"""Slices of mentions that are made up: each group worked out by hand."""

import numpy as np
import polars as pl
import pytest

from gemel.core.entity_columns import ENTITIES_SCHEMA
from gemel.evaluation.grading import Graded, graded
from gemel.evaluation.slices import slice_figures, slice_table
from gemel.posts.columns import MENTIONS_SCHEMA, NAMES_SCHEMA, POSTS_SCHEMA, REJECTED_SCHEMA
from gemel.posts.tables import Tables

ENTITIES = [
    ("Q1", "Jaguar (car)", "Jaguar", "car", 94.0),
    ("Q2", "Jaguar (cat)", "Jaguar", "", 3.0),
    ("Q3", "Mercury", "Mercury", "planet", 3.0),
]
# post, mention, gold, split
MENTIONS = [
    ("a", "Jaguar", "Q1", "train"),
    ("a", "Jaguar", "Q1", "train"),
    ("b", "Jag", "Q2", "train"),
    ("c", "Jaguar", "Q1", "test"),
    ("c", "Jag", "Q2", "test"),
    ("d", "Mercury", "Q3", "test"),
    ("e", "Jaguar", "Q2", "test"),
]
POSTS = {"a": ("x", None), "b": ("x", None), "c": ("word " * 12, "sports"), "d": ("nine", None), "e": ("w " * 40, None)}


def frame(schema: object, *rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema)


@pytest.fixture(scope="module")
def tables() -> Tables:
    keys = ("entity_id", "name", "label", "entity_type", "popularity")
    mentions = [
        {
            "mention_id": f"m{n}",
            "post_id": p,
            "mention": m,
            "entity_id": q,
            "split": s,
            "in_kb": True,
            "text": POSTS[p][0],
        }
        for n, (p, m, q, s) in enumerate(MENTIONS)
    ]
    posts = [
        {"post_id": post, "text": text, "topic": topic, "image_sha256": "f" if post == "d" else None}
        for post, (text, topic) in POSTS.items()
    ]
    return Tables(
        posts=frame(POSTS_SCHEMA, *posts),
        mentions=frame(MENTIONS_SCHEMA, *mentions),
        entities=frame(ENTITIES_SCHEMA, *(dict(zip(keys, row, strict=True)) for row in ENTITIES)),
        names=pl.DataFrame(schema=NAMES_SCHEMA),
        rejected=pl.DataFrame(schema=REJECTED_SCHEMA),
    )


@pytest.fixture(scope="module")
def mentions(tables: Tables) -> Graded:
    return graded(tables.mentions, tables.posts, "test")


@pytest.fixture(scope="module")
def slices(mentions: Graded, tables: Tables) -> pl.DataFrame:
    return slice_table(mentions, tables, tail_at_most=1)


@pytest.mark.parametrize(
    ("dimension", "groups"),
    [
        ("training", ["head", "tail", "unseen", "tail"]),
        ("popularity, each", ["common", "tail", "tail", "tail"]),
        ("popularity, together", ["common", "common", "common", "common"]),
        ("entity type", ["car", None, "planet", None]),
        ("topic", ["sports", "sports", None, None]),
        ("mention string", ["ambiguous", "one meaning", "one meaning", "ambiguous"]),
        ("mention and name", ["is the name", "differs from the name", "is the name", "is the name"]),
        ("image", ["none", "none", "read", "none"]),
        ("mentions in the post", ["2", "2", "1", "1"]),
        ("words of the text", ["10–19", "10–19", "1–9", "40+"]),
    ],
)
def test_groups_by_hand(slices: pl.DataFrame, dimension: str, groups: list[str | None]) -> None:
    assert slices[dimension].to_list() == groups


def test_tail_by_the_sum_is_what_is_left_of_equal_popularity(mentions: Graded, tables: Tables) -> None:
    counts = pl.Series([96.0, 2.0, 2.0])
    rarer = Tables(**{**vars(tables), "entities": tables.entities.with_columns(counts.alias("popularity"))})
    found = slice_table(mentions, rarer, tail_at_most=1)
    assert found["popularity, together"].to_list() == ["common", "tail", "tail", "tail"]


def test_catalog_without_popularity_has_no_such_slice(mentions: Graded, tables: Tables) -> None:
    unknown = Tables(**{**vars(tables), "entities": tables.entities.with_columns(popularity=pl.lit(0.0))})
    table = slice_table(mentions, unknown, tail_at_most=1)
    hits = np.ones((1, 4))
    assert {"popularity, each", "popularity, together"}.isdisjoint(slice_figures(table, hits, hits))


def test_figures_are_those_of_the_group(slices: pl.DataFrame) -> None:
    full, blind = np.array([[1.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]]), np.array([[0.0, 0.0, 0.0, 1.0]])
    found = slice_figures(slices, full, blind)["training"]
    assert list(found) == ["head", "tail", "unseen"]
    assert found["tail"]["accuracy"]["mean"] == 0.75
    assert found["tail"]["image_gain"]["mean"] == 0.25
    assert (found["tail"]["accuracy"]["n"], found["tail"]["accuracy"]["seeds"]) == (2, 2)


@pytest.mark.parametrize(("n", "right", "small"), [(4, 4, True), (16, 16, False), (60, 30, True), (120, 60, False)])
def test_slice_with_a_wide_interval_is_too_small(n: int, right: int, small: bool) -> None:
    table = pl.DataFrame({"mention_id": map(str, range(n)), "training": ["head"] * n})
    hits = np.array([[1.0] * right + [0.0] * (n - right)])
    assert slice_figures(table, hits, hits)["training"]["head"]["too_small"] is small


def test_numbers_are_in_their_order() -> None:
    groups = ["10–19", "1–9", "40+", "20–39"]
    table = pl.DataFrame({"mention_id": groups, "words of the text": groups})
    found = slice_figures(table, np.ones((1, 4)), np.ones((1, 4)))
    assert list(found["words of the text"]) == ["1–9", "10–19", "20–39", "40+"]
