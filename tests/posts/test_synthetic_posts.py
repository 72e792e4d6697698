"""The benchmark's data set: what its generator broke on purpose is rejected, everything else is kept."""

from dataclasses import asdict
from pathlib import Path

from benchmarks.ingestion import SMALL, run_stage, write_project
from benchmarks.synthetic_posts import BROKEN_EVERY, BROKEN_POSTS, Expected, write_dataset, write_images
from gemel.posts.dataset import read_dataset
from gemel.posts.tables import Tables
from gemel.stages import POSTS

IMAGES = 20


def test_every_row_is_kept_or_rejected_as_the_generator_counted(tmp_path: Path) -> None:
    write_images(tmp_path / "images", IMAGES)
    expected = write_dataset(tmp_path, BROKEN_EVERY * len(BROKEN_POSTS), IMAGES)
    dataset = read_dataset(tmp_path)
    found = (dataset.posts.height, dataset.mentions.height, len(dataset.entities), dataset.rejected.height)
    assert Expected(*found) == expected
    assert set(dataset.posts["image_status"]) == {"none", "read", "missing"}


def test_stage_runs_in_the_benchmarks_own_project(tmp_path: Path) -> None:
    write_images(tmp_path / "images", IMAGES)
    expected = write_project(tmp_path / "project", SMALL, tmp_path / "images", IMAGES)
    run_stage(tmp_path / "project")
    tables = Tables.read(tmp_path / "project" / POSTS)
    assert {name: getattr(tables, name).height for name in asdict(expected)} == asdict(expected)
