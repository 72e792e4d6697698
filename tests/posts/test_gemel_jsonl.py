"""Import of the GEMEL reference's JSON lines, from small files, and from the real ones where they are at hand."""

import json
from collections import Counter
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from source_files import contents

from gemel.core.errors import DataError
from gemel.posts.dataset import read_dataset
from gemel.posts.gemel_jsonl import import_gemel_jsonl

REAL = Path(__file__).parents[3] / "shared" / "data" / "wikidiverse"
NEEDS_REAL = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real WikiDiverse isn't at {REAL}")
URL = "https://upload.wikimedia.org/wikipedia/commons/4/4f/24hrMcDonaldsMooloolaba.JPG"


def line(sent_id: int = 61, mention: str = "McDonalds", qid: str | None = "Q38076", **others: Any) -> dict[str, Any]:
    names = {"target": "McDonald's", "golden": "McDonald's"}
    text = {"mention": mention, "text": "The McDonalds at Mooloolaba"}
    return text | names | {"img_url": URL, "qid": qid, "sent_id": sent_id} | others


def save(path: Path, *lines: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "data" / "gemel_jsonl"


def test_lines_of_one_sentence_are_one_post(tmp_path: Path, target: Path) -> None:
    other = line(mention="Mooloolaba", qid="Q1530307", target="Mooloolaba", golden="Mooloolaba")
    report = import_gemel_jsonl(save(tmp_path / "gemel_train.jsonl", line(), other, line(62)), target, None)
    assert (report.posts, report.mentions, report.entities) == (2, 3, 2)
    dataset = read_dataset(target)
    assert dataset.mentions.filter(post_id="61")["mention_id"].to_list() == ["61-0", "61-1"]
    assert [(entity.entity_id, entity.label) for entity in dataset.entities] == [
        ("Q38076", "McDonald's"),
        ("Q1530307", "Mooloolaba"),
    ]


def test_folder_may_lack_the_test_split(tmp_path: Path, target: Path) -> None:
    save(tmp_path / "all" / "gemel_train.jsonl", line())
    save(tmp_path / "all" / "gemel_dev.jsonl", line())
    report = import_gemel_jsonl(tmp_path / "all", target, None)
    assert report.splits == {"train": 1, "dev": 1, "test": 0}
    mentions = read_dataset(target).mentions
    assert mentions.select("post_id", "mention_id").rows() == [("61.train", "61-0"), ("61.dev", "61-1")]


@pytest.mark.parametrize("qid", [None, "", "nil", "NIL"])
def test_mention_of_no_entity_stays_nil(tmp_path: Path, target: Path, qid: str | None) -> None:
    report = import_gemel_jsonl(save(tmp_path / "x_train.jsonl", line(), line(qid=qid, target="nil")), target, None)
    assert report.notes == {"nil_mentions": 1}
    assert read_dataset(target).mentions["entity_id"].to_list() == ["Q38076", None]


def test_other_names_of_an_entity_become_aliases(tmp_path: Path, target: Path) -> None:
    lines = line(golden="McDonalds Corporation"), line(target="", golden="Maccas")
    import_gemel_jsonl(save(tmp_path / "x_train.jsonl", *lines), target, None)
    (entity,) = read_dataset(target).entities
    assert (entity.label, entity.aliases) == ("McDonald's", ("McDonalds Corporation", "Maccas"))


def test_images_are_those_of_wikidiverse(tmp_path: Path, target: Path) -> None:
    name = md5(b"24hrMcDonaldsMooloolaba.JPG", usedforsecurity=False).hexdigest()
    Image.new("RGB", (2, 2)).save(tmp_path / f"{name}.JPG", format="JPEG")
    report = import_gemel_jsonl(save(tmp_path / "x_train.jsonl", line(), line(62, img_url="")), target, tmp_path)
    assert (report.images, report.missing_images) == (1, 0)
    assert read_dataset(target).posts["image_status"].to_list() == ["read", "none"]


def test_byte_order_mark_windows_line_ends_and_blank_lines_are_read(tmp_path: Path, target: Path) -> None:
    text = json.dumps(line(text="The McDonalds\u2028at Mooloolaba"), ensure_ascii=False)
    (tmp_path / "x_train.jsonl").write_bytes(b"\xef\xbb\xbf" + f"{text}\r\n\r\n{text}\r\n".encode())
    assert import_gemel_jsonl(tmp_path / "x_train.jsonl", target, None).mentions == 2


GOOD = json.dumps(line()).encode()
BAD = [
    (GOOD + b"\n" + GOOD[:40], r"x_train\.jsonl line 2: not valid JSON"),
    (GOOD + b"\n\xe9", r"line 2: not UTF-8 text"),
    (b"[1]", r"line 1: row: Input should be a valid dictionary"),
    (b'{"qid": "Q1", "qid": "Q2"}', r"line 1: the key 'qid' occurs twice"),
    (b"\n\n", r"no entries"),
    (json.dumps(line(qid="Q12x")).encode(), r"line 1: qid: expected Q and a number, or nil, found 'Q12x'"),
    (json.dumps(line(target="", golden=" ")).encode(), r"line 1: the entity 'Q38076' has no name; expected one in"),
    (json.dumps(line(mention=" ")).encode(), r"line 1: mention: is empty"),
    (json.dumps({"mention": "a", "text": "a", "qid": "Q1"}).encode(), r"line 1: sent_id.*: Field required"),
]


@pytest.mark.parametrize(("content", "words"), BAD)
def test_bad_source_is_refused_naming_the_line(tmp_path: Path, target: Path, content: bytes, words: str) -> None:
    (tmp_path / "x_train.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=words):
        import_gemel_jsonl(tmp_path / "x_train.jsonl", target, None)
    assert not target.exists()


def test_folder_without_a_train_split_is_refused(tmp_path: Path, target: Path) -> None:
    save(tmp_path / "all" / "gemel_dev.jsonl", line())
    with pytest.raises(
        DataError, match=r"expected one file \*_train\.jsonl or \*_train\.json, found \[\] among \['gemel_dev.jsonl'\]"
    ):
        import_gemel_jsonl(tmp_path / "all", target, None)


@NEEDS_REAL
def test_real_lines_keep_every_mention_and_give_the_same_bytes_again(target: Path) -> None:
    report = import_gemel_jsonl(REAL, target, None)
    assert (report.posts, report.mentions, report.entities) == (6_347, 12_807, 6_898)
    dataset = read_dataset(target)
    assert dataset.rejected.is_empty()
    assert Counter(dataset.mentions["split"]) == {"train": 11_151, "dev": 1_656}
    assert dataset.mentions["in_kb"].all()
    first = contents(target)
    import_gemel_jsonl(REAL, target, None)
    assert contents(target) == first
