"""Changes to a running release: made whole or not at all, one at a time, undone byte for byte."""

import subprocess
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from gemel import living
from gemel.bundle import read_bundle
from gemel.changes.rows import read_entity_changes, write_entity_changes
from gemel.core.artifacts import artifact_hash
from gemel.core.errors import ArtifactError, DataError
from gemel.core.schema import Entity
from gemel.entities.changed import EntityChange
from gemel.living import changing
from gemel.stages import RELEASE
from gemel.stages import release as stage

CHANGES = Path("data/changes/tiny")
ADDED = EntityChange("X1", added=Entity("X1", "Jaguar (probe)", "Jaguar"))


def make(*changes: EntityChange) -> None:
    with changing() as draft:
        write_entity_changes(draft, changes)


@pytest.mark.usefixtures("project_copy")
def test_change_is_in_the_release_and_is_not_recorded_outside_of_dvc(capsys: pytest.CaptureFixture[str]) -> None:
    make(ADDED)
    assert read_entity_changes(CHANGES) == (ADDED,)
    assert "X1" in read_bundle(RELEASE).catalog
    shown = capsys.readouterr()
    assert "Changes in the release: added 1." in shown.out
    assert "Not recorded, as this is no DVC project in git" in shown.err


@pytest.mark.usefixtures("project_copy")
def test_what_is_undone_leaves_the_bytes_of_before() -> None:
    before = artifact_hash(RELEASE)
    make(ADDED)
    assert artifact_hash(RELEASE) != before
    make()
    assert artifact_hash(RELEASE) == before
    assert not CHANGES.exists()


@pytest.mark.usefixtures("project_copy")
def test_later_run_of_the_stage_gives_the_same_bytes() -> None:
    make(ADDED)
    after = artifact_hash(RELEASE)
    stage.main()
    assert artifact_hash(RELEASE) == after


@pytest.mark.usefixtures("project_copy")
def test_nothing_is_built_where_nothing_changed(capsys: pytest.CaptureFixture[str]) -> None:
    before = (RELEASE / "manifest.json").stat().st_ino
    make()
    assert (RELEASE / "manifest.json").stat().st_ino == before
    assert capsys.readouterr().out == "Nothing to change.\n"


@pytest.mark.usefixtures("project_copy")
def test_error_while_editing_leaves_all_as_it_was() -> None:
    make(ADDED)
    before = artifact_hash(RELEASE)
    with pytest.raises(DataError, match="no"), changing() as draft:
        write_entity_changes(draft, ())
        raise DataError("no")
    assert (read_entity_changes(CHANGES), artifact_hash(RELEASE)) == ((ADDED,), before)
    assert [path.name for path in CHANGES.parent.iterdir()] == ["tiny"]


@pytest.mark.usefixtures("project_copy")
def test_release_that_can_not_be_built_leaves_all_as_it_was() -> None:
    make(ADDED)
    before = artifact_hash(RELEASE)
    with pytest.raises(DataError, match="the catalog has no entities"):
        make(*(EntityChange(key, removed=True) for key in ("Q35694", "Q30055", "Q308", "Q925", "Q3783")))
    assert (read_entity_changes(CHANGES), artifact_hash(RELEASE)) == ((ADDED,), before)


@pytest.mark.usefixtures("project_copy")
def test_change_that_can_not_be_recorded_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> bool:
        raise ArtifactError("DVC can't record the change (disk full)")

    before = artifact_hash(RELEASE)
    monkeypatch.setattr(living, "_record", fail)
    with pytest.raises(ArtifactError, match=r"disk full"):
        make(ADDED)
    assert artifact_hash(RELEASE) == before
    assert not CHANGES.exists()
    assert not living.STATE.exists()


@pytest.mark.usefixtures("project_copy")
def test_killed_change_is_taken_back_by_the_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = artifact_hash(RELEASE)
    with monkeypatch.context() as killed:
        # A killed process restores nothing.
        killed.setattr(living, "_restore", lambda *_: None)
        killed.setattr(living, "_record", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make(ADDED)
    assert CHANGES.exists()
    assert artifact_hash(RELEASE) != before
    with changing() as draft:
        assert read_entity_changes(draft) == ()
    assert "A change was killed before it was complete; what it changed is taken back." in capsys.readouterr().err
    assert artifact_hash(RELEASE) == before
    assert not CHANGES.exists()


@pytest.mark.usefixtures("project_copy")
def test_second_change_at_the_same_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(living, "PATIENCE", 0.1)
    living.LOCK.parent.mkdir(exist_ok=True)
    with (
        FileLock(living.LOCK),
        pytest.raises(ArtifactError, match=r"change\.lock: another change has been under way for 0 s; wait for it"),
    ):
        make(ADDED)


def test_project_elsewhere_is_changed(project_copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with changing(project_copy) as draft:
        write_entity_changes(draft, (ADDED,))
    assert "X1" in read_bundle(project_copy / RELEASE).catalog
    assert not any(elsewhere.iterdir())


@pytest.mark.usefixtures("project_copy")
def test_dvc_records_the_data_and_the_release(capsys: pytest.CaptureFixture[str]) -> None:
    """A small project of its own: data/ and a stage `release` whose artifact is there already."""
    from dvc.repo import Repo

    subprocess.run(["git", "init", "-q"], check=True)
    with Repo.init(".") as repo:
        repo.config["core"]["analytics"] = False
        repo.add("data")
    stage_of = {"cmd": "python -m gemel.stages.release", "deps": ["data"], "outs": ["artifacts/release"]}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"release": stage_of}}))
    make(ADDED)
    assert "Recorded by DVC; now `git add data.dvc dvc.lock` and commit." in capsys.readouterr().out
    with Repo(".") as repo:
        assert repo.status() == {}
    recorded = Path("data.dvc").read_text()
    make()
    assert Path("data.dvc").read_text() != recorded
    with Repo(".") as repo:
        assert repo.status() == {}
