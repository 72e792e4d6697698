"""DVC-tracked sources: what they hold comes into the drop folder as one batch, named by its content, once."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemel.core.artifacts import file_sha256
from gemel.core.drafts import draft_beside
from gemel.core.errors import DataError
from gemel.core.image_files import leaves_folder
from gemel.intake.ledger import Ledger, append_entries, fetched_line, locked, read_ledger
from gemel.intake.places import places_of
from gemel.intake.settings import IntakeSettings, SourceSettings
from gemel.intake.wholeness import VOUCHER
from gemel.posts.dataset import POSTS

NAME_DIGITS = 16


@dataclass(frozen=True)
class Fetched:
    """What became of a source. batch: the name of what it holds; new: whether that was fetched now. fault: why it
    couldn't be fetched; the others are, all the same.
    """

    source: str
    batch: str = ""
    new: bool = False
    fault: str | None = None


def fetch(root: Path, settings: IntakeSettings) -> tuple[Fetched, ...]:
    """Bring what the configured sources hold into the drop folder; what was fetched before is not fetched again.

    root: the project's folder.
    Raises: ConfigError if the configured drop folder is missing; OSError if something can't be written there.
    """
    places = places_of(root, settings)
    found = []
    for name, source in settings.sources.items():
        ledger = read_ledger(places)
        try:
            listing, batch, new = _fetch(name, source, places.drop / name, ledger, settings.caps.batch_bytes)
        except DataError as error:
            found.append(Fetched(name, fault=str(error)))
            continue
        if (name, listing) not in ledger.fetched:
            with locked(places):
                append_entries(places.ledger, [fetched_line(name, listing, batch)])
        found.append(Fetched(name, batch, new))
    return tuple(found)


def _fetch(name: str, source: SourceSettings, folder: Path, ledger: Ledger, most: int) -> tuple[str, str, bool]:
    """Returns: SHA-256 of the source's listing, the name of its content, and whether that is new here."""
    from dvc.api import DVCFileSystem

    where = f"source {name!r}, {source.path} of {source.url}"
    try:
        fs = DVCFileSystem(source.url, rev=source.rev)
        files = _files(fs, source.path, where)
        size = sum(info["size"] or 0 for info in files.values())
        if size > most:
            raise DataError(
                f"{where}: {size} bytes, more than {most} (intake.caps.batch_bytes); raise it, or fetch less"
            )
        hashes = {path: info.get("md5") for path, info in files.items()}
        listing = _digest(hashes) if all(hashes.values()) else ""
        if listing and (name, listing) in ledger.fetched:
            return listing, ledger.fetched[name, listing], False
        with draft_beside(folder / "fetching") as draft:
            for path in files:
                (draft / path).parent.mkdir(parents=True, exist_ok=True)
                fs.get_file(posixpath.join(source.path, path), str(draft / path))
            return _in_place(name, folder, draft, ledger, listing)
    except DataError:
        raise
    except Exception as error:
        # DVC, git and the drivers of storages have no error in common.
        raise DataError(
            f"{where}: can't be fetched ({type(error).__name__}: {error}); try `dvc get {source.url} {source.path}`"
        ) from error


def _files(fs: Any, path: str, where: str) -> Mapping[str, dict[str, Any]]:
    """The files of a folder, by their path in it, hidden ones left out."""
    top = posixpath.join("/", path)
    found = {
        posixpath.relpath(posixpath.join("/", name), top): info for name, info in fs.find(path, detail=True).items()
    }
    visible = {name: info for name, info in found.items() if not any(part[0] == "." for part in name.split("/"))}
    if POSTS not in visible:
        raise DataError(f"{where}: no {POSTS} there; correct intake.sources, or push it there")
    for name in visible:
        if leaves_folder(name):
            raise DataError(f"{where}: {name!r} leads out of the folder")
    return dict(sorted(visible.items()))


def _in_place(name: str, folder: Path, draft: Path, ledger: Ledger, listing: str) -> tuple[str, str, bool]:
    """Name what was fetched by its content, and let it become a batch unless it was one before."""
    paths = sorted(path for path in draft.rglob("*") if path.is_file() and path.name != VOUCHER)
    hashes = {path.relative_to(draft).as_posix(): file_sha256(path) for path in paths}
    batch = _digest(hashes)[:NAME_DIGITS]
    listing = listing or _digest(hashes)
    known = any(source == name and each == batch for (source, _), each in ledger.fetched.items())
    if known or (folder / batch).exists():
        return listing, batch, False
    (draft / VOUCHER).write_text(json.dumps({"files": hashes}, indent=1) + "\n", encoding="utf-8")
    draft.rename(folder / batch)
    return listing, batch, True


def _digest(hashes: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(sorted(hashes.items())).encode()).hexdigest()
