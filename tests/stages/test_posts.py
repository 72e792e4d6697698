"""The stage `posts`, from settings and raw files to the artifact or a clear refusal; and what a person may accept."""

import json
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from gemel import cli
from gemel.core.artifacts import read_manifest
from gemel.core.errors import ConfigError, DataError
from gemel.entities.catalog import Catalog
from gemel.posts.profile import read_profile
from gemel.posts.tables import Tables
from gemel.stages import posts as stage


def post(number: int, split: str, **rest: Any) -> dict[str, Any]:
    mention = {"id": f"m{number}", "mention": "Jaguar", "start": None, "end": None, "entity": "Q35694"}
    text = f"The Jaguar slept {number} times"
    return {"id": f"p{number}", "text": text, "image": "images/a.png", "split": split, "mentions": [mention], **rest}


POST = post(1, "train")
OTHERS = [post(2, "dev"), post(3, "test")]
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
    write_project(tmp_path, [POST, *OTHERS])
    stage.main()
    facts = read_manifest(stage.POSTS, "posts", check_hashes=True)
    assert (facts["dataset"], facts["posts"], facts["mentions"], facts["entities"]) == ("tiny", 3, 3, 2)
    assert facts["names_by"]["type"] == 2
    assert facts["warnings"] == []
    assert Tables.read(stage.POSTS).posts["image_status"].to_list() == ["read"] * 3
    assert Catalog.read(stage.POSTS / "entities.parquet").names == ("Jaguar (animal)", "Jaguar (car maker)")
    assert (stage.POSTS / "data_docs" / "index.html").is_file()
    assert facts["redirected_mentions"] == 0
    printed = capsys.readouterr().out
    assert "span_holds_mention" in printed
    assert "100.0%" in printed


def test_merged_gold_ids_are_counted(tmp_path: Path) -> None:
    write_project(tmp_path, [{**POST, "mentions": [{**POST["mentions"][0], "entity": "Q1"}]}, *OTHERS])
    (tmp_path / "data" / "tiny" / "redirects.tsv").write_text("Q1\tQ35694\n")
    stage.main()
    facts = read_manifest(stage.POSTS, "posts")
    assert (facts["redirected_mentions"], facts["mentions_out_of_kb"]) == (1, 0)


def test_second_run_gives_the_same_bytes(tmp_path: Path) -> None:
    write_project(tmp_path, [POST, *OTHERS])
    stage.main()
    first = (stage.POSTS / "manifest.json").read_bytes()
    stage.main()
    assert (stage.POSTS / "manifest.json").read_bytes() == first


def test_warning_does_not_stop_the_stage(tmp_path: Path) -> None:
    write_project(tmp_path, [{**POST, "image": "images/no.png"}, *OTHERS])
    stage.main()
    assert read_manifest(stage.POSTS, "posts")["warnings"] == ["images_read", "imputed_images"]


def test_critical_failure_writes_no_artifact_but_data_docs(tmp_path: Path) -> None:
    write_project(tmp_path, [POST, *OTHERS])
    stage.main()
    before = (stage.POSTS / "manifest.json").read_bytes()
    write_project(tmp_path, [{**post, "mentions": []} for post in (POST, *OTHERS)])
    words = r"tiny: splits_complete .*; mentions_present \(there are mentions\): 0 of 0 mentions. Open artifacts"
    with pytest.raises(DataError, match=words) as refused:
        stage.main()
    assert "gemel accept" not in str(refused.value)
    assert (stage.POSTS / "manifest.json").read_bytes() == before
    assert (stage.FAILED / "data_docs" / "index.html").is_file()
    write_project(tmp_path, [POST, *OTHERS])
    stage.main()
    assert not stage.FAILED.exists()


def test_too_many_rejected_rows_stop_the_stage(tmp_path: Path) -> None:
    write_project(tmp_path, [POST, {"id": "p9"}, *OTHERS])
    words = (
        r"few_rejected \(at most 1.00% of each file's rows are rejected \(posts.max_rejected_share\)\): "
        r"1 of 3 sources, e.g. posts.jsonl 0.25 line 2: text: Field required"
    )
    with pytest.raises(DataError, match=words):
        stage.main()
    assert not stage.POSTS.exists()
    assert Tables.read(stage.FAILED).rejected["line"].to_list() == [2]


def test_few_rejected_rows_are_kept_beside_the_others(tmp_path: Path) -> None:
    params = "dataset: tiny\nposts: {max_rejected_share: 0.3}\n"
    write_project(tmp_path, [POST, {"id": "p9"}, *OTHERS], params)
    stage.main()
    assert read_manifest(stage.POSTS, "posts")["rejected"] == 1
    assert "text: Field required" in Tables.read(stage.POSTS).rejected["reason"][0]


def test_row_that_is_lost_while_tables_are_written_stops_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, [POST, *OTHERS])
    whole = Tables.write

    def write_less(tables: Tables, folder: Path) -> None:
        whole(tables, folder)
        pl.read_parquet(folder / "posts.parquet")[:2].write_parquet(folder / "posts.parquet")

    monkeypatch.setattr(Tables, "write", write_less)
    with pytest.raises(DataError, match=r"rows_add_up .*: 1 of 3 sources, e.g. posts.jsonl 3 2"):
        stage.main()


def gemel(*arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["gemel", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert ended.value.code == 0


def test_first_run_says_that_nothing_was_compared_and_how_to_accept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_project(tmp_path, [POST, *OTHERS])
    stage.main()
    words = (
        "Not compared with a former version: none of tiny was accepted yet; "
        'run `gemel accept --reason "…"` and commit conf/accepted/tiny.json.'
    )
    assert words in capsys.readouterr().out
    assert "no_drift" not in json.loads((stage.POSTS / "checks.json").read_text())


def test_first_version_is_accepted_and_then_compared_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(tmp_path, [POST, *OTHERS])
    stage.main()
    gemel("accept", "--reason", "first version")
    printed = " ".join(capsys.readouterr().out.split())
    assert "artifacts/posts: the first accepted version, 3 posts, 3 mentions, 2 entities." in printed
    assert "Written: conf/accepted/tiny.json. Look at `git diff`, commit it, then `dvc repro`." in printed
    stage.main()
    assert "Not compared" not in capsys.readouterr().out
    assert json.loads((stage.POSTS / "checks.json").read_text())["no_drift"]["passed"]


def test_drift_stops_the_stage_until_it_is_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(tmp_path, [POST, *OTHERS])
    stage.main()
    gemel("accept", "--reason", "first version")
    write_project(tmp_path, [{**post, "image": None} for post in (POST, *OTHERS)])
    words = (
        r"tiny: no_drift .*: 1 of 9 features, e.g. image 1.0 none: 0.0% → 100.0%, read: 100.0% → 0.0%. .*; if this "
        r'change is meant, run `gemel accept --reason "…"` and commit conf/accepted/tiny.json'
    )
    with pytest.raises(DataError, match=words):
        stage.main()
    capsys.readouterr()
    gemel("accept", "--reason", "the feed has no images any more")
    printed = " ".join(capsys.readouterr().out.split())
    assert "artifacts/.failed/posts, compared with the version accepted before" in printed
    assert "image │ 1.000 │ none: 0.0% → 100.0%" in printed
    stage.main()
    assert read_profile(Path("conf/accepted/tiny.json"))[0] == read_profile(stage.POSTS / "profile.json")[0]
    assert not stage.FAILED.exists()


def test_lost_posts_stop_the_stage(tmp_path: Path) -> None:
    write_project(tmp_path, [POST, *OTHERS, post(4, "train"), post(5, "dev"), post(6, "test")])
    stage.main()
    gemel("accept", "--reason", "first version")
    write_project(tmp_path, [POST, *OTHERS])
    words = (
        r"tiny: rows_kept \(at most 20% of the accepted version's rows are gone \(posts.max_lost_share\)\): "
        r"2 of 3 features, e.g. number of posts 0.5 6 → 3, number of mentions 0.5 6 → 3"
    )
    with pytest.raises(DataError, match=words):
        stage.main()


def test_broken_accepted_file_stops_the_stage(tmp_path: Path) -> None:
    write_project(tmp_path, [POST, *OTHERS])
    (tmp_path / "conf" / "accepted").mkdir(parents=True)
    (tmp_path / "conf" / "accepted" / "tiny.json").write_text("<<<<<<< HEAD")
    with pytest.raises(DataError, match=r"conf/accepted/tiny.json: not readable as JSON"):
        stage.main()


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
