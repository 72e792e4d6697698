"""The reference is read from the artifacts of a run, and one that is absent is named with its stage."""

import shutil
from pathlib import Path

import polars as pl
import pytest
from made_up_service import POSTS, STRINGS, WIDTH, write_artifacts

from gemel.core.errors import ArtifactError
from gemel.monitoring.reference import Reference, folded, read_reference


def test_reference_has_all_posts_and_the_links_of_test(training_data: Reference) -> None:
    assert training_data.text_lengths.len() == POSTS
    assert training_data.strings.len() == POSTS
    assert training_data.held_out.len() == POSTS // 2
    assert training_data.answers.height == POSTS // 2
    assert training_data.known == {string.lower() for string in STRINGS}
    assert training_data.dataset == "made"
    assert training_data.release is None


def test_vectors_are_a_sample(training_data: Reference) -> None:
    assert training_data.vectors.shape == (300, WIDTH)
    assert training_data.pictures > 300


def test_links_are_those_of_the_best_mapper(training_data: Reference) -> None:
    chances = training_data.answers["probability"]
    assert chances.max() > 0.5
    assert training_data.answers["sure"].to_list() == ((chances >= 0.5) & ~training_data.answers["nil"]).to_list()


def test_nil_answers_to_nil_mentions_are_right(training_data: Reference) -> None:
    answers = training_data.answers
    assert answers["wrong"].to_list() == answers["probability"].is_between(0.1, 0.3, closed="left").to_list()


def test_strings_are_compared_without_case_and_spaces() -> None:
    assert folded(pl.Series([" Jaguar", "JAGUAR"])).to_list() == ["jaguar", "jaguar"]


@pytest.mark.parametrize("stage", ["posts", "image_features", "confidence", "evaluation"])
def test_absent_artifact_is_named_with_its_stage(tmp_path: Path, stage: str) -> None:
    shutil.rmtree(write_artifacts(tmp_path) / stage)
    with pytest.raises(ArtifactError, match=rf"{stage}: no manifest\.json.*run `dvc repro {stage}`"):
        read_reference(tmp_path, most_images=10)


def test_metrics_without_a_best_mapper_are_refused(tmp_path: Path) -> None:
    write_artifacts(tmp_path)
    (tmp_path / "evaluation/metrics.json").write_text('{"mapper": {"best_s": 1}}     '[:28])
    with pytest.raises(ArtifactError, match=r"evaluation: .*run `dvc repro evaluation`"):
        read_reference(tmp_path, most_images=10)
