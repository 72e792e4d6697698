"""Posts of Parquet files: what columns they may have, how they are numbered, and what becomes of a bad row."""

import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from archive.archived import opened, post, write_archive, write_posts

from gemel.archive.posts import POSTS, as_request, find_parquet, open_posts
from gemel.core.errors import DataError
from gemel.core.schema import Post
from gemel.posts.requests import RefusedLine


def requests(path: Path) -> list[Post | RefusedLine]:
    posts = open_posts([path])
    return [as_request(row, path.parent) for row in posts.slice(0, len(posts)).iter_rows(named=True)]


def test_rows_are_numbered_over_all_files(tmp_path: Path) -> None:
    posts = opened(write_archive(tmp_path, (3, 4)))
    assert posts.slice(2, 5)["row"].to_list() == [2, 3, 4]
    assert posts.slice(2, 5)["post_id"].to_list() == ["p2", "p3", "p4"]


def test_slices_have_every_post_once(tmp_path: Path) -> None:
    write_archive(tmp_path, (3, 4))
    pl.read_parquet(tmp_path / "0.parquet").clear().write_parquet(tmp_path / "0-empty.parquet")
    posts = opened(tmp_path)
    assert [frame["row"].to_list() for frame in posts.slices(4)] == [[0, 1, 2, 3], [4, 5, 6]]


def test_mentions_may_be_strings_or_structs_with_some_fields(tmp_path: Path) -> None:
    write_posts(tmp_path / "0.parquet", [post(0, "Jaguar")])
    write_posts(tmp_path / "1.parquet", [post(1, {"mention": "Jaguar", "end": 6, "entity": "Q1"})])
    frame = opened(tmp_path).slice(0, 2)
    assert frame.schema == pl.Schema(POSTS)
    assert [row["mentions"][0]["end"] for row in frame.iter_rows(named=True)] == [None, 6]


def test_choice_of_a_mention_is_read(tmp_path: Path) -> None:
    mention = {"mention": "Jaguar", "candidates": ["Q1", "Q2"], "type": "car"}
    (found,) = requests(write_posts(tmp_path / "posts.parquet", [post(0, mention)]))
    assert isinstance(found, Post)
    assert (found.mentions[0].candidates, found.mentions[0].entity_type) == (("Q1", "Q2"), "car")


def test_post_without_an_id_is_named_by_its_row(tmp_path: Path) -> None:
    rows = [{"text": "The Jaguar", "mentions": ["Jaguar"]}] * 2
    found = requests(write_posts(tmp_path / "posts.parquet", rows))
    assert [request.post_id for request in found] == ["row 0", "row 1"]


def test_ids_may_be_numbers(tmp_path: Path) -> None:
    path = write_posts(tmp_path / "posts.parquet", [{"id": 7, "text": "The Jaguar", "mentions": ["Jaguar"]}])
    assert [request.post_id for request in requests(path)] == ["7"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"text": " "}, "row 1: text: expected a sentence, found ' '"),
        ({"mentions": None}, "row 1: mentions: expected a list of strings to link, found None"),
        ({"mentions": []}, "row 1: mentions: expected a list of strings to link, found []"),
        ({"mentions": [" "]}, "row 1: mentions: expected a string or an object with a mention"),
    ],
)
def test_row_that_can_not_be_used_keeps_its_place_and_says_why(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    path = write_posts(tmp_path / "posts.parquet", [post(0, "Jaguar"), post(1, "Jaguar") | change])
    _, refused = requests(path)
    assert isinstance(refused, RefusedLine)
    assert refused.post_id == "p1"
    assert refused.reason.startswith(words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"text": 3}, "column 'text': expected text, found Int64; cast it"),
        ({"image": 3}, "column 'image': expected text, found Int64"),
        ({"post_id": 0.5}, "column 'post_id': expected text or whole numbers, found Float64"),
        (
            {"mentions": "Jaguar"},
            "column 'mentions': expected a list of texts, or of structs with a mention, found Str",
        ),
        ({"mentions": [{"name": "Jaguar"}]}, "column 'mentions': expected a list of texts, or of structs"),
        (
            {"mentions": [{"mention": "A", "start": 0.0}]},
            "column 'mentions.start': expected whole numbers, found Float",
        ),
        (
            {"mentions": [{"mention": "A", "candidates": "Q1"}]},
            "column 'mentions.candidates': expected a list of texts",
        ),
        ({"mentions": [{"mention": "A", "type": 1}]}, "column 'mentions.type': expected text, found Int64"),
    ],
)
def test_column_of_another_type_is_named_with_its_file(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = write_posts(tmp_path / "posts.parquet", [post(0, "Jaguar") | change])
    with pytest.raises(DataError) as caught:
        open_posts([path])
    assert str(caught.value).startswith(f"{path}: {words}")


def test_missing_column_is_named_with_those_found(tmp_path: Path) -> None:
    path = write_posts(tmp_path / "posts.parquet", [{"id": "p", "text": "The Jaguar"}])
    with pytest.raises(DataError, match=r"posts.parquet: no column 'mentions', found id, text; posts need"):
        open_posts([path])


def test_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "posts.parquet").write_text("text,mentions\n")
    with pytest.raises(DataError, match=r"posts.parquet: can't be read as Parquet .*; write it anew"):
        open_posts([tmp_path / "posts.parquet"])


def test_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    path = write_posts(tmp_path / "posts.parquet", [post(0, "Jaguar")])
    posts = open_posts([path])
    os.utime(path, (1, 1))
    with pytest.raises(DataError, match=r"posts.parquet: changed while it was linked; link the archive into another"):
        posts.slice(0, 1)


def test_hidden_files_and_drafts_are_no_posts(tmp_path: Path) -> None:
    write_archive(tmp_path / "_in" / "below", (1,))
    write_archive(tmp_path / "_in" / "_temporary", (1,))
    (tmp_path / "_in" / "_0.parquet").touch()
    (tmp_path / "_in" / ".0.parquet").touch()
    assert find_parquet(tmp_path / "_in") == [tmp_path / "_in" / "below" / "0.parquet"]


@pytest.mark.parametrize(("made", "words"), [(True, r"holds no \.parquet file"), (False, "no such file or folder")])
def test_source_without_posts_is_refused(tmp_path: Path, made: bool, words: str) -> None:
    if made:
        (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match=f"in: {words}"):
        find_parquet(tmp_path / "in")
