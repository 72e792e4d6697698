"""Links and posts come together by id; each mention has a place, or the reason why not."""

import json
from pathlib import Path

import polars as pl
import pytest
from linked_posts import CAR, CAT, OWN, LinkedFiles, write_linked

from gemel.core.errors import DataError, RequestError
from gemel.core.schema import Link, Mention, Post
from gemel.interchange.rows import AMBIGUOUS, NOT_IN_TEXT, OTHER_SPAN, REPEATED, Place, find_place, placed, read_linked
from gemel.links import SCHEMA, link_row, unmentioned_row, write_links


@pytest.mark.parametrize("ending", [".parquet", ".jsonl"])
def test_link_comes_with_its_post_and_candidates(tmp_path: Path, ending: str) -> None:
    linked = write_linked(tmp_path, ending=ending).read()
    first = linked.mentions[0]
    assert (first.row, first.mention, first.post.post_id, first.image) == (0, "Jaguar", "once", "read")
    assert first.candidates == (CAR, CAT, OWN)
    assert first.post.image == tmp_path / "photos" / "a b.png"


def test_refused_rows_are_counted_and_no_posts(tmp_path: Path) -> None:
    linked = write_linked(tmp_path).read()
    assert (len(linked.mentions), len(linked.posts), linked.refused) == (6, 6, 1)


def test_mentions_that_were_found_are_those_of_the_links(tmp_path: Path) -> None:
    lines = [{"id": name, "text": "The Jaguar slept"} for name in ("found", "nothing", "refused")]
    (tmp_path / "posts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = [
        link_row(Link("found", Mention("Jaguar", 4, 10), (CAR,))),
        unmentioned_row(Post("x", (), post_id="nothing")),
    ]
    write_links([*rows, dict.fromkeys(SCHEMA) | {"post_id": "refused", "error": "x"}], tmp_path / "links.parquet")
    linked = read_linked(tmp_path / "links.parquet", tmp_path / "posts.jsonl")
    assert [(each.mention, each.place) for each in linked.mentions] == [("Jaguar", Place(4, 10))]
    assert [post.post_id for post in linked.posts] == ["found", "nothing"]
    assert linked.refused == 2


@pytest.mark.parametrize(
    ("mention", "place"),
    [
        (Mention("b"), Place(1, 2)),
        (Mention("b", 1, 2), Place(1, 2)),
        (Mention("🐆"), Place(3, 4)),
        (Mention("z"), NOT_IN_TEXT),
        (Mention("a"), AMBIGUOUS),
        (Mention("a", 2, 3), Place(2, 3)),
        (Mention("a", 1, 2), OTHER_SPAN),
        (Mention("a", -3, -2), OTHER_SPAN),
        (Mention("a", 0, None), OTHER_SPAN),
        (Mention("🐆", 3, 9), OTHER_SPAN),
    ],
)
def test_place_is_certain_or_has_a_reason(mention: Mention, place: object) -> None:
    assert find_place(mention, "aba🐆") == place


def test_overlapping_occurrences_are_ambiguous() -> None:
    assert find_place(Mention("aa"), "aaa") == AMBIGUOUS


def test_links_without_a_place_are_left_out_by_reason(tmp_path: Path) -> None:
    kept = placed(write_linked(tmp_path).read().mentions)
    assert [each.post.post_id for each in kept.mentions] == ["once", "offsets", "whole"]
    assert kept.left_out == {AMBIGUOUS: 1, NOT_IN_TEXT: 1, OTHER_SPAN: 1}


def test_of_two_links_at_one_place_the_first_is_kept(tmp_path: Path) -> None:
    mentions = write_linked(tmp_path).read().mentions
    kept = placed((mentions[0], mentions[0]))
    assert (len(kept.mentions), kept.left_out) == (1, {REPEATED: 1})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty; give the file that `gemel link --out` wrote"),
        ('{"post_id": "once"}', r"columns \['mention', .*\] are missing, found \['post_id'\]"),
        ("no json", "no file of links"),
    ],
)
def test_other_files_are_no_links(tmp_path: Path, content: str, words: str) -> None:
    files = write_linked(tmp_path)
    (tmp_path / "links.jsonl").write_text(content)
    with pytest.raises(DataError, match=words):
        read_linked(tmp_path / "links.jsonl", files.posts)


def test_missing_links_say_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no.jsonl: no such file; give the file that `gemel link --out` wrote"):
        read_linked(tmp_path / "no.jsonl", tmp_path / "posts.jsonl")


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"links are written as .parquet or .jsonl; found '.csv'"):
        read_linked(tmp_path / "links.csv", tmp_path / "posts.jsonl")


def test_links_that_were_all_refused_are_nothing_to_work_with(tmp_path: Path) -> None:
    files = write_linked(tmp_path, kinds=())
    with pytest.raises(DataError, match="1 rows and no link among them; see their columns error and nil"):
        files.read()


def test_posts_of_other_links_are_refused(tmp_path: Path) -> None:
    files = write_linked(tmp_path)
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"id": "z", "text": "A b", "mentions": ["b"]}))
    with pytest.raises(DataError, match=r"row 1: .*other.jsonl has no post 'once'; give the file that links.parquet"):
        read_linked(files.links, other)


def test_changed_mention_is_named(tmp_path: Path) -> None:
    files = write_linked(tmp_path)
    files.posts.write_text(files.posts.read_text().replace('"start": 10', '"start": 0'))
    with pytest.raises(DataError, match=r"row 2: post 'offsets' of .* has no mention 'Jaguar'"):
        files.read()


def test_posts_that_share_an_id_are_refused(tmp_path: Path) -> None:
    files = write_linked(tmp_path)
    files.posts.write_text(files.posts.read_text().replace('"twice"', '"once"'))
    with pytest.raises(DataError, match="two posts have the id 'once', so links can't be told apart; give each its"):
        files.read()


def test_link_without_an_entity_is_named(tmp_path: Path) -> None:
    files = write_linked(tmp_path)
    pl.read_parquet(files.links).with_columns(entity_id=pl.lit(None, pl.String)).write_parquet(files.links)
    with pytest.raises(DataError, match="row 1: a link without entity, name, score or probability; link the posts"):
        LinkedFiles(files.links, files.posts).read()
