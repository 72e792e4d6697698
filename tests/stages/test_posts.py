"""The stage `posts`, from settings and raw files to the artifact or a clear refusal."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gemel.core.artifacts import read_manifest
from gemel.core.errors import ConfigError, DataError
from gemel.entities.catalog import Catalog
from gemel.posts.tables import Tables
from gemel.stages import posts as stage

POST = {
    "id": "p1",
    "text": "The Jaguar slept",
    "image": "images/a.png",
    "split": "train",
    "mentions": [{"id": "m1", "mention": "Jaguar", "start": None, "end": None, "entity": "Q35694"}],
}
ENTITIES = [
    {"id": "Q35694", "label": "Jaguar", "type": "animal"},
    {"id": "Q30055", "label": "Jaguar", "type": "car maker"},
]


def write_project(root: Path, posts: list[Any], params: str = "dataset: tiny\nposts: {}\n") -> None:
    folder = root / "data" / "tiny"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(folder / "images" / "a.png")
    (folder / "dataset.json").write_text('{"name": "tiny", "format": 1}')
    for name, rows in (("posts", posts), ("entities", ENTITIES)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "params.yaml").write_text(f"images: {{}}\n{params}")


@pytest.fixture(autouse=True)
def in_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_artifact_is_whole_and_says_what_it_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(tmp_path, [POST])
    stage.main()
    facts = read_manifest(stage.POSTS, "posts", check_hashes=True)
    assert (facts["dataset"], facts["posts"], facts["mentions"], facts["entities"]) == ("tiny", 1, 1, 2)
    assert facts["names_by"]["type"] == 2
    assert facts["warnings"] == []
    assert Tables.read(stage.POSTS).posts["image_status"].to_list() == ["read"]
    assert Catalog.read(stage.POSTS / "entities.parquet").names == ("Jaguar (animal)", "Jaguar (car maker)")
    assert (stage.POSTS / "data_docs" / "index.html").is_file()
    assert facts["redirected_mentions"] == 0
    printed = capsys.readouterr().out
    assert "span_holds_mention" in printed
    assert "100.0%" in printed


def test_merged_gold_ids_are_counted(tmp_path: Path) -> None:
    write_project(tmp_path, [{**POST, "mentions": [{**POST["mentions"][0], "entity": "Q1"}]}])
    (tmp_path / "data" / "tiny" / "redirects.tsv").write_text("Q1\tQ35694\n")
    stage.main()
    facts = read_manifest(stage.POSTS, "posts")
    assert (facts["redirected_mentions"], facts["mentions_out_of_kb"]) == (1, 0)


def test_second_run_gives_the_same_bytes(tmp_path: Path) -> None:
    write_project(tmp_path, [POST])
    stage.main()
    first = (stage.POSTS / "manifest.json").read_bytes()
    stage.main()
    assert (stage.POSTS / "manifest.json").read_bytes() == first


def test_warning_does_not_stop_the_stage(tmp_path: Path) -> None:
    write_project(tmp_path, [{**POST, "image": "images/no.png"}])
    stage.main()
    assert read_manifest(stage.POSTS, "posts")["warnings"] == ["images_read"]


def test_critical_failure_writes_no_artifact_but_data_docs(tmp_path: Path) -> None:
    write_project(tmp_path, [POST])
    stage.main()
    before = (stage.POSTS / "manifest.json").read_bytes()
    write_project(tmp_path, [{**POST, "mentions": []}])
    with pytest.raises(
        DataError, match=r"tiny: mentions_present \(there are mentions\): 0 of 0 rows .* Open artifacts"
    ):
        stage.main()
    assert (stage.POSTS / "manifest.json").read_bytes() == before
    assert (stage.FAILED / "data_docs" / "index.html").is_file()
    write_project(tmp_path, [POST])
    stage.main()
    assert not stage.FAILED.exists()


def test_too_many_rejected_rows_stop_the_stage(tmp_path: Path) -> None:
    write_project(tmp_path, [POST, {"id": "p2"}])
    words = r"1 of 5 rows rejected, more than posts.max_rejected_share 1.00%, the first at posts.jsonl line 2: text"
    with pytest.raises(DataError, match=words):
        stage.main()
    assert not stage.POSTS.exists()
    assert Tables.read(stage.FAILED).rejected["line"].to_list() == [2]


def test_few_rejected_rows_are_kept_beside_the_others(tmp_path: Path) -> None:
    write_project(tmp_path, [POST, {"id": "p2"}], "dataset: tiny\nposts: {max_rejected_share: 0.2}\n")
    stage.main()
    assert read_manifest(stage.POSTS, "posts")["rejected"] == 1
    assert "text: Field required" in Tables.read(stage.POSTS).rejected["reason"][0]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ("posts: {}\n", "dataset: expected the name of a folder in data/, found None"),
        ("dataset: ../x\nposts: {}\n", r"dataset: expected the name of a folder in data/, found '../x'"),
        ("dataset: {name: x}\nposts: {}\n", "dataset: expected the name of a folder"),
        ("dataset: tiny\n", "section 'posts' is missing"),
        ("dataset: tiny\nposts: {max_rejected_share: 2}\n", "posts.max_rejected_share: .*less than or equal to 1"),
        ("dataset: tiny\nposts: {min_images: 1}\n", r"posts.min_images: .*known keys of posts: max_rejected_share"),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, params: str, words: str) -> None:
    write_project(tmp_path, [POST], params)
    with pytest.raises(ConfigError, match=words):
        stage.main()


def test_unknown_data_set_says_what_to_do(tmp_path: Path) -> None:
    write_project(tmp_path, [POST], "dataset: other\nposts: {}\n")
    with pytest.raises(DataError, match="data/other: no such data set; import one with `gemel import`"):
        stage.main()
