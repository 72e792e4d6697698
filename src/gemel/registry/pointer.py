"""Bundles by their digests, and the pointer to the champion's.

.gemel/releases/1ff4afe55faaf8b9/    a bundle, whole or absent; its name is the first digits of its manifest's SHA-256
.gemel/releases/champion             a relative link to one of them, replaced by one rename
.gemel/releases/.*                   what is under way, or was when its process was killed
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from gemel.core.artifacts import MANIFEST, artifact_hash, read_manifest
from gemel.core.drafts import draft_beside, put_in_place
from gemel.core.errors import ArtifactError
from gemel.registry.errors import RegistryError
from gemel.registry.versions import DIGITS
from gemel.stages import PROGRESS

RELEASES = PROGRESS / "releases"
CHAMPION = "champion"
_NAME = re.compile(rf"[0-9a-f]{{{DIGITS}}}")
_FORMER = ".former"
_ADVICE = "`gemel release list` shows the versions, and `gemel release promote VERSION` brings its bundle back"


def champion_link(root: Path) -> Path:
    """Where the pointer of a project lies, or would."""
    return root / RELEASES / CHAMPION


def is_promoted(folder: Path) -> bool:
    """Whether a folder, without a link in its path, is a bundle of the registry: named after its digest."""
    return folder.parent.parts[-len(RELEASES.parts) :] == RELEASES.parts and bool(_NAME.fullmatch(folder.name))


def pointed(releases: Path) -> str | None:
    """Name of the bundle that the pointer names, there or not; None without a pointer.

    Raises: ArtifactError if it isn't what the registry wrote.
    """
    link = releases / CHAMPION
    if not os.path.lexists(link):
        return None
    name = str(link.readlink()) if link.is_symlink() else ""
    if not _NAME.fullmatch(name):
        found = f"points to {name!r}" if name else "is no link"
        raise ArtifactError(f"{link}: {found}, and not to a bundle beside it; remove it, then {_ADVICE}")
    return name


def point(releases: Path, name: str) -> None:
    """Make the pointer name a bundle: one rename, and on the disk when this returns."""
    draft = releases / f".{CHAMPION}.draft"
    draft.unlink(missing_ok=True)
    draft.symlink_to(name)
    draft.replace(releases / CHAMPION)
    sync_folder(releases)


def check_bundle(folder: Path, digest: str | None = None) -> None:
    """See that a bundle is whole and the one that its folder is named after.

    digest: SHA-256 of its manifest, or the first digits; None: the folder's name.
    Raises: ArtifactError if it is gone, damaged, or another.
    """
    wanted = folder.name if digest is None else digest
    # First: of a manifest that is not what it was, nothing is believed.
    found = artifact_hash(folder) if (folder / MANIFEST).is_file() else wanted
    if not wanted or not found.startswith(wanted):
        raise ArtifactError(
            f"{folder / MANIFEST}: its SHA-256 begins with {found[:DIGITS]} instead of {wanted[:DIGITS]} (damaged?); "
            f"{_ADVICE}"
        )
    read_manifest(folder, "release", check_hashes=True, advice=_ADVICE)


def put_bundle(source: Path, releases: Path, digest: str) -> Path:
    """Copy a bundle to its place, whole or not at all; one that lies there whole stays. digest: of the source.

    Raises: ArtifactError if the copy differs; OSError if the disk is full.
    """
    target = releases / digest[:DIGITS]
    with contextlib.suppress(ArtifactError):
        check_bundle(target, digest)
        return target
    with draft_beside(target) as draft:
        # The manifest last, as wherever an artifact is written.
        for name in (*_listed(source), MANIFEST):
            _copy(source / name, draft / name)
        check_bundle(draft, digest)
        put_in_place(draft, target)
    sync_folder(releases)
    return target


def bundles(releases: Path) -> list[Path]:
    """The bundles that are there, by name."""
    return sorted(path for path in releases.glob("*") if _NAME.fullmatch(path.name) and path.is_dir())


def remove_bundle(folder: Path) -> None:
    """Remove a bundle, at once: nobody finds half of it."""
    gone = folder.with_name(f".{folder.name}.removed")
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    shutil.rmtree(gone)


def sweep(releases: Path) -> Iterator[str]:
    """Remove what killed processes left, and say so. Call it while nobody else is at work here."""
    for left in sorted(releases.glob(".*")):
        target = left.with_name(left.name.removeprefix(".").removesuffix(_FORMER))
        if left.name.endswith(_FORMER) and not target.exists():
            left.rename(target)
            yield f"{target}: put back; its replacement was not finished"
        elif left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
            yield f"{left}: removed, unfinished"
        else:
            left.unlink()
            yield f"{left}: removed, unfinished"


def sync_folder(folder: Path) -> None:
    """Have the names of a folder's files on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _listed(bundle: Path) -> list[str]:
    """Names of a bundle's files but its manifest; the bundle was checked.

    Raises: RegistryError if one leads out of it.
    """
    names = list(json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))["files"])
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise RegistryError(f"{bundle / MANIFEST}: lists {name!r}, which lies outside of it; don't use this bundle")
    return names


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as original, to.open("wb") as copy:
        shutil.copyfileobj(original, copy)
        copy.flush()
        os.fsync(copy.fileno())
