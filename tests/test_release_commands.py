"""`gemel release push | pull | show`: what they print, and errors in a sentence."""

import json
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gemel import cli
from gemel.cli import app
from gemel.core.artifacts import artifact_hash


def run(*words: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["release", *map(str, words)])


def test_push_and_pull_say_what_was_carried(tiny_release: Path, tmp_path: Path) -> None:
    digest = artifact_hash(tiny_release)[:16]
    pushed = run("push", tmp_path / "share", "--release", tiny_release)
    assert re.search(rf"share: pushed; release {digest}, \d+ files, [\d,]+ bytes", pushed.output), pushed.output
    again = run("push", tmp_path / "share", "--release", tiny_release)
    assert "there already, nothing was sent" in again.output
    pulled = run("pull", tmp_path / "share", "--into", tmp_path / "mine")
    assert f"mine: pulled; release {digest}" in pulled.output
    assert "Its frozen models are not in it: " in pulled.output


def test_embedded_release_names_no_models_to_get(tiny_release: Path, tmp_path: Path) -> None:
    run("push", tmp_path / "share", "--release", tiny_release, "--backbone", "embed")
    pulled = run("pull", tmp_path / "share", "--into", tmp_path / "mine")
    assert "pulled" in pulled.output
    assert "not in it" not in pulled.output


def test_show_says_what_a_release_is(tiny_release: Path) -> None:
    shown = run("show", tiny_release)
    assert shown.exit_code == 0, shown.output
    for words in ("tiny", "2, written by gemel 0.1.0", "named, not in the bundle", artifact_hash(tiny_release), "20.0"):
        assert words in shown.output
    assert "data set" in shown.output.split("Protocol")[1]


def test_show_reads_the_former_format() -> None:
    shown = run("show", Path(__file__).parent / "releases/format_1")
    assert shown.exit_code == 0, shown.output
    assert "1, written by gemel before 0.1" in shown.output


def test_show_tells_changes(tiny_release: Path, tmp_path: Path) -> None:
    manifest = json.loads((tiny_release / "manifest.json").read_text()) | {"files": {}}
    manifest["facts"] |= {"changes": {"added": 2, "renamed": 0}, "corrections": {"shown": 1}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert "added 2, corrections shown 1" in run("show", tmp_path).output


def test_unknown_form_is_refused(tiny_release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sys.argv = ["gemel", "release", "push", str(tmp_path / "x"), "--release", str(tiny_release), "--backbone", "all"]
    with pytest.raises(SystemExit):
        cli.main()
    assert "--backbone all: no such form; known are reference and embed" in " ".join(capsys.readouterr().err.split())
