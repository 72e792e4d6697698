"""`gemel report --html` and `gemel report --compare`."""

import json
import re
import shutil
from pathlib import Path

import pytest
from stages.project_changes import set_fact
from typer.testing import CliRunner, Result

from gemel import cli
from gemel.core.errors import ArtifactError, DataError, RequestError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["report", *map(str, arguments)], catch_exceptions=False)


@pytest.mark.usefixtures("in_project")
def test_page_is_written_and_its_size_and_seed_said(tmp_path: Path) -> None:
    said = " ".join(run("--html", tmp_path / "page.html").stdout.split())
    assert re.search(
        r"page\.html: 0\.\d\d MB, 10 graded mentions, \d+ of them wrong \(seed \d, the best on dev\)", said
    )
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")


def test_page_of_another_checkout(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("--run", project, "--html", "page.html").exit_code == 0
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/webp;base64,") == 10


@pytest.mark.usefixtures("in_project")
def test_run_is_as_good_as_itself(tmp_path: Path) -> None:
    text = run("--compare", "artifacts", ".", "--html", tmp_path / "page.html").stdout
    assert "inside the noise" in text
    assert (tmp_path / "page.html").is_file()


@pytest.mark.usefixtures("in_project")
def test_comparison_for_programs() -> None:
    found = json.loads(run("--compare", "artifacts", ".", "--json").stdout)
    assert (found["mentions"], found["p_value"], found["fixed"], found["broken"]) == (5, 1.0, [], [])


def test_runs_of_other_grading_are_refused(project_copy: Path, tmp_path: Path) -> None:
    shutil.copytree(project_copy / "artifacts" / "evaluation", tmp_path / "other" / "evaluation")
    set_fact(tmp_path / "other" / "evaluation", "graded_by", "name")
    with pytest.raises(DataError, match="graded by 'id' and by 'name'"):
        run("--compare", "artifacts", tmp_path / "other")


@pytest.mark.usefixtures("in_project")
def test_unfinished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="run `dvc repro evaluation`"):
        run("--compare", "artifacts", tmp_path)


def test_json_without_two_runs_is_refused() -> None:
    with pytest.raises(RequestError, match="-S and --json belong to a table"):
        run("--json")
