"""A plan is made once; one of something else is refused, and says what differs."""

from pathlib import Path
from typing import Any

import pytest
from archive.archived import planned, post, write_archive, write_posts

from gemel.archive.plan import PLAN, read_plan
from gemel.core.errors import ArtifactError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "in", (3, 4))


def test_plan_that_lies_there_is_gone_on_with(tmp_path: Path, source: Path) -> None:
    plan = planned(tmp_path / "out", source)
    assert planned(tmp_path / "out", source, saving=0.9) == plan
    assert read_plan(tmp_path / "out").digest == plan.digest


def test_shards_cover_every_post_once(tmp_path: Path, source: Path) -> None:
    plan = planned(tmp_path / "out", source, shard_posts=3)
    assert [plan.bounds(shard) for shard in plan.shards] == [(0, 3), (3, 6), (6, 7)]


@pytest.mark.parametrize(("saving", "group"), [(0.09, "none"), (0.2, "mention")])
def test_auto_groups_where_that_saves_enough(tmp_path: Path, source: Path, saving: float, group: str) -> None:
    assert planned(tmp_path / "out", source, saving=saving).group == group


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"release": "r2"}, "release was 'r1', now is 'r2'"),
        ({"shard_posts": 3}, "shard_posts was 2, now is 3"),
        ({"top": 1}, "top was None, now is 1"),
        ({"group": "mention"}, "asked was 'auto', now is 'mention'"),
    ],
)
def test_plan_of_something_else_says_what_differs(
    tmp_path: Path, source: Path, change: dict[str, Any], words: str
) -> None:
    planned(tmp_path / "out", source)
    with pytest.raises(ArtifactError, match=rf"plan.json: made for something else: {words}\. Give back"):
        planned(tmp_path / "out", source, **change)


def test_posts_that_changed_are_named(tmp_path: Path, source: Path) -> None:
    planned(tmp_path / "out", source)
    write_posts(source / "1.parquet", [post(3, "Amazon")])
    write_posts(source / "2.parquet", [post(9, "Amazon")])
    with pytest.raises(ArtifactError, match=r"else: 2\.parquet is new; 1\.parquet changed\. Give back"):
        planned(tmp_path / "out", source)


def test_equal_posts_elsewhere_are_the_same_but_for_their_images(tmp_path: Path, source: Path) -> None:
    planned(tmp_path / "out", source)
    with pytest.raises(ArtifactError, match=r"else: images was '.*in', now is '.*moved'\. Give"):
        planned(tmp_path / "out", source.rename(tmp_path / "moved"))


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 2}', '{"format": 1, "inputs": []}'])
def test_damaged_plan_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / PLAN).write_text(text)
    with pytest.raises(ArtifactError, match=r"plan.json: damaged \(.*\); delete it, and the same command"):
        read_plan(tmp_path)


def test_folder_without_a_plan_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"plan.json: no such file, so no archive was linked here"):
        read_plan(tmp_path)
