"""A run as its artifacts would give it, made by hand: as many answers as a test wants, without any model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from gemel.core.artifacts import new_artifact
from gemel.core.schema import Entity
from gemel.entities.catalog import Catalog
from gemel.entities.trie_build import NameTokens, build_trie
from gemel.evaluation.names import ALONE, BLIND, FULL
from gemel.posts.columns import MENTIONS_SCHEMA, POSTS_SCHEMA, REJECTED_SCHEMA
from gemel.posts.dataset import RawDataset
from gemel.posts.tables import Tables, build_tables
from gemel.report.run import Evaluation, Run
from gemel.tasks.linking.demonstrations import CORPUS_SCHEMA

ENTITIES = (
    Entity("Q1", "Jaguar Cars", "Jaguar", "a maker of cars", "car maker"),
    Entity("Q2", "Jaguar (animal)", "Jaguar", "a cat", "animal"),
    Entity("Q3", "Mercury (planet)", "Mercury", "", "planet"),
    Entity("Q4", "Zürich", "Zürich", "", "city"),
)
SCORES = (-0.1, -1.0, -2.0)
PREDICTED = {
    "split": pl.String,
    "variant": pl.String,
    "seed": pl.Int32,
    "mention_id": pl.String,
    "entity_id": pl.String,
    "answers": pl.List(pl.String),
    "scores": pl.List(pl.Float64),
    "place": pl.Int32,
    "left_out": pl.Int32,
    "kept_characters": pl.Int32,
}


@dataclass(frozen=True)
class Asked:
    """A graded mention. answers: entity ids, best first; blind: the first answer without the image."""

    text: str = "The Jaguar this morning"
    mention: str = "Jaguar"
    gold: str = "Q1"
    answers: tuple[str, ...] = ("Q1", "Q2", "Q3")
    scores: tuple[float, ...] = SCORES
    blind: str = "Q2"
    split: str = "test"
    status: str = "none"
    left_out: int = 0

    @property
    def start(self) -> int | None:
        place = self.text.find(self.mention)
        return place if place >= 0 else None


RIGHT, WRONG = Asked(), Asked(answers=("Q2", "Q1", "Q3"))


def make_run(folder: Path, asked: Sequence[Asked], *, seed: int = 1, protocol: dict[str, Any] | None = None) -> Run:
    """A run of these mentions and one right one in dev, in a folder that holds nothing but a manifest of its
    evaluation and a curve. Two demonstrations, both shown with each mention; seeds 0 and 1."""
    every = [*asked, replace(RIGHT, split="dev")]
    tables = _tables(every)
    facts = {"graded_by": "id", "num_beams": 3, "tail_at_most": 4, "seeds": [0, 1]}
    predictions = pl.concat(
        [
            _predicted(every, FULL, 0),
            _predicted(every, FULL, 1),
            _predicted(every, BLIND, 0),
            _predicted(every, ALONE, 1),
        ]
    )
    artifacts = folder / "artifacts"
    artifacts.mkdir(parents=True)
    with new_artifact(artifacts / "evaluation", "evaluation", facts) as draft:
        predictions.write_parquet(draft / "predictions.parquet")
        _judged(predictions).write_parquet(draft / "judged.parquet")
    curves = artifacts / "mapper" / f"seed-{seed}" / "curves"
    curves.mkdir(parents=True)
    (curves / "dev_loss.tsv").write_text("step\tdev_loss\n10\t0.5\n20\t0.25\n")
    catalog, corpus = Catalog.of(ENTITIES), _corpus()
    return Run(
        folder=artifacts,
        facts={
            "posts": {"dataset": "made"},
            "demonstrations": {"methods": ["bm25"]},
            "entity_trie": {"names": len(ENTITIES)},
            "mapper": {
                "llm": {"model": "llm", "revision": None, "dtype": "float32", "weights": "full"},
                "encoder": "eye",
            },
            "evaluation": facts,
        },
        evaluation=Evaluation(artifacts / "evaluation", facts, _metrics(seed), predictions, protocol or {}),
        tables=tables,
        catalog=catalog,
        trie=build_trie(NameTokens.of([list(name.encode()) for name in catalog.names])),
        corpus=corpus,
        chosen=dict.fromkeys(tables.mentions["mention_id"].to_list(), (1, 0)),
        summary={"seeds": {"0": {}, "1": {}}, "best_seed": seed, "trainable_share": 0.01},
    )


def figure(mean: float) -> dict[str, Any]:
    return {"mean": mean, "low": mean - 0.05, "high": mean + 0.05, "n": 50, "seeds": 2, "spread": 0.01}


def _metrics(seed: int) -> dict[str, Any]:
    counts = {"mentions": 5, "nil": 3, "out_of_kb": 0, "imputed_image": 1, "shortened_prompts": 0, "windowed_texts": 0}
    figures = {"accuracy": figure(0.8), "accuracy_head": figure(0.9), "image_gain_head": figure(0.4), "counts": counts}
    return {"test": figures, "dev": figures, "graded_by": "id", "mapper": {"best_seed": seed}}


def _tables(asked: Sequence[Asked]) -> Tables:
    posts = [
        {"post_id": f"p{place}", "text": each.text, "image": f"images/{place}.png", "image_status": each.status}
        | {"image_sha256": f"sha{place}" if each.status == "read" else None, "split": each.split}
        for place, each in enumerate(asked)
    ]
    mentions = [
        {"mention_id": f"m{place}", "post_id": f"p{place}", "mention": each.mention, "start": each.start}
        | {"in_text": each.start is not None, "occurrences": each.text.count(each.mention), "entity_id": each.gold}
        | {"in_kb": True, "split": each.split, "text": each.text}
        for place, each in enumerate(asked)
    ]
    rows = RawDataset(
        name="made",
        posts=pl.DataFrame(posts, schema=POSTS_SCHEMA),
        mentions=pl.DataFrame(mentions, schema=MENTIONS_SCHEMA),
        entities=ENTITIES,
        rejected=pl.DataFrame(schema=REJECTED_SCHEMA),
        rows_in={},
    )
    return build_tables(rows, ENTITIES)


def _predicted(asked: Sequence[Asked], variant: str, seed: int) -> pl.DataFrame:
    rows = []
    for number, each in enumerate(asked):
        answers = (each.blind,) if variant == BLIND else each.answers
        place = answers.index(each.gold) + 1 if each.gold in answers else 0
        scores = list(each.scores[: len(answers)])
        rows.append(
            (each.split, variant, seed, f"m{number}", each.gold, list(answers), scores, place, each.left_out, None)
        )
    return pl.DataFrame(rows, schema=PREDICTED, orient="row")


def _judged(predictions: pl.DataFrame) -> pl.DataFrame:
    """What evaluation says of the linker's answers, as far as the page reads it."""
    full = predictions.filter(pl.col("variant") == FULL)
    right = pl.when(pl.col("place") == 1).then(pl.lit("right")).otherwise(pl.lit("wrong"))
    return full.select("split", "seed", "mention_id", right.alias("outcome"), pl.lit(0.8).alias("chance_right"))


def _corpus() -> pl.DataFrame:
    rows = [
        ("m90", "Jaguar", "An old Jaguar", "Q2", "Jaguar (animal)", "sha", None),
        ("m91", "Jaguar", "A new Jaguar", "Q1", "Jaguar Cars", None, None),
    ]
    return pl.DataFrame(rows, schema=CORPUS_SCHEMA, orient="row")
