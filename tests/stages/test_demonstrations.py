"""The stage `demonstrations`: the solved mentions, and a choice of them for every mention."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from gemel.core.artifacts import artifact_hash, read_manifest
from gemel.core.errors import ArtifactError, ConfigError
from gemel.posts.tables import Tables
from gemel.stages import DEMONSTRATIONS, POSTS
from gemel.stages import demonstrations as stage
from gemel.tasks.linking.demonstrations import read_chosen, read_corpus
from stages.project_changes import set_param


@pytest.mark.usefixtures("in_project")
def test_corpus_is_the_training_split() -> None:
    mentions = Tables.read(POSTS).mentions
    of_train = [row["mention_id"] for row in mentions.iter_rows(named=True) if row["split"] == "train"]
    assert read_corpus(DEMONSTRATIONS)["mention_id"].to_list() == of_train


@pytest.mark.usefixtures("in_project")
@pytest.mark.parametrize("method", ["bm25", "random"])
def test_every_mention_has_a_choice_by_every_method(method: str) -> None:
    chosen = read_chosen(DEMONSTRATIONS, method)
    assert set(chosen) == set(Tables.read(POSTS).mentions["mention_id"])
    assert {len(rows) for rows in chosen.values()} == {2}


@pytest.mark.usefixtures("in_project")
def test_bm25_shows_the_same_mention() -> None:
    mentions = read_corpus(DEMONSTRATIONS)["mention"].to_list()
    chosen = read_chosen(DEMONSTRATIONS, "bm25")
    for row in Tables.read(POSTS).mentions.iter_rows(named=True):
        assert {mentions[shown] for shown in chosen[row["mention_id"]]} == {row["mention"]}


@pytest.mark.usefixtures("in_project")
def test_manifest_counts_what_was_chosen_from_and_for() -> None:
    facts = read_manifest(DEMONSTRATIONS, "demonstrations", check_hashes=True)
    assert facts == {"corpus": 11, "mentions": 22, "methods": ["bm25", "random"]}


@pytest.mark.usefixtures("project_copy")
def test_second_run_gives_the_same_artifact() -> None:
    before = artifact_hash(DEMONSTRATIONS)
    stage.main()
    assert artifact_hash(DEMONSTRATIONS) == before


@pytest.mark.usefixtures("project_copy")
def test_missing_posts_name_their_stage() -> None:
    shutil.rmtree(POSTS)
    with pytest.raises(ArtifactError, match=r"artifacts/posts: no manifest.json.*; run `dvc repro posts`"):
        stage.main()


def test_images_move_the_choice_where_they_have_a_weight(project_copy: Path) -> None:
    by_text = read_chosen(DEMONSTRATIONS, "bm25")
    set_param(project_copy, "demonstrations.image_weight", 1.0)
    stage.main()
    assert read_chosen(DEMONSTRATIONS, "bm25", without_image=True) == by_text
    by_image = read_chosen(DEMONSTRATIONS, "bm25")
    solved = read_corpus(DEMONSTRATIONS)
    entities, images = solved["entity_id"].to_list(), solved["image_sha256"].to_list()
    first = {mention_id: rows[0] for mention_id, rows in by_image.items()}
    mentions = Tables.read(POSTS).mentions.filter(pl.col("entity_id").is_not_null() & (pl.col("post_id") != "p20"))
    right = [
        entities[first[mention_id]] == gold for mention_id, gold in mentions["mention_id", "entity_id"].iter_rows()
    ]
    assert all(images[row] is not None for mention_id, row in first.items() if mention_id not in ("m20", "m21"))
    assert sum(right) > len(right) / 2


def test_weight_of_images_needs_their_vectors(project_copy: Path) -> None:
    set_param(project_copy, "demonstrations.image_weight", 0.5)
    shutil.rmtree(project_copy / "artifacts/image_features")
    with pytest.raises(ArtifactError, match=r"artifacts/image_features: no manifest.json.*; run `dvc repro image_"):
        stage.main()


def test_unknown_method_is_refused(project_copy: Path) -> None:
    set_param(project_copy, "demonstrations.method", "tfidf")
    with pytest.raises(ConfigError, match=r"demonstrations.method: .*'random', 'bm25' or 'dense' \(found 'tfidf'\)"):
        stage.main()
