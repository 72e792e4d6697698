"""Posts with equal first mentions come together, within the memory of a bucket, where that saves reading."""

from pathlib import Path

import polars as pl
import pytest
from archive.archived import opened, post, write_archive, write_posts

from gemel.archive import buckets, grouping
from gemel.archive.buckets import reordered
from gemel.archive.grouping import Repeats, count_repeats, write_grouped
from gemel.archive.posts import open_posts


def test_mentions_are_counted_in_shards_and_in_all(tmp_path: Path) -> None:
    posts = opened(write_archive(tmp_path, (3, 4)))
    assert count_repeats(posts, shard_posts=3) == Repeats(posts=7, mentions=7, in_shards=7, in_all=3)


def test_posts_without_mentions_are_no_repeats(tmp_path: Path) -> None:
    bad = post(1) | {"mentions": None}
    posts = open_posts([write_posts(tmp_path / "0.parquet", [post(0, "Jaguar", "Amazon"), bad])])
    assert count_repeats(posts, shard_posts=9) == Repeats(posts=2, mentions=2, in_shards=1, in_all=1)


def test_many_different_mentions_are_estimated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "_SKETCH", 256)
    write_posts(tmp_path / "0.parquet", [post(number, f"name {number % 2_000}") for number in range(4_000)])
    found = count_repeats(opened(tmp_path), shard_posts=4_000)
    assert found.in_all == pytest.approx(2_000, rel=0.2)


def test_saving_is_that_of_demonstrations_read_once() -> None:
    # Apart: 100 mentions, half of them with 4 demonstrations before them; together a tenth.
    assert Repeats(100, 100, 50, 10).saving(4) == pytest.approx((300 - 140) / 300)


def test_further_mentions_of_a_post_lessen_what_is_saved() -> None:
    assert Repeats(100, 200, 50, 10).saving(4) < Repeats(100, 100, 50, 10).saving(4)


@pytest.mark.parametrize("repeats", [Repeats(100, 100, 50, 50), Repeats(2, 0, 0, 0)])
def test_nothing_is_saved_where_no_shards_share_a_mention(repeats: Repeats) -> None:
    assert repeats.saving(16) == 0


def test_grouped_posts_are_the_same_posts_by_first_mention(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "BUCKET_ROWS", 3)
    posts = opened(write_archive(tmp_path / "in", (3, 4)))
    (tmp_path / "out").mkdir()
    write_grouped(posts, tmp_path / "out")
    frame = open_posts(sorted((tmp_path / "out").iterdir()), grouped=True).slice(0, 7)
    assert frame.sort("row").equals(posts.slice(0, 7))
    firsts = [row["mentions"][0]["mention"] for row in frame.iter_rows(named=True)]
    assert len([place for place in range(1, 7) if firsts[place] != firsts[place - 1]]) == 2


def test_reordered_rows_keep_the_order_of_equal_ones_and_leave_no_files(tmp_path: Path) -> None:
    frames = [pl.DataFrame({"row": [4, 0, 4], "n": [1, 2, 3]}), pl.DataFrame({"row": [0, 3], "n": [4, 5]})]
    parts = reordered(frames, pl.col("row") // 2, lambda frame: frame.sort("row", maintain_order=True), tmp_path)
    assert [(number, frame["n"].to_list()) for number, frame in parts] == [(0, [2, 4]), (1, [5]), (2, [1, 3])]
    assert not list(tmp_path.iterdir())
