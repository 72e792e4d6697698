"""The stage `confidence`: a calibrator fitted on dev and on what nobody was trained on."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from gemel.confidence.calibrator import read_calibrator
from gemel.core.artifacts import artifact_hash, read_manifest
from gemel.core.errors import ArtifactError, ConfigError
from gemel.core.settings import ConfidenceSettings
from gemel.evaluation.judged import EVIDENCE_SCHEMA
from gemel.stages import CONFIDENCE, MAPPER
from gemel.stages import confidence as stage
from stages.project_changes import set_param


@pytest.fixture
def evidence(in_project: Path) -> pl.DataFrame:
    return pl.read_parquet(in_project / CONFIDENCE / stage.EVIDENCE_FILE)


def test_evidence_is_of_dev_and_of_nil_mentions_of_train(evidence: pl.DataFrame) -> None:
    # The tiny world's one NIL mention is in test, which nothing is fitted on.
    assert evidence.group_by("split", "seed").len().sort("seed").rows() == [("dev", 0, 5), ("dev", 1, 5)]
    assert dict(evidence.schema) == dict(EVIDENCE_SCHEMA)


def test_calibrator_follows_from_the_evidence(evidence: pl.DataFrame, in_project: Path) -> None:
    assert stage.fit(evidence, ConfidenceSettings()) == read_calibrator(in_project / CONFIDENCE)


def test_facts_count_the_answers(in_project: Path) -> None:
    facts = read_manifest(in_project / CONFIDENCE, "confidence", check_hashes=True)
    assert sum(facts["answers"].values()) == 5
    assert (facts["nil_precision"], facts["sure_precision"]) == (0.5, 0.98)


def test_same_inputs_give_the_same_artifact(project_copy: Path) -> None:
    before = artifact_hash(CONFIDENCE)
    stage.main()
    assert artifact_hash(project_copy / CONFIDENCE) == before


def nil_in_train(evidence: pl.DataFrame, weight: int) -> pl.DataFrame:
    """The evidence with one NIL mention in dev and `weight` ones in train."""
    nil = evidence.head(1).with_columns(pl.lit("nil").alias("outcome"), pl.lit(None, pl.String).alias("entity_id"))
    return pl.concat([evidence, nil, *[nil.with_columns(pl.lit("train").alias("split"))] * weight])


def test_nil_mentions_of_train_add_no_weight(evidence: pl.DataFrame) -> None:
    settings = ConfidenceSettings()
    few, many = (stage.fit(nil_in_train(evidence, count), settings) for count in (1, 50))
    pieces = evidence.select(few.evidence).to_numpy()
    # Standardized by other rows, they differ a little.
    assert few.chances(pieces)[:, 2].mean() == pytest.approx(many.chances(pieces)[:, 2].mean(), abs=0.1)


def test_without_nil_mentions_in_dev_those_of_train_do_not_count(evidence: pl.DataFrame) -> None:
    more = nil_in_train(evidence, 3).filter((pl.col("outcome") != "nil") | (pl.col("split") != "dev"))
    assert stage.fit(more, ConfidenceSettings()).nil_above is None


def test_precision_beyond_one_is_refused(project_copy: Path) -> None:
    set_param(project_copy, "confidence", {"nil_precision": 60})
    with pytest.raises(ConfigError, match=r"nil_precision: expected a share above 0, at most 1, got 60"):
        stage.main()


def test_missing_mapper_names_its_stage(project_copy: Path) -> None:
    shutil.rmtree(project_copy / MAPPER)
    with pytest.raises(ArtifactError, match="run `dvc repro mapper`"):
        stage.main()
