"""A bundle that was deleted or damaged, brought back out of DVC: its tag names the commit, whose dvc.lock the rest."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from gemel.core.errors import ArtifactError
from gemel.registry.pointer import check_bundle, put_bundle
from gemel.registry.rewritten import standing_for
from gemel.registry.stored import stored_md5
from gemel.registry.verification import drop_damaged
from gemel.registry.versions import ARTIFACT, Version

_FETCHED = ".fetched"


def expect_bundle(root: Path, version: Version, releases: Path) -> None:
    """Have a version's bundle among the releases, whole: as it lies there, else out of DVC's cache, else its remote.

    Raises: ArtifactError if DVC has it no more.
    """
    standing = standing_for(releases, version.folder)
    with contextlib.suppress(ArtifactError):
        check_bundle(releases / standing, version.digest if standing == version.folder else None)
        return
    fetched = releases / _FETCHED
    try:
        put_bundle(_fetch_whole(root, version, fetched), releases, version.digest)
    finally:
        shutil.rmtree(fetched, ignore_errors=True)


def _fetch_whole(root: Path, version: Version, into: Path) -> Path:
    try:
        return _fetch(root, version, into)
    except ArtifactError:
        oid = stored_md5(root, version.commit)
        if oid is None or not (root / ".dvc").is_dir():
            raise
        # DVC believes its cache: what is damaged there comes from the remote once it is gone.
        drop_damaged(root, oid)
        return _fetch(root, version, into)


def _fetch(root: Path, version: Version, into: Path) -> Path:
    """The release of a version, below a folder, in place of what was there."""
    from dvc.repo import Repo

    shutil.rmtree(into, ignore_errors=True)
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
    check_bundle(into / "release", version.digest)
    return into / "release"
