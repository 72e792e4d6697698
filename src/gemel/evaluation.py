"""Honest evaluation: the linker with and without its parts, on the same mentions, with intervals and slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from gemel.answerer import Answer, Answerer, Query, Sight
from gemel.core.errors import DataError
from gemel.core.schema import Mention
from gemel.features.tower import Vectors
from gemel.tasks.linking.metrics import Figure, Hits, Mask, difference, gap_closed, share

FULL, BLIND, ALONE, CAPTIONED = "full", "without image", "without demonstrations", "gold caption"


@dataclass(frozen=True)
class Variant:
    """One way to link. seeds: the mappers to run; one is enough where the mapper plays no part.

    method: demonstrations by this method, or None for no demonstrations.
    """

    name: str
    sight: Sight
    method: str | None
    seeds: tuple[int, ...]


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

        answers: entity ids for each row of the table, best first.
        """
        return [
            next((place for place, found in enumerate(row, 1) if self._same(found, gold)), 0)
            for row, gold in zip(answers, self.table["entity_id"].to_list(), strict=True)
        ]

    def _same(self, found: str, gold: str) -> bool:
        return found == gold if self.names is None else self.names[found] == self.names.get(gold)


def variants(method: str, compare: Sequence[str], seeds: Sequence[int], captions: bool) -> tuple[Variant, ...]:
    """The linker, its ablations, the upper bound where there are captions, and other ways to choose demonstrations."""
    every, one = tuple(seeds), tuple(seeds[:1])
    found = [
        Variant(FULL, "image", method, every),
        Variant(BLIND, "nothing", method, one),
        Variant(ALONE, "image", None, every),
    ]
    if captions:
        found.append(Variant(CAPTIONED, "caption", method, one))
    return (
        *found,
        *(Variant(f"{other} demonstrations", "image", other, every) for other in compare if other != method),
    )


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
    table = (
        of_split.filter("in_kb" if names is None else pl.col("entity_id").is_not_null())
        .join(posts.select("post_id", "image_sha256", "caption"), on="post_id", how="left", maintain_order="left")
        .join(trained, on="entity_id", how="left", maintain_order="left")
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


def queries(
    mentions: Graded, chosen: Mapping[str, Sequence[int]] | None, vector_of: Callable[[str | None], Vectors | None]
) -> list[Query]:
    """One query a mention. chosen: mention id -> demonstrations, or None for none."""
    return [
        Query(
            Mention(row["mention"], row["start"]),
            row["text"],
            tuple(chosen[row["mention_id"]]) if chosen is not None else (),
            vector_of(row["image_sha256"]),
            row["caption"],
        )
        for row in mentions.table.iter_rows(named=True)
    ]


def predict(answerer: Answerer, asked: Sequence[Query], sight: Sight, at_once: int) -> Iterator[tuple[int, Answer]]:
    """Answer each query, a batch at a time: the place of each among those asked, and its answer.

    Queries with the same demonstrations come into the same batch, where these are read once.
    """
    order = sorted(range(len(asked)), key=lambda place: asked[place].demonstrations)
    for start in range(0, len(order), at_once):
        places = order[start : start + at_once]
        yield from zip(places, answerer.answer([asked[place] for place in places], sight), strict=True)


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


def summarize(predictions: pl.DataFrame, mentions: Graded, tail_at_most: int) -> dict[str, object]:
    """All figures of one split, by name; None where a slice is empty or a variant was not run.

    tail_at_most: an entity that was trained on 1 to so many times is a tail entity; more often, a head one.
    """
    hits = {variant: _hits(predictions, variant, 1) for variant in predictions["variant"].unique(maintain_order=True)}
    full, blind, alone = hits[FULL], hits[BLIND], hits[ALONE]
    captioned = hits.get(CAPTIONED)
    counts = mentions.train_counts
    imputed = mentions.table["image_sha256"].is_null().to_numpy()
    head, tail, unseen = counts > tail_at_most, (counts > 0) & (counts <= tail_at_most), counts == 0
    figures: dict[str, Figure | None] = {
        "accuracy": share(full),
        "hits_at_5": share(_hits(predictions, FULL, 5)),
        "accuracy_without_image": share(blind),
        "accuracy_without_demonstrations": share(alone),
        "accuracy_gold_caption": None if captioned is None else share(captioned),
        "image_gain": difference(full, blind),
        "demonstration_gain": difference(full, alone),
        "gap_closed": None if captioned is None else gap_closed(full, blind, captioned),
        **_slices(full, blind, {"head": head, "tail": tail, "unseen": unseen, "seen": ~unseen}),
        "accuracy_imputed_image": share(full, imputed),
        "accuracy_real_image": share(full, ~imputed),
    }
    for variant, outcome in hits.items():
        if variant.endswith(" demonstrations") and variant != ALONE:
            figures[f"accuracy_{variant.removesuffix(' demonstrations')}"] = share(outcome)
    counted = {"mentions": mentions.table.height, "nil": mentions.nil, "out_of_kb": mentions.out_of_kb}
    summary: dict[str, object] = {name: figure.as_dict() if figure else None for name, figure in figures.items()}
    return summary | {"counts": counted | {"imputed_image": int(imputed.sum())} | _fitted(predictions)}


def _fitted(predictions: pl.DataFrame) -> dict[str, int]:
    """How many prompts of the linker lost demonstrations, and how many a part of their text, to fit the LLM."""
    # All seeds of a variant have the same prompts, so the first one tells.
    run = predictions.filter((pl.col("variant") == FULL) & (pl.col("seed") == pl.col("seed").first()))
    shortened, windowed = (run["left_out"] > 0).sum(), run["kept_characters"].is_not_null().sum()
    return {"shortened_prompts": int(shortened), "windowed_texts": int(windowed)}


def _slices(full: Hits, blind: Hits, slices: Mapping[str, Mask]) -> dict[str, Figure | None]:
    """Accuracy, and what the image adds, of each slice."""
    accuracy = {f"accuracy_{name}": share(full, where) for name, where in slices.items()}
    return accuracy | {f"image_gain_{name}": difference(full, blind, where) for name, where in slices.items()}


def _hits(predictions: pl.DataFrame, variant: str, within: int) -> Hits:
    """1 where the gold entity is among the first answers: (seeds, mentions)."""
    of_variant = predictions.filter(pl.col("variant") == variant)
    places = of_variant["place"].to_numpy().reshape(of_variant["seed"].n_unique(), -1)
    return ((places > 0) & (places <= within)).astype(np.float64)
