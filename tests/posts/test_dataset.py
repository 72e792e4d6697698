"""Reading the project's own data set format: what is kept, what is rejected and why."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_dataset import ENTITIES, POSTS, WriteDataset, mention, post

from gemel.core.errors import DataError
from gemel.posts.dataset import MENTIONS, MentionRow, read_dataset


def test_good_rows_are_all_kept(write_dataset: WriteDataset) -> None:
    dataset = read_dataset(write_dataset())
    assert dataset.name == "tiny"
    assert [row.post_id for row in dataset.posts] == ["p1", "p2", "p3"]
    assert dataset.rejected == ()
    assert dataset.rows_in == {"posts.jsonl": 3, MENTIONS: 3, "entities.jsonl": 2}
    assert dataset.posts[2].caption == "a green car"
    assert dataset.entities[0].aliases == ("Panthera onca",)
    assert (dataset.entities[0].name, dataset.entities[0].popularity) == ("", 7.0)


def read_mentions(write_dataset: WriteDataset, text: str, *mentions: dict[str, Any]) -> tuple[MentionRow, ...]:
    return read_dataset(write_dataset([post("p", text, *mentions)])).posts[0].mentions


def test_mention_that_occurs_once_gets_its_span(write_dataset: WriteDataset) -> None:
    (found,) = read_mentions(write_dataset, "Ein Jägüär 🐆 schläft", mention("m", "🐆", None))
    assert (found.start, found.end, found.occurrences) == (11, 12, 1)


def test_mention_outside_its_text_is_kept_without_a_span(write_dataset: WriteDataset) -> None:
    (found,) = read_mentions(write_dataset, "A nice car", mention("m", "Jaguar", None))
    assert (found.start, found.end, found.occurrences) == (None, None, 0)


def test_repeated_mention_has_a_span_only_if_given(write_dataset: WriteDataset) -> None:
    text = "Jaguar beats Jaguar"
    bare, placed = mention("m1", "Jaguar", None), mention("m2", "Jaguar", None, start=13, end=19)
    first, second = read_mentions(write_dataset, text, bare, placed)
    assert (first.start, first.end, first.occurrences) == (None, None, 2)
    assert (second.start, second.end, second.occurrences) == (13, 19, 2)


def test_gold_entity_outside_the_catalog_is_kept_and_marked(write_dataset: WriteDataset) -> None:
    known, foreign, nil = (mention(f"m{i}", "car", gold) for i, gold in enumerate(("Q30055", "Q1", None)))
    found = read_mentions(write_dataset, "A car", known, foreign, nil)
    assert [(row.entity_id, row.in_kb) for row in found] == [("Q30055", True), ("Q1", False), (None, False)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": "p9", ', "row: Invalid JSON: EOF while parsing"),
        (b'["p9"]', "row: Input should be an object"),
        (b'{"id": "p9", "text": "\xff"}', "row: Invalid JSON: invalid unicode code point"),
        (
            b'{"id": "p9", "text": "\\ud800", "split": "dev", "mentions": []}',
            "row: Invalid JSON: unexpected end of hex escape",
        ),
        ({"text": "x", "split": "dev", "mentions": []}, "id: Field required"),
        (post(" ", "x"), 'id: is empty, found " "'),
        ({**post("p9", "x"), "id": 9}, "id: Input should be a valid string, found 9"),
        (post("p9", " \n"), "text: is empty"),
        (post("p9", "x", split="valid"), "split: Input should be 'train', 'dev' or 'test', found \"valid\""),
        (post("p9", "x", image=""), "image: is empty"),
        (post("p9", "x", caption=5), "caption: Input should be a valid string, found 5"),
        ({**post("p9", "x"), "mentions": None}, "mentions: Input should be a valid array, found null"),
        (post("p1", "x"), "duplicate id 'p1', first on line 1"),
        (b'{"mentions": ' + b"[" * 5000, "row: Invalid JSON: recursion limit exceeded"),
    ],
)
def test_bad_post_is_rejected_with_its_reason(write_dataset: WriteDataset, line: Any, reason: str) -> None:
    dataset = read_dataset(write_dataset([*POSTS, line]))
    (row,) = dataset.rejected
    assert (row.source, row.line) == ("posts.jsonl", 4)
    assert row.row
    assert re.match(reason, row.reason)
    assert dataset.rows_in["posts.jsonl"] == 4
    assert len(dataset.posts) == 3


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("Jaguar", 'row: Input should be a valid dictionary or instance of MentionLine, found "Jaguar"'),
        ({"mention": "x", "entity": None}, "id: Field required"),
        ({"id": "m9", "mention": "x"}, "entity: Field required"),
        (mention("m9", " ", None), 'mention: is empty, found " "'),
        (mention("m9", "x", 30055), "entity: Input should be a valid string, found 30055"),
        (mention("m9", "text", None, start=0, end=4), "span: 0 to 4 of 8 characters, which holds 'The ' and not"),
        (mention("m9", "text", None, start=-4, end=8), "span: -4 to 8 of 8 characters, outside the text"),
        (mention("m9", "text", None, start=4, end=99), "span: 4 to 99 of 8 characters, outside the text"),
        (mention("m9", "text", None, start=4), "span: start 4 and end None, one without the other"),
        (mention("m9", "text", None, start=4.0, end=8), "start: Input should be a valid integer, found 4.0"),
        (mention("m9", "text", None, start=True, end=8), "start: Input should be a valid integer, found true"),
        (mention("m1", "text", None), "duplicate id 'm1', first on line 1"),
    ],
)
def test_bad_mention_is_rejected_alone(write_dataset: WriteDataset, entry: Any, reason: str) -> None:
    dataset = read_dataset(write_dataset([*POSTS, post("p4", "The text", entry, mention("m10", "text", None))]))
    (row,) = dataset.rejected
    assert (row.source, row.line) == (MENTIONS, 4)
    assert row.reason.startswith(reason)
    assert [found.mention_id for found in dataset.posts[3].mentions] == ["m10"]
    assert dataset.rows_in[MENTIONS] == 5


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"id": "Q1"}, "label: Field required"),
        ({"id": "Q1", "label": ""}, 'label: is empty, found ""'),
        ({"id": "Q35694", "label": "x"}, "duplicate id 'Q35694', first on line 1"),
        ({"id": "Q1", "label": "x", "popularity": -1}, "popularity: Input should be greater than or equal to 0"),
        (b'{"id": "Q1", "label": "x", "popularity": NaN}', "popularity: Input should be"),
        (b'{"id": "Q1", "label": "x", "popularity": 1e999}', "popularity: Input should be a finite number"),
        ({"id": "Q1", "label": "x", "aliases": "y"}, 'aliases: Input should be a valid array, found "y"'),
    ],
)
def test_bad_entity_is_rejected_with_its_reason(write_dataset: WriteDataset, line: Any, reason: str) -> None:
    dataset = read_dataset(write_dataset(entities=[*ENTITIES, line]))
    (row,) = dataset.rejected
    assert (row.source, row.line) == ("entities.jsonl", 3)
    assert row.reason.startswith(reason)
    assert len(dataset.entities) == 2


def test_blank_lines_and_a_byte_order_mark_are_no_rows(write_dataset: WriteDataset) -> None:
    folder = write_dataset()
    path = folder / "posts.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    dataset = read_dataset(folder)
    assert (dataset.rows_in["posts.jsonl"], len(dataset.posts)) == (3, 3)


def test_separators_inside_a_text_do_not_split_a_row(write_dataset: WriteDataset) -> None:
    folder = write_dataset()
    path = folder / "posts.jsonl"
    path.write_text(path.read_text().replace("The Jaguar slept", "The Jaguar \u2028 slept"), encoding="utf-8")
    assert len(read_dataset(folder).posts) == 3


def test_very_long_row_is_cut_in_the_rejected_ones(write_dataset: WriteDataset) -> None:
    dataset = read_dataset(write_dataset([*POSTS, post("", "x" * 50_000)]))
    assert len(dataset.rejected[0].row) < 11_000
    assert dataset.rejected[0].row.endswith("characters)")


def image_checks(folder: Path) -> list[tuple[str, str | None]]:
    return [(row.image_check.status, row.image_check.reason) for row in read_dataset(folder).posts]


def test_image_statuses(write_dataset: WriteDataset) -> None:
    names = [None, "images/a.png", "images/no.png", "../a.png", "/etc/hosts", "images/..\\..\\a.png", "images/bad.png"]
    folder = write_dataset([post(f"p{i}", "x", image=name) for i, name in enumerate([*names, "images", "a\0b"])])
    (folder / "images" / "bad.png").write_bytes(b"no image")
    outside = ("unreadable", "outside the data set")
    checks = image_checks(folder)
    assert checks[:3] == [("none", None), ("read", None), ("missing", "no such file")]
    assert checks[3:6] == [outside] * 3
    assert checks[6][0] == "unreadable"
    assert str(checks[6][1]).startswith("not an image of JPEG")
    assert checks[7] == ("unreadable", "not a regular file")
    assert checks[8][0] in ("missing", "unreadable")


def test_only_readable_images_have_a_hash(write_dataset: WriteDataset) -> None:
    checks = [row.image_check for row in read_dataset(write_dataset()).posts]
    assert [check.sha256 is not None for check in checks] == [True, False, False]


def test_image_that_is_a_link_is_read(write_dataset: WriteDataset, tmp_path: Path) -> None:
    folder = write_dataset([post("p", "x", image="images/link.png")])
    Image.new("RGB", (2, 2)).save(tmp_path / "cached.png")
    (folder / "images" / "link.png").symlink_to(tmp_path / "cached.png")
    assert image_checks(folder) == [("read", None)]


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("posts.jsonl", "posts.jsonl: no such file; a data set has"),
        ("entities.jsonl", "entities.jsonl: no such file; a data set has"),
        ("dataset.json", "dataset.json: no such file; a data set says its name"),
    ],
)
def test_missing_file_is_named(write_dataset: WriteDataset, missing: str, words: str) -> None:
    folder = write_dataset()
    (folder / missing).unlink()
    with pytest.raises(DataError, match=words):
        read_dataset(folder)


def test_missing_data_set_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such data set; import one with `gemel import`"):
        read_dataset(tmp_path / "no")


@pytest.mark.parametrize("facts", [{"format": 2}, {"name": "x"}, [1]])
def test_other_format_is_refused(write_dataset: WriteDataset, facts: Any) -> None:
    with pytest.raises(DataError, match=r"dataset.json: expected format 1, found"):
        read_dataset(write_dataset(facts=facts))


def test_data_set_without_a_usable_row_is_refused(write_dataset: WriteDataset) -> None:
    with pytest.raises(DataError, match=r"posts.jsonl: none of its 1 rows can be used; line 1 because of id"):
        read_dataset(write_dataset(posts=[{}]))
    with pytest.raises(DataError, match=r"entities.jsonl: it has no rows"):
        read_dataset(write_dataset(entities=[]))
