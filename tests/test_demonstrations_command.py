"""`gemel demonstrations` on a finished project: a correction is in the release at once, and leaves no trace."""

import json
import sys
from pathlib import Path

import pytest
from tiny_world import write_picture
from typer.testing import CliRunner, Result

from gemel import cli
from gemel.bundle import read_bundle
from gemel.core.artifacts import artifact_hash, file_sha256
from gemel.stages import CHANGES, POSTS, RELEASE
from gemel.stages import release as stage

GIVEN = ("--text", "A Jaguar at dusk", "--mention", "Jaguar", "--entity", "Q30055")
FOLDER = CHANGES / "tiny"


def run(*arguments: object) -> Result:
    words = ["demonstrations", *map(str, arguments)]
    return CliRunner().invoke(cli.app, words, catch_exceptions=False)


def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What is said on stderr before the end with status 1."""
    monkeypatch.setattr(sys, "argv", ["gemel", "demonstrations", *map(str, arguments)])
    with pytest.raises(SystemExit):
        cli.main()
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.usefixtures("project_copy")
def test_correction_is_in_the_release_and_goes_without_a_trace() -> None:
    before, picture = artifact_hash(RELEASE), write_picture(Path("new.png"), colour=(7, 8, 9))
    result = run("add", *GIVEN, "--image", picture)
    assert result.exit_code == 0
    bundle = read_bundle(RELEASE)
    first = bundle.demonstrations.row(0, named=True)
    assert (first["text"], first["entity_id"]) == ("A Jaguar at dusk", "Q30055")
    assert first["image_sha256"] == file_sha256(picture)
    assert file_sha256(picture) in bundle.vectors
    assert f"{first['mention_id']}: added" in result.stdout
    assert "A Jaguar at dusk" in run("list").stdout
    assert "1 removed" in run("remove", first["mention_id"]).stdout
    assert artifact_hash(RELEASE) == before


@pytest.mark.usefixtures("project_copy")
def test_stage_gives_the_bytes_that_the_command_gave() -> None:
    run("add", *GIVEN, "--image", write_picture(Path("new.png"), colour=(7, 8, 9)))
    after = artifact_hash(RELEASE)
    stage.main()
    assert artifact_hash(RELEASE) == after


@pytest.mark.usefixtures("project_copy")
def test_known_correction_is_told_and_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run("add", *GIVEN)
    monkeypatch.setattr(stage, "main", lambda: pytest.fail("the release was built"))
    assert "there already" in run("add", *GIVEN).stdout


@pytest.mark.usefixtures("project_copy")
def test_file_is_added_as_a_whole_or_not(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    good = {"text": "A Jaguar at dusk", "mentions": [{"mention": "Jaguar", "entity": "Q30055"}]}
    path = Path("solved.jsonl")
    path.write_text(f"{json.dumps(good)}\n{{}}\n")
    assert "solved.jsonl line 2: text: expected a sentence, found None; nothing was added" in refusal(
        monkeypatch, capsys, "add", path
    )
    assert not FOLDER.exists()
    path.write_text(json.dumps(good))
    assert ": added" in run("add", path).stdout


@pytest.mark.usefixtures("project_copy")
def test_correction_of_an_entity_that_went_is_told_and_dropped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("add", *GIVEN)
    (row,) = (FOLDER / "demonstrations.jsonl").read_text().splitlines()
    (FOLDER / "demonstrations.jsonl").write_text(row.replace("Q30055", "Q1"))
    stage.main()
    said = " ".join(capsys.readouterr().out.split())
    assert "('Jaguar' as Q1) left out: the catalog has no such entity any more; `gemel demonstrations remove c" in said
    assert "A Jaguar at dusk" not in read_bundle(RELEASE).demonstrations["text"].to_list()
    monkeypatch.setenv("COLUMNS", "200")
    assert "no longer in the" in run("list").stdout


@pytest.mark.usefixtures("project_copy")
def test_damaged_changes_stop_the_stage_and_leave_the_release() -> None:
    before = artifact_hash(RELEASE)
    FOLDER.mkdir(parents=True)
    (FOLDER / "demonstrations.jsonl").write_text("[]\n")
    with pytest.raises(Exception, match=r"demonstrations.jsonl line 1: row: .*; mend that line"):
        stage.main()
    assert artifact_hash(RELEASE) == before


@pytest.mark.usefixtures("in_project")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add"], "error: give --text, --mention and --entity, or a JSON-lines file of posts"),
        (["add", "x.jsonl", "--text", "y"], "error: give either a file of posts, or --text, --mention and --entity"),
        (["add", *GIVEN[:4], "--entity", "Q3005"], "no entity 'Q3005' in the catalog of 5; nearest are Q30055 (Jag"),
        (["add", *GIVEN, "--image", "gone.png"], "error: gone.png: no such file"),
        (["remove", "c1"], "error: no correction 'c1' (there is none)"),
    ],
)
def test_mistake_is_told_and_nothing_changes(
    arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = artifact_hash(RELEASE), artifact_hash(POSTS)
    assert words in refusal(monkeypatch, capsys, *arguments)
    assert (artifact_hash(RELEASE), artifact_hash(POSTS)) == before
