"""Import of WikiMEL's public formats, from small files, and from the complete one where it is at hand."""

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from source_files import contents, save

from gemel.core.errors import DataError
from gemel.posts.dataset import read_dataset
from gemel.posts.wikimel import import_richpedia, import_wikimel

REAL = Path(__file__).parents[3] / "shared" / "data" / "wikimel"
NEEDS_REAL = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real WikiMEL isn't at {REAL}")

PAIR = {
    "id": "7",
    "sentence": "Powers with Noel Harrison",
    "mentions": ["Noel Harrison", "Powers"],
    "entities": ["Noel Harrison", "Stefanie Powers"],
    "answer": ["Q532915", "Q256474"],
}
SINGLE = {"id": "8", "sentence": "At home", "mentions": ["Powers"], "entities": ["Gary Powers"], "answer": ["Q1"]}


def row(row_id: str, sentence: str, mention: str, name: str, qid: str, image: str | None = None) -> dict[str, Any]:
    entry = {"id": row_id, "sentence": sentence, "mentions": mention, "entities": name, "answer": qid}
    return entry if image is None else entry | {"imgPath": image}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "data" / "wikimel"


def test_melbench_posts_keep_their_mentions(tmp_path: Path, target: Path) -> None:
    report = import_wikimel(save(tmp_path / "Wikidata-MEL.json", {"7": PAIR, "8": SINGLE}), target, None)
    assert (report.posts, report.mentions, report.entities) == (2, 3, 3)
    assert (report.mentions_not_in_text, report.repeated_mentions, report.ambiguous_mentions) == (1, 0, 1)
    assert report.split_by == "hash of the post id"
    dataset = read_dataset(target)
    assert dataset.name == "wikimel"
    assert dataset.rejected.is_empty()
    assert dataset.mentions.filter(post_id="7")["mention_id"].to_list() == ["7-0", "7-1"]
    assert [entity.label for entity in dataset.entities] == ["Noel Harrison", "Stefanie Powers", "Gary Powers"]


def test_post_without_mentions_is_kept(tmp_path: Path, target: Path) -> None:
    bare = {"id": "9", "sentence": "Nobody", "mentions": [], "entities": [], "answer": []}
    assert import_wikimel(save(tmp_path / "x.json", {"7": PAIR, "9": bare}), target, None).posts == 2


def test_written_lines_keep_their_form(tmp_path: Path, target: Path) -> None:
    import_wikimel(save(tmp_path / "x_train.json", {"8": SINGLE}), target, None)
    mention = '{"id": "8-0", "mention": "Powers", "start": null, "end": null, "entity": "Q1"}'
    line = '{"id": "8", "text": "At home", "image": null, "split": "train", "mentions": [' + mention + "]}\n"
    assert (target / "posts.jsonl").read_text() == line
    entity = '{"id": "Q1", "label": "Gary Powers", "aliases": [], "popularity": 1}\n'
    assert (target / "entities.jsonl").read_text() == entity
    facts = json.loads((target / "dataset.json").read_text())
    assert list(facts)[:5] == ["name", "source", "licence", "format", "popularity"]
    assert list(facts)[-2:] == ["splits", "split_by"]


def three_splits(folder: Path) -> Path:
    save(
        folder / "WIKIMEL_train.json",
        [
            row("10-0", "A and B", "A", "Ann", "Q1", "10.jpg"),
            row("10-1", "A and B", "B", "Bob", "Q2", "10.jpg"),
            row("11-0", "A alone", "A", "Ann", "Q1", "11.jpg"),
        ],
    )
    save(folder / "WIKIMEL_dev.json", [row("11-1", "A alone", "alone", "Al One", "Q3", "11.jpg")])
    save(folder / "WIKIMEL_test.json", [row("12", "B", "B", "Bob", "Q2"), row("12-1", "B!", "B", "Bob", "Q2")])
    save(folder / "WIKIMEL_with_portraits.json", [])
    return folder


def test_list_mentions_are_grouped_into_posts(tmp_path: Path, target: Path) -> None:
    report = import_wikimel(three_splits(tmp_path / "lists"), target, None)
    dataset = read_dataset(target)
    posts = dataset.posts.rows_by_key("post_id", named=True, unique=True)
    assert list(posts) == ["10", "11.train", "11.dev", "12.test", "12.test.2"]
    assert dataset.mentions.filter(post_id="10")["mention_id"].to_list() == ["10-0", "10-1"]
    assert (posts["11.dev"]["split"], posts["12.test.2"]["text"]) == ("dev", "B!")
    assert (report.divided_posts, report.split_by) == (2, "file name")
    assert report.splits == {"train": 2, "dev": 1, "test": 2}


def test_popularity_is_counted_in_the_train_split_only(tmp_path: Path, target: Path) -> None:
    import_wikimel(three_splits(tmp_path / "lists"), target, None)
    popularity = {entity.entity_id: entity.popularity for entity in read_dataset(target).entities}
    assert popularity == {"Q1": 2.0, "Q2": 1.0, "Q3": 0.0}


def test_second_name_of_an_entity_becomes_an_alias(tmp_path: Path, target: Path) -> None:
    rows = [row("1-0", "A", "A", "Ann", "Q1"), row("2-0", "A", "A", "Anna", "Q1")]
    import_wikimel(save(tmp_path / "x_train.json", rows), target, None)
    (entity,) = read_dataset(target).entities
    assert (entity.label, entity.aliases) == ("Ann", ("Anna",))


@pytest.mark.parametrize(
    ("name", "split"),
    [("WIKIMEL_dev", "dev"), ("x-TEST", "test"), ("train", "train"), ("valid", "dev"), ("a_val", "dev")],
)
def test_file_name_states_the_split(tmp_path: Path, target: Path, name: str, split: str) -> None:
    report = import_wikimel(save(tmp_path / f"{name}.json", {"7": PAIR}), target, None)
    assert report.splits[split] == report.posts == 1


def test_hash_split_is_near_70_10_20(tmp_path: Path, target: Path) -> None:
    posts = {str(i): SINGLE | {"id": str(i)} for i in range(2000)}
    splits = import_wikimel(save(tmp_path / "latest.json", posts), target, None).splits
    assert abs(splits["train"] - 1400) < 80
    assert abs(splits["dev"] - 200) < 50


def test_images_are_copied_and_missing_ones_counted(tmp_path: Path, target: Path) -> None:
    images = tmp_path / "pictures"
    (images / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/b c.PNG"):
        Image.new("RGB", (2, 2)).save(images / name)
    rows = [row(f"{i}-0", "A", "A", "Ann", "Q1", name) for i, name in enumerate(["a.png", "sub/b c.PNG", "no.png"])]
    report = import_wikimel(save(tmp_path / "x.json", rows), target, images)
    assert (report.images, report.missing_images) == (2, 1)
    posts = read_dataset(target).posts
    assert posts["image_status"].to_list() == ["read", "read", "missing"]
    assert posts["image"][0] == "images/a.png"
    assert posts["image"][1].endswith(".png")
    assert " " not in posts["image"][1]


def test_folders_of_windows_paths_are_found(tmp_path: Path, target: Path) -> None:
    (tmp_path / "pictures" / "sub").mkdir(parents=True)
    Image.new("RGB", (2, 2)).save(tmp_path / "pictures" / "sub" / "a.png")
    rows = [row("1-0", "A", "A", "Ann", "Q1", "sub\\a.png")]
    assert import_wikimel(save(tmp_path / "x.json", rows), target, tmp_path / "pictures").images == 1


@pytest.mark.parametrize("name", ["https://example.org/a.png", "x" * 300 + ".png", "a\0b.png"])
def test_image_name_that_is_no_file_is_counted_as_missing(tmp_path: Path, target: Path, name: str) -> None:
    rows = [row("1-0", "A", "A", "Ann", "Q1", name)]
    report = import_wikimel(save(tmp_path / "x.json", rows), target, tmp_path)
    assert (report.images, report.missing_images) == (0, 1)


def test_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path, target: Path) -> None:
    (tmp_path / "x.json").write_bytes(
        b"\xef\xbb\xbf" + json.dumps({"7": PAIR}, indent=1).replace("\n", "\r\n").encode()
    )
    assert import_wikimel(tmp_path / "x.json", target, None).mentions == 2


def test_second_import_is_byte_identical_and_replaces_the_first(tmp_path: Path, target: Path) -> None:
    source = three_splits(tmp_path / "lists")
    import_wikimel(source, target, None)
    first = contents(target)
    (target / "stale.txt").write_text("x")
    import_wikimel(source, target, None)
    assert contents(target) == first
    assert [path.name for path in target.parent.iterdir()] == ["wikimel"]


def test_failed_import_leaves_the_former_data_set(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = three_splits(tmp_path / "lists")
    import_wikimel(source, target, None)
    first = contents(target)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("gemel.posts.importing.write_lines", full)
    with pytest.raises(DataError, match="the import could not be written"):
        import_wikimel(source, target, None)
    assert contents(target) == first
    assert [path.name for path in target.parent.iterdir()] == ["wikimel"]


def test_folder_that_is_no_data_set_is_not_replaced(tmp_path: Path, target: Path) -> None:
    save(target / "thesis.txt", "years of work")
    with pytest.raises(DataError, match="exists and is no data set"):
        import_wikimel(save(tmp_path / "x.json", {"7": PAIR}), target, None)
    assert (target / "thesis.txt").exists()


BAD = [
    ("{", r"x\.json: not valid JSON \(Expecting property name"),
    ("[" * 100_000, r"x\.json: not valid JSON"),
    ('"text"', r"x\.json: expected an object of posts or a list of mentions, found str"),
    ("[]", r"x\.json: no entries"),
    ('{"7": {}, "7": {}}', r"x\.json: the key '7' occurs twice in one object"),
    ({"7": [PAIR]}, r"x\.json: entry '7': row: Input should be a valid dictionary"),
    (
        {"7": {**PAIR, "answer": ["Q1"]}},
        r"entry '7': mentions, entities and answer must be of one length, found .*'answer': 1",
    ),
    ({"7": {**PAIR, "answer": ["Q1", "nil"]}}, r"entry '7': answer\.1: String should match pattern .*found \"nil\""),
    ({"7": {**PAIR, "sentence": " "}}, r"entry '7': sentence: is empty"),
    ({"7": {**PAIR, "mentions": "Powers"}}, r"entry '7': mentions: Input should be a valid list"),
    ({"9": PAIR}, r"entry '9': its id is '7', but it stands under '9'"),
    ('[{"id": "1", "sentence": "\\ud800"}]', r"entry 1: sentence: holds half a character"),
    ([row("1-0", "A", "A", "Ann", "Q1"), {"id": "2"}], r"x\.json: entry 2: sentence: Field required"),
    ([row("1-0", "A", "A", "Ann", "Q1")] * 2, r"entry 2 \(id '1-0'\): mention id '1-0' is that of .*entry 1"),
    ([row("1-0", "A", "A", "Ann", "Q1", "../x.png")], r"entry 1: imgPath: leaves the folder of images"),
    ([row("1-0", "A", "A", "Ann", "Q1", "C:\\pics\\x.png")], r"entry 1: imgPath: leaves the folder of images"),
    ([row("1-0", "A", "A", "Ann", "Q1", "/etc/hosts")], r"entry 1: imgPath: leaves the folder of images"),
]


@pytest.mark.parametrize(("content", "words"), BAD)
def test_bad_source_is_refused_naming_the_entry(tmp_path: Path, target: Path, content: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        import_wikimel(save(tmp_path / "x.json", content), target, None)
    assert not target.exists()


def test_absent_or_incomplete_sources_are_refused(tmp_path: Path, target: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder; give a WikiMEL JSON file"):
        import_wikimel(tmp_path / "no.json", target, None)
    save(tmp_path / "lists" / "a_train.json", [])
    with pytest.raises(DataError, match=r"expected one file \*_dev.json, found \[\] among \['a_train.json'\]"):
        import_wikimel(tmp_path / "lists", target, None)
    with pytest.raises(DataError, match="no such folder of images"):
        import_wikimel(save(tmp_path / "x.json", {"7": PAIR}), target, tmp_path / "no")
    (tmp_path / "latin.json").write_bytes(b'{"7": "\xe9"}')
    with pytest.raises(DataError, match=r"latin.json: not valid JSON"):
        import_wikimel(tmp_path / "latin.json", target, None)


def richpedia_post(qid: str) -> dict[str, str]:
    return {"id": qid, "sentence": "Otho was emperor", "mentions": "Otho", "entities": "Otho", "answer": qid}


def test_richpedia_has_one_mention_a_post_and_an_image_of_its_id(tmp_path: Path, target: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "Q1416.jpg")
    source = save(tmp_path / "Richpedia-MEL.json", {"Q1416": richpedia_post("Q1416"), "Q2": richpedia_post("Q2")})
    report = import_richpedia(source, target, tmp_path)
    assert (report.posts, report.mentions, report.images, report.missing_images) == (2, 2, 1, 1)
    dataset = read_dataset(target)
    assert (dataset.posts["image"][0], dataset.mentions["entity_id"][0]) == ("images/Q1416.jpg", "Q1416")


def test_richpedia_reads_lists_of_mentions_too(tmp_path: Path, target: Path) -> None:
    assert import_richpedia(save(tmp_path / "a.json", {"7": PAIR}), target, None).mentions == 2
    rows = [row("1-0", "A", "A", "Ann", "Q1", "a.jpg")]
    assert import_richpedia(save(tmp_path / "b.json", rows), target, None).missing_images == 1


def test_richpedia_id_cannot_lead_out_of_the_images(tmp_path: Path, target: Path) -> None:
    post = richpedia_post("Q1") | {"id": "../x"}
    with pytest.raises(DataError, match=r"entry '../x': its image '../x.jpg' leaves the folder of images"):
        import_richpedia(save(tmp_path / "x.json", {"../x": post}), target, None)


@NEEDS_REAL
def test_complete_wikimel_is_imported_without_loss(target: Path) -> None:
    report = import_wikimel(REAL / "Wikidata-MEL.json", target, None)
    assert (report.posts, report.mentions, report.entities) == (22_136, 25_846, 17_391)
    assert (report.mentions_not_in_text, report.repeated_mentions, report.ambiguous_mentions) == (740, 298, 874)
    dataset = read_dataset(target)
    assert (dataset.posts.height, len(dataset.entities), dataset.rejected.height) == (22_136, 17_391, 0)
    assert dataset.mentions.height == 25_846
    assert (dataset.mentions["occurrences"] == 0).sum() == 740
    assert (dataset.mentions["occurrences"] > 1).sum() == 298
    assert dataset.mentions["in_kb"].all()


@NEEDS_REAL
def test_published_splits_of_wikimel_keep_every_mention(target: Path) -> None:
    import_wikimel(REAL / "mimic_format", target, None)
    counts = Counter(read_dataset(target).mentions["split"])
    assert counts == {"train": 18_092, "dev": 2_585, "test": 5_169}


WRITTEN = [
    (
        "Wikidata-MEL.json",
        "9a93f31f3da6da8ef1f5961639ddf336a8b98bc10d0557affe3bb31bde284c1f",
        "c42f8d48ccd1a6c5df35fdfdc91758f6a7278a475b923b99df9c3ee8be70ac1a",
    ),
    (
        "mimic_format",
        "9026aa9f5b37f851bf262298caff865598129c598d19371cd70a488047578382",
        "4c0d32cdb3fc20798e598a66d70702e135462bc5bff8dd9246ba4e3b9b12a373",
    ),
]


@NEEDS_REAL
@pytest.mark.parametrize(("source", "posts", "entities"), WRITTEN)
def test_bytes_of_wikimel_are_those_of_its_first_import(target: Path, source: str, posts: str, entities: str) -> None:
    import_wikimel(REAL / source, target, None)
    written = [sha256((target / name).read_bytes()).hexdigest() for name in ("posts.jsonl", "entities.jsonl")]
    assert written == [posts, entities]
