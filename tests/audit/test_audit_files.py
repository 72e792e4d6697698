"""`gemel audit`: from links to a sample, from judgements to a result."""

import json
import sys
from pathlib import Path

import polars as pl
import pytest
from audit.sampled import annotation, draw, exported, fill, sample_in
from linked_posts import many, write_linked
from typer.testing import CliRunner, Result

from gemel import cli
from gemel.audit.files import CONFIG, SAMPLE, SHEET, TASKS, read_judgements, read_types
from gemel.core.errors import DataError, GemelError, RequestError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_one_command_writes_all_files_of_a_sample(tmp_path: Path) -> None:
    files = write_linked(tmp_path)
    result = run("audit", "sample", files.links, "--posts", files.posts, "--out", tmp_path / "s", "--count", 4)
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "s").iterdir()} == {SAMPLE, TASKS, CONFIG, SHEET}
    said = " ".join(result.stdout.split())
    assert "4 of 6 links drawn" in said
    assert "(1 rows of links.parquet are no links)" in said


def test_types_of_entities_are_read_from_a_table(tmp_path: Path) -> None:
    table = pl.DataFrame({"entity_id": ["Q30055", "Q35694"], "entity_type": ["car maker", None]})
    table.write_parquet(tmp_path / "entities.parquet")
    files = write_linked(tmp_path)
    options = ("--out", tmp_path / "s", "--count", 6, "--entities", tmp_path / "entities.parquet")
    run("audit", "sample", files.links, "--posts", files.posts, *options)
    assert {item.entity_type for item in sample_in(tmp_path / "s").items} == {"car maker", ""}


def test_other_tables_have_no_types(tmp_path: Path) -> None:
    pl.DataFrame({"entity_id": ["Q1"]}).write_parquet(tmp_path / "x.parquet")
    for name in ("x.parquet", "no.parquet"):
        with pytest.raises(
            DataError, match=rf"{name}: no table with entity_id and entity_type .*give an entities.parq"
        ):
            read_types(tmp_path / name)


def test_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    sample = draw(tmp_path, 2)
    (sample / SHEET).write_text("filled in")
    with pytest.raises(RequestError, match="is there already, perhaps with judgements in it; give another --out"):
        draw(tmp_path, 2)
    assert (sample / SHEET).read_text() == "filled in"


def test_sample_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def fail_at_the_sheet(path: Path, *arguments: object, **options: object) -> int:
        if path.name == SHEET:
            raise OSError("disk full")
        return write(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", fail_at_the_sheet)
    with pytest.raises(GemelError, match=r"sample: can't be written \(disk full\)"):
        draw(tmp_path, 2)
    assert {path.name for path in tmp_path.iterdir()} == {"links.parquet", "posts.jsonl"}


def test_sheets_and_exports_are_counted_together(tmp_path: Path) -> None:
    sample = draw(tmp_path, 30, many(40))
    sheet = fill(sample, tmp_path / "anna.csv", dict.fromkeys(range(30), "correct"))
    export = exported(sample, tmp_path / "export.json", {place: [annotation(7, "correct")] for place in range(29)})
    result = run("audit", "import", sheet, export, "--sample", sample / SAMPLE, "--links", tmp_path / "links.parquet")
    assert result.exit_code == 0
    said = " ".join(result.stdout.split())
    assert "30 of 40 links of links.parquet" in said
    assert "all 30 30 0 0 0 100.0 % 89 – 100" in said
    assert "29 links by two or more: 100.0 % of pairs agree, Krippendorff's alpha not defined" in said


def test_result_is_json_on_request_and_a_file_always(tmp_path: Path) -> None:
    sample = draw(tmp_path, 6)
    sheet = fill(sample, tmp_path / "anna.csv", {0: "correct", 1: "wrong", 2: "unsure"}, _1="Q5")
    result = run("audit", "import", sheet, "--sample", sample / SAMPLE, "--json")
    facts = json.loads(result.stdout)
    assert facts == json.loads((sample / "audit.json").read_text(encoding="utf-8"))
    assert (facts["sample"], facts["frame"]["size"]) == (sample_in(sample).sample, 6)
    assert (facts["overall"]["accuracy"], facts["overall"]["unsure"], facts["overall"]["not_judged"]) == (0.5, 1, 3)
    assert [each["right_entities"] for each in facts["wrong"]] == [{"anna": "Q5"}]


def test_unsure_and_open_links_are_said(tmp_path: Path) -> None:
    sample = draw(tmp_path, 6)
    sheet = fill(sample, tmp_path / "anna.csv", {0: "correct", 1: "wrong", 2: "unsure"})
    result = run("audit", "import", sheet, "--sample", sample / SAMPLE, "--out", tmp_path / "result.json")
    assert "With all unsure ones wrong 33.3 %, all right 66.7 %." in result.stdout
    assert "too few" in result.stdout
    assert "3 links that were drawn are not judged" in result.stderr
    assert (tmp_path / "result.json").is_file()


@pytest.mark.parametrize("command", [("audit",), ("audit", "import")])
def test_help_says_that_corrections_are_no_sample(command: tuple[str, ...]) -> None:
    said = " ".join(run(*command, "--help").stdout.replace("│", " ").split())
    assert "biased" in said
    assert "never stand" in said or "never stands" in said


def test_corrections_in_place_of_a_sample_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = draw(tmp_path, 2)
    (tmp_path / "corrections.csv").write_text("item,judgement\np17,wrong\n")
    arguments = ["gemel", "audit", "import", tmp_path / "corrections.csv", "--sample", sample / SAMPLE]
    monkeypatch.setattr(sys, "argv", [str(argument) for argument in arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("error: 1 judgements are not of sample")
    assert "'p17'" in said
    assert not (sample / "audit.json").exists()


def test_other_endings_are_no_judgements(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"x.xlsx: judgements are .json of Label Studio, or .csv; found '.xlsx'"):
        read_judgements([tmp_path / "x.xlsx"])
