"""DVC's hashes: what a commit's dvc.lock says of the release, and what a folder or a file is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml

from gemel.registry.errors import RegistryError
from gemel.registry.git import file_at
from gemel.stages import RELEASE

LOCK = "dvc.lock"


def expect_stored(root: Path, commit: str, bundle: Path) -> None:
    """See that a commit's dvc.lock holds this bundle, so that it can be brought back.

    Raises: RegistryError if it holds another or none.
    """
    found = stored_md5(root, commit)
    if found != (wanted := folder_md5(bundle)):
        held = f"holds {found}" if found else "does not name it"
        raise RegistryError(
            f"{bundle}: the {LOCK} of commit {commit[:12]} {held}, while the bundle is {wanted}; run `dvc repro "
            f"release` (or `dvc commit release`), `dvc push` and commit {LOCK}, then register that commit"
        )


def stored_md5(root: Path, commit: str) -> str | None:
    """DVC's hash of the release in a commit's dvc.lock; None if it names none."""
    content = file_at(root, commit, LOCK)
    stages = (yaml.safe_load(content) or {}).get("stages", {}) if content else {}
    outs = [out for stage in stages.values() for out in stage.get("outs", ()) if out["path"] == RELEASE.as_posix()]
    return outs[0].get("md5") if outs else None


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
