"""An archive through the tiny release: the answers of `gemel link`, resumed, grouped, refused, and failing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from archive.archived import opened, post, write_archive, write_posts

from gemel.archive import worker as worker_module
from gemel.archive.linking import (
    LINKS,
    SHARDS,
    ShardsFailedError,
    finish,
    link_archive,
    link_shards,
    only_run,
    prepare,
    verify,
)
from gemel.archive.posts import as_request
from gemel.archive.settings import ArchiveSettings
from gemel.archive.shards import shard_folder
from gemel.core.artifacts import file_sha256
from gemel.core.errors import ArtifactError, ConfigError, DataError
from gemel.links import SCHEMA, link_rows
from gemel.predictor import Linker

SMALL = ArchiveSettings(shard_posts=3, device="cpu")


@pytest.fixture
def source(tmp_path: Path, tiny_dataset: Path) -> Path:
    """Eight posts in two files; one has an image, one is refused, one has two mentions."""
    shutil.copyfile(tiny_dataset / "images" / "00.png", tmp_path / "00.png")
    folder = write_archive(tmp_path / "in", (3, 4))
    last = [post(7, "Jaguar", "Amazon") | {"image": "00.png"}, post(8, "Mercury") | {"text": " "}]
    write_posts(folder / "2.parquet", last)
    return folder


def linked(source: Path, out: Path, release: Path, settings: ArchiveSettings = SMALL) -> pl.DataFrame:
    link_archive(source, out, release, source.parent, settings)
    return pl.read_parquet(out / LINKS / "*.parquet")


@pytest.mark.parametrize("group", ["none", "mention"])
def test_answers_are_those_of_a_file_of_posts(source: Path, tmp_path: Path, tiny_release: Path, group: Any) -> None:
    found = linked(source, tmp_path / "out", tiny_release, SMALL.model_copy(update={"group": group}))
    posts = opened(source).slice(0, 9)
    requests = [as_request(row, source.parent) for row in posts.iter_rows(named=True)]
    with pytest.warns(UserWarning, match="know nothing"):
        rows_of = dict(link_rows(Linker.load(tiny_release), requests))
    wanted = pl.DataFrame([row for place in range(9) for row in rows_of[place]], schema=SCHEMA)
    for name in ("post_id", "mention", "entity_id", "name", "image", "error"):
        assert found[name].equals(wanted[name])
    assert found["score"].to_list() == pytest.approx(wanted["score"].to_list(), abs=1e-5)
    assert found["row"].to_list() == [0, 1, 2, 3, 4, 5, 6, 7, 7, 8]


def test_finished_archive_is_left_as_it_is(source: Path, tmp_path: Path, tiny_release: Path) -> None:
    totals = link_archive(source, tmp_path / "out", tiny_release, source.parent, SMALL)
    shutil.rmtree(tmp_path / "out" / SHARDS)
    archive = prepare(source, tmp_path / "out", tiny_release, source.parent, SMALL)
    assert (archive.totals, archive.waiting) == (totals, ())
    assert not (tmp_path / "out" / SHARDS).exists()


def test_killed_run_goes_on_with_what_is_missing(source: Path, tmp_path: Path, tiny_release: Path) -> None:
    archive = prepare(source, tmp_path / "out", tiny_release, source.parent, SMALL)
    next(link_shards(archive, SMALL))
    inode = shard_folder(tmp_path / "out" / SHARDS, 0).stat().st_ino
    rest = prepare(source, tmp_path / "out", tiny_release, source.parent, SMALL)
    assert rest.waiting == (1, 2)
    link_archive(source, tmp_path / "out", tiny_release, source.parent, SMALL)
    assert shard_folder(tmp_path / "out" / SHARDS, 0).stat().st_ino == inode
    assert verify(source, tmp_path / "out").posts == 9


def test_damaged_shard_is_linked_anew(source: Path, tmp_path: Path, tiny_release: Path) -> None:
    linked(source, tmp_path / "out", tiny_release)
    shutil.rmtree(tmp_path / "out" / LINKS)
    part = shard_folder(tmp_path / "out" / SHARDS, 1) / "links.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    assert prepare(source, tmp_path / "out", tiny_release, source.parent, SMALL).waiting == (1,)


def test_shards_that_fail_are_named_and_no_result_is_made(
    source: Path, tmp_path: Path, tiny_release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, settings = worker_module.write_shard, SMALL.model_copy(update={"attempts": 1})

    def full(shards: Path, number: int, *rest: Any) -> bool:
        if number == 1:
            raise OSError(28, "No space left on device")
        return write(shards, number, *rest)

    monkeypatch.setattr(worker_module, "write_shard", full)
    words = r"out: 1 of 3 shards failed, the others are kept\. shard 1: OSError: .*No space left.* Mend the cause"
    with pytest.raises(ShardsFailedError, match=words):
        link_archive(source, tmp_path / "out", tiny_release, source.parent, settings)
    assert not (tmp_path / "out" / LINKS).exists()
    monkeypatch.undo()
    assert prepare(source, tmp_path / "out", tiny_release, source.parent, SMALL).waiting == (1,)


def test_release_that_is_exchanged_meanwhile_is_refused(source: Path, tmp_path: Path, tiny_release: Path) -> None:
    archive = prepare(source, tmp_path / "out", tiny_release, source.parent, SMALL)
    other = replace(archive.job, plan=replace(archive.plan, release="of another"))
    with pytest.raises(ArtifactError, match="another release than the archive was begun with; give that one back"):
        list(link_shards(replace(archive, job=other), SMALL))


def test_second_run_in_one_folder_is_refused(tmp_path: Path) -> None:
    with (
        only_run(tmp_path / "out"),
        pytest.raises(ArtifactError, match=r"out: another run is at work there; wait for its end"),
        only_run(tmp_path / "out"),
    ):
        pass


def test_folder_of_links_inside_that_of_posts_is_refused(source: Path, tiny_release: Path) -> None:
    with pytest.raises(DataError, match="lies in the folder of posts, and its files would be taken for posts"):
        link_archive(source, source / "out", tiny_release, settings=SMALL)


def test_posts_may_be_links_to_files_elsewhere(source: Path, tmp_path: Path, tiny_release: Path) -> None:
    (source / "0.parquet").rename(tmp_path / "cached")
    (source / "0.parquet").symlink_to(tmp_path / "cached")
    archive = prepare(source, tmp_path / "out", tiny_release, None, SMALL)
    assert [each["name"] for each in archive.plan.inputs] == ["0.parquet", "1.parquet", "2.parquet"]


def test_missing_folder_of_images_is_refused(source: Path, tmp_path: Path, tiny_release: Path) -> None:
    with pytest.raises(DataError, match="photos: no such folder of images; give the one that the posts' paths start"):
        link_archive(source, tmp_path / "out", tiny_release, tmp_path / "photos", SMALL)


def test_shards_of_a_grouped_copy_in_another_order_are_not_taken_over(
    source: Path, tmp_path: Path, tiny_release: Path
) -> None:
    settings = SMALL.model_copy(update={"group": "mention"})
    linked(source, tmp_path / "out", tiny_release, settings)
    shutil.rmtree(tmp_path / "out" / LINKS)
    assert not prepare(source, tmp_path / "out", tiny_release, source.parent, settings).waiting
    copy = next((tmp_path / "out" / "posts").glob("*.parquet"))
    pl.read_parquet(copy).reverse().write_parquet(copy)
    manifest = tmp_path / "out" / "posts" / "manifest.json"
    facts = json.loads(manifest.read_text())
    facts["files"][copy.name] = {"bytes": copy.stat().st_size, "sha256": file_sha256(copy)}
    manifest.write_text(json.dumps(facts))
    assert prepare(source, tmp_path / "out", tiny_release, source.parent, settings).waiting == (0, 1, 2)


def test_archive_without_posts_is_refused(tmp_path: Path, tiny_release: Path) -> None:
    schema = {"text": pl.String, "mentions": pl.List(pl.String)}
    (tmp_path / "in").mkdir()
    pl.DataFrame(schema=schema).write_parquet(tmp_path / "in" / "0.parquet")
    with pytest.raises(DataError, match="in: holds no post; give a Parquet file"):
        link_archive(tmp_path / "in", tmp_path / "out", tiny_release, settings=SMALL)


def test_several_processes_on_one_card_are_refused(source: Path, tmp_path: Path, tiny_release: Path) -> None:
    settings = SMALL.model_copy(update={"processes": 2, "device": "cuda"})
    with pytest.raises(ConfigError, match="processes: 2 would each load the models onto cuda; give 1, or scale"):
        prepare(source, tmp_path / "out", tiny_release, None, settings)


def test_links_of_posts_that_changed_since_are_not_verified(source: Path, tmp_path: Path, tiny_release: Path) -> None:
    linked(source, tmp_path / "out", tiny_release)
    write_posts(source / "2.parquet", [post(9, "Jaguar")])
    with pytest.raises(ArtifactError, match=r"plan.json: made of other posts than .*in holds now"):
        verify(source, tmp_path / "out")


def test_manifest_says_what_the_links_are(source: Path, tmp_path: Path, tiny_release: Path) -> None:
    linked(source, tmp_path / "out", tiny_release)
    facts = json.loads((tmp_path / "out" / LINKS / "manifest.json").read_text())["facts"]
    assert (facts["totals"]["posts"], facts["totals"]["rows"], facts["totals"]["refused"]) == (9, 10, 1)


@pytest.mark.slow
def test_processes_link_the_same(source: Path, tmp_path: Path, tiny_release: Path) -> None:
    here = linked(source, tmp_path / "here", tiny_release)
    there = linked(source, tmp_path / "there", tiny_release, SMALL.model_copy(update={"processes": 2}))
    assert there["entity_id"].equals(here["entity_id"])


def test_result_is_made_again_from_finished_shards(source: Path, tmp_path: Path, tiny_release: Path) -> None:
    before = linked(source, tmp_path / "out", tiny_release)
    shutil.rmtree(tmp_path / "out" / LINKS)
    archive = prepare(source, tmp_path / "out", tiny_release, source.parent, SMALL)
    assert not archive.waiting
    finish(archive, [])
    assert pl.read_parquet(tmp_path / "out" / LINKS / "*.parquet").equals(before)
