"""Evidence of predictions, and what a calibrator makes of it."""

import numpy as np
import polars as pl
import pytest

from gemel.confidence.calibrator import NIL, RIGHT, WRONG, Calibrator
from gemel.confidence.entity_images import EntityImages
from gemel.confidence.evidence import EVIDENCE
from gemel.evaluation.judged import EVIDENCE_SCHEMA, evidence_table, judged_table, outcomes_of
from gemel.posts.tables import Tables

VECTORS = {"cat": np.array([1.0, 0.0], dtype=np.float32), "car": np.array([-1.0, 0.0], dtype=np.float32)}
CORPUS = pl.DataFrame({"entity_id": ["Q1", "Q2"], "image_sha256": ["cat", "car"]})
IMAGES = {"m1": "cat", "m2": None, "m3": "car"}
EMPTY = pl.DataFrame()


@pytest.fixture
def table() -> pl.DataFrame:
    mentions = pl.DataFrame({"mention_id": list(IMAGES), "post_id": list(IMAGES)})
    posts = pl.DataFrame({"post_id": list(IMAGES), "image_sha256": list(IMAGES.values())})
    rows = [
        ("test", 0, "m1", "Q1", ["Q1", "Q2", "Q3"], [-0.1, -0.6, -3.0], 1),
        ("test", 0, "m2", "Q2", ["Q1", "Q2"], [-0.1, -0.2], 2),
        ("test", 0, "m3", None, ["Q3"], [-0.1], 0),
    ]
    columns = ["split", "seed", "mention_id", "entity_id", "answers", "scores", "place"]
    predictions = pl.DataFrame(rows, schema=columns, orient="row")
    return evidence_table(
        predictions, Tables(posts, mentions, EMPTY, EMPTY, EMPTY), EntityImages(CORPUS, VECTORS), VECTORS
    )


def test_columns(table: pl.DataFrame) -> None:
    assert dict(table.schema) == dict(EVIDENCE_SCHEMA)


def test_outcome_follows_from_the_gold_entity(table: pl.DataFrame) -> None:
    assert table["outcome"].to_list() == ["right", "wrong", "nil"]
    assert outcomes_of(table).tolist() == [RIGHT, WRONG, NIL]


def test_evidence_is_that_of_the_first_two_candidates(table: pl.DataFrame) -> None:
    first = table.row(0, named=True)
    assert (first["score"], first["margin"]) == (-0.1, pytest.approx(0.5))
    assert (first["likeness"], first["second_likeness"]) == (pytest.approx(1), pytest.approx(-1))


def test_post_without_an_image_and_entity_without_a_picture(table: pl.DataFrame) -> None:
    assert table["imageless"].to_list() == [0, 1, 0]
    assert table["unpictured"].to_list() == [0, 0, 1]


def test_share_is_that_within_the_beam(table: pl.DataFrame) -> None:
    assert table["share"][1] == pytest.approx(1 / (1 + np.exp(-0.1)))
    assert table["share"][2] == 1


def test_judged_rows_have_the_chances_and_the_decision(table: pl.DataFrame) -> None:
    zeros = (0.0,) * len(EVIDENCE)
    unpictured = tuple(9.0 * (piece == "unpictured") for piece in EVIDENCE)
    calibrator = Calibrator(
        EVIDENCE, zeros, (1.0,) * len(EVIDENCE), (zeros, zeros, unpictured), (0.0, 0.0, 0.0), 0.9, None
    )
    found = judged_table(table, calibrator)
    assert found["nil"].to_list() == [False, False, True]
    assert found["chance_right"][0] == pytest.approx(1 / 3)
