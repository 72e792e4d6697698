"""A release in an object store: files first, the manifest last, and an interrupted push is finished by the next."""

from pathlib import Path

import fsspec
import pytest
from archives import ObjectStore, empty_store
from tiny_world import make_release

from gemel.core.artifacts import MANIFEST, artifact_hash
from gemel.core.errors import ArtifactError
from gemel.core.settings import BackboneSettings
from gemel.transfer.errors import TransferError
from gemel.transfer.pull import pull_release
from gemel.transfer.push import push_release
from gemel.transfer.store import UNDER_WAY, StorePlace

TARGET = "store://bucket/release"


@pytest.fixture(autouse=True)
def store() -> type[ObjectStore]:
    return empty_store()


@pytest.fixture
def other(tmp_path: Path, tiny_backbones: BackboneSettings, tiny_dataset: Path) -> Path:
    return make_release(tmp_path / "other", tiny_backbones, tiny_dataset, seed=1)


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were sent; LIMIT of them, where a test sets it, before the network goes."""
    names: list[str] = []
    put = ObjectStore.put_file

    def counted(self: ObjectStore, source: str, target: str, **options: object) -> None:
        if len(names) == LIMIT[0]:
            raise ConnectionError("gone")
        put(self, source, target, **options)
        names.append(target.removeprefix("/bucket/release/"))

    monkeypatch.setattr(ObjectStore, "put_file", counted)
    monkeypatch.setitem(LIMIT, 0, None)
    return names


LIMIT: dict[int, int | None] = {0: None}


def names(store: type[ObjectStore]) -> set[str]:
    return {path.removeprefix("/bucket/release/") for path in store.store}


def interrupted(release: Path, after: int) -> None:
    LIMIT[0] = after
    with pytest.raises(TransferError, match="can't be reached; check the address and the network, then run the same"):
        push_release(release, TARGET)
    LIMIT[0] = None


def test_manifest_goes_last(release: Path, store: type[ObjectStore]) -> None:
    interrupted(release, after=3)
    assert MANIFEST not in names(store)
    with pytest.raises(TransferError, match="no release there, or its push was not finished"):
        pull_release(TARGET, release.parent / "mine")


def test_interrupted_push_goes_on_where_it_was(release: Path, store: type[ObjectStore], sent: list[str]) -> None:
    interrupted(release, after=3)
    push_release(release, TARGET)
    assert len(sent) == len(set(sent)) == len(names(store)) - 1
    assert UNDER_WAY not in names(store)


def test_interrupted_push_of_another_release_leaves_nothing_of_it(release: Path, other: Path, tmp_path: Path) -> None:
    interrupted(other, after=8)
    interrupted(release, after=10)
    push_release(release, TARGET)
    assert pull_release(TARGET, tmp_path / "mine").listing.digest == artifact_hash(release)


def test_interrupted_replacement_leaves_no_mixture(release: Path, other: Path, sent: list[str], tmp_path: Path) -> None:
    push_release(other, TARGET)
    LIMIT[0] = len(sent) + 2
    with pytest.raises(TransferError):
        push_release(release, TARGET, replace=True)
    with pytest.raises(TransferError, match="no release there"):
        pull_release(TARGET, tmp_path / "mine")
    LIMIT[0] = None
    push_release(release, TARGET)
    assert pull_release(TARGET, tmp_path / "mine").listing.digest == artifact_hash(release)


def test_kill_before_the_old_files_go_leaves_no_mixture(
    release: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_release(other, TARGET)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(StorePlace, "_whole", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        push_release(release, TARGET, replace=True)
    push_release(release, TARGET)
    assert pull_release(TARGET, tmp_path / "mine").listing.digest == artifact_hash(release)


def test_file_that_is_longer_than_listed_is_not_read_to_its_end(release: Path, tmp_path: Path) -> None:
    push_release(release, TARGET)
    fsspec.filesystem("store").pipe("/bucket/release/corpus.parquet", b"x" * 10_000_000)
    with pytest.raises(ArtifactError, match=rf"{TARGET}/corpus\.parquet: \d{{4}} bytes, but its manifest says"):
        pull_release(TARGET, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_huge_manifest_is_not_read(release: Path, tmp_path: Path) -> None:
    push_release(release, TARGET)
    fsspec.filesystem("store").pipe("/bucket/release/manifest.json", b" " * (2**24 + 1))
    with pytest.raises(ArtifactError, match="16777217 bytes, so it is no release's; correct the address"):
        pull_release(TARGET, tmp_path / "mine")
