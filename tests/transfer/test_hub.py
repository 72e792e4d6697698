"""Releases on the Hugging Face hub, its client replaced by one that keeps repositories in memory."""

import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub.errors import EntryNotFoundError, OfflineModeIsEnabled, RepositoryNotFoundError
from tiny_world import make_release

from gemel.core.artifacts import artifact_hash
from gemel.core.errors import ArtifactError
from gemel.core.settings import BackboneSettings
from gemel.transfer import hub
from gemel.transfer.errors import TransferError
from gemel.transfer.pull import pull_release
from gemel.transfer.push import push_release

TARGET = "hf://owner/linker"


class Hub:
    """As much of HfApi as is called. repositories: name -> branch -> commits, each file -> content."""

    def __init__(self, cache: Path) -> None:
        self.repositories: dict[str, dict[str, list[dict[str, bytes]]]] = {}
        self.private: dict[str, bool] = {}
        self._cache = cache

    def create_repo(self, repo: str, *, private: bool, exist_ok: bool) -> None:
        assert exist_ok
        self.private.setdefault(repo, private)
        self.repositories.setdefault(repo, {"main": [{".gitattributes": b""}]})

    def create_branch(self, repo: str, *, branch: str, exist_ok: bool) -> None:
        assert exist_ok
        self.repositories[repo].setdefault(branch, [{}])

    def model_info(self, repo: str, *, revision: str | None) -> Any:
        if repo not in self.repositories:
            response = SimpleNamespace(headers={}, request=None, status_code=404)
            raise RepositoryNotFoundError("404 Client Error. Repository Not Found", response=response)  # type: ignore[arg-type]
        branch = revision or "main"
        return SimpleNamespace(sha=f"{branch}:{len(self.repositories[repo][branch]) - 1}")

    def hf_hub_download(self, repo: str, name: str, *, revision: str) -> str:
        files = self._files(repo, revision)
        if name not in files:
            raise EntryNotFoundError("404 Client Error. Entry Not Found")
        self._cache.write_bytes(files[name])
        return str(self._cache)

    def snapshot_download(self, repo: str, *, revision: str, local_dir: Path, allow_patterns: list[str]) -> None:
        (local_dir / ".cache/huggingface").mkdir(parents=True)
        for name, content in self._files(repo, revision).items():
            if any(fnmatch.fnmatch(name, pattern) for pattern in allow_patterns):
                (local_dir / name).parent.mkdir(parents=True, exist_ok=True)
                (local_dir / name).write_bytes(content)

    def upload_folder(
        self,
        *,
        repo_id: str,
        folder_path: Path,
        revision: str | None,
        commit_message: str,
        allow_patterns: list[str],
        delete_patterns: list[str],
    ) -> None:
        assert commit_message.startswith("Release ")
        assert delete_patterns == ["*"]
        commits = self.repositories[repo_id][revision or "main"]
        files = {name: content for name, content in commits[-1].items() if name == ".gitattributes"}
        paths = [path for path in folder_path.rglob("*") if path.is_file()]
        names = {path.relative_to(folder_path).as_posix(): path for path in paths}
        files |= {name: path.read_bytes() for name, path in names.items() if name in allow_patterns}
        commits.append(files)

    def _files(self, repo: str, revision: str) -> dict[str, bytes]:
        branch, _, number = revision.partition(":")
        return self.repositories[repo][branch][int(number)]


@pytest.fixture(autouse=True)
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    api = Hub(tmp_path / "cached")
    monkeypatch.setattr(hub, "HfApi", lambda: api)
    return api


def test_pushed_in_one_commit_and_pulled_it_is_the_same(release: Path, tmp_path: Path, api: Hub) -> None:
    assert [push_release(release, TARGET).already for _ in range(2)] == [False, True]
    assert len(api.repositories["owner/linker"]["main"]) == 2
    pull_release(TARGET, tmp_path / "mine")
    assert artifact_hash(tmp_path / "mine") == artifact_hash(release)
    assert not list((tmp_path / "mine").glob(".*"))


def test_repository_is_private_unless_it_is_to_be_public(release: Path, api: Hub) -> None:
    push_release(release, TARGET)
    push_release(release, "hf://owner/open", public=True)
    assert api.private == {"owner/linker": True, "owner/open": False}


def test_branch_is_a_place_of_its_own(
    release: Path, tmp_path: Path, tiny_backbones: BackboneSettings, tiny_dataset: Path
) -> None:
    other = make_release(tmp_path / "other", tiny_backbones, tiny_dataset, seed=1)
    push_release(release, TARGET)
    push_release(other, f"{TARGET}@next")
    assert pull_release(TARGET, tmp_path / "mine").listing.digest == artifact_hash(release)
    assert pull_release(f"{TARGET}@next", tmp_path / "mine").listing.digest == artifact_hash(other)


def test_files_of_the_replaced_release_go(
    release: Path, tmp_path: Path, tiny_backbones: BackboneSettings, tiny_dataset: Path, api: Hub
) -> None:
    push_release(release, TARGET, backbone="embed")
    other = make_release(tmp_path / "other", tiny_backbones, tiny_dataset, seed=1)
    with pytest.raises(TransferError, match="another release lies there"):
        push_release(other, TARGET)
    push_release(other, TARGET, replace=True)
    files = api.repositories["owner/linker"]["main"][-1]
    assert not [name for name in files if name.startswith("backbone/")]
    assert ".gitattributes" in files


def test_file_that_was_changed_on_the_hub_is_refused(release: Path, tmp_path: Path, api: Hub) -> None:
    push_release(release, TARGET)
    files = api.repositories["owner/linker"]["main"][-1]
    files["corpus.parquet"] = files["corpus.parquet"][:-1] + b"x"
    with pytest.raises(ArtifactError, match=r"hf://owner/linker/corpus\.parquet: its SHA-256 differs"):
        pull_release(TARGET, tmp_path / "mine")


def test_repository_without_a_release_is_a_sentence(tmp_path: Path, api: Hub) -> None:
    api.create_repo("owner/linker", private=True, exist_ok=True)
    with pytest.raises(TransferError, match="no release there"):
        pull_release(TARGET, tmp_path / "mine")


def test_missing_repository_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="hf://owner/linker: no such repository or revision, or a private one"):
        pull_release(TARGET, tmp_path / "mine")


@pytest.mark.parametrize("address", ["hf://linker", "hf://a/b/c", "hf://a/b@", "hf://a/b?x", "hf://datasets/a/b"])
def test_other_addresses_are_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(TransferError, match=r"expected hf://owner/name|holds a password or a query"):
        pull_release(address, tmp_path / "mine")


def test_without_a_network_a_sentence_comes(release: Path, api: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OfflineModeIsEnabled("Cannot reach the hub: offline mode is enabled.")

    monkeypatch.setattr(api, "create_repo", offline)
    with pytest.raises(TransferError, match="can't be reached; check the address and the network"):
        push_release(release, TARGET)


@pytest.mark.parametrize("status", [401, 403])
def test_missing_rights_are_a_sentence(release: Path, api: Hub, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        error = RuntimeError("Client Error")
        error.response = SimpleNamespace(status_code=status)  # type: ignore[attr-defined]
        raise error

    monkeypatch.setattr(api, "create_repo", refuse)
    with pytest.raises(TransferError, match="access denied; check who owns the place"):
        push_release(release, TARGET)
