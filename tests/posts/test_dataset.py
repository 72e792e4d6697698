"""Reading the project's own data set format: what is kept, what is rejected and why."""

import re
import tracemalloc
from os import SEEK_END
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_dataset import ENTITIES, POSTS, WriteDataset, mention, post

from gemel.core.errors import DataError
from gemel.posts import columns, image_check
from gemel.posts.dataset import MENTIONS, read_dataset


def test_good_rows_are_all_kept(write_dataset: WriteDataset) -> None:
    dataset = read_dataset(write_dataset())
    assert dataset.name == "tiny"
    assert dataset.posts["post_id"].to_list() == ["p1", "p2", "p3"]
    assert dataset.rejected.is_empty()
    assert dataset.rows_in == {"posts.jsonl": 3, MENTIONS: 3, "entities.jsonl": 2}
    assert dataset.posts["caption"].to_list() == [None, None, "a green car"]
    assert dataset.entities[0].aliases == ("Panthera onca",)
    assert (dataset.entities[0].name, dataset.entities[0].popularity) == ("", 7.0)


def places(write_dataset: WriteDataset, text: str, *mentions: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Start, end and occurrences of each mention of one post."""
    found = read_dataset(write_dataset([post("p", text, *mentions)])).mentions
    return found.select("start", "end", "occurrences").rows()


def test_mention_that_occurs_once_gets_its_span(write_dataset: WriteDataset) -> None:
    assert places(write_dataset, "Ein Jägüär 🐆 schläft", mention("m", "🐆", None)) == [(11, 12, 1)]


def test_mention_outside_its_text_is_kept_without_a_span(write_dataset: WriteDataset) -> None:
    assert places(write_dataset, "A nice car", mention("m", "Jaguar", None)) == [(None, None, 0)]


def test_mention_longer_than_its_text_is_kept_without_a_span(write_dataset: WriteDataset) -> None:
    assert places(write_dataset, "Jag", mention("m", "Jaguar", None)) == [(None, None, 0)]


def test_repeated_mention_has_a_span_only_if_given(write_dataset: WriteDataset) -> None:
    text = "Jaguar beats Jaguar"
    bare, placed = mention("m1", "Jaguar", None), mention("m2", "Jaguar", None, start=13, end=19)
    assert places(write_dataset, text, bare, placed) == [(None, None, 2), (13, 19, 2)]


def test_gold_entity_outside_the_catalog_is_kept_and_marked(write_dataset: WriteDataset) -> None:
    known, foreign, nil = (mention(f"m{i}", "car", gold) for i, gold in enumerate(("Q30055", "Q1", None)))
    found = read_dataset(write_dataset([post("p", "A car", known, foreign, nil)])).mentions
    assert found.select("entity_id", "in_kb").rows() == [("Q30055", True), ("Q1", False), (None, False)]


def test_rows_beyond_one_chunk_keep_their_order_and_posts(
    write_dataset: WriteDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "CHUNK", 2)
    rows = [post(f"p{i}", f"Text {i}", mention(f"m{i}", str(i), None), mention(f"n{i}", "x", None)) for i in range(5)]
    dataset = read_dataset(write_dataset([*rows[:3], {}, {}, {}, *rows[3:]]))
    assert dataset.posts["post_id"].to_list() == ["p0", "p1", "p2", "p3", "p4"]
    assert dataset.mentions.select("mention_id", "post_id", "text").rows()[-3:] == [
        ("n3", "p3", "Text 3"),
        ("m4", "p4", "Text 4"),
        ("n4", "p4", "Text 4"),
    ]
    assert dataset.rejected["line"].to_list() == [4, 5, 6]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": "p9", ', "row: Invalid JSON: EOF while parsing"),
        (b'["p9"]', "row: Input should be an object"),
        (
            b'{"id": "p9", "text": "Caf\xe9"}',
            r"row: not UTF-8 text \(byte 0xe9 at place 26\); convert it first, e.g. with `iconv -f latin1",
        ),
        (
            b'{"id": "p9", "text": "\\ud800", "split": "dev", "mentions": []}',
            r"row: Invalid JSON: unexpected end of hex escape .* \(half a character, a lone surrogate\)",
        ),
        (b'{"id": "p\\ud800", "text": "x"}', r"row: Invalid JSON: .* \(half a character, a lone surrogate\)"),
        (b'{"id": "p9", "image": "\\udc00"}', r"row: Invalid JSON: .* \(half a character, a lone surrogate\)"),
        (b'{"id": "p9", "text": "a\0b"}', "row: Invalid JSON: control character"),
        (post("p\0", "x"), r'id: holds a NUL character \(U\+0000\); remove it, found "p\\u0000"'),
        (post("p9", "a\0b"), r"text: holds a NUL character \(U\+0000\); remove it"),
        (b'{"id": "p9", \xef\xbb\xbf"text": "x"}', "row: Invalid JSON: key must be a string"),
        (
            b'{"id": "p9", "text": NaN, "split": "dev", "mentions": []}',
            "text: Input should be a valid string, found NaN",
        ),
        (b"{'id': 'p9'}", "row: Invalid JSON: key must be a string"),
        (
            b'{"id": "p8", "id": "p9", "text": "x", "split": "dev", "mentions": []}',
            "the key 'id' occurs twice in one object, one of the two would be lost",
        ),
        (
            b'{"id": "p9", "text": "x", "split": "dev", "mentions": [{"id": "m9", "mention": "x", "id" : "m8"}]}',
            "the key 'id' occurs twice in one object",
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
    (row,) = dataset.rejected.rows(named=True)
    assert (row["source"], row["line"]) == ("posts.jsonl", 4)
    assert row["row"]
    assert re.match(reason, row["reason"])
    assert dataset.rows_in["posts.jsonl"] == 4
    assert dataset.posts.height == 3


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("Jaguar", 'row: Input should be a valid dictionary or instance of MentionLine, found "Jaguar"'),
        ({"mention": "x", "entity": None}, "id: Field required"),
        ({"id": "m9", "mention": "x"}, "entity: Field required"),
        (mention("m9", " ", None), 'mention: is empty, found " "'),
        (mention("m9", "x", 30055), "entity: Input should be a valid string, found 30055"),
        (mention("m9", "text", None, start=0, end=4), "span: 0 to 4 of 8 characters, which holds 'The ' and not"),
        (
            mention("m9", "text", None, start=3, end=7),
            "span: 3 to 7 of 8 characters, which holds ' tex' and not the mention 'text', which stands at 4 to 8 "
            "(one off: start counts from 0, end is behind the last character)",
        ),
        (
            mention("m9", "text", None, start=4, end=7),
            "span: 4 to 7 of 8 characters, which holds 'tex' and not the mention 'text', which stands at 4 to 8 (one",
        ),
        (
            mention("m9", "cat", None, start=4, end=8),
            "span: 4 to 8 of 8 characters, which holds 'text' and not the mention 'cat', which is not in the text",
        ),
        (
            mention("m9", "The text goes on", None, start=0, end=16),
            "span: 0 to 16 of 8 characters, outside the text and not the mention 'The text goes on', which is not in",
        ),
        (mention("m9", "te\0xt", None), "mention: holds a NUL character"),
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
    (row,) = dataset.rejected.rows(named=True)
    assert (row["source"], row["line"]) == (MENTIONS, 4)
    assert row["reason"].startswith(reason)
    assert dataset.mentions.filter(post_id="p4")["mention_id"].to_list() == ["m10"]
    assert dataset.rows_in[MENTIONS] == 5


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"id": "Q1"}, "label: Field required"),
        ({"id": "Q1", "label": ""}, 'label: is empty, found ""'),
        ({"id": "Q1", "label": "\0"}, "label: holds a NUL character"),
        ({"id": "Q1", "label": 7}, "label: Input should be a valid string, found 7"),
        (b'{"id": "Q1", "label": "Caf\xe9"}', "row: not UTF-8 text (byte 0xe9 at place 27)"),
        (b'{"id": "Q1", "label": "x", "label": "y"}', "the key 'label' occurs twice in one object"),
        ({"id": "Q35694", "label": "x"}, "duplicate id 'Q35694', first on line 1"),
        ({"id": "Q1", "label": "x", "popularity": -1}, "popularity: Input should be greater than or equal to 0"),
        (b'{"id": "Q1", "label": "x", "popularity": NaN}', "popularity: Input should be"),
        (b'{"id": "Q1", "label": "x", "popularity": 1e999}', "popularity: Input should be a finite number"),
        ({"id": "Q1", "label": "x", "aliases": "y"}, 'aliases: Input should be a valid array, found "y"'),
    ],
)
def test_bad_entity_is_rejected_with_its_reason(write_dataset: WriteDataset, line: Any, reason: str) -> None:
    dataset = read_dataset(write_dataset(entities=[*ENTITIES, line]))
    (row,) = dataset.rejected.rows(named=True)
    assert (row["source"], row["line"]) == ("entities.jsonl", 3)
    assert row["reason"].startswith(reason)
    assert len(dataset.entities) == 2


def test_blank_lines_and_a_byte_order_mark_are_no_rows(write_dataset: WriteDataset) -> None:
    folder = write_dataset()
    path = folder / "posts.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    dataset = read_dataset(folder)
    assert (dataset.rows_in["posts.jsonl"], dataset.posts.height) == (3, 3)


def test_separators_inside_a_text_do_not_split_a_row(write_dataset: WriteDataset) -> None:
    folder = write_dataset()
    path = folder / "posts.jsonl"
    path.write_text(path.read_text().replace("The Jaguar slept", "The Jaguar \u2028 slept"), encoding="utf-8")
    assert read_dataset(folder).posts.height == 3


def test_colon_behind_a_quotation_mark_is_no_repeated_key(write_dataset: WriteDataset) -> None:
    dataset = read_dataset(write_dataset([post("p", 'She said "no": "id": and "id" :')]))
    assert (dataset.posts.height, dataset.rejected.height) == (1, 0)


def test_unknown_keys_are_ignored(write_dataset: WriteDataset) -> None:
    rows = [post("p", "x", mention("m", "x", None, score=1), likes={"up": 3})]
    assert read_dataset(write_dataset(rows)).rejected.is_empty()


def test_last_line_may_lack_its_line_feed(write_dataset: WriteDataset) -> None:
    folder = write_dataset()
    path = folder / "posts.jsonl"
    path.write_bytes(path.read_bytes().rstrip())
    assert read_dataset(folder).posts.height == 3


def test_byte_order_marks_of_files_that_were_joined_are_skipped(write_dataset: WriteDataset) -> None:
    folder = write_dataset()
    path = folder / "posts.jsonl"
    path.write_bytes(b"".join(b"\xef\xbb\xbf" + line for line in path.read_bytes().splitlines(keepends=True)))
    assert read_dataset(folder).rejected.is_empty()


def test_byte_order_mark_of_the_facts_is_skipped(write_dataset: WriteDataset) -> None:
    folder = write_dataset()
    (folder / "dataset.json").write_text((folder / "dataset.json").read_text(), encoding="utf-8-sig")
    assert read_dataset(folder).name == "tiny"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["posts.jsonl", "entities.jsonl"])
def test_utf16_file_is_refused_by_name(write_dataset: WriteDataset, name: str, encoding: str) -> None:
    folder = write_dataset()
    (folder / name).write_bytes((folder / name).read_text().encode(encoding))
    with pytest.raises(DataError, match=rf"{name}: not UTF-8 text but UTF-16; convert it first, e.g. with `iconv"):
        read_dataset(folder)


def test_line_of_200_mb_is_one_rejected_row_in_bounded_memory(write_dataset: WriteDataset) -> None:
    folder = write_dataset()
    rows = (folder / "posts.jsonl").read_bytes().splitlines(keepends=True)
    with (folder / "posts.jsonl").open("wb") as file:
        file.write(rows[0] + b'{"id": "')
        file.truncate(200 * 2**20)  # zeros that take no room on the disk
        file.seek(0, SEEK_END)
        file.write(b"\n" + rows[1])
    tracemalloc.start()
    dataset = read_dataset(folder)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    (row,) = dataset.rejected.rows(named=True)
    assert row["line"] == 2
    assert re.match(
        r"row: longer than 33554432 bytes \(2097\d{5}\); check that the file has line breaks", row["reason"]
    )
    assert row["row"].startswith('{"id": "')
    assert len(row["row"]) < 11_000
    assert dataset.posts["post_id"].to_list() == ["p1", "p2"]
    assert peak < 100 * 2**20


def test_long_value_is_cut_in_the_reason(write_dataset: WriteDataset) -> None:
    long = mention("m9", "x" * 5_000, None, start=0, end=1)
    reason = read_dataset(write_dataset([post("p", "A text", long)])).rejected["reason"][0]
    assert reason.startswith("span: 0 to 1 of 6 characters, which holds 'A' and not the mention 'xxx")
    assert len(reason) < 1_100


def test_very_long_row_is_cut_in_the_rejected_ones(write_dataset: WriteDataset) -> None:
    dataset = read_dataset(write_dataset([*POSTS, post("", "x" * 50_000)]))
    (row,) = dataset.rejected["row"]
    assert len(row) < 11_000
    assert row.endswith("characters)")


def image_checks(folder: Path) -> list[tuple[str, str | None]]:
    return read_dataset(folder).posts.select("image_status", "image_reason").rows()


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
    hashes = read_dataset(write_dataset()).posts["image_sha256"]
    assert hashes.is_not_null().to_list() == [True, False, False]


def test_windows_path_names_the_same_file(write_dataset: WriteDataset) -> None:
    posts = read_dataset(write_dataset([post("p", "x", image="images\\a.png")])).posts
    assert posts.select("image", "image_status").rows() == [("images/a.png", "read")]


@pytest.mark.parametrize("image", ["C:\\Users\\me\\a.png", "C:a.png", "\\\\server\\share\\a.png", "..\\a.png"])
def test_windows_path_cannot_leave_the_data_set(write_dataset: WriteDataset, image: str) -> None:
    assert image_checks(write_dataset([post("p", "x", image=image)])) == [("unreadable", "outside the data set")]


@pytest.mark.parametrize(
    "image", ["https://upload.wikimedia.org/a.png", "file:///a.png", "data:image/png;base64,iVBOR"]
)
def test_url_is_not_fetched_and_says_what_to_do(write_dataset: WriteDataset, image: str) -> None:
    ((status, reason),) = image_checks(write_dataset([post("p", "x", image=image)]))
    assert status == "missing"
    assert reason == (
        "a URL, and images are not fetched; download it into the data set's folder and name the file, "
        "as in images/a.jpg"
    )


def test_image_that_many_posts_share_is_decoded_once(
    write_dataset: WriteDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    monkeypatch.setattr(image_check, "decode_image", lambda _, where: decoded.append(where))
    folder = write_dataset([post(f"p{i}", "x", image="images/a.png") for i in range(3)])
    assert image_checks(folder) == [("read", None)] * 3
    assert len(decoded) == 1


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
    for name in ("posts", "entities"):
        with pytest.raises(DataError, match=rf"{name}.jsonl: it has no rows"):
            read_dataset(write_dataset(**{name: []}))
