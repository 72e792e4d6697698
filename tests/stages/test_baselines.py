"""The stage `baselines`: other ways to link the mentions that evaluation grades."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gemel.core.artifacts import artifact_hash, read_manifest
from gemel.core.errors import ArtifactError, ConfigError
from gemel.stages import BASELINES, DEMONSTRATIONS, ENTITY_TRIE, EVALUATION, IMAGE_FEATURES, MAPPER, evaluation
from gemel.stages import baselines as stage
from stages.project_changes import set_fact, set_param

VARIANTS = ["exact_name", "prior", "bm25_names", "clip", "clip_among_names", "llm_alone", "without_trie"]
OF_TEXT = ["exact_name", "prior", "bm25_names", "dense"]


def figures() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((BASELINES / stage.FIGURES).read_text())
    return found


@pytest.fixture
def predictions(in_project: Path) -> pl.DataFrame:
    return pl.read_parquet(in_project / BASELINES / stage.PREDICTIONS)


@pytest.mark.usefixtures("in_project")
@pytest.mark.parametrize("split", ["dev", "test"])
def test_every_baseline_has_its_figures(split: str) -> None:
    assert list(figures()[split]) == VARIANTS
    for found in figures()[split].values():
        for name in ("accuracy", "hits_at_5", "hits_at_10"):
            assert found[name]["n"] == 5
            assert found[name]["low"] <= found[name]["mean"] <= found[name]["high"]


def test_same_mentions_are_graded_as_in_evaluation(predictions: pl.DataFrame, in_project: Path) -> None:
    theirs = pl.read_parquet(in_project / EVALUATION / evaluation.PREDICTIONS).filter(pl.col("variant") == "full")
    theirs = theirs.filter(pl.col("seed") == 0)
    for variant in VARIANTS:
        ours = predictions.filter(pl.col("variant") == variant)
        assert ours["mention_id"].to_list() == theirs["mention_id"].to_list()
        assert ours["entity_id"].to_list() == theirs["entity_id"].to_list()


def test_predictions_have_the_columns_of_evaluation(predictions: pl.DataFrame, in_project: Path) -> None:
    assert predictions.schema == pl.read_parquet(in_project / EVALUATION / evaluation.PREDICTIONS).schema
    assert predictions["seed"].unique().to_list() == [stage.SEED]


def test_exact_name_goes_by_popularity(predictions: pl.DataFrame) -> None:
    found = predictions.filter((pl.col("variant") == "exact_name") & (pl.col("split") == "test"))
    assert found["answers"].to_list()[:2] == [["Q35694", "Q30055"], ["Q35694", "Q30055"]]


@pytest.mark.usefixtures("in_project")
def test_manifest_has_the_settings() -> None:
    facts = read_manifest(BASELINES, "baselines", check_hashes=True)
    assert (facts["top"], facts["graded_by"]) == (10, "id")


@pytest.mark.usefixtures("project_copy")
def test_second_run_gives_the_same_artifact() -> None:
    before = artifact_hash(BASELINES)
    stage.main()
    assert artifact_hash(BASELINES) == before


def test_those_of_the_text_run_without_images_and_mapper(project_copy: Path) -> None:
    for folder in (IMAGE_FEATURES, DEMONSTRATIONS, ENTITY_TRIE, MAPPER, EVALUATION):
        shutil.rmtree(folder)
    set_param(project_copy, "baselines.which", OF_TEXT)
    stage.main()
    assert list(figures()["test"]) == OF_TEXT
    assert figures()["test"]["dense"]["answered"] == 5


def test_encoder_without_a_text_tower_leaves_clip_out(project_copy: Path) -> None:
    set_param(project_copy, "backbone.vision.model", "timm:resnet101")
    set_fact(IMAGE_FEATURES, "encoder", "timm:resnet101")
    set_param(project_copy, "baselines.which", ["clip", "prior"])
    stage.main()
    assert list(figures()["test"]) == ["prior"]
    assert figures()["left_out"] == {
        "clip": "timm:resnet101: encoders of timm have no text tower; choose one of open_clip"
    }


def test_by_name_entities_of_one_name_are_one_answer(project_copy: Path) -> None:
    before = figures()["test"]["exact_name"]["accuracy"]["mean"]
    set_param(project_copy, "evaluation.graded_by", "name")
    stage.main()
    assert figures()["test"]["exact_name"]["accuracy"]["mean"] > before
    assert figures()["graded_by"] == "name"


def test_unknown_baseline_is_refused(project_copy: Path) -> None:
    set_param(project_copy, "baselines.which", ["exact_name", "oracle"])
    with pytest.raises(ConfigError, match=r"baselines.which.1: .*'exact_name'.*found 'oracle'"):
        stage.main()


def test_baseline_that_is_named_twice_is_refused(project_copy: Path) -> None:
    set_param(project_copy, "baselines.which", ["prior", "prior"])
    with pytest.raises(ConfigError, match="a baseline is named twice"):
        stage.main()


@pytest.mark.usefixtures("project_copy")
def test_features_of_another_encoder_are_refused() -> None:
    set_fact(IMAGE_FEATURES, "encoder", "another")
    with pytest.raises(ArtifactError, match=r"built for encoder 'another', but .*; run `dvc repro image_features`"):
        stage.main()
