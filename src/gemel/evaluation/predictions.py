"""Predictions as a table: what was answered for each graded mention, by variant and seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from gemel.evaluation.grading import Graded
from gemel.evaluation.statistics import Hits

if TYPE_CHECKING:
    from gemel.answerer import Answer


def prediction_table(mentions: Graded, split: str, variant: str, seed: int, found: Sequence[Answer]) -> pl.DataFrame:
    """One row a mention: what was answered, best first, at which place the gold entity is (0: nowhere), how many
    demonstrations were left out, and how many characters of the text were kept (null: all).
    """
    ids = [[candidate.entity_id for candidate in answer.candidates] for answer in found]
    columns = {
        "mention_id": mentions.table["mention_id"],
        "entity_id": mentions.table["entity_id"],
        "answers": ids,
        "scores": [[candidate.score for candidate in answer.candidates] for answer in found],
        "place": mentions.places(ids),
        "left_out": [answer.left_out for answer in found],
        "kept_characters": [answer.kept_characters for answer in found],
    }
    schema: dict[str, Any] = {
        "mention_id": pl.String,
        "entity_id": pl.String,
        "answers": pl.List(pl.String),
        "scores": pl.List(pl.Float64),
        "place": pl.Int32,
        "left_out": pl.Int32,
        "kept_characters": pl.Int32,
    }
    run = [pl.lit(split).alias("split"), pl.lit(variant).alias("variant"), pl.lit(seed, pl.Int32).alias("seed")]
    return pl.DataFrame(columns, schema=schema).select(*run, pl.all())


def hits_of(predictions: pl.DataFrame, variant: str, within: int) -> Hits:
    """1 where the gold entity is among the first answers: (seeds, mentions)."""
    of_variant = predictions.filter(pl.col("variant") == variant)
    places = of_variant["place"].to_numpy().reshape(of_variant["seed"].n_unique(), -1)
    return ((places > 0) & (places <= within)).astype(np.float64)
