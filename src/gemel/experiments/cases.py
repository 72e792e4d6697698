"""The case study: single mentions, chosen by rule and not by hand."""

from __future__ import annotations

import polars as pl

from gemel.evaluation.names import BLIND, FULL
from gemel.experiments.results import Result
from gemel.experiments.tables import Rows
from gemel.posts.tables import Tables

# How many of each kind, in this order: right with the image, right without it.
KINDS = (
    ("fixed by the image", True, False, 4),
    ("broken by the image", False, True, 2),
    ("wrong with and without", False, False, 2),
    ("right with and without", True, True, 2),
)


def case_rows(result: Result, tables: Tables) -> Rows:
    """The first mentions of each kind, of the first mapper, in the order of the data set; only those with an image.

    tables: of the run's data set.
    """
    names = dict(tables.entities.select("entity_id", "name").iter_rows())
    images = tables.posts.select("post_id", "image", "image_status")
    told = tables.mentions.select("mention_id", "post_id", "mention", "text").join(images, on="post_id")
    answers = _answers(result, FULL, "with").join(_answers(result, BLIND, "without"), on="mention_id")
    table = answers.join(told, on="mention_id", maintain_order="left").filter(pl.col("image_status") == "read")
    rows: Rows = []
    for kind, with_image, without_image, count in KINDS:
        of_kind = table.filter(
            ((pl.col("place_with") == 1) == with_image) & ((pl.col("place_without") == 1) == without_image)
        )
        for row in of_kind.head(count).iter_rows(named=True):
            chosen = {"row": kind, "mention_id": row["mention_id"], "mention": row["mention"], "text": row["text"]}
            found = {
                "image": row["image"],
                "gold": names[row["entity_id"]],
                "with_image": names[row["answers_with"][0]],
                "without_image": names[row["answers_without"][0]],
            }
            rows.append(chosen | found)
    return rows


def _answers(result: Result, variant: str, suffix: str) -> pl.DataFrame:
    of_variant = result.predictions.filter((pl.col("variant") == variant) & (pl.col("seed") == result.seeds[0]))
    columns = ["answers", "place"]
    return of_variant.select(
        "mention_id",
        *(["entity_id"] if variant == FULL else []),
        *(pl.col(name).alias(f"{name}_{suffix}") for name in columns),
    )
