"""Stage `evaluation`: every variant of the linker on dev and test; predictions, metrics and plots."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console

from gemel.answerer import Answerer
from gemel.confidence.calibrator import Calibrator, read_calibrator
from gemel.confidence.entity_images import EntityImages
from gemel.core.artifacts import new_artifact, read_manifest
from gemel.core.config import load_section
from gemel.core.settings import DemonstrationSettings, EvaluationSettings
from gemel.evaluation.found_mentions import found_figures
from gemel.evaluation.grading import Graded, given_names, graded, without_entity
from gemel.evaluation.judged import evidence_table, judged_table
from gemel.evaluation.names import FULL
from gemel.evaluation.protocol import PROTOCOL, protocol_card
from gemel.evaluation.rescoring import predictions_of, rescore
from gemel.evaluation.slices import slice_table
from gemel.evaluation.summary import summarize, trust_summary
from gemel.evaluation.trust import risk_coverage
from gemel.evaluation.variants import Variant, variants
from gemel.features.store import FeatureStore
from gemel.mentions.dictionary import DictionaryFinder
from gemel.posts.tables import Tables
from gemel.report.result_table import plot_rows, result_table
from gemel.stages import (
    CONFIDENCE,
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
from gemel.stages.answerers import link_variants, load_frozen_llm, make_answerers
from gemel.tasks.linking.demonstrations import read_corpus
from gemel.tasks.linking.rescoring import read_rescoring

PREDICTIONS, SLICES, JUDGED = "predictions.parquet", "slices.parquet", "judged.parquet"
SPLITS = ("dev", "test")
INPUTS = (POSTS, IMAGE_FEATURES, DEMONSTRATIONS, ENTITY_TRIE, MAPPER, CONFIDENCE)


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
    calibrator, corpus = read_calibrator(CONFIDENCE), read_corpus(DEMONSTRATIONS)
    images = EntityImages(corpus, FeatureStore(IMAGE_FEATURES))
    facts = asdict(settings) | {"seeds": seeds}
    with new_artifact(EVALUATION, "evaluation", facts) as draft:
        predictions = _linked(runs, answerers, mentions, images)
        predictions.write_parquet(draft / PREDICTIONS)
        others = {split: without_entity(tables.mentions, tables.posts, split, names) for split in SPLITS}
        left = _linked(runs[:1], answerers, others, images)
        judged = _judged([predictions, left], tables, images, calibrator)
        judged.write_parquet(draft / JUDGED)
        _sliced(slices).write_parquet(draft / SLICES)
        metrics: dict[str, Any] = {
            split: summarize(predictions.filter(pl.col("split") == split), rows, slices[split], settings.tail_at_most)
            | trust_summary(judged.filter(pl.col("split") == split), rows, calibrator)
            for split, rows in mentions.items()
        }
        finder = DictionaryFinder.of(tables.entities, corpus)
        for split in SPLITS:
            metrics[split]["mentions_auto"] = found_figures(finder, tables, split, predictions)
        metrics["graded_by"] = settings.graded_by
        metrics["mapper"] = {"trainable_share": summary["trainable_share"], "best_seed": summary["best_seed"]}
        _write_json(draft / METRICS.name, metrics)
        _write_json(
            draft / PROTOCOL, protocol_card(mentions, settings, chosen_by, artifacts, seeds, read_rescoring(RESCORING))
        )
        curves = {"risk_coverage": risk_coverage(judged.filter(pl.col("split") == "test"))}
        for name, rows in (plot_rows(metrics) | curves).items():
            _write_json(draft / f"{name}.json", rows)
    Console().print(result_table(metrics))


def _linked(
    runs: Sequence[Variant],
    answerers: Mapping[int, Answerer],
    mentions: Mapping[str, Graded],
    images: EntityImages,
) -> pl.DataFrame:
    """Predictions of every variant, its beams re-scored where it sees images."""
    linked = rescore(link_variants(runs, answerers, mentions), images, read_rescoring(RESCORING))
    return predictions_of(linked, mentions)


def _judged(
    predictions: Sequence[pl.DataFrame], tables: Tables, images: EntityImages, calibrator: Calibrator
) -> pl.DataFrame:
    """The linker's answers with their chances, in the order of the predictions."""
    full = pl.concat(predictions).filter(pl.col("variant") == FULL)
    return judged_table(evidence_table(full, tables, images, FeatureStore(IMAGE_FEATURES)), calibrator)


def _sliced(slices: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The slices of all splits as one table."""
    return pl.concat(table.select(pl.lit(split).alias("split"), pl.all()) for split, table in slices.items())


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
