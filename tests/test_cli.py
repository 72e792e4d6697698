"""The command line: links, imports and reports; a mistake is one sentence and exit status 1."""

import json
import pickle
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image
from tiny_world import NOTICE, write_picture
from typer.testing import CliRunner, Result

from gemel import cli
from gemel.core.settings import BackboneSettings
from gemel.posts.dataset import read_dataset

LINES = (
    '{"id": "a", "text": "The Jaguar slept", "mentions": ["Jaguar"], "image": "a.png"}',
    '{"id": "b", "text": "The Jaguar slept"}',
    '{"id": "c", "text": "On the Amazon", "mentions": ["Amazon", "Jaguar"], "image": "no.png"}',
)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    """Three lines, the second of which is no post to link."""
    write_picture(tmp_path / "a.png")
    path = tmp_path / "posts.jsonl"
    path.write_text("\n".join(LINES))
    return path


def sentence_of(arguments: list[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What `gemel` says on stderr before it ends with status 1."""
    monkeypatch.setattr(sys, "argv", ["gemel", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return " ".join(captured.err.split())


def test_one_post_is_linked_and_shown(tiny_release: Path, posts: Path) -> None:
    picture = posts.with_name("a.png")
    options = ("--image", picture, "--release", tiny_release, "--device", "cpu")
    result = run("link", "--text", "The Jaguar slept", "--mention", "Jaguar", *options)
    assert result.exit_code == 0
    assert "'Jaguar', image read" in result.stdout
    assert result.stdout.count(" Q") == 3


def test_one_post_may_be_restricted(tiny_release: Path) -> None:
    options = ("--text", "The Jaguar slept", "--mention", "Jaguar", "--release", tiny_release)
    assert run("link", *options, "--candidate", "Q308", "--candidate", "Q925").stdout.count(" Q") == 2
    assert run("link", *options, "--type", "planet").stdout.count(" Q") == 1
    assert run("link", *options, "--top", 2).stdout.count(" Q") == 2


def test_mentions_of_a_file_that_state_a_choice_keep_it(tiny_release: Path, tmp_path: Path) -> None:
    mentions = ["Jaguar", {"mention": "Jaguar", "candidates": ["Q3783"]}]
    (tmp_path / "posts.jsonl").write_text(json.dumps({"text": "The Jaguar slept", "mentions": mentions}))
    options = ("--type", "planet", "--release", tiny_release, "--out", tmp_path / "links.parquet")
    assert run("link", tmp_path / "posts.jsonl", *options).exit_code == 0
    assert pl.read_parquet(tmp_path / "links.parquet")["entity_id"].to_list() == ["Q308", "Q3783"]


def test_notice_goes_to_stderr_once(tiny_release: Path) -> None:
    options = ("--text", "The Jaguar slept", "--mention", "Jaguar", "--release", tiny_release)
    result = run("link", *options)
    assert result.stderr.count(NOTICE) == 1
    assert NOTICE not in result.stdout


def test_mention_that_is_not_in_the_text_is_noted(tiny_release: Path) -> None:
    result = run("link", "--text", "On the river", "--mention", "Amazon", "--release", tiny_release)
    assert "the mention 'Amazon' does not occur in the text" in result.stderr


def test_file_of_posts_becomes_parquet_with_the_bad_line_kept(tiny_release: Path, posts: Path) -> None:
    result = run("link", posts, "--out", posts.with_name("links.parquet"), "--release", tiny_release)
    assert result.exit_code == 0
    table = pl.read_parquet(posts.with_name("links.parquet"))
    assert table["post_id"].to_list() == ["a", "b", "c", "c"]
    assert table["image"].to_list()[0] == "read"
    assert table["error"].is_null().to_list() == [True, False, True, True]
    assert "line 2: mentions: expected a list of strings to link, found None" in table["error"][1]


def test_file_of_posts_becomes_json_lines(tiny_release: Path, posts: Path) -> None:
    run("link", posts, "--out", posts.with_name("links.jsonl"), "--release", tiny_release)
    rows = [json.loads(line) for line in posts.with_name("links.jsonl").read_text().splitlines()]
    assert [row["post_id"] for row in rows] == ["a", "b", "c", "c"]
    assert [row["mention"] for row in rows] == ["Jaguar", None, "Amazon", "Jaguar"]


def test_mentions_of_one_text_are_found_and_each_is_shown(tiny_release: Path) -> None:
    options = ("--mentions", "auto", "--release", tiny_release, "--device", "cpu")
    shown = run("link", "--text", "A Jaguar on the Amazon", *options).stdout
    assert shown.index("'Jaguar', image none") < shown.index("'Amazon', image none")
    nothing = run("link", "--text", "nothing here", *options)
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "no mention was found in the text; nothing is linked" in nothing.stderr


def test_mentions_of_a_file_are_found_where_a_post_states_none(tiny_release: Path, posts: Path) -> None:
    posts.write_text(posts.read_text() + '\n{"id": "d", "text": "nothing here"}\n{"id": "e", "text": " "}')
    options = ("--out", posts.with_name("links.parquet"), "--release", tiny_release, "--mentions", "auto")
    result = run("link", posts, *options)
    table = pl.read_parquet(posts.with_name("links.parquet"))
    assert table.select("post_id", "mention", "start").rows() == [
        ("a", "Jaguar", None),
        ("b", "Jaguar", 4),
        ("c", "Amazon", None),
        ("c", "Jaguar", None),
        ("d", None, None),
        ("e", None, None),
    ]
    assert table["error"].is_null().to_list() == [True, True, True, True, True, False]
    assert table["notes"].to_list()[4] == ["no mention was found in the text"]
    words = (
        "4 mentions linked, 0 not in the catalog (NIL), 1 lines refused (see the column error), "
        "2 with an unreadable image, 2 with something"
    )
    assert words in " ".join(result.stdout.split())


def test_choice_holds_for_mentions_that_are_found(tiny_release: Path) -> None:
    options = ("--mentions", "auto", "--type", "planet", "--release", tiny_release)
    assert run("link", "--text", "A Jaguar on the Amazon", *options).stdout.count(" Q308") == 2


def test_what_went_wrong_is_counted(tiny_release: Path, posts: Path) -> None:
    result = run("link", posts, "--out", posts.with_name("links.jsonl"), "--release", tiny_release)
    words = (
        "3 mentions linked, 0 not in the catalog (NIL), 1 lines refused (see the column error), "
        "2 with an unreadable image, 1 with something"
    )
    assert words in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["link"], "error: give --text and --mention, or a JSON-lines file of posts"),
        (["link", "--text", "The Jaguar"], "error: give --text and --mention, or a JSON-lines file of posts"),
        (["link", "x.jsonl"], "error: a file of posts needs --out links.parquet or --out links.jsonl"),
        (["link", "x.jsonl", "--text", "y"], "error: give either a file of posts, or --text and --mention, not both"),
        (["link", "x.jsonl", "--out", "x.csv"], "links are written as .parquet or .jsonl; found '.csv'"),
        (["link", "--text", "a b", "--mention", "b", "--out", "x.jsonl"], "--out is for a file of posts"),
        (["link", "--text", "a b", "--mention", "b", "--release", "gone"], "gone: no manifest.json, so it was never"),
        (
            ["link", "--text", "a b", "--mention", "b", "--mentions", "auto"],
            "give --mention, or let --mentions find them",
        ),
        (["link", "--text", "a b", "--mentions", "ner"], "--mentions ner: no such finder; known are given, auto and"),
        (["link", "--text", "", "--mentions", "auto"], "error: give --text and --mention, or a JSON-lines file of"),
        (["link", "--mentions", "auto"], "error: give --text and --mention, or a JSON-lines file of posts; --mentions"),
        (["link", "--text", "a", "--mentions", "spacy:gone"], "spaCy pipeline 'gone': can't be loaded"),
        (["report", "gone.json"], "error: gone.json: no such file; run `dvc repro` first"),
        (["report", "table9"], "error: table9: no such file; tables are table2, table3"),
        (["report", "table9", "-S", "seed=1"], "error: -S and --json belong to a table (table2, table3"),
        (["import", "wikimel", "gone.json"], "gone.json"),
    ],
)
def test_mistake_is_one_sentence(
    arguments: list[object], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = sentence_of(arguments, monkeypatch, capsys)
    assert words in sentence
    assert sentence.startswith("error: ")


def test_missing_file_of_posts_is_one_sentence(
    tiny_release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["link", tmp_path / "no.jsonl", "--out", tmp_path / "links.jsonl", "--release", tiny_release]
    assert "no such file; give a JSON-lines file" in sentence_of(arguments, monkeypatch, capsys)


def test_mention_in_brackets_is_shown_as_it_is(tiny_release: Path) -> None:
    result = run("link", "--text", "A [/Jaguar] [red]", "--mention", "[/Jaguar]", "--release", tiny_release)
    assert "'[/Jaguar]', image none" in result.stdout


def test_path_in_brackets_is_shown_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "[red]x[/red].json: no such file" in sentence_of(["report", "[red]x[/red].json"], monkeypatch, capsys)


def test_wikimel_is_imported(tmp_path: Path) -> None:
    row = {"id": "7", "sentence": "At home", "mentions": ["Powers"], "entities": ["Gary Powers"], "answer": ["Q1"]}
    (tmp_path / "Wikidata-MEL.json").write_text(json.dumps({"7": row}))
    result = run("import", "wikimel", tmp_path / "Wikidata-MEL.json", "--target", tmp_path / "data" / "wikimel")
    assert result.exit_code == 0
    assert "dvc exp run -S dataset=wikimel" in result.stdout
    dataset = read_dataset(tmp_path / "data" / "wikimel")
    assert dataset.posts["text"].to_list() == ["At home"]


@pytest.mark.parametrize(
    ("name", "file", "content"),
    [
        (
            "richpedia",
            "a.json",
            {"Q1": {"id": "Q1", "sentence": "At home", "mentions": "home", "entities": "Home", "answer": "Q1"}},
        ),
        (
            "wikidiverse",
            "train.json",
            [["At home", "", "x", [["home", "Other", 3, 7, "https://en.wikipedia.org/wiki/Home"]]]],
        ),
        ("gemel-jsonl", "a.jsonl", {"mention": "home", "text": "At home", "target": "Home", "qid": "Q1", "sent_id": 0}),
    ],
)
def test_other_formats_are_imported(tmp_path: Path, name: str, file: str, content: object) -> None:
    (tmp_path / file).write_text(json.dumps(content))
    result = run("import", name, tmp_path / file, "--target", tmp_path / "data" / "home")
    assert result.exit_code == 0
    assert "dvc exp run -S dataset=home" in result.stdout
    assert read_dataset(tmp_path / "data" / "home").posts["text"].to_list() == ["At home"]


def test_schema_is_printed_as_json() -> None:
    result = run("import", "--schema")
    assert result.exit_code == 0
    schemas = json.loads(result.stdout)
    assert set(schemas) == {"posts.jsonl", "entities.jsonl"}
    assert set(schemas["posts.jsonl"]["required"]) == {"id", "text", "split", "mentions"}


def test_entities_are_imported_and_each_row_is_counted(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("id,label\nQ1,Universe\nQ1,[Space]\nQ2,\n")
    result = run("import", "entities", tmp_path / "own.csv", "--into", tmp_path / "own")
    counts = dict(line.strip("│ ").split("│") for line in result.stdout.splitlines() if line.startswith("│"))
    shown = {what.strip(): int(count) for what, count in counts.items()}
    expected = {"read": 3, "kept": 1, "duplicate ids": 1, "rejected": 1, "redirects": 0, "ids redirected": 0}
    assert shown == expected | {"types without a label": 0}
    assert "line 3: duplicate id 'Q1', first on line 2" in " ".join(result.stderr.split())
    assert "entities.rejected.jsonl" in result.stderr.replace("\n", "")


def test_checkpoint_is_imported_and_described(tmp_path: Path) -> None:
    import torch

    weights = torch.nn.Linear(6, 8, dtype=torch.float16).state_dict()
    torch.save(weights, tmp_path / "linear_2token.pkl")
    into = tmp_path / "published"
    result = run("import", "checkpoint", tmp_path / "linear_2token.pkl", "--into", into, "--prefix-tokens", 2)
    assert result.exit_code == 0
    assert re.search(r"dtype\W+float16\W", result.stdout)
    assert f"-S mapper.checkpoint={into} -S 'mapper.seeds=[0]'" in result.stdout


def test_trie_is_imported_and_its_names_are_counted(
    tiny_dataset: Path, tiny_backbones: BackboneSettings, tmp_path: Path
) -> None:
    from gemel.llm.tokens import load_tokenizer

    tokenizer = load_tokenizer(tiny_backbones.llm.model)
    eos = tokenizer.eos_token_id
    tree: dict[int, Any] = {eos: {}}
    for token in reversed(tokenizer.encode(" Okapi", add_special_tokens=False)):
        tree = {token: tree}
    (tmp_path / "tree.pkl").write_bytes(pickle.dumps({eos: tree}))
    into = shutil.copytree(tiny_dataset, tmp_path / "tiny")
    result = run("import", "trie", tmp_path / "tree.pkl", "--tokenizer", tiny_backbones.llm.model, "--into", into)
    assert result.exit_code == 0
    assert re.search(r"added\W+1\W", result.stdout)
    assert "now split otherwise: 'Okapi'" in result.stderr
    assert json.loads((into / "entities.jsonl").read_text().splitlines()[-1])["id"] == "enwiki:Okapi"


def test_acceptance_needs_a_reason() -> None:
    result = run("accept")
    assert result.exit_code == 2
    assert "Missing option '--reason'" in result.stderr


def test_report_shows_the_metrics(tmp_path: Path) -> None:
    figure = {"mean": 0.8, "low": 0.7, "high": 0.9, "n": 50, "seeds": 1, "spread": 0.0}
    split = {
        "accuracy": figure,
        "counts": {
            "mentions": 50,
            "nil": 3,
            "out_of_kb": 2,
            "imputed_image": 4,
            "shortened_prompts": 0,
            "windowed_texts": 0,
        },
    }
    metrics = {"test": split, "dev": split, "mapper": {"trainable_share": 0.01, "best_seed": 0}}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    result = run("report", tmp_path / "metrics.json")
    assert result.exit_code == 0
    assert "80.0" in result.stdout


def test_help_names_the_commands() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert all(command in result.stdout for command in ("import", "accept", "link", "report", "doctor"))


def test_images_of_an_archive_are_recorded_and_counted(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_dataset, tmp_path / "data" / "tiny")
    (tmp_path / "params.yaml").write_text(f"images: {{root: {tiny_dataset}}}")
    monkeypatch.chdir(tmp_path)
    result = run("import", "images", "--into", "data/tiny")
    assert result.exit_code == 0
    assert re.search(r"new\W+20\W", result.stdout)
    assert "-S images.root=" in result.stdout
    assert pl.read_parquet("data/tiny/images.parquet").height == 20


def test_images_without_a_root_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "params.yaml").write_text("images: {root: null}")
    monkeypatch.chdir(tmp_path)
    words = sentence_of(["import", "images", "--into", "data/tiny"], monkeypatch, capsys)
    assert "images.root is null: the data set has its images itself; give --root" in words


def test_vectors_without_their_encoder_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = sentence_of(["import", "gemel-jsonl", tmp_path, "--vectors", "clip.hdf5"], monkeypatch, capsys)
    assert "give --vectors and --encoder together" in words


def test_captions_in_images_become_posts(tmp_path: Path) -> None:
    exif = Image.new("RGB", (4, 4)).getexif()
    exif[0x010E] = "A jaguar at dusk"
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg", exif=exif)
    write_picture(tmp_path / "b.png")
    result = run("import", "captions", tmp_path, "--out", tmp_path / "posts.jsonl")
    assert result.exit_code == 0
    assert re.search(r"text from EXIF\W+1\W", result.stdout)
    assert "posts.rejected.jsonl" in result.stderr
    assert json.loads((tmp_path / "posts.jsonl").read_text())["text"] == "A jaguar at dusk"
