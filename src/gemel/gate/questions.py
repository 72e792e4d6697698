"""What both releases are asked: the mentions of the frozen test set and the links that people judged, by slices.

Which slice a mention belongs to is fixed before the challenger's data come in: the tail, and what was never trained on,
go by the champion's training. By the challenger's, the batch that is judged would choose its judges: five wrong posts
about a rare entity would take it out of the tail.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from gemel.core.schema import Mention, Post
from gemel.entities.catalog import Catalog
from gemel.evaluation.grading import graded, without_entity
from gemel.evaluation.slices import SEEN, slice_table
from gemel.features.tower import Vectors
from gemel.gate.frozen_posts import SPLIT, FrozenTest
from gemel.gate.graded import Flags, SliceAnswers
from gemel.gate.settings import Dimension
from gemel.posts.tables import Tables


@dataclass(frozen=True)
class Answer:
    """What a release answers to a mention. entity_id: of the best candidate, also where the answer is NIL."""

    entity_id: str
    nil: bool


@dataclass(frozen=True)
class Questions:
    """Posts, and the slices that their mentions belong to.

    posts: of one mention each, a row. gold: of each row the right entity, None for NIL. post_ids: of each row what
    tells its post from others. slices: dimension and group -> rows, overall first.
    """

    posts: tuple[Post, ...]
    gold: tuple[str | None, ...]
    post_ids: tuple[str, ...]
    slices: Mapping[tuple[Dimension, str], tuple[int, ...]]

    def grade(self, answers: Sequence[Answer]) -> tuple[SliceAnswers, ...]:
        """What a release got right, slice by slice. answers: of each row."""
        rows = list(zip(answers, self.gold, strict=True))
        linked = np.array([gold is not None and answer.entity_id == gold for answer, gold in rows], dtype=np.bool_)
        refused = np.array([answer.nil for answer in answers], dtype=np.bool_)
        by_dimension: dict[Dimension, Flags] = {"nil": refused, "nil_false_alarms": ~refused}
        return tuple(
            SliceAnswers(
                dimension,
                group,
                by_dimension.get(dimension, linked)[list(places)],
                tuple(self.post_ids[place] for place in places),
            )
            for (dimension, group), places in self.slices.items()
        )


def trained_counts(demonstrations: pl.DataFrame, catalog: Catalog) -> Counter[str]:
    """How often a release was trained on each entity of a catalog. demonstrations: of its bundle."""
    return Counter(catalog.redirects.get(each, each) for each in demonstrations["entity_id"].to_list())


def make_questions(
    tables: Tables,
    frozen: FrozenTest,
    catalog: Catalog,
    trained: Mapping[str, int],
    tail_at_most: int,
    features: Mapping[str, Vectors],
    judged: Sequence[Post],
) -> Questions:
    """The questions of a test set and of judged links.

    catalog: says which mentions have an entity. trained: how often the champion was trained on each entity.
    tail_at_most: as EvaluationSettings. features: vectors of the test posts' images by SHA-256. judged: posts of one
    mention each, with its right entity.
    Raises: DataError if no mention of the test set has an entity.
    """
    living = pl.col("entity_id").replace(catalog.redirects) if catalog.redirects else pl.col("entity_id")
    mentions = tables.mentions.with_columns(living).with_columns(
        in_kb=pl.col("entity_id").is_in(list(catalog.ids)).fill_null(False)
    )
    known, nil = (read(mentions, tables.posts, SPLIT) for read in (graded, without_entity))
    counts = np.array([trained.get(entity, 0) for entity in known.table["entity_id"].to_list()], dtype=np.int64)
    slices = slice_table(replace(known, train_counts=counts), replace(tables, mentions=mentions), tail_at_most)
    rows = pl.concat([known.table, nil.table])
    of_known = known.table["post_id"].to_list()
    return Questions(
        posts=(*(_test_post(row, features) for row in rows.iter_rows(named=True)), *judged),
        gold=(*rows["entity_id"].to_list(), *(post.mentions[0].entity_id for post in judged)),
        post_ids=(*rows["post_id"].to_list(), *(post.text for post in judged)),
        slices=_slices(slices, of_known, frozen.sources, nil.table.height, len(judged)),
    )


def _test_post(row: Mapping[str, Any], features: Mapping[str, Vectors]) -> Post:
    """A post of one mention, with its image as the vector that was made of it."""
    mention = Mention(row["mention"], row["start"], row["end"])
    sha256 = row["image_sha256"]
    return Post(row["text"], (mention,), post_id=row["post_id"], picture=None if sha256 is None else features[sha256])


def _slices(
    table: pl.DataFrame, posts: Sequence[str], sources: Mapping[str, str], nil: int, judged: int
) -> dict[tuple[Dimension, str], tuple[int, ...]]:
    """The rows of each slice: those of the table come first, then NIL mentions, then judged ones.

    A dimension without any mention has one empty slice, so that the card says so.
    """
    known = range(table.height)
    seen = table[SEEN].to_list()
    by_source: dict[str, list[int]] = defaultdict(list)
    for place, (post, topic) in enumerate(zip(posts, table["topic"].to_list(), strict=True)):
        if source := sources.get(post) or topic:
            by_source[source].append(place)
    return {
        ("overall", ""): tuple(known),
        ("tail", ""): tuple(place for place in known if seen[place] == "tail"),
        ("unseen", ""): tuple(place for place in known if seen[place] == "unseen"),
        ("nil", ""): tuple(range(table.height, table.height + nil)),
        ("nil_false_alarms", ""): tuple(known),
        **{("source", source): tuple(by_source[source]) for source in sorted(by_source) or ("",)},
        ("audit", ""): tuple(range(table.height + nil, table.height + nil + judged)),
    }
