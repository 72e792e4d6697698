"""Posts to link from a JSON-lines file; a line that can't be used comes back with its reason."""

import json
import tracemalloc
from os import SEEK_END
from pathlib import Path
from typing import Any

import pytest

from gemel.core.errors import DataError, RequestError
from gemel.core.schema import Mention, Post
from gemel.posts.requests import RefusedLine, parse_request, read_requests

ROW = {"id": "p1", "text": "The Jaguar slept", "mentions": ["Jaguar"], "image": "a.png"}


def write(tmp_path: Path, *lines: Any) -> Path:
    path = tmp_path / "posts.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_line_becomes_a_post_with_its_image_beside_the_file(tmp_path: Path) -> None:
    (post,) = read_requests(write(tmp_path, ROW))
    assert post == Post("The Jaguar slept", (Mention("Jaguar"),), tmp_path / "a.png", "p1")


def test_mention_may_be_an_object(tmp_path: Path) -> None:
    row = ROW | {"mentions": [{"mention": "Jaguar", "start": 4, "end": 10, "entity": "Q35694"}, "slept"]}
    (post,) = read_requests(write(tmp_path, row))
    assert isinstance(post, Post)
    assert post.mentions == (Mention("Jaguar", 4, 10, "Q35694"), Mention("slept"))


def test_mention_may_state_what_it_is_chosen_among(tmp_path: Path) -> None:
    row = ROW | {"mentions": [{"mention": "Jaguar", "candidates": ["Q35694", "Q30055"], "type": "animal"}]}
    (post,) = read_requests(write(tmp_path, row))
    assert isinstance(post, Post)
    assert post.mentions == (Mention("Jaguar", candidates=("Q35694", "Q30055"), entity_type="animal"),)


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"candidates": "Q1"}, "candidates: expected a list of entity ids, found 'Q1'"),
        ({"candidates": [1]}, r"candidates: expected a list of entity ids, found \[1\]"),
        ({"type": 3}, "type: expected the type of the entities to choose among, found 3"),
    ],
)
def test_choice_of_another_form_is_refused(stated: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=words):
        parse_request(ROW | {"mentions": [{"mention": "Jaguar"} | stated]}, "p1", tmp_path)


def test_image_and_id_are_optional(tmp_path: Path) -> None:
    (post,) = read_requests(write(tmp_path, {"text": "The Jaguar slept", "mentions": ["Jaguar"]}))
    assert post == Post("The Jaguar slept", (Mention("Jaguar"),), None, "line 1")


def test_posts_of_a_data_set_can_be_read(tiny_dataset: Path) -> None:
    posts = list(read_requests(tiny_dataset / "posts.jsonl"))
    assert len(posts) == 22
    assert all(isinstance(post, Post) for post in posts)


@pytest.mark.parametrize("stated", [{}, {"mentions": None}, {"mentions": []}])
def test_post_may_state_no_mentions_where_they_are_found(stated: dict[str, Any], tmp_path: Path) -> None:
    row = {"id": "p1", "text": "The Jaguar slept"} | stated
    assert parse_request(row, "p1", tmp_path, unmentioned=True).mentions == ()
    with pytest.raises(RequestError, match="mentions: expected a list of strings to link, found"):
        parse_request(row, "p1", tmp_path)
    with pytest.raises(RequestError, match="mentions: expected a list of strings to link, found 'Jaguar'"):
        parse_request(row | {"mentions": "Jaguar"}, "p1", tmp_path, unmentioned=True)


def test_order_is_kept_and_empty_lines_are_skipped(tmp_path: Path) -> None:
    path = write(tmp_path, ROW, "", "nonsense", ROW | {"id": "p2"})
    assert [request.post_id for request in read_requests(path)] == ["p1", "line 3", "p2"]


@pytest.mark.parametrize(
    ("line", "post_id", "words"),
    [
        ("{nonsense", "line 1", "posts.jsonl line 1: Invalid JSON: key must be a string"),
        ("[" * 5000, "line 1", "line 1: Invalid JSON: recursion limit exceeded"),
        ('{"text": "\\ud800", "mentions": ["x"]}', "line 1", "line 1: Invalid JSON: unexpected end of hex escape"),
        (
            '{"text": "x", "text": "y", "mentions": ["x"]}',
            "line 1",
            "line 1: the key 'text' occurs twice in one object",
        ),
        ('{"text": NaN, "mentions": ["x"]}', "line 1", "text: expected a sentence, found nan"),
        ([1], "line 1", "line 1: expected an object with text and mentions, found list"),
        ({"id": "p1", "mentions": ["Jaguar"]}, "p1", "text: expected a sentence, found None"),
        (ROW | {"text": " "}, "p1", "text: expected a sentence, found ' '"),
        (ROW | {"text": 7}, "p1", "text: expected a sentence, found 7"),
        (ROW | {"mentions": []}, "p1", "mentions: expected a list of strings to link, found []"),
        (ROW | {"mentions": "Jaguar"}, "p1", "mentions: expected a list of strings to link, found 'Jaguar'"),
        (ROW | {"mentions": ["Jaguar", ""]}, "p1", "mentions: expected a string or an object with a mention, found"),
        (ROW | {"mentions": [None]}, "p1", "mentions: expected a string or an object with a mention, found None"),
        (ROW | {"mentions": [{"start": 1}]}, "p1", "expected a string or an object with a mention, found {'start': 1}"),
        (ROW | {"image": 7}, "p1", "image: expected a path or null, found 7"),
        (ROW | {"mentions": [{"mention": "Jaguar", "end": "4"}]}, "p1", "end: expected a number or null, found '4'"),
        (ROW | {"mentions": [{"mention": "Jaguar", "entity": 7}]}, "p1", "entity: expected an id or null, found 7"),
    ],
)
def test_bad_line_comes_back_with_its_reason(tmp_path: Path, line: Any, post_id: str, words: str) -> None:
    (refused,) = read_requests(write(tmp_path, line))
    assert isinstance(refused, RefusedLine)
    assert refused.post_id == post_id
    assert words in refused.reason


def test_missing_file_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no.jsonl: no such file; give a JSON-lines file of posts, or --text"):
        list(read_requests(tmp_path / "no.jsonl"))


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be read"):
        list(read_requests(tmp_path))


def test_utf16_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "posts.jsonl").write_text(json.dumps(ROW), encoding="utf-16")
    with pytest.raises(DataError, match=r"posts.jsonl: not UTF-8 text but UTF-16; convert it first"):
        list(read_requests(tmp_path / "posts.jsonl"))


def test_latin1_line_is_refused_alone(tmp_path: Path) -> None:
    lines = [json.dumps(ROW).encode(), b'{"text": "Caf\xe9", "mentions": ["x"]}', json.dumps(ROW).encode()]
    (tmp_path / "posts.jsonl").write_bytes(b"\r\n".join(lines))
    first, refused, last = read_requests(tmp_path / "posts.jsonl")
    assert isinstance(first, Post)
    assert isinstance(refused, RefusedLine)
    assert refused.post_id == "line 2"
    assert "posts.jsonl line 2: not UTF-8 text (byte 0xe9 at place 14); convert it first" in refused.reason
    assert isinstance(last, Post)


def test_line_of_200_mb_is_refused_alone_in_bounded_memory(tmp_path: Path) -> None:
    with (tmp_path / "posts.jsonl").open("wb") as file:
        file.write(b'{"text": "')
        file.truncate(200 * 2**20)  # zeros that take no room on the disk
        file.seek(0, SEEK_END)
        file.write(b"\n" + json.dumps(ROW).encode())
    tracemalloc.start()
    refused, last = read_requests(tmp_path / "posts.jsonl")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(refused, RefusedLine)
    assert "line 1: longer than 33554432 bytes (209715201); check that the file has line breaks" in refused.reason
    assert isinstance(last, Post)
    assert peak < 100 * 2**20


def test_windows_path_names_the_same_file(tmp_path: Path) -> None:
    (post,) = read_requests(write(tmp_path, ROW | {"image": "images\\a.png"}))
    assert isinstance(post, Post)
    assert post.image == tmp_path / "images" / "a.png"


def test_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "posts.jsonl").write_text(json.dumps(ROW), encoding="utf-8-sig")
    (post,) = read_requests(tmp_path / "posts.jsonl")
    assert post.post_id == "p1"


def test_line_separator_inside_a_text_does_not_cut_it(tmp_path: Path) -> None:
    row = ROW | {"text": "The\u2028Jaguar\x85slept"}
    (tmp_path / "posts.jsonl").write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
    (post,) = read_requests(tmp_path / "posts.jsonl")
    assert isinstance(post, Post)
    assert post.text == row["text"]


def test_one_object_can_be_parsed_alone(tmp_path: Path) -> None:
    assert parse_request(ROW, "x", tmp_path).post_id == "x"
    with pytest.raises(RequestError, match="text: expected a sentence"):
        parse_request({}, "x", tmp_path)
