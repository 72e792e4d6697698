"""What both releases are asked, and in which slices it counts."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tiny_world import make_tables

from gemel.core.schema import Entity, Mention, Post
from gemel.entities.catalog import Catalog
from gemel.gate.frozen_posts import FrozenTest
from gemel.gate.questions import Answer, Questions, make_questions, trained_counts
from gemel.posts.tables import Tables

NONE = FrozenTest({}, {})
TRAINED = {"Q35694": 9, "Q30055": 2}


@pytest.fixture(scope="module")
def tables(tiny_dataset: Path) -> Tables:
    return make_tables(tiny_dataset)


@pytest.fixture(scope="module")
def catalog(tables: Tables) -> Catalog:
    return Catalog(tables.entities)


def asked(tables: Tables, catalog: Catalog, frozen: FrozenTest = NONE, judged: tuple[Post, ...] = ()) -> Questions:
    images = tables.posts["image_sha256"].drop_nulls().to_list()
    vectors = {sha256: np.zeros(3, np.float32) for sha256 in images}
    return make_questions(tables, frozen, catalog, TRAINED, 4, vectors, judged)


def test_every_test_mention_is_asked_with_its_image(tables: Tables, catalog: Catalog) -> None:
    found = asked(tables, catalog)
    assert found.gold == ("Q35694", "Q30055", "Q308", "Q925", "Q3783", None)
    assert [each.picture is not None for each in found.posts] == [True] * 5 + [False]


def test_tail_and_unseen_go_by_the_champions_training(tables: Tables, catalog: Catalog) -> None:
    slices = asked(tables, catalog).slices
    assert slices["tail", ""] == (1,)
    assert slices["unseen", ""] == (2, 3, 4)


def test_mentions_of_no_entity_are_a_slice_of_their_own(tables: Tables, catalog: Catalog) -> None:
    slices = asked(tables, catalog).slices
    assert slices["overall", ""] == slices["nil_false_alarms", ""] == (0, 1, 2, 3, 4)
    assert slices["nil", ""] == (5,)


def test_mention_whose_entity_the_catalog_lacks_is_right_as_nil(tables: Tables) -> None:
    smaller = Catalog(tables.entities.filter(pl.col("entity_id") != "Q308"))
    found = asked(tables, smaller)
    assert len(found.slices["nil", ""]) == 2
    assert found.gold[-2:] == (None, None)


def test_entity_that_was_merged_is_graded_by_its_living_id(tables: Tables) -> None:
    merged = Catalog(tables.entities.filter(pl.col("entity_id") != "Q308"), {"Q308": "Q925"})
    assert asked(tables, merged).gold.count("Q925") == 2


def test_sources_are_slices(tables: Tables, catalog: Catalog) -> None:
    first, second = tables.mentions.filter(pl.col("split") == "test")["post_id"].to_list()[:2]
    slices = asked(tables, catalog, FrozenTest({}, {first: "forum", second: "feed"})).slices
    assert slices["source", "feed"] == (1,)
    assert slices["source", "forum"] == (0,)


def test_dimension_that_nothing_is_known_of_is_an_empty_slice(tables: Tables, catalog: Catalog) -> None:
    slices = asked(tables, catalog).slices
    assert slices["source", ""] == slices["audit", ""] == ()


def test_judged_links_are_apart_from_the_test_set(tables: Tables, catalog: Catalog) -> None:
    judged = Post("The Jaguar slept", (Mention("Jaguar", entity_id="Q35694"),))
    found = asked(tables, catalog, judged=(judged,))
    assert found.slices["audit", ""] == (6,)
    assert found.slices["overall", ""] == (0, 1, 2, 3, 4)
    assert found.gold[6] == "Q35694"


def test_answers_are_graded_by_what_each_slice_asks(tables: Tables, catalog: Catalog) -> None:
    found = asked(tables, catalog)
    answers = [Answer("Q35694", False), Answer("Q30055", True), *[Answer("Q308", False)] * 3, Answer("Q308", True)]
    right = {each.dimension: each.right.tolist() for each in found.grade(answers)}
    assert right["overall"] == [True, True, True, False, False]
    assert right["nil_false_alarms"] == [True, False, True, True, True]
    assert right["nil"] == [True]


def test_training_is_counted_by_living_ids() -> None:
    catalog = Catalog(Catalog.of([Entity("Q2", "two")]).table, {"Q1": "Q2"})
    assert trained_counts(pl.DataFrame({"entity_id": ["Q1", "Q2"]}), catalog) == {"Q2": 2}
