"""A release goes from folder to folder: whole, checked, and never over something else."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_world import make_release

from gemel.core.artifacts import MANIFEST, artifact_hash, file_sha256
from gemel.core.errors import ArtifactError
from gemel.core.settings import BackboneSettings
from gemel.release_facts import read_facts
from gemel.transfer import folder as folder_place
from gemel.transfer.errors import TransferError
from gemel.transfer.pull import pull_release
from gemel.transfer.push import push_release


@pytest.fixture
def other(tmp_path: Path, tiny_backbones: BackboneSettings, tiny_dataset: Path) -> Path:
    return make_release(tmp_path / "other", tiny_backbones, tiny_dataset, seed=1)


@pytest.fixture
def listing_of() -> Callable[[Path, str], None]:
    """Have a release list one more file, of a name that the caller chooses."""

    def add(release: Path, name: str) -> None:
        manifest = json.loads((release / MANIFEST).read_text())
        manifest["files"][name] = {"bytes": 1, "sha256": "0" * 64}
        (release / MANIFEST).write_text(json.dumps(manifest))

    return add


def test_pushed_and_pulled_it_is_the_same(release: Path, tmp_path: Path) -> None:
    assert not push_release(release, str(tmp_path / "share/release")).already
    assert not pull_release(str(tmp_path / "share/release"), tmp_path / "mine").already
    assert artifact_hash(tmp_path / "mine") == artifact_hash(release)
    read_facts(tmp_path / "mine", check_hashes=True)


def test_second_time_nothing_is_done(release: Path, tmp_path: Path) -> None:
    for _ in range(2):
        pushed = push_release(release, str(tmp_path / "share"))
        pulled = pull_release(str(tmp_path / "share"), tmp_path / "mine")
    assert pushed.already
    assert pulled.already


def test_other_release_is_replaced_only_if_that_is_said(release: Path, other: Path, tmp_path: Path) -> None:
    share = tmp_path / "share"
    push_release(release, str(share))
    with pytest.raises(TransferError, match="another release lies there; push to another place, or with --replace"):
        push_release(other, str(share))
    assert artifact_hash(share) == artifact_hash(release)
    push_release(other, str(share), replace=True)
    assert artifact_hash(share) == artifact_hash(other)


def test_folder_with_something_else_is_left_alone(release: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.txt").write_text("1")
    words = "thesis: something that is no release lies there, and would be lost; name another folder"
    with pytest.raises(TransferError, match=words):
        push_release(release, str(tmp_path / "thesis"), replace=True)
    with pytest.raises(TransferError, match=words):
        pull_release(str(release), tmp_path / "thesis")
    assert (tmp_path / "thesis/chapter.txt").read_text() == "1"


def test_damaged_release_is_not_pushed(release: Path, tmp_path: Path) -> None:
    (release / "corpus.parquet").write_bytes(b"x")
    with pytest.raises(ArtifactError, match=r"corpus\.parquet: 1 bytes"):
        push_release(release, str(tmp_path / "share"))
    assert not (tmp_path / "share").exists()


@pytest.mark.parametrize("damage", [b"", b"x"], ids=["shorter", "other bytes"])
def test_damaged_source_is_refused_and_the_former_stays(release: Path, other: Path, damage: bytes) -> None:
    path = other / "corpus.parquet"
    path.write_bytes(path.read_bytes()[:-1] + damage)
    before = artifact_hash(release)
    with pytest.raises(ArtifactError, match=rf"{other}/corpus\.parquet: .*what was there stays; pull again"):
        pull_release(str(other), release)
    assert artifact_hash(release) == before
    assert not list(release.parent.glob(".release.*"))


def test_missing_file_at_the_source_leaves_the_former(release: Path, other: Path) -> None:
    (other / "corpus.parquet").unlink()
    before = artifact_hash(release)
    with pytest.raises(TransferError, match="no such folder or bucket"):
        pull_release(str(other), release)
    assert artifact_hash(release) == before


@pytest.mark.parametrize("name", ["../../escaped.json", "/tmp/escaped.json", "a\\..\\escaped.json", "run.py", "x.pkl"])
def test_nothing_is_written_of_a_release_that_lists_such_a_file(
    release: Path, tmp_path: Path, listing_of: Callable[[Path, str], None], name: str
) -> None:
    listing_of(release, name)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ArtifactError, match="don't use it"):
        pull_release(str(release), tmp_path / "new/mine")
    assert sorted(tmp_path.rglob("*")) == before


def test_files_that_the_manifest_does_not_list_stay_behind(release: Path, tmp_path: Path) -> None:
    (release / "evil.py").write_text("1")
    pull_release(str(release), tmp_path / "mine")
    assert not (tmp_path / "mine/evil.py").exists()


def test_files_that_no_reader_opens_are_refused(release: Path, tmp_path: Path) -> None:
    (release / "corpus.parquet").write_bytes(b"PAR1")
    manifest = json.loads((release / MANIFEST).read_text())
    manifest["files"]["corpus.parquet"] = {"bytes": 4, "sha256": file_sha256(release / "corpus.parquet")}
    (release / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"corpus\.parquet: unreadable"):
        pull_release(str(release), tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_link_to_a_release_stays_and_leads_to_the_new_one(release: Path, other: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(release)
    pull_release(str(other), tmp_path / "current")
    assert (tmp_path / "current").is_symlink()
    assert artifact_hash(release) == artifact_hash(other)


def test_nothing_at_the_source_is_said(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="no release there, or its push was not finished; check the address"):
        pull_release(str(tmp_path / "gone"), tmp_path / "mine")


def test_full_disk_is_said_before_anything_is_fetched(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(TransferError, match="the disk has 10 free; free some space, or name another folder"):
        pull_release(str(release), tmp_path / "mine")


def test_disk_that_fills_up_on_the_way_is_a_sentence(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder_place.shutil, "copyfile", fill)
    with pytest.raises(TransferError, match="the disk is full; free some space and run the same command again"):
        push_release(release, str(tmp_path / "share"))
    assert not list(tmp_path.glob(".share*"))


def test_target_that_can_not_be_written_is_a_sentence(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(TransferError, match="share: access denied; check who owns the place"):
        push_release(release, str(tmp_path / "share"))


def test_target_below_a_file_is_a_sentence(release: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TransferError, match=r"file/share: .*\(.*Not a directory"):
        push_release(release, str(tmp_path / "file/share"))


def test_pushed_with_its_models_it_needs_no_other_folder(release: Path, tmp_path: Path) -> None:
    for _ in range(2):
        pushed = push_release(release, str(tmp_path / "share"), backbone="embed")
    assert pushed.already
    assert read_facts(tmp_path / "share")["backbone"] == "embed"
    assert not list(tmp_path.glob(".release.*"))


def test_models_are_not_taken_out_again(release: Path, tmp_path: Path) -> None:
    push_release(release, str(tmp_path / "share"), backbone="embed")
    with pytest.raises(TransferError, match="holds its frozen models; only `dvc repro release` makes one that names"):
        push_release(tmp_path / "share", str(tmp_path / "again"), backbone="reference")


def test_password_in_an_address_is_refused_and_not_repeated(release: Path) -> None:
    with pytest.raises(TransferError, match="holds a password or a query") as caught:
        push_release(release, "s3://user:secret@bucket/x")
    assert "secret" not in str(caught.value)


def test_unknown_kind_of_place_is_a_sentence(release: Path) -> None:
    with pytest.raises(TransferError, match=r"nonsense://x: no driver for this kind of place .*gemel\[s3\]"):
        push_release(release, "nonsense://x")
