"""What a DVC-tracked source holds comes into the drop folder once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from intake_world import gathered, ids, picture, row, settings, write_lines

from gemel.intake.fetching import fetch
from gemel.intake.settings import IntakeSettings, SourceSettings
from gemel.intake.settling import settle

POSTS = [row("f1", "A Jaguar from afar", image="images/a.png")]


def command(folder: Path, *words: str) -> None:
    subprocess.run(words, cwd=folder, check=True, capture_output=True, env={**os.environ, "DVC_NO_ANALYTICS": "1"})


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC repository whose data are in its cache alone."""
    folder = tmp_path_factory.mktemp("source")
    command(folder, "git", "init", "-q")
    command(folder, sys.executable, "-m", "dvc", "init", "-q")
    write_lines(folder / "new/posts.jsonl", POSTS)
    (folder / "new/images").mkdir()
    (folder / "new/images/a.png").write_bytes(picture())
    command(folder, sys.executable, "-m", "dvc", "add", "-q", "new")
    command(folder, "git", "add", ".")
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    command(folder, "git", *who, "commit", "-q", "-m", "posts")
    return folder


def from_source(url: Path, path: str = "new", rev: str | None = "HEAD") -> IntakeSettings:
    return settings(sources={"afar": SourceSettings(url=str(url), path=path, rev=rev)})


def test_source_becomes_a_batch_once(root: Path, repository: Path) -> None:
    chosen = from_source(repository)
    (first,) = fetch(root, chosen)
    assert (first.new, first.fault) == (True, None)
    batch = gathered(root, chosen)
    assert (ids(batch), batch.rows[0].batch) == (["f1"], first.batch)
    settle(batch, root, "refused", "run1")
    (second,) = fetch(root, chosen)
    assert (second.new, second.batch) == (False, first.batch)
    assert not list((root / ".gemel/drop/afar").iterdir())


def test_working_folder_of_a_repository_is_read_too(root: Path, repository: Path) -> None:
    chosen = from_source(repository, rev=None)
    assert [fetch(root, chosen)[0].new for _ in range(2)] == [True, False]
    assert ids(gathered(root, chosen)) == ["f1"]


@pytest.mark.parametrize(
    ("path", "words"),
    [("old", "no posts.jsonl there; correct intake.sources, or push it there"), ("new", "can't be fetched (")],
)
def test_source_that_can_not_be_fetched_is_told_and_others_are(
    root: Path, repository: Path, tmp_path: Path, path: str, words: str
) -> None:
    url = repository if path == "old" else tmp_path / "nowhere"
    sources = {"a": SourceSettings(url=str(url), path=path), "b": SourceSettings(url=str(repository), path="new")}
    first, second = fetch(root, settings(sources=sources))
    assert first.fault is not None
    assert first.fault.startswith(f"source 'a', {path} of {url}: ")
    assert words in first.fault
    assert second.new


def test_fetching_that_was_killed_leaves_no_batch(
    root: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = from_source(repository)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("gemel.intake.fetching.file_sha256", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        fetch(root, chosen)
    assert gathered(root, chosen).is_empty
    assert fetch(root, chosen)[0].new


def test_password_in_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="holds a password or a query; give credentials by git's or DVC's own"):
        SourceSettings(url="https://me:secret@example.org/a", path="new")


def test_source_has_a_name_of_its_own() -> None:
    with pytest.raises(ValueError, match="source 'feedback': the name is that of the service's corrections"):
        IntakeSettings(sources={"feedback": SourceSettings(url="a", path="b")})
