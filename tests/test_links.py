"""Links as rows of a table and on disk; a post that was refused keeps its row and reason."""

import json
import warnings
from pathlib import Path

import polars as pl
import pytest

from gemel.core.errors import GemelError, RequestError
from gemel.core.schema import Candidate, Link, Mention, Post
from gemel.links import SCHEMA, check_format, link_row, link_rows, write_links
from gemel.posts.requests import RefusedLine
from gemel.predictor import Linker

BEST, SECOND = Candidate("Q1", "One", -0.5, 0.75), Candidate("Q2", "Two", -1.5, 0.25)
LINK = Link("p1", Mention("Jaguar", 4, 10), (BEST, SECOND), "read", ("a note",))
REFUSED = RefusedLine("line 2", "text: expected a sentence")
TOO_LONG = Post("A Jaguar", (Mention("Jaguar" * 400),), post_id="long")


@pytest.fixture(scope="module")
def linker(tiny_release: Path) -> Linker:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Linker.load(tiny_release)


def post(post_id: str, *mentions: str) -> Post:
    return Post("The Jaguar and the Amazon", tuple(map(Mention, mentions)), post_id=post_id)


def test_row_holds_the_best_candidate_then_the_runners_up() -> None:
    row = link_row(LINK)
    assert list(row) == list(SCHEMA)
    assert (row["entity_id"], row["name"], row["score"], row["probability"]) == ("Q1", "One", -0.5, 0.75)
    assert row["runners_up"] == [{"entity_id": "Q2", "name": "Two", "score": -1.5, "probability": 0.25}]


def test_row_says_what_was_linked_and_how() -> None:
    row = link_row(LINK)
    assert (row["post_id"], row["mention"], row["start"], row["end"]) == ("p1", "Jaguar", 4, 10)
    assert (row["image"], row["notes"], row["error"]) == ("read", ["a note"], None)


def test_each_request_has_its_place_and_its_rows(linker: Linker) -> None:
    requests = [post("a", "Jaguar"), REFUSED, post("b", "Jaguar", "Amazon")]
    rows = dict(link_rows(linker, requests))
    assert {place: [row["post_id"] for row in some] for place, some in rows.items()} == {
        0: ["a"],
        1: ["line 2"],
        2: ["b", "b"],
    }
    assert [row["mention"] for row in rows[2]] == ["Jaguar", "Amazon"]


def test_posts_with_equal_mentions_are_linked_together(linker: Linker, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    link = Linker.link

    def watch(self: Linker, posts: list[Post], results: int | None = None) -> list[Link]:
        seen.append([post.mentions[0].text for post in posts])
        return link(self, posts, results)

    monkeypatch.setattr(Linker, "link", watch)
    requests = [post(str(number), "Jaguar" if number % 2 else "Amazon") for number in range(6)]
    rows = dict(link_rows(linker, requests, at_once=3))
    assert seen == [["Amazon"] * 3, ["Jaguar"] * 3]
    assert [rows[place][0]["post_id"] for place in range(6)] == [str(number) for number in range(6)]


def test_fewer_candidates_are_the_first_of_all(linker: Linker) -> None:
    ((_, (every,)),) = link_rows(linker, [post("a", "Jaguar")])
    ((_, (two,)),) = link_rows(linker, [post("a", "Jaguar")], results=2)
    assert [row["entity_id"] for row in two["runners_up"]] == [every["runners_up"][0]["entity_id"]]
    assert (two["entity_id"], two["score"]) == (every["entity_id"], pytest.approx(every["score"], abs=1e-5))


def test_post_without_a_mention_has_a_row_that_notes_it(linker: Linker) -> None:
    rows = dict(link_rows(linker, [post("a"), post("b", "Jaguar"), post("c")]))
    assert [row["mention"] for place in range(3) for row in rows[place]] == [None, "Jaguar", None]
    (nothing,) = rows[0]
    assert {key: value for key, value in nothing.items() if value is not None} == {
        "post_id": "a",
        "notes": ["no mention was found in the text"],
    }


def test_refused_request_has_its_reason_and_nothing_else(linker: Linker) -> None:
    ((_, (row,)),) = link_rows(linker, [REFUSED])
    assert row["error"] == REFUSED.reason
    assert {key for key, value in row.items() if value is not None} == {"post_id", "error"}


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_rows_do_not_depend_on_how_many_are_linked_at_once(linker: Linker, at_once: int) -> None:
    requests = [post("a", "Jaguar"), REFUSED, post("b", "Amazon"), post("c", "Mercury")]
    rows = dict(link_rows(linker, requests, at_once=at_once))
    assert [rows[place][0]["post_id"] for place in range(4)] == ["a", "line 2", "b", "c"]


def test_post_that_can_not_be_linked_does_not_take_the_others_with_it(linker: Linker) -> None:
    requests = [post("a", "Jaguar"), TOO_LONG, post("b", "Amazon"), Post(" ", (Mention("x"),), post_id="empty")]
    found = dict(link_rows(linker, requests))
    rows = [row for place in range(4) for row in found[place]]
    assert [row["post_id"] for row in rows] == ["a", "long", "b", "empty"]
    assert "shorten the mention, or use an LLM with a longer context" in rows[1]["error"]
    assert "its text is empty" in rows[3]["error"]
    assert rows[0]["error"] is rows[2]["error"] is None
    assert rows[2]["mention"] == "Amazon"


def test_parquet_file_holds_the_rows(tmp_path: Path) -> None:
    rows = [link_row(LINK), dict.fromkeys(SCHEMA) | {"post_id": "line 2", "error": "bad"}]
    write_links(rows, tmp_path / "links.parquet")
    table = pl.read_parquet(tmp_path / "links.parquet")
    assert dict(table.schema) == SCHEMA
    assert table.to_dicts() == rows


def test_json_lines_hold_the_rows(tmp_path: Path) -> None:
    rows = [link_row(LINK), dict.fromkeys(SCHEMA) | {"post_id": "Zürich", "error": "bad"}]
    write_links(rows, tmp_path / "links.jsonl")
    text = (tmp_path / "links.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == rows
    assert "Zürich" in text


@pytest.mark.parametrize("name", ["links.parquet", "links.jsonl"])
def test_no_rows_make_an_empty_file(tmp_path: Path, name: str) -> None:
    write_links([], tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_failure_while_linking_leaves_the_old_file(tmp_path: Path) -> None:
    write_links([link_row(LINK)], tmp_path / "links.jsonl")
    before = (tmp_path / "links.jsonl").read_bytes()

    def rows():
        yield link_row(LINK)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_links(rows(), tmp_path / "links.jsonl")
    assert (tmp_path / "links.jsonl").read_bytes() == before


def test_file_that_can_not_be_written_is_an_error_without_a_draft(tmp_path: Path) -> None:
    (tmp_path / "links.jsonl").mkdir()
    with pytest.raises(GemelError, match=r"links.jsonl: can't be written \("):
        write_links([link_row(LINK)], tmp_path / "links.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["links.jsonl"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("links.csv", "links are written as .parquet or .jsonl; found '.csv'"),
        ("links", "found 'no ending'"),
        ("no/links.jsonl", "the folder .*no does not exist; make it first"),
    ],
)
def test_other_places_are_refused_before_any_work(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        check_format(tmp_path / name)
