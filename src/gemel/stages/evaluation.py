"""Stage `evaluation`: every variant of the linker on dev and test; predictions, metrics and plots."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.progress import Progress

from gemel.answerer import Answerer
from gemel.core.artifacts import new_artifact, read_manifest
from gemel.core.config import load_section
from gemel.core.settings import DemonstrationSettings, EvaluationSettings, RuntimeSettings
from gemel.evaluation.grading import Graded, given_names, graded
from gemel.evaluation.predictions import prediction_table
from gemel.evaluation.protocol import PROTOCOL, protocol_card
from gemel.evaluation.rescoring import Linked, fit_on, rescore
from gemel.evaluation.slices import slice_table
from gemel.evaluation.summary import summarize
from gemel.evaluation.variants import Variant, predict, queries, variants
from gemel.features.store import FeatureStore
from gemel.posts.tables import Tables
from gemel.report.result_table import plot_rows, result_table
from gemel.stages import (
    DEMONSTRATIONS,
    ENTITY_TRIE,
    EVALUATION,
    IMAGE_FEATURES,
    MAPPER,
    MAPPER_SUMMARY,
    METRICS,
    POSTS,
    RESCORING,
)
from gemel.stages.answerers import load_frozen_llm, make_answerers
from gemel.tasks.linking.demonstrations import read_chosen, read_corpus
from gemel.tasks.linking.rescoring import EntityImages

PREDICTIONS, SLICES = "predictions.parquet", "slices.parquet"
SPLITS = ("dev", "test")
INPUTS = (POSTS, IMAGE_FEATURES, DEMONSTRATIONS, ENTITY_TRIE, MAPPER)


def main() -> None:
    """Link dev and test in every variant, and write predictions, metrics and plots."""
    settings = load_section("evaluation", EvaluationSettings)
    chosen_by = load_section("demonstrations", DemonstrationSettings)
    artifacts = {stage.name: read_manifest(stage, stage.name) for stage in INPUTS}
    tables, summary = Tables.read(POSTS), json.loads(MAPPER_SUMMARY.read_text(encoding="utf-8"))
    names = given_names(tables.entities) if settings.graded_by == "name" else None
    mentions = {split: graded(tables.mentions, tables.posts, split, names) for split in SPLITS}
    seeds = [int(seed) for seed in summary["seeds"]]
    captions = bool(tables.posts["caption"].is_not_null().any())
    runs = variants(chosen_by.method, chosen_by.methods, seeds, captions)
    answerers = make_answerers(load_frozen_llm(), seeds, settings.num_beams)
    slices = {split: slice_table(rows, tables, settings.tail_at_most) for split, rows in mentions.items()}
    facts = asdict(settings) | {"seeds": seeds}
    with new_artifact(EVALUATION, "evaluation", facts) as draft:
        linked = list(_run_all(runs, answerers, mentions))
        rescoring = None
        if settings.rescore == "entity_images":
            images = EntityImages(read_corpus(DEMONSTRATIONS), FeatureStore(IMAGE_FEATURES))
            rescoring = fit_on(linked, mentions["dev"], images)
            linked = rescore(linked, images, rescoring) if rescoring else linked
        predictions = pl.concat(
            prediction_table(mentions[run.split], run.split, run.variant.name, run.seed, run.answers) for run in linked
        )
        predictions.write_parquet(draft / PREDICTIONS)
        _write_json(draft / RESCORING.name, rescoring and asdict(rescoring))
        _sliced(slices).write_parquet(draft / SLICES)
        metrics: dict[str, Any] = {
            split: summarize(predictions.filter(pl.col("split") == split), rows, slices[split], settings.tail_at_most)
            for split, rows in mentions.items()
        }
        metrics["graded_by"] = settings.graded_by
        metrics["mapper"] = {"trainable_share": summary["trainable_share"], "best_seed": summary["best_seed"]}
        _write_json(draft / METRICS.name, metrics)
        _write_json(draft / PROTOCOL, protocol_card(mentions, settings, chosen_by, artifacts, seeds))
        for name, rows in plot_rows(metrics).items():
            _write_json(draft / f"{name}.json", rows)
    Console().print(result_table(metrics))


def _run_all(
    runs: tuple[Variant, ...], answerers: Mapping[int, Answerer], mentions: Mapping[str, Graded]
) -> Iterator[Linked]:
    """What every variant answers on each split with each mapper, by the LLM's scores alone."""
    runtime = load_section("runtime", RuntimeSettings)
    features = FeatureStore(IMAGE_FEATURES)
    total = sum(rows.table.height * len(run.seeds) for run in runs for rows in mentions.values())
    with Progress() as progress:
        bar = progress.add_task("linking", total=total)
        for run in runs:
            chosen = None if run.method is None else read_chosen(DEMONSTRATIONS, run.method, run.imageless)
            vector_of = _no_vector if run.imageless else features.vector_or_fallback("leave_out")
            for split, rows in mentions.items():
                asked = queries(rows, chosen, vector_of)
                for seed in run.seeds:
                    found = {}
                    for place, answer in predict(answerers[seed], asked, run.sight, runtime.queries_at_once):
                        found[place] = answer
                        progress.advance(bar)
                    answers = [found[place] for place in range(len(asked))]
                    yield Linked(run, split, seed, asked, answers)


def _no_vector(_: str | None) -> None:
    """The look-up of an image where no post is taken to have one."""


def _sliced(slices: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The slices of all splits as one table."""
    return pl.concat(table.select(pl.lit(split).alias("split"), pl.all()) for split, table in slices.items())


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
