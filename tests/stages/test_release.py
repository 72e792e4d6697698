"""The stage `release`: one folder that a linker can be loaded from."""

import json
import shutil
import warnings
from pathlib import Path

import polars as pl
import pytest

from gemel.bundle import ENTITIES, read_bundle
from gemel.card import CARD
from gemel.core.artifacts import MANIFEST, artifact_hash, file_sha256, new_artifact, read_manifest
from gemel.core.errors import ArtifactError
from gemel.core.schema import Mention, Post
from gemel.core.settings import Rescoring
from gemel.mapper.mapper import WEIGHTS
from gemel.posts.tables import Tables
from gemel.predictor import Linker
from gemel.stages import CONFIDENCE, EVALUATION, MAPPER, MAPPER_SUMMARY, METRICS, POSTS, RELEASE, RESCORING
from gemel.stages import release as stage
from gemel.stages.evaluation import PREDICTIONS
from gemel.tasks.linking.demonstrations import read_corpus
from stages.project_changes import set_param


@pytest.mark.usefixtures("in_project")
def test_mapper_is_the_best_on_dev() -> None:
    best = json.loads(MAPPER_SUMMARY.read_text())["best_seed"]
    assert (RELEASE / WEIGHTS).read_bytes() == (MAPPER / f"seed-{best}" / WEIGHTS).read_bytes()


@pytest.mark.usefixtures("in_project")
def test_manifest_says_what_the_bundle_is_made_of() -> None:
    facts = read_manifest(RELEASE, "release", check_hashes=True)
    assert facts["made_from"] == {folder.name: artifact_hash(folder) for folder in stage.INPUTS}
    assert facts["accuracy"]["test"] == json.loads(METRICS.read_text())["test"]["accuracy"]
    assert (facts["dataset"], facts["graded_by"]) == ("tiny", "id")


@pytest.mark.usefixtures("in_project")
def test_manifest_names_its_format_the_frozen_models_and_more_figures() -> None:
    facts = read_manifest(RELEASE, "release")
    assert (facts["format"], facts["backbone"]) == (2, "reference")
    assert [len(model["sha256"]) for model in facts["models"].values()] == [64, 64]
    assert facts["metrics"]["test"]["hits_at_5"] == json.loads(METRICS.read_text())["test"]["hits_at_5"]


@pytest.mark.usefixtures("in_project")
def test_model_card_goes_with_the_bundle() -> None:
    card = (RELEASE / CARD).read_text()
    assert "# gemel, data set tiny" in card
    assert read_manifest(RELEASE, "release")["protocol"]["names SHA-256"] in card


@pytest.mark.usefixtures("in_project")
def test_bundle_holds_the_vectors_of_its_demonstrations() -> None:
    wanted = set(read_corpus(RELEASE)["image_sha256"].drop_nulls())
    assert set(read_bundle(RELEASE).vectors) == wanted
    assert len(wanted) == 10


@pytest.mark.usefixtures("in_project")
def test_bundle_holds_the_catalog() -> None:
    assert (RELEASE / ENTITIES).read_bytes() == (POSTS / ENTITIES).read_bytes()


@pytest.mark.usefixtures("project_copy")
def test_rescoring_is_that_of_the_stage_confidence() -> None:
    assert read_bundle(RELEASE).settings.rescoring is None
    former = read_manifest(CONFIDENCE, "confidence")
    files = {path.name: path.read_bytes() for path in CONFIDENCE.iterdir() if path.name != MANIFEST}
    with new_artifact(CONFIDENCE, "confidence", former) as draft:
        for name, content in (files | {RESCORING.name: b'{"slope": 2.0, "level": 0.5}'}).items():
            (draft / name).write_bytes(content)
    stage.main()
    assert read_bundle(RELEASE).settings.rescoring == Rescoring(2.0, 0.5)


def test_linker_answers_as_evaluation_did(in_project: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        linker = Linker.load(RELEASE)
    best = json.loads(MAPPER_SUMMARY.read_text())["best_seed"]
    full = pl.read_parquet(EVALUATION / PREDICTIONS).filter(
        (pl.col("variant") == "full") & (pl.col("seed") == best) & (pl.col("split") == "test")
    )
    answers = dict(full.select("mention_id", "answers").iter_rows())
    tables = Tables.read(POSTS)
    images = dict(tables.posts.select("post_id", "image").iter_rows())
    for row in tables.mentions.filter(pl.col("mention_id").is_in(list(answers))).iter_rows(named=True):
        image = in_project / "data" / "tiny" / images[row["post_id"]]
        assert file_sha256(image) in set(tables.posts["image_sha256"])
        (link,) = linker.link([Post(row["text"], (Mention(row["mention"]),), image)])
        assert [candidate.entity_id for candidate in link.candidates] == answers[row["mention_id"]]


def test_bundle_says_how_names_of_demonstrations_are_encoded(project_copy: Path) -> None:
    set_param(project_copy, "prompt.names", "in_segment")
    stage.main()
    assert read_bundle(RELEASE).settings.prompt.names == "in_segment"


@pytest.mark.usefixtures("project_copy")
def test_second_run_gives_the_same_artifact() -> None:
    before = artifact_hash(RELEASE)
    stage.main()
    assert artifact_hash(RELEASE) == before


@pytest.mark.parametrize("folder", stage.INPUTS, ids=lambda folder: folder.name)
@pytest.mark.usefixtures("project_copy")
def test_missing_artifact_names_its_stage(folder: Path) -> None:
    shutil.rmtree(folder)
    with pytest.raises(ArtifactError, match=rf"artifacts/{folder.name}: .*; run `dvc repro {folder.name}`"):
        stage.main()


@pytest.mark.usefixtures("project_copy")
def test_unfinished_release_leaves_the_old_one() -> None:
    before = artifact_hash(RELEASE)
    shutil.rmtree(MAPPER / "seed-0")
    shutil.rmtree(MAPPER / "seed-1")
    with pytest.raises(ArtifactError, match=r"missing, though its manifest lists it; run `dvc repro mapper`"):
        stage.main()
    assert artifact_hash(RELEASE) == before
