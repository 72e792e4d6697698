"""`gemel forget` asks, shows and says."""

import dataclasses
import errno
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gemel.cli import app
from gemel.core.errors import ArtifactError, RequestError
from gemel.forgetting.forget import carry_out, plan
from gemel.registry.errors import LeaseError
from gemel.registry.lease import Lease

PROJECT = {"id": "p1", "text": "Words of the post", "image": None, "split": "train", "mentions": []}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without git and DVC."""
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/one").mkdir(parents=True)
    rows = [PROJECT, PROJECT | {"id": "p2", "text": "Others"}]
    (tmp_path / "data/one/posts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    return tmp_path


def run(*arguments: str, answer: str | None = None) -> str:
    result = CliRunner().invoke(app, ["forget", *arguments], input=answer)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def ids(root: Path) -> list[str]:
    return [json.loads(line)["id"] for line in (root / "data/one/posts.jsonl").read_text().splitlines()]


def test_dry_run_shows_and_changes_nothing(root: Path) -> None:
    said = run("p1", "--dry-run")
    assert "data/one/posts.jsonl" in said
    assert "left: Never looked at: other clones" in said.replace("\n", " ")
    assert ids(root) == ["p1", "p2"]


def test_without_a_yes_nothing_is_changed(root: Path) -> None:
    with pytest.raises(RequestError, match="not confirmed; nothing was changed"):
        run("p1", answer="n\n")
    assert ids(root) == ["p1", "p2"]


def test_twice_is_once(root: Path) -> None:
    assert "places are rid of it" in run("p1", "--yes")
    assert ids(root) == ["p2"]
    assert "Forgotten before; nothing is left to do." in run("p1", "--yes")


def test_full_disk_is_a_sentence_and_the_same_command_goes_on(root: Path) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    what = plan(root, ["p1"])
    with pytest.raises(
        ArtifactError, match=r"data/one/posts\.jsonl: can't be rewritten .*No space.*run the same command"
    ):
        carry_out(root, dataclasses.replace(what, places=(dataclasses.replace(what.places[0], remove=full),)))
    assert "places are rid of it" in run("p1", "--yes")
    assert ids(root) == ["p2"]


def test_retraining_run_is_not_disturbed(root: Path) -> None:
    with Lease(root / ".gemel/retraining.lock", "retrain"), pytest.raises(LeaseError, match=r"held by .*retrain"):
        run("p1", "--yes")
    assert ids(root) == ["p1", "p2"]


@pytest.mark.usefixtures("root")
def test_nothing_named_is_a_sentence() -> None:
    with pytest.raises(RequestError, match="give ids of posts, or --image"):
        run()
    with pytest.raises(RequestError, match=r"none\.png: no such file; give the picture"):
        run("--image", "none.png")
