"""Where the two runs of a comparison come from."""

import json
import shutil
from pathlib import Path

import pytest

from gemel.core.errors import ArtifactError, RequestError
from gemel.report.sides import Place, find, read_side, read_words


@pytest.mark.parametrize("below", [".", "artifacts", "artifacts/evaluation"])
def test_run_is_found_by_its_checkout_its_artifacts_or_its_evaluation(
    project: Path, tmp_path: Path, below: str
) -> None:
    place = find(str(project / below), tmp_path)
    assert place.evaluation == project / "artifacts" / "evaluation"
    found = read_side(place)
    assert found.evaluation.facts["seeds"] == [0, 1]
    assert found.names_sha256


def test_interrupted_run_is_refused(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project / "artifacts" / "evaluation", tmp_path / "evaluation")
    (tmp_path / "evaluation" / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match="never finished; run `dvc repro evaluation`"):
        read_side(find(str(tmp_path), tmp_path))


def test_words_come_from_the_first_folder_that_has_them(project: Path, tmp_path: Path) -> None:
    words = read_words([tmp_path, project / "artifacts"], ["m00"])
    assert words.mentions["m00"] == ("Jaguar", "The Jaguar this morning", 4)
    assert words.names["Q308"].startswith("Mercury")


def test_mentions_that_no_table_has_are_an_error(project: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no table of these mentions in .*posts; run `dvc repro posts`"):
        read_words([project / "artifacts"], ["elsewhere"])


@pytest.fixture
def repository(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git and DVC repository whose first commit has the project's evaluation, and whose workspace lacks it."""
    from dvc.repo import Repo
    from scmrepo.git import Git

    root = tmp_path / "repository"
    root.mkdir()
    monkeypatch.chdir(root)
    for name in ("USER_NAME", "AUTHOR_NAME", "COMMITTER_NAME"):
        monkeypatch.setenv(f"GIT_{name}", "test")
    for name in ("AUTHOR_EMAIL", "COMMITTER_EMAIL"):
        monkeypatch.setenv(f"GIT_{name}", "test@example.org")
    Git.init(".").close()
    repo = Repo.init(".")
    shutil.copytree(project / "artifacts" / "evaluation", root / "artifacts" / "evaluation")
    repo.add("artifacts/evaluation")
    repo.scm.add([".dvc", "artifacts/evaluation.dvc", "artifacts/.gitignore"])
    repo.scm.commit("first")
    repo.scm.tag("before")
    shutil.rmtree(root / "artifacts" / "evaluation")
    repo.close()
    return root


def test_revision_is_read_from_dvc(repository: Path, project: Path, tmp_path: Path) -> None:
    place = find("before", tmp_path / "copies")
    assert place == Place("before", tmp_path / "copies" / "evaluation", tmp_path / "copies")
    known = json.loads((project / "artifacts" / "evaluation" / "metrics.json").read_text())
    assert read_side(place).evaluation.metrics == known
    assert not (repository / "artifacts" / "evaluation").exists()


@pytest.mark.usefixtures("repository")
def test_what_is_neither_folder_nor_revision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="nowhere: neither a folder nor a revision or experiment of DVC here"):
        find("nowhere", tmp_path / "copies")


def test_revision_whose_evaluation_is_in_no_cache_is_refused(repository: Path, tmp_path: Path) -> None:
    shutil.rmtree(repository / ".dvc" / "cache")
    with pytest.raises(
        ArtifactError, match=r"before: it has no artifacts/evaluation, or neither DVC's cache .*`dvc fetch`"
    ):
        find("before", tmp_path / "copies")
