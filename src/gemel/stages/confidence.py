"""Stage `confidence`: links dev, and fits the chance that a link is right to what the searches left behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import polars as pl
from rich.console import Console

from gemel.confidence.calibrator import NIL, Calibrator
from gemel.confidence.entity_images import EntityImages
from gemel.confidence.evidence import EVIDENCE
from gemel.confidence.fitting import fit_calibrator
from gemel.core.artifacts import new_artifact, read_manifest
from gemel.core.config import load_section
from gemel.core.settings import (
    ConfidenceSettings,
    DemonstrationSettings,
    EvaluationSettings,
    Rescoring,
)
from gemel.evaluation.grading import given_names, graded, without_entity
from gemel.evaluation.judged import evidence_table, outcomes_of
from gemel.evaluation.names import FULL
from gemel.evaluation.rescoring import fit_on, predictions_of, rescore
from gemel.evaluation.variants import Variant
from gemel.features.store import FeatureStore
from gemel.posts.tables import Tables
from gemel.stages import (
    CONFIDENCE,
    DEMONSTRATIONS,
    ENTITY_TRIE,
    IMAGE_FEATURES,
    MAPPER,
    MAPPER_SUMMARY,
    POSTS,
    RESCORING,
)
from gemel.stages.answerers import link_variants, load_frozen_llm, make_answerers
from gemel.tasks.linking.demonstrations import read_corpus
from gemel.tasks.linking.rescoring import write_rescoring

EVIDENCE_FILE = "evidence.parquet"


def main() -> None:
    """Fit to dev, and to the NIL mentions of train, which no mapper was trained on."""
    settings = load_section("confidence", ConfidenceSettings)
    for stage in (POSTS, IMAGE_FEATURES, DEMONSTRATIONS, ENTITY_TRIE, MAPPER):
        read_manifest(stage, stage.name)
    rescoring, table = _evidence(settings)
    calibrator = fit(table, settings)
    by_outcome = dict(table.filter(pl.col("seed") == table["seed"][0])["outcome"].value_counts(sort=True).iter_rows())
    with new_artifact(CONFIDENCE, "confidence", asdict(settings) | {"answers": by_outcome}) as draft:
        table.write_parquet(draft / EVIDENCE_FILE)
        write_rescoring(draft / RESCORING.name, rescoring)
        calibrator.write(draft)
    Console().print(_words(calibrator, by_outcome))


def fit(table: pl.DataFrame, settings: ConfidenceSettings, pieces: Sequence[str] = EVIDENCE) -> Calibrator:
    """Fit a calibrator. table: as evidence_table, of dev and of the NIL mentions of train. pieces: of the evidence."""
    outcomes = outcomes_of(table)
    nil, of_dev = outcomes == NIL, (table["split"] == "dev").to_numpy()
    # As many NIL mentions as dev has are what the linker will meet; the others only make the fit surer.
    weights = np.where(nil, (nil & of_dev).sum() / max(1, nil.sum()), 1.0)
    return fit_calibrator(
        table.select(pieces).to_numpy()[weights > 0],
        outcomes[weights > 0],
        weights[weights > 0],
        nil_precision=settings.nil_precision,
        sure_precision=settings.sure_precision,
    )


def _evidence(settings: ConfidenceSettings) -> tuple[Rescoring | None, pl.DataFrame]:
    """How beams are re-scored, and what the linker with each mapper then leaves behind on each mention."""
    evaluation = load_section("evaluation", EvaluationSettings)
    method = load_section("demonstrations", DemonstrationSettings).method
    tables, features = Tables.read(POSTS), FeatureStore(IMAGE_FEATURES)
    seeds = tuple(int(seed) for seed in json.loads(MAPPER_SUMMARY.read_text(encoding="utf-8"))["seeds"])
    names = given_names(tables.entities) if evaluation.graded_by == "name" else None
    dev = {"dev": graded(tables.mentions, tables.posts, "dev", names)}
    others = {split: without_entity(tables.mentions, tables.posts, split, names) for split in ("dev", "train")}
    answerers = make_answerers(load_frozen_llm(), seeds, evaluation.num_beams)
    linker, images = (Variant(FULL, "image", method, seeds),), EntityImages(read_corpus(DEMONSTRATIONS), features)
    linked = [list(link_variants(linker, answerers, mentions)) for mentions in (dev, others)]
    rescoring = fit_on(linked[0], dev["dev"], images) if settings.rescore == "entity_images" else None
    predictions = pl.concat(
        predictions_of(rescore(some, images, rescoring), mentions)
        for some, mentions in zip(linked, (dev, others), strict=True)
    )
    return rescoring, evidence_table(predictions.filter(pl.col("variant") == FULL), tables, images, features)


def _words(calibrator: Calibrator, counts: dict[str, int]) -> str:
    nil = "never" if calibrator.nil_above is None else f"from a chance of {calibrator.nil_above:.2f}"
    sure = "none" if calibrator.sure_above is None else f"from a chance of {calibrator.sure_above:.2f}"
    answers = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    return f"Fitted to {answers} answers of each mapper. NIL is answered {nil}; sure links: {sure}."


if __name__ == "__main__":
    main()
