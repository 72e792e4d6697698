"""Exports: whole or not at all, with every link written or counted."""

import json
from pathlib import Path

import pytest
from linked_posts import write_linked
from typer.testing import CliRunner

from gemel.cli import app
from gemel.core.errors import GemelError, RequestError
from gemel.interchange.export import ExportOptions, export_links
from gemel.interchange.formats import OF_PLACES, Format


def flat(*arguments: object) -> str:
    """What a command prints, on one line."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return " ".join(result.stdout.replace("│", " ").split())


@pytest.mark.parametrize("to_format", Format)
def test_every_link_is_written_or_counted(tmp_path: Path, to_format: Format) -> None:
    linked = write_linked(tmp_path).read()
    report = export_links(linked, to_format, tmp_path / "out", ExportOptions())
    assert report.written + sum(report.left_out.values()) == len(linked.mentions)
    assert report.written == (3 if to_format in OF_PLACES else 6)
    assert (report.without_place, report.refused) == (0 if to_format in OF_PLACES else 3, 1)


def test_flat_lines_hold_every_link_and_why_it_has_no_offsets(tmp_path: Path) -> None:
    export_links(write_linked(tmp_path).read(), Format.JSONL, tmp_path / "flat.jsonl", ExportOptions())
    rows = [json.loads(line) for line in (tmp_path / "flat.jsonl").read_text(encoding="utf-8").split("\n") if line]
    assert [(row["start"], row["unplaced"]) for row in rows[:2]] == [(6, None), (10, None)]
    assert (rows[3]["start"], rows[3]["unplaced"]) == (None, "the mention does not occur in the text")
    assert rows[0]["text"][rows[0]["start"] : rows[0]["end"]] == "Jaguar"
    assert [each["entity_id"] for each in rows[0]["runners_up"]] == ["Q35694", "kb:7 a"]


def test_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linked, target = write_linked(tmp_path).read(), tmp_path / "flat.jsonl"
    target.write_text("old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(GemelError, match=r"flat.jsonl: can't be written \(disk full\)"):
        export_links(linked, Format.JSONL, target, ExportOptions())
    assert target.read_text() == "old"
    assert not list(tmp_path.glob(".*draft*"))


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"the folder .*no does not exist; make it first"):
        export_links(write_linked(tmp_path).read(), Format.JSONL, tmp_path / "no" / "x.jsonl", ExportOptions())


def test_command_says_what_was_written_and_left_out(tmp_path: Path) -> None:
    files = write_linked(tmp_path)
    said = flat("export", files.links, "--posts", files.posts, "--format", "kilt", "--out", tmp_path / "k.jsonl")
    assert "links written 3" in said
    assert "left out: the mention does not occur in the text 1" in said
    assert "never linked (see the column error) 1" in said


def test_command_names_the_configuration_too(tmp_path: Path) -> None:
    files = write_linked(tmp_path)
    out = tmp_path / "tasks.json"
    said = flat("export", files.links, "--posts", files.posts, "--format", "label-studio", "--out", out)
    assert "tasks.config.xml" in said
    assert "of them without offsets 3" in said


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--base", "https://kb.org/"), "--base is for --format elevant and nif; leave it out of --format jsonl"),
        (("--pages", "pages.tsv"), "--pages is for --format kilt"),
        (("--image-url", "/x/"), "--image-url is for --format label-studio"),
    ],
)
def test_option_of_another_format_is_refused(tmp_path: Path, option: tuple[str, str], words: str) -> None:
    files = write_linked(tmp_path)
    arguments = ["export", files.links, "--posts", files.posts, "--format", "jsonl", "--out", tmp_path / "x", *option]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(result.exception, RequestError)
    assert words in str(result.exception)
