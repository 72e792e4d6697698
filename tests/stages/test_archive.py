"""A data set whose images stay in an archive goes through the stages as one that holds them."""

import shutil
from pathlib import Path

import pytest

from gemel.core.artifacts import artifact_hash
from gemel.core.errors import ConfigError
from gemel.posts.images_import import import_images
from gemel.posts.tables import Tables
from gemel.stages import IMAGE_FEATURES, POSTS, image_features, posts
from stages.project_changes import set_param


@pytest.fixture
def archive(project_copy: Path) -> Path:
    """The copied project with its images moved out of data/, recorded there, and the archive among the settings."""
    archive = project_copy.with_name("archive")
    archive.mkdir()
    shutil.move(project_copy / "data" / "tiny" / "images", archive)
    import_images(project_copy / "data" / "tiny", str(archive))
    set_param(project_copy, "images.root", str(archive))
    return archive


def test_archive_gives_the_same_tables_and_vectors_as_the_folder(project: Path, archive: Path) -> None:
    posts.main()
    image_features.main()
    assert archive.is_dir()
    for artifact in (POSTS, IMAGE_FEATURES):
        assert artifact_hash(artifact) == artifact_hash(project / artifact)


def test_changed_image_is_said_to_be_unreadable(archive: Path) -> None:
    shutil.copyfile(archive / "images" / "01.png", archive / "images" / "00.png")
    posts.main()
    first = Tables.read(POSTS).posts.row(0, named=True)
    assert first["image_status"] == "unreadable"
    assert "its SHA-256 is not that of data/tiny/images.parquet" in first["image_reason"]


@pytest.mark.usefixtures("archive")
def test_archive_without_its_root_is_refused(project_copy: Path) -> None:
    set_param(project_copy, "images.root", None)
    with pytest.raises(ConfigError, match=r"images\.root is null"):
        posts.main()
