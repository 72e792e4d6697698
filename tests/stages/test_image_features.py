"""The stage `image_features`: a vector for every readable image, once."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tiny_world import VISION_WIDTH, write_picture

from gemel.core.artifacts import artifact_hash, file_sha256, read_manifest
from gemel.core.errors import ArtifactError, BackboneError, ConfigError, DataError
from gemel.core.images import read_image
from gemel.features.encoder import load_encoder
from gemel.features.loading import Wanted
from gemel.features.parts import write_parts
from gemel.features.ray_parts import ActorSettings
from gemel.features.store import FeatureStore
from gemel.posts.tables import Tables
from gemel.stages import IMAGE_FEATURES, POSTS, PROGRESS
from gemel.stages import image_features as stage
from gemel.stages import posts as posts_stage
from stages.encoded_images import encoded_images
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
def test_manifest_says_whose_vectors_they_are(tiny_backbones) -> None:
    facts = read_manifest(IMAGE_FEATURES, "image_features")
    assert facts["encoder_fingerprint"] == load_encoder(tiny_backbones.vision.model).fingerprint


@pytest.mark.parametrize("lost", [PROGRESS, IMAGE_FEATURES], ids=["parts lost", "artifact lost"])
def test_only_new_images_are_encoded(project_copy: Path, monkeypatch: pytest.MonkeyPatch, lost: Path) -> None:
    write_picture(project_copy / "data" / "tiny" / "images" / "00.png", (1, 2, 3))
    posts_stage.main()
    shutil.rmtree(lost)
    sizes = encoded_images(monkeypatch)
    stage.main()
    assert sum(sizes) == 1
    assert set(FeatureStore(IMAGE_FEATURES)) == set(Tables.read(POSTS).posts["image_sha256"].drop_nulls())


@pytest.mark.usefixtures("project_copy")
def test_progress_speed_and_outcome_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(PROGRESS)
    shutil.rmtree(IMAGE_FEATURES)
    stage.main()
    shown = capsys.readouterr().out
    assert re.search(r"encoding .*20/20 .* images/s", shown)
    assert "20 images: 20 encoded, 0 had their vectors." in shown


@pytest.mark.usefixtures("project_copy")
def test_artifact_does_not_depend_on_what_was_known() -> None:
    before = artifact_hash(IMAGE_FEATURES)
    shutil.rmtree(PROGRESS)
    shutil.rmtree(IMAGE_FEATURES)
    stage.main()
    assert artifact_hash(IMAGE_FEATURES) == before


def test_other_encoder_takes_over_no_vector(
    project_copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_backbones
) -> None:
    folder = Path(tiny_backbones.vision.model.removeprefix("local-dir:"))
    other = shutil.copytree(folder, tmp_path / "other")
    before = artifact_hash(IMAGE_FEATURES)
    sizes = encoded_images(monkeypatch)
    set_param(project_copy, "backbone.vision.model", f"local-dir:{other}")
    stage.main()
    assert sum(sizes) == 20
    assert read_manifest(IMAGE_FEATURES, "image_features")["encoder"] == f"local-dir:{other}"
    set_param(project_copy, "backbone.vision.model", tiny_backbones.vision.model)
    stage.main()
    assert sum(sizes) == 20
    assert artifact_hash(IMAGE_FEATURES) == before


@pytest.mark.parametrize(("name", "value"), [("encoder_batch", 0), ("workers", -1), ("scale_out", "dask")])
def test_impossible_runtime_is_refused(project_copy: Path, name: str, value: object) -> None:
    set_param(project_copy, f"runtime.{name}", value)
    with pytest.raises(ConfigError, match=rf"{name}"):
        stage.main()


def test_changed_image_names_itself_and_the_stage_to_run(project_copy: Path) -> None:
    write_picture(project_copy / "data" / "tiny" / "images" / "00.png", (1, 2, 3))
    shutil.rmtree(PROGRESS)
    shutil.rmtree(IMAGE_FEATURES)
    with pytest.raises(DataError, match=r"00.png: SHA-256 .* instead of .*: run `dvc repro posts`"):
        stage.main()


def test_scale_out_goes_to_ray(project_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work itself is tested where Ray is installed; here it is asked for with the settings of the project."""
    asked = []

    def write_here(missing: list[Wanted], settings: ActorSettings, advance: Callable[[int], None]) -> Iterator[Path]:
        asked.append(settings)
        encoder = load_encoder(settings.model, settings.pretrained, settings.device)
        assert encoder.fingerprint == settings.fingerprint
        return write_parts(
            missing,
            settings.files,
            encoder,
            settings.folder,
            batch_size=settings.batch_size,
            workers=0,
            advance=advance,
        )

    monkeypatch.setattr(stage, "write_parts_on_ray", write_here)
    set_param(project_copy, "runtime.scale_out", "ray")
    before = artifact_hash(IMAGE_FEATURES)
    shutil.rmtree(PROGRESS)
    shutil.rmtree(IMAGE_FEATURES)
    stage.main()
    assert [settings.project for settings in asked] == [project_copy]
    assert artifact_hash(IMAGE_FEATURES) == before


def test_batch_size_does_not_change_the_images(project_copy: Path) -> None:
    before = set(FeatureStore(IMAGE_FEATURES))
    set_param(project_copy, "runtime.encoder_batch", 3)
    shutil.rmtree(PROGRESS)
    shutil.rmtree(IMAGE_FEATURES)
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
