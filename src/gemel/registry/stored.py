"""Releases as DVC keeps them: what a commit's dvc.lock holds, and a release brought back out of its version."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml

from gemel.core.errors import ArtifactError
from gemel.registry.errors import RegistryError
from gemel.registry.git import file_at
from gemel.registry.versions import ARTIFACT, Version
from gemel.stages import RELEASE

LOCK = "dvc.lock"


def expect_stored(root: Path, commit: str, bundle: Path) -> None:
    """See that a commit's dvc.lock holds this bundle, so that it can be brought back.

    Raises: RegistryError if it holds another or none.
    """
    content = file_at(root, commit, LOCK)
    stages = (yaml.safe_load(content) or {}).get("stages", {}) if content else {}
    outs = [out for stage in stages.values() for out in stage.get("outs", ()) if out["path"] == RELEASE.as_posix()]
    found = outs[0].get("md5") if outs else None
    if found != (wanted := folder_md5(bundle)):
        held = f"holds {found}" if found else "does not name it"
        raise RegistryError(
            f"{bundle}: the {LOCK} of commit {commit[:12]} {held}, while the bundle is {wanted}; run `dvc repro "
            f"release` (or `dvc commit release`), `dvc push` and commit {LOCK}, then register that commit"
        )


def folder_md5(folder: Path) -> str:
    """DVC's hash of a folder: of the list of its files' names and MD5s."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.meta import Meta
    from dvc_data.hashfile.tree import Tree

    tree = Tree()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            tree.add(path.relative_to(folder).parts, Meta(), HashInfo("md5", file_md5(path)))
    tree.digest()
    return str(tree.oid)


def file_md5(path: Path) -> str:
    """MD5 of a file's bytes, as hex digits: DVC's name for it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def fetch_release(root: Path, version: Version, into: Path) -> Path:
    """Bring the release of a version out of DVC's cache, else its remote, into a folder.

    Returns: the release, below `into`. Raises: ArtifactError if DVC has it no more.
    """
    from dvc.repo import Repo

    into.mkdir(parents=True)
    try:
        # Opened so, a remote whose address is relative is still found once DVC looks into another commit.
        with Repo.open(url=str(root)) as repo:
            repo.artifacts.download(ARTIFACT, version=version.name, out=str(into / "release"))
    # What the driver of a remote raises has no base of its own.
    except Exception as error:
        raise ArtifactError(
            f"{root}: DVC can't bring back the release of {version.name} ({error}); run `dvc fetch --all-tags`, or "
            "promote a version whose bundle is still there (`gemel release list`)"
        ) from error
    return into / "release"
