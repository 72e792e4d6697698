"""Slices: kinds of mentions whose accuracy is told apart, by dimension and group."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from gemel.evaluation.grading import Graded
from gemel.evaluation.statistics import Hits, difference, share, too_small
from gemel.posts.tables import Tables

# An entity is of the tail if its popularity is less than this share of the total.
TAIL_SHARE = 0.05
WORDS = (10, 20, 40)
SEEN = "training"

Slices = dict[str, dict[str, object]]


def slice_table(mentions: Graded, tables: Tables, tail_at_most: int) -> pl.DataFrame:
    """To which group of each dimension a mention belongs: mention_id, and a string column for each dimension.

    A group of null is none: the entity's type or the post's topic isn't known. tail_at_most: as EvaluationSettings.
    "popularity, each" and "popularity, together" are two readings of a tail entity, one with less than 5 % of the total
    count: each by itself, or the least popular ones that have less than 5 % together. A mention is ambiguous if it
    stands for several entities in the data set.
    """
    named = tables.entities.select("entity_id", "name", "label", "entity_type", "popularity")
    posts = tables.posts.select("post_id", "topic")
    rows = (
        mentions.table.select("mention_id", "post_id", "mention", "text", "entity_id", "image_sha256")
        .join(named, on="entity_id", how="left", maintain_order="left")
        .join(posts, on="post_id", how="left", maintain_order="left")
        .join(_meanings(tables.mentions), on="mention", how="left", maintain_order="left")
        .join(tables.mentions.group_by("post_id").len("in_post"), on="post_id", how="left", maintain_order="left")
        .join(_tails(tables.entities), on="entity_id", how="left", maintain_order="left")
        .with_columns(pl.Series("trained", mentions.train_counts))
    )
    same = (pl.col("mention") == pl.col("name")) | (pl.col("mention") == pl.col("label"))
    return rows.select(
        "mention_id",
        _frequency(tail_at_most).alias(SEEN),
        pl.col("tail_each").alias("popularity, each"),
        pl.col("tail_together").alias("popularity, together"),
        pl.col("entity_type").replace("", None).alias("entity type"),
        "topic",
        _either(pl.col("meanings") > 1, "ambiguous", "one meaning").alias("mention string"),
        _either(same.fill_null(False), "is the name", "differs from the name").alias("mention and name"),
        _either(pl.col("image_sha256").is_null(), "none", "read").alias("image"),
        _binned(pl.col("in_post"), (2, 3)).alias("mentions in the post"),
        _binned(pl.col("text").str.count_matches(r"\S+"), WORDS).alias("words of the text"),
    )


def slice_figures(table: pl.DataFrame, full: Hits, blind: Hits) -> Slices:
    """Accuracy of each group of each dimension, the gain by the image there, and whether it is too small to tell.

    table: as slice_table. full, blind: with and without the image, (seeds, mentions), in the table's order.
    """
    return {
        dimension: {
            group: _group_figures(full, blind, (table[dimension] == group).fill_null(False).to_numpy())
            for group in sorted(table[dimension].drop_nulls().unique().to_list(), key=_group_order)
        }
        for dimension in table.columns
        if dimension != "mention_id" and table[dimension].drop_nulls().len()
    }


def _group_figures(full: Hits, blind: Hits, where: np.ndarray) -> Mapping[str, object]:
    accuracy, gain = share(full, where), difference(full, blind, where)
    return {
        "accuracy": accuracy.as_dict() if accuracy else None,
        "image_gain": gain.as_dict() if gain else None,
        "too_small": too_small(full[:, where]),
    }


def _group_order(group: str) -> tuple[int, str]:
    """Numbers by size, then words."""
    digits = "".join(character if character.isdigit() else " " for character in group).split()
    return (int(digits[0]), group) if digits and group[0].isdigit() else (-1, group)


def _meanings(mentions: pl.DataFrame) -> pl.DataFrame:
    gold = mentions.filter(pl.col("entity_id").is_not_null())
    return gold.group_by("mention").agg(pl.col("entity_id").n_unique().alias("meanings"))


def _tails(entities: pl.DataFrame) -> pl.DataFrame:
    """Common or tail, by both readings; null for all where no entity has a popularity."""
    count, total = pl.col("popularity"), float(entities["popularity"].sum())
    ranked = entities.select("entity_id", "popularity").sort("popularity", "entity_id")
    if total == 0:
        nothing = pl.lit(None, pl.String)
        return ranked.select("entity_id", nothing.alias("tail_each"), nothing.alias("tail_together"))
    # Entities of equal popularity are on the same side.
    return ranked.with_columns(count.cum_sum().alias("sum")).select(
        "entity_id",
        _either(count < TAIL_SHARE * total, "tail", "common").alias("tail_each"),
        _either(pl.col("sum").max().over("popularity") < TAIL_SHARE * total, "tail", "common").alias("tail_together"),
    )


def _frequency(tail_at_most: int) -> pl.Expr:
    trained = pl.col("trained")
    return pl.when(trained > tail_at_most).then(pl.lit("head")).otherwise(_either(trained > 0, "tail", "unseen"))


def _either(condition: pl.Expr, then: str, otherwise: str) -> pl.Expr:
    return pl.when(condition).then(pl.lit(then)).otherwise(pl.lit(otherwise))


def _binned(number: pl.Expr, starts: tuple[int, ...]) -> pl.Expr:
    """Numbers from 1 in words: "1–9", "10–19", …, "40+"."""
    lows = (1, *starts)
    found = pl.lit(f"{lows[-1]}+")
    for low, after in zip(reversed(lows[:-1]), reversed(starts), strict=True):
        words = str(low) if after == low + 1 else f"{low}–{after - 1}"
        found = pl.when(number < after).then(pl.lit(words)).otherwise(found)
    return found
