"""Import of WikiDiverse, from small files in its two published forms."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from source_files import contents, save

from gemel.core.errors import DataError
from gemel.posts.dataset import read_dataset
from gemel.posts.wikidiverse import import_wikidiverse
from gemel.posts.wikidiverse_urls import image_name, page_of

TEXT = "The Lions versus the Packers (2007)."
IMAGE = "https://upload.wikimedia.org/wikipedia/commons/0/06/DetroitLionsRunningPlay-2007.jpg"
LIONS = ["Lions", "Organization", 4, 9, "https://en.wikipedia.org/wiki/Detroit_Lions"]
PACKERS = ["Packers", "Organization", 21, 28, "https://en.wikipedia.org/wiki/Green_Bay_Packers"]
POST = [TEXT, IMAGE, "sports", [LIONS, PACKERS]]
CANDIDATES = ["https://en.wikipedia.org/wiki/Lion", "https://en.wikipedia.org/wiki/Detroit_Lions"]


def post_with(*mentions: list[Any], image: str | None = IMAGE) -> list[Any]:
    return [TEXT, image, "sports", list(mentions)]


def with_candidates(mention: list[Any]) -> list[Any]:
    name, kind, start, end, url = mention
    return [TEXT, IMAGE, name, kind, ["the"], ["versus"], url, CANDIDATES, "sports", start, end]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "data" / "wikidiverse"


def test_annotated_post_keeps_mentions_offsets_and_titles(tmp_path: Path, target: Path) -> None:
    report = import_wikidiverse(save(tmp_path / "train.json", [POST]), target, None)
    assert report.notes == {"nil_mentions": 0, "dropped_offsets": 0, "odd_entity_urls": 0, "ignored_candidates": 0}
    dataset = read_dataset(target)
    assert dataset.posts.select("post_id", "split", "topic").rows() == [("train-1", "train", "sports")]
    assert dataset.rejected.is_empty()
    assert dataset.mentions.select("start", "end").rows() == [(4, 9), (21, 28)]
    assert [(entity.entity_id, entity.label) for entity in dataset.entities] == [
        ("enwiki:Detroit Lions", "Detroit Lions"),
        ("enwiki:Green Bay Packers", "Green Bay Packers"),
    ]


def test_files_with_candidates_give_the_same_posts(tmp_path: Path, target: Path) -> None:
    import_wikidiverse(save(tmp_path / "train.json", [POST]), target, None)
    lines = (target / "posts.jsonl").read_bytes()
    rows = [with_candidates(LIONS), with_candidates(PACKERS)]
    report = import_wikidiverse(save(tmp_path / "train_w_10cands.json", rows), target, None)
    assert (target / "posts.jsonl").read_bytes() == lines
    assert report.notes["ignored_candidates"] == 4
    assert report.split_by == "file name"


def test_valid_is_the_dev_split(tmp_path: Path, target: Path) -> None:
    for split in ("train", "valid", "test"):
        save(tmp_path / "splits" / f"{split}.json", [POST])
    report = import_wikidiverse(tmp_path / "splits", target, None)
    assert report.splits == {"train": 1, "dev": 1, "test": 1}
    assert read_dataset(target).posts["post_id"].to_list() == ["train-1", "dev-1", "test-1"]


@pytest.mark.parametrize("url", ["", "nil", "NIL", None])
def test_mention_of_no_entity_stays_nil(tmp_path: Path, target: Path, url: str | None) -> None:
    report = import_wikidiverse(save(tmp_path / "train.json", [post_with([*LIONS[:4], url], PACKERS)]), target, None)
    assert (report.mentions, report.entities, report.notes["nil_mentions"]) == (2, 1, 1)
    dataset = read_dataset(target)
    assert dataset.mentions["entity_id"].to_list() == [None, "enwiki:Green Bay Packers"]


@pytest.mark.parametrize(("start", "end"), [(5, 10), (-5, 9), (9, 4), (4, 900), (4, None)])
def test_wrong_offsets_are_dropped_and_counted(tmp_path: Path, target: Path, start: int, end: int | None) -> None:
    mention = ["Lions", "Organization", start, end, LIONS[4]]
    report = import_wikidiverse(save(tmp_path / "train.json", [post_with(mention)]), target, None)
    assert (report.mentions, report.notes["dropped_offsets"]) == (1, 1)
    assert read_dataset(target).mentions.select("start", "end").rows() == [(4, 9)]


def test_mention_longer_than_its_text_is_kept_and_counted(tmp_path: Path, target: Path) -> None:
    mention = [TEXT * 2, "Other", 0, 72, LIONS[4]]
    report = import_wikidiverse(save(tmp_path / "train.json", [post_with(mention)]), target, None)
    assert (report.mentions_not_in_text, report.notes["dropped_offsets"]) == (1, 1)
    assert read_dataset(target).rejected.is_empty()


@pytest.mark.parametrize(
    ("url", "entity_id", "title", "odd"),
    [
        ("https://en.wikipedia.org/wiki/S%C3%A3o_Paulo", "enwiki:São Paulo", "São Paulo", False),
        ("https://en.wikipedia.org/wiki/AC/DC#History", "enwiki:AC/DC", "AC/DC", False),
        ("https://de.m.wikipedia.org/wiki/Bonn?action=edit", "dewiki:Bonn", "Bonn", False),
        ("https://en.wikipedia.org/wiki/planet", "enwiki:Planet", "Planet", False),
        ("https://en.wikipedia.org/wiki/Who%3F", "enwiki:Who?", "Who?", False),
        ("nhttps://en.wikipedia.org/wiki/Bonn", "enwiki:Bonn", "Bonn", True),
        ("]https://en.wikipedia.org/wiki/Bonn]", "enwiki:Bonn", "Bonn", True),
        ("ttps://en.wikipedia.org/wiki/Bonn", "enwiki:Bonn", "Bonn", True),
        ("https://en.wikipedia.org/wiki/S%E3o_Paulo", "enwiki:São Paulo", "São Paulo", True),
        ("https://www.wikidata.org/wiki/Q586", "https://www.wikidata.org/wiki/Q586", "Q586", True),
    ],
)
def test_title_is_read_from_the_url(url: str, entity_id: str, title: str, odd: bool) -> None:
    page = page_of(url)
    assert page is not None
    assert (page.entity_id, page.title, page.odd) == (entity_id, title, odd)


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("last", "ending"),
    [
        ("Lions.jpg", ".jpg"),
        ("Lions.JPG", ".JPG"),
        ("A%27s.jpeg", ".jpeg"),
        ("Map.svg", ".png"),
        ("Map.SVG", ".png"),
        ("a.jpg.png", ".png"),
        ("Move.gif", "Move.gif"),
    ],
)
def test_image_is_named_by_the_md5_of_the_last_part(last: str, ending: str) -> None:
    assert image_name(f"https://upload.wikimedia.org/x/{last}") == md5(last) + ending


@pytest.mark.parametrize("ending", [".jpg", ".JPG", ".png"])
def test_image_is_found_with_another_ending(tmp_path: Path, target: Path, ending: str) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(tmp_path / (md5("DetroitLionsRunningPlay-2007.jpg") + ending))
    report = import_wikidiverse(save(tmp_path / "train.json", [POST]), target, tmp_path)
    assert (report.images, report.missing_images) == (1, 0)
    assert read_dataset(target).posts["image_status"].to_list() == ["read"]


@pytest.mark.parametrize("url", [None, "", "https://upload.wikimedia.org/"])
def test_post_without_an_image_names_none(tmp_path: Path, target: Path, url: str | None) -> None:
    report = import_wikidiverse(save(tmp_path / "train.json", [post_with(LIONS, image=url)]), target, tmp_path)
    assert report.missing_images == 0
    assert read_dataset(target).posts["image"].to_list() == [None]


def test_second_import_is_byte_identical(tmp_path: Path, target: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / f"{md5('DetroitLionsRunningPlay-2007.jpg')}.jpg")
    source = save(tmp_path / "all.json", [POST, post_with(PACKERS, image=None)])
    import_wikidiverse(source, target, tmp_path)
    first = contents(target)
    assert sum(name.startswith("images/") for name in first) == 1
    import_wikidiverse(source, target, tmp_path)
    assert contents(target) == first


BAD = [
    ("[[", r"train\.json: not valid JSON"),
    ("{}", r"train\.json: expected a list of posts or of mentions, found dict"),
    ("[]", r"no entries"),
    ([POST, POST[:3]], r"train\.json: entry 2: expected a list of text, image_url, topic, mentions; found 3 values"),
    ([{"text": TEXT}], r"entry 1: expected a list of text, .*; found dict"),
    ([[" ", *POST[1:]]], r"entry 1: text: is empty"),
    ([post_with(LIONS, PACKERS[:4])], r"entry 1: mention 2: expected a list of mention, .*; found 4 values"),
    ([post_with(["", *LIONS[1:]])], r"entry 1: mention 1: mention: is empty"),
    ([post_with(["Lions", "x", "4", 9, LIONS[4]])], r"mention 1: start: Input should be a valid integer, found \"4\""),
    ([post_with([*LIONS[:4], "https://en.wikipedia.org/wiki/#top"])], r"entry 1: the entity of 'Lions' has no title"),
    ([post_with(LIONS, image="https://x.org/a\\..\\..\\b.gif")], r"entry 1: its image '.*' leaves the folder"),
    ('[["\\ud800", "", "", []]]', r"entry 1: text: holds half a character"),
]


@pytest.mark.parametrize(("content", "words"), BAD)
def test_bad_source_is_refused_naming_the_entry(tmp_path: Path, target: Path, content: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        import_wikidiverse(save(tmp_path / "train.json", content), target, None)
    assert not target.exists()


def test_two_files_for_one_split_are_refused(tmp_path: Path, target: Path) -> None:
    for name in ("train", "train_w_10cands", "valid", "test"):
        save(tmp_path / "splits" / f"{name}.json", [POST])
    with pytest.raises(DataError, match=r"expected one file \*_train\.json, found \['train.json', 'train_w_10cands.j"):
        import_wikidiverse(tmp_path / "splits", target, None)
