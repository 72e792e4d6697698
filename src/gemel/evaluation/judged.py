"""Answers with what is known of them: the evidence, what it says, and whether that is so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from scipy.special import softmax

from gemel.confidence.calibrator import NIL, OUTCOMES, RIGHT, WRONG, Calibrator
from gemel.confidence.entity_images import EntityImages
from gemel.confidence.evidence import CANDIDATES, EVIDENCE, evidence
from gemel.features.tower import Vectors
from gemel.posts.tables import Tables

EVIDENCE_SCHEMA: Mapping[str, Any] = {
    "split": pl.String,
    "seed": pl.Int32,
    "mention_id": pl.String,
    "entity_id": pl.String,  # gold; null where the catalog lacks it (NIL)
    "answer": pl.String,
    "outcome": pl.String,  # right, wrong or nil
    "share": pl.Float64,  # of the best candidate within the beam
    **dict.fromkeys(EVIDENCE, pl.Float64),
}


def evidence_table(
    predictions: pl.DataFrame, tables: Tables, pictures: EntityImages, features: Mapping[str, Vectors]
) -> pl.DataFrame:
    """One row a prediction, columns of EVIDENCE_SCHEMA. predictions: as prediction_table. pictures: of the entities.

    features: image SHA-256 -> vision vector, (vision_dim,).
    """
    images = dict(tables.mentions.join(tables.posts, on="post_id").select("mention_id", "image_sha256").iter_rows())
    rows = []
    for found in predictions.iter_rows(named=True):
        sha256, first = images[found["mention_id"]], found["answers"][:CANDIDATES]
        alike = None if sha256 is None else pictures.likeness(first, features[sha256])
        outcome = NIL if found["entity_id"] is None else RIGHT if found["place"] == 1 else WRONG
        known = (*(found[key] for key in ("split", "seed", "mention_id", "entity_id")), first[0], OUTCOMES[outcome])
        rows.append((*known, float(softmax(found["scores"])[0]), *evidence(found["scores"], alike)))
    return pl.DataFrame(rows, schema=EVIDENCE_SCHEMA, orient="row")


def judged_table(table: pl.DataFrame, calibrator: Calibrator) -> pl.DataFrame:
    """The same rows with the chance of each outcome (chance_right, …) and whether NIL is answered. table: evidence."""
    chances = calibrator.chances(table.select(EVIDENCE).to_numpy())
    columns = [pl.Series(f"chance_{outcome}", chances[:, place]) for place, outcome in enumerate(OUTCOMES)]
    return table.with_columns(*columns, pl.Series("nil", calibrator.says_nil(chances)))


def outcomes_of(table: pl.DataFrame) -> np.ndarray:
    """The outcome of each row as its place in OUTCOMES, (answers,), int64."""
    places = {outcome: place for place, outcome in enumerate(OUTCOMES)}
    return table["outcome"].replace_strict(places, return_dtype=pl.Int64).to_numpy()
