"""The stage `image_features`: a vector for every readable image, once."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tiny_world import VISION_WIDTH, write_picture

from gemel.core.artifacts import artifact_hash, file_sha256, read_manifest
from gemel.core.errors import ArtifactError, BackboneError
from gemel.core.images import read_image
from gemel.features.encoder import load_encoder
from gemel.features.store import FeatureStore
from gemel.posts.tables import Tables
from gemel.stages import IMAGE_FEATURES, POSTS, PROGRESS
from gemel.stages import image_features as stage
from gemel.stages import posts as posts_stage
from stages.project_changes import set_param


@pytest.mark.usefixtures("in_project")
def test_every_readable_image_has_a_vector() -> None:
    wanted = set(Tables.read(POSTS).posts["image_sha256"].drop_nulls())
    assert set(FeatureStore(IMAGE_FEATURES)) == wanted
    assert len(wanted) == 20


def test_vector_is_that_of_the_encoder(in_project: Path, tiny_backbones) -> None:
    image = in_project / "data" / "tiny" / "images" / "00.png"
    wanted = load_encoder(tiny_backbones.vision.model).encode([read_image(image)])[0]
    found = FeatureStore(IMAGE_FEATURES)[file_sha256(image)]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("in_project")
def test_manifest_says_what_it_was_made_with(tiny_backbones) -> None:
    facts = read_manifest(IMAGE_FEATURES, "image_features", check_hashes=True)
    assert (facts["encoder"], facts["width"], facts["images"]) == (tiny_backbones.vision.model, VISION_WIDTH, 20)


@pytest.mark.usefixtures("in_project")
def test_no_progress_is_left() -> None:
    assert not (PROGRESS / "image_features").exists()


def test_batch_size_does_not_change_the_images(project_copy: Path) -> None:
    before = set(FeatureStore(IMAGE_FEATURES))
    set_param(project_copy, "runtime.encoder_batch", 3)
    stage.main()
    assert set(FeatureStore(IMAGE_FEATURES)) == before


@pytest.mark.usefixtures("project_copy")
def test_second_run_gives_the_same_artifact() -> None:
    before = artifact_hash(IMAGE_FEATURES)
    stage.main()
    assert artifact_hash(IMAGE_FEATURES) == before


def test_two_posts_with_one_picture_share_a_vector(project_copy: Path) -> None:
    images = project_copy / "data" / "tiny" / "images"
    shutil.copyfile(write_picture(images / "00.png"), images / "01.png")
    posts_stage.main()
    stage.main()
    assert Tables.read(POSTS).posts.filter(pl.col("image_status") == "read").height == 20
    assert read_manifest(IMAGE_FEATURES, "image_features")["images"] == 19


@pytest.mark.usefixtures("project_copy")
def test_missing_posts_name_their_stage() -> None:
    shutil.rmtree(POSTS)
    with pytest.raises(ArtifactError, match=r"artifacts/posts: no manifest.json.*; run `dvc repro posts`"):
        stage.main()


def test_missing_encoder_is_refused_and_the_old_vectors_stay(project_copy: Path) -> None:
    before = artifact_hash(IMAGE_FEATURES)
    set_param(project_copy, "backbone.vision.model", "local-dir:gone")
    with pytest.raises(BackboneError, match="local-dir:gone: no such folder; run `dvc pull`"):
        stage.main()
    assert artifact_hash(IMAGE_FEATURES) == before
