"""What is graded: the mentions of a split, and at which place of an answer their gold entity is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from gemel.core.errors import DataError


@dataclass(frozen=True)
class Graded:
    """The mentions of a split that are graded, and how often each entity was trained on.

    table: columns mention_id, mention, start, text, entity_id, image_sha256, caption. train_counts: mentions of each
    row's entity in the training split. nil: mentions of the split without an entity, which are not graded. out_of_kb:
    those whose entity the catalog lacks; graded as wrong by name, not graded by id.
    names: entity id -> name, to grade by name; None to grade by id.
    """

    table: pl.DataFrame
    train_counts: np.ndarray
    nil: int
    out_of_kb: int
    names: Mapping[str, str] | None = None

    def places(self, answers: Sequence[Sequence[str]]) -> list[int]:
        """At which place of each row's answers the gold entity is, from 1; 0: nowhere.

        answers: entity ids for each row of the table, best first; "" is nobody's.
        """
        return [
            next((place for place, found in enumerate(row, 1) if self._same(found, gold)), 0)
            for row, gold in zip(answers, self.table["entity_id"].to_list(), strict=True)
        ]

    def _same(self, found: str, gold: str) -> bool:
        return found == gold if self.names is None else self.names.get(found, found) == self.names.get(gold)


def given_names(entities: pl.DataFrame) -> dict[str, str]:
    """Entity id -> the name that the data set gives it, which other entities may have too."""
    named = pl.when(pl.col("label") == "").then("name").otherwise("label")
    return dict(entities.select("entity_id", named).iter_rows())


def graded(mentions: pl.DataFrame, posts: pl.DataFrame, split: str, names: Mapping[str, str] | None = None) -> Graded:
    """The mentions of a split to grade, in table order.

    names: to grade by name, as Graded; every mention that isn't NIL is graded then.
    Raises: DataError if there are none.
    """
    of_split = mentions.filter(pl.col("split") == split)
    trained = mentions.filter((pl.col("split") == "train") & pl.col("in_kb")).group_by("entity_id").len("trained")
    table = _with_posts(of_split.filter(_gradable(names)), posts).join(
        trained, on="entity_id", how="left", maintain_order="left"
    )
    if table.is_empty():
        raise DataError(
            f"nothing to grade: no mention of the split {split!r} has an entity of the catalog; import "
            "the data set with its train, dev and test"
        )
    nil = int(of_split["entity_id"].is_null().sum())
    out_of_kb = of_split.height - nil - int(of_split["in_kb"].sum())
    counts = table["trained"].fill_null(0).to_numpy()
    return Graded(table.drop("trained"), counts, nil, out_of_kb, names)


def without_entity(
    mentions: pl.DataFrame, posts: pl.DataFrame, split: str, names: Mapping[str, str] | None = None
) -> Graded:
    """The other mentions of a split, in table order: those whose right answer is NIL. There may be none.

    Their entity_id is null, also where they have an entity that the catalog lacks. names: as graded has them.
    """
    rows = mentions.filter((pl.col("split") == split) & ~_gradable(names))
    table = _with_posts(rows.with_columns(pl.lit(None, pl.String).alias("entity_id")), posts)
    return Graded(table, np.zeros(table.height, dtype=np.int64), table.height, 0, names)


def _gradable(names: Mapping[str, str] | None) -> pl.Expr:
    return pl.col("in_kb") if names is None else pl.col("entity_id").is_not_null()


def _with_posts(mentions: pl.DataFrame, posts: pl.DataFrame) -> pl.DataFrame:
    of_posts = posts.select("post_id", "image_sha256", "caption")
    return mentions.join(of_posts, on="post_id", how="left", maintain_order="left")
